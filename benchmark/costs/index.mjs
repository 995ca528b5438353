// What a client costs beside the time of its operations. Each is looked at in a process of its own (child.mjs).

import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PEERS } from '../peers/index.mjs';
import { median } from '../statistics.mjs';
import { entryOverhead } from './entries.mjs';
import { inChild } from './in-child.mjs';

const path = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** What an application loads to use each. The first is a module that is loaded anyway: the least that shows. */
const LOADED = [
  ['nothing', ['node:path']],
  ['cachalot', [path('dist/index.cjs')]],
  ['cachalot/medusa/redis', [path('dist/medusa/redis.cjs')]],
  ['ioredis', ['ioredis']],
  ['redis (node-redis)', ['redis']],
  ['@valkey/valkey-glide', ['@valkey/valkey-glide']],
  [
    '@medusajs/caching-redis',
    ['@medusajs/caching-redis/dist/services/redis-cache.js', 'ioredis', 'xxhash-wasm'],
  ],
  ['bentocache + redis driver', ['bentocache', 'bentocache/drivers/redis']],
  ['keyv + @keyv/redis', ['keyv', '@keyv/redis']],
  ['cacheable + @keyv/redis', ['cacheable', '@keyv/redis']],
  ['memjs', ['memjs']],
  ['memcache', ['memcache']],
  ['lru-cache', ['lru-cache']],
];

export async function costs(ports, { costRounds, startRounds, sliceMs }) {
  return {
    start: await startTimes(startRounds),
    clients: await clients(ports, costRounds, sliceMs),
    entries: await entryOverhead(ports),
    sizes: sizes(),
  };
}

/** `work` of all, one after the other, so many times. @returns medians of each by field, or `{ reason }` */
async function medians(rounds, all, work) {
  const seen = all.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [at, one] of all.entries()) seen[at].push(await work(one));
  return seen.map((figures) => {
    const failed = figures.find(({ reason }) => reason !== undefined);
    const of = ([field, value]) => [
      field,
      typeof value === 'number' ? median(figures.map((one) => one[field])) : value,
    ];
    return failed ?? Object.fromEntries(Object.entries(figures[0]).map(of));
  });
}

/** @returns `[{ name, ours, milliseconds, how } or { name, ours, reason }]` */
async function startTimes(rounds) {
  const times = await medians(rounds, LOADED, ([, specifiers]) => inChild('load', specifiers));
  return LOADED.map(([name], at) => ({ name, ours: name.startsWith('cachalot'), ...times[at] }));
}

/** @returns `[{ name, ours, rss, threads, handles, peak } or { name, ours, reason }]`, above a bare process but for the peak */
async function clients(ports, rounds, milliseconds) {
  const measured = PEERS.filter(({ variant }) => !variant);
  const [bare, ...figures] = await medians(rounds, [{ name: 'none' }, ...measured], ({ name }) =>
    inChild('client', [name, ports.redisPort, ports.memcachedPort, milliseconds]),
  );
  return measured.map(({ name, ours = false }, at) => {
    const { reason, peak1, peak16, ...idle } = figures[at];
    if (reason !== undefined) return { name, ours, reason };
    for (const field of Object.keys(idle)) idle[field] -= bare[field];
    return { name, ours, ...idle, peak: { 1024: peak1, 16384: peak16 } };
  });
}

/** Bytes on the disk. @returns `{ addon: { file, bytes }, packed, unpacked, peers: [{ name, bytes }] }`; peers without their dependencies */
function sizes() {
  const addon = readdirSync(path('')).find((file) => file.endsWith('.node'));
  const words = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [pack] = JSON.parse(
    execFileSync('npm', words, { cwd: path(''), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  const names = new Set(PEERS.flatMap((peer) => [peer.package, ...(peer.with ?? [])]));
  names.delete('cachalot');
  names.delete(null);
  return {
    addon: { file: addon, bytes: statSync(path(addon)).size },
    packed: pack.size,
    unpacked: pack.unpackedSize,
    peers: [...names].map((name) => ({ name, bytes: installed(name) })),
  };
}

/** With the binary for this platform, which comes as a package of its own beside it. */
function installed(name) {
  const modules = path('benchmark/node_modules');
  const [scope, rest] = name.split('/');
  const besides = rest
    ? readdirSync(`${modules}/${scope}`).filter((file) => file.startsWith(`${rest}-${process.platform}`))
    : [];
  const folders = [name, ...besides.map((file) => `${scope}/${file}`)];
  return folders.reduce((sum, one) => sum + bytesIn(`${modules}/${one}`), 0);
}

const bytesIn = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(`${entry.parentPath ?? entry.path}/${entry.name}`).size, 0);
