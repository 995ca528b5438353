// One client in a process of its own, which prints what was seen as JSON:  node --expose-gc child.mjs WHAT WORD...

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';

/** After the first answers: until connections have settled and what starting took is collected. */
const SETTLE_MS = 250;

async function open(name, redisPort, memcachedPort) {
  const { PEERS } = await import('../peers/index.mjs');
  const ports = { redisPort: Number(redisPort), memcachedPort: Number(memcachedPort) };
  return PEERS.find((one) => one.name === name)?.open(ports);
}

const status = (field) =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))[1]);

/** How long loading modules takes. Nothing that they may need has been imported by then. */
async function load(...specifiers) {
  const require = createRequire(import.meta.url);
  const began = performance.now();
  let how = 'require';
  for (const specifier of specifiers) {
    try {
      require(specifier);
    } catch (error) {
      // ES modules only, before Node.js 22.
      if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
      how = 'import';
      await import(specifier);
    }
  }
  return { milliseconds: performance.now() - began, how };
}

/** What a client costs while nothing happens, then the most memory it takes under load; `none`: a bare process. */
async function client(name, redisPort, memcachedPort, milliseconds) {
  const client = await open(name, redisPort, memcachedPort);
  await client?.set('idle', { idle: true }, null);
  await client?.get('idle');
  await pause(SETTLE_MS);
  globalThis.gc();
  const kinds = process.getActiveResourcesInfo();
  const idle = {
    rss: status('VmRSS') / 1_024,
    threads: status('Threads'),
    handles: kinds.filter((kind) => /TCP|Pipe|Timeout|Immediate|Stream/.test(kind)).length,
  };
  if (!client) return idle;
  const { fill, slice } = await import('../measure.mjs');
  const { product } = await import('../payloads.mjs');
  const { WORKLOADS } = await import('../workloads/index.mjs');
  const peakAt = async (bytes) => {
    const seeds = Array.from({ length: 64 }, (_, index) => index);
    const data = {
      keys: seeds.map((index) => `child:${name.replaceAll(' ', '-')}:${bytes}:${index}`),
      values: seeds.map((index) => product(bytes, index)),
      tags: null,
    };
    await fill({ client, name }, data);
    for (const workload of [WORKLOADS.get, WORKLOADS.set])
      await slice({ client, name }, workload, data, 64, Number(milliseconds));
    return status('VmHWM') / 1_024;
  };
  return { ...idle, peak1: await peakAt(1_024), peak16: await peakAt(16_384) };
}

/** Resident bytes of an entry in process memory, beside its JSON. */
async function memory(name) {
  const [entries, bytes, atOnce] = [50_000, 200, 500];
  const client = await open(name);
  const { product } = await import('../payloads.mjs');
  const write = async (from, to) => {
    for (let index = from; index < to; index += atOnce) {
      const set = (_, i) => client.set(`entry:${index + i}`, product(bytes, index + i), null);
      await Promise.all(Array.from({ length: atOnce }, set));
    }
  };
  const resident = async () => {
    await pause(SETTLE_MS);
    for (let i = 0; i < 3; i++) globalThis.gc();
    return process.memoryUsage.rss();
  };
  // The first tenth warms up code and buffers, which are no entry's.
  await write(0, entries / 10);
  const before = await resident();
  await write(entries / 10, entries / 10 + entries);
  const overhead = ((await resident()) - before) / entries - bytes;
  if ((await client.get(`entry:${entries}`)) === null) throw new Error(`${name} has let go of entries.`);
  return { entries, bytes, overhead };
}

const [what, ...words] = process.argv.slice(2);
// Printed before closing: not everyone's close ends.
console.log(JSON.stringify(await { load, client, memory }[what](...words)));
process.exit(0);
