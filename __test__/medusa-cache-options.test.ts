// What the older Cache Module is configured with, and what Medusa finds at its entries.

import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  MemcachedCacheService,
  MemoryCacheService,
  RedisCacheService,
} from '../js/adapters/medusa-cache/index.js';
import memcachedModule from '../js/adapters/medusa-cache/memcached.js';
import memoryModule from '../js/adapters/medusa-cache/memory.js';
import { memcachedSettings, memorySettings, redisSettings } from '../js/adapters/medusa-cache/options.js';
import redisModule from '../js/adapters/medusa-cache/redis.js';

const open: MemoryCacheService[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(open.splice(0).map((service) => service.close()));
});

describe('options', () => {
  it('default to 30 seconds in the namespace medusa', () => {
    const redisUrl = 'redis://127.0.0.1:6379';
    for (const { store, ttl } of [
      redisSettings({ redisUrl }),
      memcachedSettings(undefined),
      memorySettings({}),
    ]) {
      expect({ ttl, prefix: store.native.prefix }).toEqual({ ttl: 30, prefix: 'medusa' });
    }
  });

  it('take redisOptions and what is ours', () => {
    const { store, ttl } = redisSettings({
      redisUrl: 'redis://cache:7000',
      redisOptions: { db: 2, connectTimeout: 100 },
      namespace: 'shop',
      ttl: 5,
      tracking: false,
      compression: false,
    });
    expect(ttl).toBe(5);
    expect(store.native).toMatchObject({
      prefix: 'shop',
      backend: {
        endpoint: { host: 'cache', port: 7000 },
        db: 2,
        timeouts: { connectMs: 100 },
        tracking: false,
      },
      compression: { enabled: false },
    });
  });

  it('leave out the database that Medusa adds to every module’s', () => {
    const database = { clientUrl: 'postgres://localhost' };
    const redisUrl = 'redis://127.0.0.1:6379';
    for (const [settings, options] of [
      [redisSettings, { redisUrl }],
      [memcachedSettings, {}],
      [memorySettings, {}],
    ] as const) {
      expect(settings({ ...options, database })).toEqual(settings(options));
    }
    expect(() => memorySettings([])).toThrow(/expected an object of options, got an array/);
  });

  it.each<[unknown, object[]]>([
    ['cache:11211', [{ host: 'cache', port: 11211 }]],
    ['cache', [{ host: 'cache', port: 11211 }]],
    [
      ['a:1', 'b:2'],
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    ],
    [
      { 'a:1': 3, 'b:2': 3 },
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    ],
  ])('take %j for a location', (location, servers) => {
    expect(memcachedSettings({ location }).store.native.backend).toMatchObject({ servers });
  });

  it('take the names of memcached’s client that mean something here', () => {
    const { store } = memcachedSettings({ options: { timeout: 700, maxValue: 4096, namespace: 'shop' } });
    expect(store.native).toMatchObject({
      prefix: 'shop',
      backend: { maxItemBytes: 4096, timeouts: { connectMs: 700 } },
    });
  });

  it.each<[(options: never) => unknown, object, string, RegExp]>([
    [redisSettings, {}, 'CONFIG', /"redisUrl": expected .*environment variable/],
    [redisSettings, { redisUrl: 'redis://h', namspace: 'a' }, 'CONFIG', /"namspace".*closest.*"namespace"/],
    [redisSettings, { redisUrl: 'redis://h', prefix: 'a' }, 'CONFIG', /"prefix".*called "namespace"/],
    [redisSettings, { redisUrl: 'redis://h', namespace: '' }, 'CONFIG', /"namespace".*an empty string/],
    [redisSettings, { redisUrl: 'redis://h', ttl: '30' }, 'CONFIG', /"ttl".*seconds.*"30"/],
    [redisSettings, { redisUrl: 'redis://h', ttl: 0 }, 'CONFIG', /"ttl".*above 0/],
    [
      redisSettings,
      { redisUrl: 'redis://h', namespace: 'b', redisOptions: { keyPrefix: 'a' } },
      'CONFIG',
      /"namespace" and "redisOptions.keyPrefix"/,
    ],
    [redisSettings, { redisUrl: 'rediss://h', tls: { ca: 7 } }, 'CONFIG', /"tls.ca"/],
    [
      memcachedSettings,
      { location: { 'a:1': 1, 'b:1': 2 } },
      'UNSUPPORTED',
      /different weights.*evenly.*array/,
    ],
    [memcachedSettings, { location: { 'a:1': 'big' } }, 'CONFIG', /weights above 0, got "big"/],
    [memcachedSettings, { location: 7 }, 'CONFIG', /"location".*an address, an array/],
    [memcachedSettings, { location: 'a:1,b:1' }, 'CONFIG', /split/],
    [memcachedSettings, { location: [] }, 'CONFIG', /"location".*empty/],
    [memcachedSettings, { serverUrls: ['a:1'] }, 'CONFIG', /"serverUrls".*called "location"/],
    [memcachedSettings, { options: { timeout: '1s' } }, 'CONFIG', /"options.timeout".*milliseconds/],
    [
      memcachedSettings,
      { namespace: 'a', options: { namespace: 'b' } },
      'CONFIG',
      /mean the same and differ/,
    ],
    [memorySettings, { maxbytes: 1 }, 'CONFIG', /"maxBytes"/],
  ])('of a wrong name or kind are refused (%#)', (settings, options, code, said) => {
    const refused = () => settings(options as never);
    expect(refused).toThrow(said);
    expect(refused).toThrow(expect.objectContaining({ code: `CACHALOT_${code}` }));
  });

  it('fail the construction, and the modules export { service }', () => {
    expect(() => new redisModule.service({}, {} as never)).toThrow(/"redisUrl"/);
    expect(redisModule.service).toBe(RedisCacheService);
    expect(memcachedModule.service).toBe(MemcachedCacheService);
    expect(memoryModule.service).toBe(MemoryCacheService);
  });

  it('hold for a set that names no ttl', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    const [own, usual] = [new MemoryCacheService({}, { ttl: 5 }), new MemoryCacheService({})];
    open.push(own, usual);
    await Promise.all([own.set('k', 1), usual.set('k', 1, undefined)]);
    vi.setSystemTime(1_700_000_005_001);
    expect([await own.get('k'), await usual.get('k')]).toEqual([null, 1]);
    vi.setSystemTime(1_700_000_030_001);
    expect(await usual.get('k')).toBeNull();
  });
});
