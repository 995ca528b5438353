// The user of docs/redis-acl.md may do all that a cache does.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCache, redis } from '../js/index.js';
import { redisRaw } from './contract/raw-redis.js';
import { type RedisServer, startRedis } from './support/servers.js';

let server: RedisServer;
let rules: string[];

beforeAll(async () => {
  server = await startRedis();
  const page = await readFile(new URL('../docs/redis-acl.md', import.meta.url), 'utf8');
  const line = /ACL SETUSER cache (.*?)```/s.exec(page)?.[1];
  rules = line?.trim().split(/\s+/) ?? [];
});
afterAll(() => server.stop());

const many = (count: number) => Array.from({ length: count }, (_, at) => `t${at}`);

test('the documented user does everything that a cache does, and the server refuses it nothing', async () => {
  const raw = redisRaw(server.port);
  await raw.command('ACL', 'SETUSER', 'cache', ...rules);
  await raw.command('ACL', 'LOG', 'RESET');
  const url = `redis://cache:password@127.0.0.1:${server.port}`;
  const cache = createCache({
    store: redis({ url }),
    prefix: 'shop',
    grace: '1h',
    l1: true,
    errors: 'throw',
  });
  const other = createCache({ store: redis({ url }), prefix: 'shop', grace: '1h', errors: 'throw' });
  try {
    expect(await cache.set({ key: 'a:b', value: 1, tags: ['x'] })).toBe(true);
    expect(await cache.setForever({ key: 'wide', value: 2, tags: many(40) })).toBe(true);
    expect(await cache.getMany(['a:b', 'wide', 'none'])).toEqual([1, 2, undefined]);
    expect(await cache.getOrSet({ key: 'made', factory: () => 3 })).toBe(3);
    expect(await cache.expire('made')).toBe(true);
    expect(await cache.pull('wide')).toBe(2);
    expect(await cache.deleteByTag({ tags: ['x', ...many(300)] })).toBe(true);
    expect(await other.get('a:b')).toBeUndefined();
    expect(await other.expireByTag({ tags: ['x'] })).toBe(true);
    await other.set({ key: 'u:1', value: 4, tags: ['x'] });
    expect(await cache.get('u:1')).toBe(4);
    expect(await cache.namespace('u').clear()).toBe(true);
    expect(await cache.delete('made')).toBeTypeOf('boolean');
    expect(await cache.clear()).toBe(true);
    // What runs behind has had its turn, and the role is asked for once a second.
    await sleep(1500);
    await other.get('a:b');
    expect(await raw.command('ACL', 'LOG')).toEqual([]);
  } finally {
    await Promise.all([cache.close(), other.close()]);
  }
});
