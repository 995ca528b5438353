// Bentocache's driver while its server is away, on a wire that can be broken: everything throws, Bentocache decides.

import { afterEach, describe, expect, inject, it } from 'vitest';
import { cachalotDriver, type L2CacheDriver } from '../js/adapters/bentocache/index.js';
import { memcached, redis, type StoreSpec } from '../js/options/config.js';
import { uniquePrefix } from './contract/stores.js';
import { proxy } from './support/proxy.js';

const open: L2CacheDriver[] = [];
let prefix = uniquePrefix();
afterEach(async () => {
  await Promise.all(open.splice(0).map((driver) => driver.disconnect()));
  prefix = uniquePrefix();
});

const TIMEOUTS = { commandTimeout: 300, connectTimeout: 300 };
const wires: Record<string, (port: number) => StoreSpec> = {
  redis: (port) => redis({ url: `redis://127.0.0.1:${port}`, prefix, ...TIMEOUTS }),
  memcached: (port) => memcached({ servers: [`127.0.0.1:${port}`], prefix, ...TIMEOUTS }),
};

const outage = expect.objectContaining({
  code: expect.stringMatching(/^CACHALOT_(CONNECTION|TIMEOUT)$/),
});

describe.each(Object.entries(wires))('in an outage of %s', (kind, store) => {
  function port(): number {
    const { redis: server, memcached: servers } = inject('servers');
    return kind === 'redis' ? server.port : Number(servers[0]?.split(':')[1]);
  }

  async function scene() {
    const wire = await proxy(port());
    const lines: string[] = [];
    const logger = {
      warn: (line: string) => void lines.push(`warn ${line}`),
      info: (line: string) => void lines.push(`info ${line}`),
    };
    const cache = cachalotDriver({ store: store(wire.port) }).factory({ prefix: 'bentocache', logger });
    open.push(cache);
    return { wire, cache, lines };
  }

  it.each(['refuse', 'blackHole'] as const)(
    'every call throws (%s), each within its deadline',
    async (how) => {
      const { wire, cache } = await scene();
      await cache.set('k', 'v');
      await wire[how]();
      const calls = [
        () => cache.get('k'),
        () => cache.set('k', 'new'),
        () => cache.set('other', 'new', 60_000),
        () => cache.pull('k'),
        () => cache.delete('k'),
        () => cache.deleteMany(['k', 'other']),
        () => cache.namespace('users').clear(),
        () => cache.clear(),
      ];
      for (const call of calls) {
        const began = performance.now();
        await expect(call()).rejects.toEqual(outage);
        expect(performance.now() - began).toBeLessThan(300 + 1000);
      }
      await wire.stop();
    },
  );

  it('a clear made meanwhile is kept, and replayed before the first read after it; the log has one line of each', async () => {
    const { wire, cache, lines } = await scene();
    const users = cache.namespace('users');
    await users.set('k', 'old');
    await cache.set('k', 'beside');
    await wire.refuse();
    await expect(users.clear()).rejects.toMatchObject({ queued: true });
    await wire.accept();
    const recovered = () =>
      users.get('k').then(
        (found) => ['answered', found],
        () => ['away'],
      );
    await expect.poll(recovered, { timeout: 5000 }).toEqual(['answered', undefined]);
    expect(await cache.get('k')).toBe('beside');
    await expect.poll(() => lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^warn \[cachalot\] .*127\.0\.0\.1.*Bentocache decides/);
    expect(lines[1]).toMatch(/^info \[cachalot\] Connected to .* again/);
    await wire.stop();
  });
});
