// Keyv's adapter on a wire that can be watched and broken.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { CachalotKeyv, type CachalotKeyvOptions } from '../js/adapters/keyv/index.js';
import { memcached, redis, type StoreSpec } from '../js/options/config.js';
import { uniquePrefix } from './contract/stores.js';
import { proxy } from './support/proxy.js';

const open: CachalotKeyv[] = [];
let prefix = uniquePrefix();
afterEach(async () => {
  await Promise.all(open.splice(0).map((adapter) => adapter.disconnect()));
  prefix = uniquePrefix();
});

const wires: Record<string, (port: number) => StoreSpec> = {
  redis: (port) => redis({ url: `redis://127.0.0.1:${port}`, commandTimeout: 300, connectTimeout: 300 }),
  memcached: (port) =>
    memcached({ servers: [`127.0.0.1:${port}`], commandTimeout: 300, connectTimeout: 300 }),
};

/** Until nothing travels: what is stored makes work behind, such as looking through an index that grew. */
async function quiet(wire: { bytes: { toServer: number } }): Promise<void> {
  for (let last = -1; last !== wire.bytes.toServer; ) {
    last = wire.bytes.toServer;
    await sleep(300);
  }
}

describe.each(Object.entries(wires))('on a wire to %s', (kind, store) => {
  function port(): number {
    const { redis: server, memcached: servers } = inject('servers');
    return kind === 'redis' ? server.port : Number(servers[0]?.split(':')[1]);
  }

  async function scene(options: Partial<CachalotKeyvOptions> = {}) {
    const wire = await proxy(port());
    const cache = new CachalotKeyv({ store: store(wire.port), prefix, ...options });
    open.push(cache);
    const errors: Error[] = [];
    cache.on('error', (error) => void errors.push(error));
    return { wire, cache, errors };
  }
  const outage = expect.objectContaining({ code: expect.stringMatching(/^CACHALOT_(CONNECTION|TIMEOUT)$/) });

  it('clears a namespace by as many bytes whatever is in it', async () => {
    const sizes: number[] = [];
    for (const count of [1, 3000]) {
      const { wire, cache } = await scene({ namespace: `n${count}` });
      await cache.setMany(Array.from({ length: count }, (_, n) => ({ key: `k${n}`, value: 'v' })));
      await quiet(wire);
      const before = wire.bytes.toServer;
      await cache.clear();
      sizes.push(wire.bytes.toServer - before);
      expect(await cache.has('k0')).toBe(false);
      await wire.stop();
    }
    // The names differ by three characters, each of a few times they are sent.
    expect(Math.abs((sizes[1] as number) - (sizes[0] as number))).toBeLessThan(100);
  });

  it('in an outage answers undefined and false, with one error event a call', async () => {
    const { wire, cache, errors } = await scene();
    await cache.setMany([
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
    ]);
    await wire.refuse();
    // Not of a key whose get failed: that set is known to be of no use, and is not sent.
    const entry = { key: 'd', value: '3' };
    expect(await cache.get('a')).toBeUndefined();
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined]);
    expect(await cache.has('a')).toBe(false);
    expect(await cache.hasMany(['a', 'b'])).toEqual([false, false]);
    expect(await cache.set('d', '3')).toBe(false);
    expect(await cache.setMany([entry, entry])).toEqual([false, false]);
    expect(await cache.delete('a')).toBe(false);
    expect(await cache.deleteMany(['a', 'b'])).toBe(false);
    expect(await cache.clear()).toBeUndefined();
    expect(errors).toEqual(Array(9).fill(outage));
    await wire.stop();
  });

  it('keeps a delete and a clear of an outage, and replays them before the first read after it', async () => {
    const { wire, cache } = await scene({ namespace: 'n' });
    const beside = new CachalotKeyv({ store: store(port()), prefix, namespace: 'm' });
    open.push(beside);
    await beside.set('k', 'v');
    await cache.set('k', 'v');
    await wire.refuse();
    expect(await cache.delete('gone')).toBe(false);
    await cache.clear();
    await wire.accept();
    await expect
      .poll(() => cache.has('none').then(() => cache.set('probe', 'v')), { timeout: 5000 })
      .toBe(true);
    expect([await cache.get('k'), await beside.get('k')]).toEqual([undefined, 'v']);
    await wire.stop();
  });

  it('does not list half of the entries when the server goes away meanwhile', async () => {
    const { wire, cache } = await scene();
    if (!cache.iterator) {
      expect(kind).toBe('memcached');
      await wire.stop();
      return;
    }
    await cache.setMany(Array.from({ length: 2000 }, (_, n) => ({ key: `k${n}`, value: 'v' })));
    const list = async () => {
      for await (const _ of cache.iterator?.() ?? []) await wire.refuse();
    };
    await expect(list()).rejects.toEqual(outage);
    await wire.stop();
  });

  it('rejects with throwOnErrors, after the event', async () => {
    const { wire, cache, errors } = await scene({ throwOnErrors: true });
    await cache.set('a', '1');
    await wire.refuse();
    await expect(cache.get('a')).rejects.toEqual(outage);
    await expect(cache.set('b', '1')).rejects.toEqual(outage);
    await expect(cache.hasMany(['a', 'b'])).rejects.toEqual(outage);
    await expect(cache.clear()).rejects.toEqual(outage);
    expect(errors).toHaveLength(4);
    await wire.stop();
  });

  it('needs no listener, and survives one that throws', async () => {
    const { wire, cache } = await scene();
    await wire.refuse();
    const warned: Error[] = [];
    const hear = (warning: Error) => void warned.push(warning);
    process.on('warning', hear);
    cache.on('error', () => {
      throw new Error('a defect');
    });
    expect(await cache.get('a')).toBeUndefined();
    await new Promise(setImmediate);
    process.off('warning', hear);
    expect(warned.map(({ message }) => message)).toEqual([
      "A listener of CachalotKeyv's errors threw: a defect",
    ]);
    const alone = new CachalotKeyv({ store: store(wire.port), prefix });
    open.push(alone);
    expect([await alone.get('a'), await alone.set('a', '1')]).toEqual([undefined, false]);
    await wire.stop();
  });
});
