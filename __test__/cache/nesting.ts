// Factories that ask for values, also for their own, and factories that close the cache.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { gate, opener, type SpecUnderTest } from './caches.js';

/** Long before a lease ends, after which a factory that waits for itself would go on. */
const AT_ONCE = 2000;

async function told(call: Promise<unknown>, chain: string) {
  const began = performance.now();
  await expect(call).rejects.toMatchObject({
    code: 'CACHALOT_RECURSION',
    message: expect.stringContaining(chain),
  });
  expect(performance.now() - began).toBeLessThan(AT_ONCE);
}

export function nesting(store: SpecUnderTest) {
  const open = opener(store);

  it('tells a factory that asks for its own key', async () => {
    const cache = open();
    const factory = () => cache.getOrSet({ key: 'k', factory: () => 1 });
    await told(cache.getOrSet({ key: 'k', factory }), '"k" → "k"');
    await told(
      cache.wrap('k', '1m', () => cache.wrapSWR('k', '1m', '2m', () => 1)),
      '"k" → "k"',
    );
    expect(await cache.getOrSet({ key: 'k', factory: () => 'next' })).toBe('next');
  });

  it('tells one that asks through other keys, and across namespaces', async () => {
    const cache = open();
    const users = cache.namespace('users');
    const inner = () => cache.getOrSet({ key: 'a', factory: () => 1 });
    const outer = () => users.wrap('b', '1m', inner);
    await told(cache.getOrSet({ key: 'a', factory: outer }), '"users:b" → "a" → "users:b"');
  });

  it('tells one that asks through a factory which others began', async () => {
    const cache = open();
    const go = gate();
    const a = cache.getOrSet({
      key: 'a',
      factory: () => go.promise.then(() => cache.wrap('b', '1m', () => 1)),
    });
    const b = cache.getOrSet({
      key: 'b',
      factory: () => go.promise.then(() => cache.wrap('a', '1m', () => 2)),
    });
    await sleep(50);
    go.open();
    const began = performance.now();
    const outcomes = await Promise.allSettled([a, b]);
    expect(performance.now() - began).toBeLessThan(AT_ONCE);
    expect(outcomes).toContainEqual({
      status: 'rejected',
      reason: expect.objectContaining({ code: 'CACHALOT_RECURSION' }),
    });
  });

  if (store.name !== 'memory') {
    it('tells one that asks by another cache of the same store', async () => {
      const [one, other] = [open(), open()];
      const factory = () => other.getOrSet({ key: 'k', factory: () => 1 });
      await told(one.getOrSet({ key: 'k', factory }), '"k" → "k"');
    });
  }

  it('gives a factory what is stored under its key, and what other keys make', async () => {
    const cache = open();
    const factory = async () => {
      await cache.set({ key: 'k', value: 'stored' });
      const [own, other] = await Promise.all([
        cache.getOrSet({ key: 'k', factory: () => 'unused' }),
        cache.getOrSet({ key: 'other', factory: () => 'made' }),
      ]);
      return `${own}, ${other}`;
    };
    expect(await cache.getOrSet({ key: 'k', factory })).toBe('stored, made');
  });

  it('does not blame what a factory has left running', async () => {
    const cache = open();
    let later: Promise<unknown> | undefined;
    const factory = () => {
      later = sleep(100).then(async () => {
        await cache.delete('k');
        return cache.getOrSet({ key: 'k', factory: () => 'later' });
      });
      return 'first';
    };
    expect(await cache.getOrSet({ key: 'k', factory })).toBe('first');
    expect(await later).toBe('later');
  });

  it('closes at once when a factory closes it, also twice, and that factory’s caller gets the value', async () => {
    const cache = open();
    const began = performance.now();
    const factory = async () => {
      await Promise.all([cache.close(), cache.close()]);
      return 'made';
    };
    expect(await cache.getOrSet({ key: 'k', factory })).toBe('made');
    expect(performance.now() - began).toBeLessThan(AT_ONCE);
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CACHALOT_CLOSED' });
  });
}
