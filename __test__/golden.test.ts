// Entries as earlier releases wrote them, put into a real server, and read by the provider of today. The bytes are those
// of tests/golden, which are never regenerated (docs/internals/wire-format.md).

import { readFile } from 'node:fs/promises';
import { afterEach, expect, inject, test, vi } from 'vitest';
import { redisRaw } from './contract/raw-redis.js';
import { redisStore, uniquePrefix } from './contract/stores.js';

/** What the entries say of themselves. */
const GENERATION = '0123456789abcdef';
const COUNTER = '1790000000123456';
const WRITTEN_AT = 1_790_000_000_000;

const product = {
  id: 'prod_01',
  title: 'Pot à café 🐋',
  variants: Array.from({ length: 40 }, (_, n) => {
    const number = String(n + 1).padStart(3, '0');
    return { id: `variant_${number}`, sku: `WHALE-${number}`, prices: [(n + 1) * 250] };
  }),
};

afterEach(() => void vi.useRealTimers());

async function stored(version: string, codec: string) {
  const { port, url } = inject('servers').redis;
  const raw = redisRaw(port);
  const prefix = uniquePrefix('g');
  const bytes = await readFile(new URL(`../tests/golden/${version}/${codec}.bin`, import.meta.url));
  await raw.put(`${prefix}::k`, bytes);
  await raw.put(`${prefix}!e`, Buffer.from(`${GENERATION} ${COUNTER}`));
  await raw.command('ZADD', `${prefix}!c`, COUNTER, '#f', COUNTER, `#g${GENERATION}`);
  await raw.command('ZADD', `${prefix}!i`, '+inf', 'k');
  return redisStore('', url, port, true).open({ prefix });
}

test.each(['zstd', 'lz4', 'deflate'])(
  'an entry of version 2, %s, is read, listed and cleared',
  async (codec) => {
    vi.useFakeTimers({ toFake: ['Date'], now: WRITTEN_AT });
    const cache = await stored('v2', codec);
    try {
      expect(await cache.get({ key: 'k' })).toEqual(product);
      expect(await cache.get({ tags: ['é'] })).toEqual([product]);
      expect(await cache.get({ tags: ['another'] })).toEqual([]);
      expect(await cache.get({ key: 'another' })).toBeNull();
      await cache.clear({ tags: ['Product:prod_01'], options: { autoInvalidate: true } });
      expect(await cache.get({ key: 'k' })).toBeNull();
    } finally {
      await cache.close();
    }
  },
);

test('an entry of version 1 is a miss, and is counted', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: WRITTEN_AT });
  const cache = await stored('v1', 'zstd');
  try {
    expect(await cache.get({ key: 'k' })).toBeNull();
    expect(cache.stats().corrupt).toBe(1);
  } finally {
    await cache.close();
  }
});
