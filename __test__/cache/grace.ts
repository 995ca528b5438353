// Values past their ttl, or near its end: what is served, and what is made behind.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { gate, opener, type SpecUnderTest } from './caches.js';

export function grace(store: SpecUnderTest) {
  const open = opener(store);

  it('serves a stale value within its grace while a new one is made behind', async () => {
    const cache = open({ ttl: 50, grace: '1h' });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    expect(await cache.get('k')).toBeUndefined();
    const finish = gate();
    const seen: unknown[] = [];
    const factory = async (context: { staleEntry: { value: unknown } | undefined }) => {
      seen.push(context.staleEntry?.value);
      await finish.promise;
      return 'new';
    };
    expect(await cache.getOrSet({ key: 'k', ttl: '1h', factory })).toBe('old');
    expect(await cache.getOrSet({ key: 'k', ttl: '1h', factory })).toBe('old');
    finish.open();
    await expect.poll(() => cache.get('k')).toBe('new');
    expect(seen).toEqual(['old']);
    expect(cache.stats().staleHits).toBe(2);
  });

  it('waits `timeout` for a new value before it serves a stale one, and not at all without grace', async () => {
    const cache = open({ ttl: 50, grace: '1h', timeout: '1s' });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    const quick = () => sleep(20).then(() => 'new');
    expect(await cache.getOrSet({ key: 'k', factory: quick })).toBe('new');
    await sleep(80);
    const slow = () => sleep(300).then(() => 'newer');
    expect(await cache.getOrSet({ key: 'k', timeout: 40, ttl: '1h', factory: slow })).toBe('new');
    await expect.poll(() => cache.get('k')).toBe('newer');
    expect(await cache.getOrSet({ key: 'none', timeout: 10, grace: false, factory: slow })).toBe('newer');
  });

  it('serves the stale value for a factory that fails, and lets it rest', async () => {
    const cache = open({ ttl: 50, grace: '1h', graceBackoff: 250, timeout: '1s' });
    const failures: unknown[] = [];
    cache.on('refreshFailed', ({ error }) => failures.push(error));
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    let runs = 0;
    const factory = () => {
      runs++;
      throw new Error('down');
    };
    for (let call = 0; call < 5; call++) {
      expect(await cache.getOrSet({ key: 'k', factory })).toBe('old');
    }
    expect(runs).toBe(1);
    expect(failures).toEqual([new Error('down')]);
    await sleep(300);
    expect(await cache.getOrSet({ key: 'k', factory: () => 'new' })).toBe('new');
  });

  it('ends the grace with its time', async () => {
    const cache = open({ ttl: 50, grace: 150 });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(250);
    await expect(
      cache.getOrSet({
        key: 'k',
        factory: () => {
          throw new Error('down');
        },
      }),
    ).rejects.toThrow('down');
  });

  it('serves the stale value when `hardTimeout` ends the wait', async () => {
    const cache = open({ ttl: 50, grace: '1h', timeout: '10s' });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    const hang = () => new Promise<string>(() => {});
    expect(await cache.getOrSet({ key: 'k', hardTimeout: 100, factory: hang })).toBe('old');
  });

  it('aborts a refresh behind a served value after `hardTimeout`, also one longer than the lease', async () => {
    const cache = open({ ttl: 50, grace: '1h', lockTimeout: 100 });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    const aborted = gate<string>();
    const factory = ({ signal }: { signal: AbortSignal }) => {
      signal.addEventListener('abort', () => aborted.open(signal.reason.code));
      return new Promise<string>(() => {});
    };
    expect(await cache.getOrSet({ key: 'k', hardTimeout: 300, factory })).toBe('old');
    expect(await aborted.promise).toBe('CACHALOT_FACTORY_TIMEOUT');
  });

  it('makes stale what is expired, by key and by tag, and removes what has no grace', async () => {
    const cache = open({ grace: '1h' });
    const hang = () => new Promise<never>(() => {});
    await cache.set({ key: 'a', value: 1, tags: ['t'] });
    await cache.set({ key: 'b', value: 2, tags: ['t'] });
    await cache.set({ key: 'c', value: 3, tags: ['t'], grace: false });
    expect(await cache.expire({ key: 'a' })).toBe(true);
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, 2, 3]);
    expect(await cache.getOrSet({ key: 'a', hardTimeout: 300, factory: hang })).toBe(1);
    expect(await cache.expireByTag(['t'])).toBe(true);
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined]);
    expect(await cache.getOrSet({ key: 'b', hardTimeout: 300, factory: hang })).toBe(2);
    await expect(cache.getOrSet({ key: 'c', hardTimeout: 100, factory: hang })).rejects.toMatchObject({
      code: 'CACHALOT_FACTORY_TIMEOUT',
    });
    await cache.set({ key: 'd', value: 4, tags: ['u'] });
    expect(await cache.expireByTags({ tags: ['none', 'u'] })).toBe(true);
    expect(await cache.get('d')).toBeUndefined();
    expect(await cache.getOrSet({ key: 'd', hardTimeout: 300, factory: hang })).toBe(4);
    await cache.deleteByTag(['t']);
    await expect(cache.getOrSet({ key: 'b', hardTimeout: 100, factory: hang })).rejects.toMatchObject({
      code: 'CACHALOT_FACTORY_TIMEOUT',
    });
  });

  it('refreshes early, the likelier the longer the factory takes', async () => {
    const cache = open({ ttl: '1h', earlyRefresh: 1e9 });
    let runs = 0;
    const factory = async () => {
      await sleep(20);
      return ++runs;
    };
    expect(await cache.getOrSet({ key: 'k', factory })).toBe(1);
    // With a β so great the next call is sure to refresh; it is served what is there.
    expect(await cache.getOrSet({ key: 'k', factory })).toBe(1);
    await expect.poll(() => cache.get('k')).toBe(2);
    const calm = open({ ttl: '1h', earlyRefresh: true });
    await calm.getOrSet({ key: 'calm', factory });
    for (let call = 0; call < 50; call++) await calm.getOrSet({ key: 'calm', factory });
    expect(runs).toBe(3);
  });

  it('wraps, and serves stale while it revalidates', async () => {
    const cache = open();
    let runs = 0;
    const fn = () => ++runs;
    expect(await cache.wrap('w', '1m', fn)).toBe(1);
    expect(await cache.wrap('w', undefined, fn)).toBe(1);
    expect(await cache.wrapSWR('s', 50, '1h', fn)).toBe(2);
    await sleep(80);
    expect(await cache.wrapSWR('s', 50, '1h', fn)).toBe(2);
    await expect.poll(() => runs).toBe(3);
    await expect(cache.wrapSWR('s', '2m', '1m', fn)).rejects.toThrow(
      /max: expected at least as long as stale/,
    );
    expect(await cache.getOrSetForever({ key: 'f', factory: fn })).toBe(4);
    // Stale at once: served once more, and made anew behind.
    expect(await cache.wrapSWR('z', 0, '1h', fn)).toBe(5);
    await sleep(10);
    expect(await cache.wrapSWR('z', 0, '1h', fn)).toBe(5);
    await expect.poll(() => runs).toBe(6);
    expect(await cache.wrapSWR('none', 0, 0, fn)).toBe(7);
    expect(await cache.has('none')).toBe(false);
    await expect(cache.wrapSWR('k', 1, null as never, fn)).rejects.toThrow(/wrapSWR: max: .*got null/);
  });

  it('serves a stale value within the grace of the call, not of the entry', async () => {
    const cache = open({ ttl: 20, grace: '1h' });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(120);
    expect(await cache.getOrSet({ key: 'k', grace: 50, factory: () => 'new' })).toBe('new');
  });
}
