// What the store may take of one `getOrSet` is one `commandTimeout`, and what fails is told once.

import { afterEach, describe, expect, it } from 'vitest';
import { type Cache, createCache, memcached, redis } from '../../js/index.js';
import { proxy, type Proxy as Wire } from '../support/proxy.js';
import { startMemcached, startRedis } from '../support/servers.js';

const COMMAND_MS = 400;
/** Beyond the promised 100 ms: what a busy machine adds. A second `commandTimeout` would show. */
const AT_MOST = COMMAND_MS + 300;

const ends: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const kinds = {
  redis: {
    start: startRedis,
    store: (port: number) => redis({ url: `redis://127.0.0.1:${port}`, commandTimeout: COMMAND_MS }),
  },
  memcached: {
    start: startMemcached,
    store: (port: number) => memcached({ servers: [`127.0.0.1:${port}`], commandTimeout: COMMAND_MS }),
  },
};

describe.each(Object.entries(kinds))('one call on %s', (_, { start, store }) => {
  async function behind(): Promise<{ cache: Cache; wire: Wire; operations: string[] }> {
    const server = await start();
    ends.push(() => server.stop());
    const wire = await proxy(server.port);
    ends.push(() => wire.stop());
    const cache = createCache({ store: store(wire.port), prefix: 'one-call' });
    ends.push(() => cache.close());
    await cache.ready();
    await cache.set({ key: 'warm', value: 1 });
    const operations: string[] = [];
    cache.on('error', ({ operation }) => operations.push(operation));
    return { cache, wire, operations };
  }

  it.each(['is gone', 'is frozen'])('of deleteMany forgets no key of a server that %s', async (how) => {
    const { cache, wire, operations } = await behind();
    const keys = Array.from({ length: 9_500 }, (_, n) => `k${n}`);
    await cache.setMany(keys.map((key) => ({ key, value: 1 })));
    await (how === 'is gone' ? wire.refuse() : wire.blackHole());
    const began = performance.now();
    expect(await cache.deleteMany(keys)).toBe(false);
    expect(performance.now() - began).toBeLessThan(10 * COMMAND_MS);
    expect(operations).toEqual(['deleteMany']);
    wire.pass();
    await wire.accept();
    await cache.ready();
    expect((await cache.getMany(keys)).filter((value) => value !== undefined)).toEqual([]);
  });

  it('takes one commandTimeout of a server that is frozen, and tells of one error', async () => {
    const { cache, wire, operations } = await behind();
    wire.blackHole();
    const began = performance.now();
    expect(await cache.getOrSet({ key: 'k', factory: () => 'made' })).toBe('made');
    expect(performance.now() - began).toBeLessThan(AT_MOST);
    expect(performance.now() - began).toBeGreaterThan(COMMAND_MS / 2);
    expect(operations).toEqual(['getOrSet']);
  });

  it('takes no more after a read that was answered late', async () => {
    const { cache, wire, operations } = await behind();
    // Each answer comes within its own time (the delay is there and back), and all of them together do not.
    wire.delay(COMMAND_MS * 0.35);
    const began = performance.now();
    expect(await cache.getOrSet({ key: 'k', factory: () => 'made' })).toBe('made');
    expect(performance.now() - began).toBeLessThan(AT_MOST);
    expect(operations).toEqual(['getOrSet']);
  });

  it('gives the caller its value within that time where the server froze while the factory ran', async () => {
    const { cache, wire, operations } = await behind();
    let made = 0;
    const factory = () => {
      wire.blackHole();
      made = performance.now();
      return 'made';
    };
    expect(await cache.getOrSet({ key: 'k', factory })).toBe('made');
    expect(performance.now() - made).toBeLessThan(AT_MOST);
    expect(operations).toEqual(['set']);
  });
});
