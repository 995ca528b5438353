// L1 over every store. The cases are in l1/, split by theme.

import { describe, expect, it, test } from 'vitest';
import { createCache, memory } from '../js/index.js';
import { frozen, weightOf } from '../js/local-cache/freeze.js';
import { specs } from './cache/caches.js';
import { hits } from './l1/hits.js';

for (const store of specs()) {
  describe(store.name, () => {
    describe('hits', () => hits(store));
  });
}

test('100,000 different keys stay within its bytes', { timeout: 60_000 }, async () => {
  const maxBytes = 4 * 1024 * 1024;
  const cache = createCache({ store: memory(), l1: { maxBytes } });
  for (let first = 0; first < 100_000; first += 1_000) {
    const keys = Array.from({ length: 1_000 }, (_, n) => `k${first + n}`);
    await cache.setMany(keys.map((key) => ({ key, value: key.repeat(20) })));
    await cache.getMany(keys);
    expect(cache.stats().store.l1Bytes).toBeLessThanOrEqual(maxBytes);
  }
  // Full, of the last ones.
  expect(cache.stats().store.l1Bytes).toBeGreaterThan(0.9 * maxBytes);
  const { l1Hits } = cache.stats();
  await cache.getMany(['k99999', 'k0']);
  expect(cache.stats().l1Hits).toBe(l1Hits + 1);
  await cache.close();
});

it('without it nothing is kept', async () => {
  for (const l1 of [undefined, false]) {
    const cache = createCache({ store: memory(), l1 });
    await cache.set({ key: 'k', value: 1 });
    expect([await cache.get('k'), await cache.get('k')]).toEqual([1, 1]);
    expect(cache.stats()).toMatchObject({ l1Hits: 0, store: { hits: 2, l1Hits: 0, l1Entries: 0 } });
    await cache.close();
  }
});

describe('shared values', () => {
  it('are frozen however deep they are', () => {
    const depth = 50_000;
    const value = frozen(JSON.parse('['.repeat(depth) + ']'.repeat(depth)));
    let inner: unknown = value;
    for (let n = 0; n < depth; n++) {
      if (!Object.isFrozen(inner)) expect.fail(`not frozen at ${n}`);
      [inner] = inner as unknown[];
    }
    expect(weightOf(value, 1)).toBeGreaterThan(depth * 40);
  });

  it('weigh more the more there is in them', () => {
    const weigh = (value: unknown, width: 1 | 2 = 1) => weightOf(value, width);
    expect(weigh('x'.repeat(100))).toBeGreaterThan(100);
    expect(weigh('€'.repeat(100), 2)).toBeGreaterThan(200);
    expect(weigh([{}, {}])).toBeGreaterThan(2 * weigh({}));
    expect(weigh([1.5])).toBeGreaterThan(weigh([1]));
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`key${n}`, 0]));
    expect(weigh(many)).toBeGreaterThan(50_000);
  });
});
