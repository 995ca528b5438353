// What people write for L1, in `createCache` and in the Medusa providers.

import { expect, it } from 'vitest';
import {
  MemcachedCachingProvider,
  MemoryCachingProvider,
  RedisCachingProvider,
} from '../../js/adapters/medusa/index.js';
import { createCache, memcached, memory, redis } from '../../js/index.js';
import { refusal } from './refusal.js';

const url = 'redis://127.0.0.1:6379';
const open = (l1: unknown, more: object = {}) => createCache({ store: memory(), l1, ...more } as never);
const said = (l1: unknown) => refusal(() => open(l1)).message;
const providers = {
  redis: (l1: unknown) => RedisCachingProvider.validateOptions({ redisUrl: url, l1 }),
  memcached: (l1: unknown) => MemcachedCachingProvider.validateOptions({ l1 }),
  memory: (l1: unknown) => MemoryCachingProvider.validateOptions({ l1 }),
};

it.each([
  [null, 'null'],
  [1, '1'],
  ['yes', '"yes"'],
  ['', 'an empty string'],
  [[], 'an array'],
  [new Map([['maxBytes', 1]]), 'a Map'],
  [new Set(), 'a Set'],
  [new Date(), 'a Date'],
  [new Error('no'), 'an Error'],
  [() => ({}), 'a function'],
])('%j is refused', (l1, came) => {
  const expected = `option "l1": expected true, false or an object { maxBytes, ttl, share }, got ${came}.`;
  expect(refusal(() => open(l1)).code).toBe('CACHALOT_CONFIG');
  expect(said(l1)).toBe(`cachalot: ${expected}`);
  for (const [name, check] of Object.entries(providers)) {
    expect(refusal(() => check(l1)).message).toBe(`cachalot-${name}: ${expected}`);
  }
});

it.each([
  [{ maxBytes: 10 }, '"l1.maxBytes"', 'from 65536'],
  [{ maxbytes: 100_000 }, '"l1.maxbytes"', 'l1.maxBytes'],
  [{ max: 500 }, '"l1.max"', 'The closest valid option is "l1.maxBytes"'],
  [{ MAX: 500 }, '"l1.MAX"', 'The closest valid option is "l1.maxBytes"'],
  [{ ttl: 'soon' }, '"l1.ttl"', "milliseconds above 0, or text such as '30s'"],
  [{ ttl: -1 }, '"l1.ttl"', "milliseconds above 0, or text such as '30s', '5m' or '1h30m', got -1"],
  [{ ttl: 0 }, '"l1.ttl"', 'above 0'],
  [{ ttl: 0 }, '"l1.ttl"', 'got 0. To keep nothing in this process, leave out "l1".'],
  [{ ttl: '0s' }, '"l1.ttl"', 'got "0s". To keep nothing in this process, leave out "l1".'],
  [{ ttl: null }, '"l1.ttl"', 'null'],
  [{ ttl: 1e12 }, '"l1.ttl"', '24.8 days'],
  [{ share: 'yes' }, '"l1.share"', 'true or false'],
])('%j is refused', (l1, name, why) => {
  expect(refusal(() => open(l1)).code).toBe('CACHALOT_CONFIG');
  expect(said(l1)).toContain(name);
  expect(said(l1)).toContain(why);
});

it('the providers take seconds', () => {
  for (const check of Object.values(providers)) {
    for (const l1 of [true, false, undefined, {}, { ttl: 0.5, maxBytes: 65_536, share: true }]) check(l1);
    const refused = (l1: unknown) => refusal(() => check(l1)).message;
    expect(refused({ ttl: '30s' })).toContain('a number of seconds above 0');
    expect(refused({ ttl: -1 })).toMatch(/"l1\.ttl": expected a number of seconds above 0, got -1\.$/);
    expect(refused({ ttl: 0 })).toMatch(/got 0\. To keep nothing in this process, leave out "l1"\.$/);
    expect(refused({ maxByte: 1 })).toContain('l1.maxBytes');
    expect(refused({ max: 1 })).toContain('"l1.maxBytes"');
  }
});

it('only JSON is shared', () => {
  expect(() => open({ share: true }, { serializer: 'structured' })).toThrow('"l1.share"');
  const serializer = { serialize: String, deserialize: String };
  expect(() => open({ share: true }, { serializer })).toThrow("a serializer other than 'json'");
});

it('a store says whose option it is', () => {
  for (const [name, call] of Object.entries({
    'redis()': () => redis({ url, l1: true } as never),
    'memcached()': () => memcached({ l1: true } as never),
    'memory()': () => memory({ l1: {} } as never),
  })) {
    const error = refusal(call);
    expect(error.code).toBe('CACHALOT_CONFIG');
    expect(error.message).toBe(
      `${name}: option "l1" is not the store's. Give it to createCache({ store, l1 }), or to the Medusa provider.`,
    );
  }
});

it('an object from elsewhere is an object: a class of the application, one without a prototype', () => {
  class Settings {
    ttl = '30s';
  }
  for (const l1 of [new Settings(), Object.assign(Object.create(null), { ttl: 30 })]) {
    void (open(l1) as ReturnType<typeof createCache>).close();
  }
});
