// Bytes that an entry takes beside its JSON: in Redis against a plain string with a ttl, and in process memory.

import { setTimeout as pause } from 'node:timers/promises';
import { startRedis } from '../../test-packages/servers.mjs';
import { product, tagsOf } from '../payloads.mjs';
import { PEERS } from '../peers/index.mjs';
import { each } from '../shop/pages.mjs';
import { inChild } from './in-child.mjs';

const ENTRIES = 10_000;
/** Small, so that nothing is compressed and the overhead is not lost in it. */
const BYTES = 200;
const WRITERS = 64;
/** Until the server has let go of what the writing itself took. */
const SETTLE_MS = 400;
const BASELINE = 'ioredis';
const IN_MEMORY = ['cachalot Cache memory', 'lru-cache + JSON.parse'];

/** @returns `{ entries, bytes, redis: [{ name, ours, plain, tagged } or { name, reason }], memory: [{ name, overhead }] }` */
export async function entryOverhead(ports) {
  const server = await startRedis();
  try {
    const { default: Redis } = await import('ioredis');
    const admin = new Redis(server.port);
    const one = async (peer, tagged) => {
      await admin.flushall();
      const client = await peer.open({ ...ports, redisPort: server.port });
      await client.set('first', { first: true }, null);
      await pause(SETTLE_MS);
      const before = await usedMemory(admin);
      await write(client, tagged);
      await pause(SETTLE_MS);
      const after = await usedMemory(admin);
      await client.close();
      return (after - before) / ENTRIES;
    };
    const bare = PEERS.find(({ name }) => name === BASELINE);
    const baseline = await one(bare, false);
    const redis = [];
    for (const peer of PEERS.filter(storesEntries)) {
      try {
        const plain = (await one(peer, false)) - baseline;
        const tagged = peer.tagged ? (await one(peer, true)) - baseline : null;
        redis.push({ name: peer.name, ours: peer.ours ?? false, plain, tagged });
      } catch (error) {
        redis.push({ name: peer.name, ours: peer.ours ?? false, reason: error.message });
      }
    }
    await admin.quit();
    const memory = [];
    for (const name of IN_MEMORY) memory.push({ name, ...(await inChild('memory', [name])) });
    return { entries: ENTRIES, bytes: BYTES, baseline, redis, memory };
  } finally {
    await server.stop();
  }
}

/** Clients that store the bare string are the baseline; layers of one product store what it stores. */
const storesEntries = ({ name, server, variant }) =>
  server === 'redis' &&
  !variant &&
  !['node-redis', 'valkey-glide'].includes(name) &&
  !/^ioredis|^pure-JS/.test(name);

async function usedMemory(admin) {
  return Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))[1]);
}

const write = (client, tagged) =>
  each(ENTRIES, WRITERS, (seed) => {
    const value = product(BYTES, seed);
    const key = `products:${String(seed).padStart(8, '0')}`;
    return client.set(key, value, tagged ? tagsOf(value, seed) : null);
  });
