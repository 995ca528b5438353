// What people write for any store: secrets, compression, the factories.

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { cachalotBusDriver, cachalotDriver } from '../../js/adapters/bentocache/index.js';
import { RedisCacheStore } from '../../js/adapters/glasswork/index.js';
import { CachalotKeyv, createKeyv } from '../../js/adapters/keyv/index.js';
import { RedisCachingProvider } from '../../js/adapters/medusa/index.js';
import { memcachedFace, memoryFace, redisFace } from '../../js/adapters/medusa/options.js';
import { RedisCacheService } from '../../js/adapters/medusa-cache/index.js';
import { createCache } from '../../js/index.js';
import { memcached, memory, redis } from '../../js/options/config.js';
import { nativeText } from '../../js/options/native-config.js';
import { described } from '../../js/store/open.js';
import { refusal } from './refusal.js';

const url = 'redis://127.0.0.1:6379';

describe('secrets', () => {
  const secret = 's3cr3t-value';

  it.each([
    () => redisFace.settings({ redisUrl: `redis://:${secret}@h:99999` }),
    () => redisFace.settings({ redisUrl: `redis://:${secret}#x@h` }),
    () => redisFace.settings({ redisUrl: `redis://:${secret}%@h` }),
    () => redisFace.settings({ redisUrl: `:${secret}@h` }),
    () => redisFace.settings({ redisUrl: `rediss://:${secret}@h?tls=false` }),
    () => redisFace.settings({ redisUrl: `redis://:${secret}@h/${secret}` }),
    () => redisFace.settings({ redisUrl: [`redis://:${secret}@h`] }),
    () => redisFace.settings({ redisUrl: `redis://:${secret}@h`, redisOptions: { password: 'another' } }),
    () => redisFace.settings({ redisUrl: url, redisOptions: { password: { [secret]: secret } } }),
    () => redisFace.settings({ redisUrl: url, redisOptions: secret }),
    () => redisFace.settings({ redisUrl: `redis://:another@h`, password: secret }),
    () => redisFace.settings({ redisUrl: `redis://u:1?${secret}@h` }),
    () => redisFace.settings({ redisUrl: new URL(`redis://u:${secret}@h/x`) }),
    () => redis(`redis://:${secret}@h:99999`),
    () => createKeyv(`rediss://:${secret}@h?tls=false`),
    () => createCache(`redis://:${secret}@h` as never),
    () => createCache({ store: `redis://:${secret}@h` as never }),
    () => redisFace.settings({ redisUrl: url, passwrd: secret }),
    () => redisFace.settings(`redis://:${secret}@h`),
    () => memcachedFace.settings({ serverUrls: [`user:${secret}@h:11211`] }),
    () => memcachedFace.settings({ serverUrls: `user:${secret}@h:11211` }),
    () => memcachedFace.settings({ password: secret }),
    () => memcachedFace.settings({ username: 'u', password: secret, options: { password: 'another' } }),
    () => redis({ url: `redis://:${secret}@h:99999` }),
  ])('are in no error: %s', (call) => {
    const error = refusal(call);
    expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain(secret);
    expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain(secret);
  });

  it('are shown by nothing that prints an object, however deep', async () => {
    const url = `redis://us3r:${secret}@127.0.0.1:1`;
    const store = redis({ url, redisOptions: { commandTimeout: 50 } });
    const cache = createCache({ store, logger: {} });
    const error = await cache.ping().catch((failed: unknown) => failed);
    const driver = cachalotDriver({ store, logger: {} });
    const printed = {
      store,
      flat: redis({ url: 'redis://127.0.0.1:1', username: 'us3r', password: secret }),
      query: redis(`redis://127.0.0.1:1?username=us3r&password=${secret}`),
      memcached: memcached({ username: 'us3r', password: secret }),
      prefixed: described('x', store, 'other'),
      settings: redisFace.settings({ redisUrl: url }),
      cache,
      error,
      provider: new RedisCachingProvider({ logger: {} }, { redisUrl: url }),
      service: new RedisCacheService({ logger: {} }, { redisUrl: url }),
      keyv: new CachalotKeyv({ store, logger: {} }),
      glasswork: new RedisCacheStore({ url, logger: {} }),
      driver,
      made: driver.factory({}),
      bus: cachalotBusDriver({ store, logger: {} }).factory({}),
    };
    for (const [name, one] of Object.entries(printed)) {
      const shown = [
        inspect(one),
        inspect({ in: [one] }, { depth: 20, showHidden: true }),
        inspect(one, { depth: 20, showHidden: true, getters: true }),
        // As console.dir does it.
        inspect(one, { depth: 20, showHidden: true, customInspect: false }),
        JSON.stringify({ in: [one] }),
      ].join('');
      expect(shown, name).not.toMatch(new RegExp(`${secret}|us3r`));
    }
    expect(inspect(store, { depth: 4 })).toContain("password: '<hidden>'");
    // And are there for who needs them.
    expect(store.native.backend).toMatchObject({ username: 'us3r', password: secret });
    expect(JSON.parse(nativeText(store.native)).backend).toMatchObject({
      username: 'us3r',
      password: secret,
    });
    await Promise.all([
      cache.close(),
      printed.provider.close(),
      printed.service.close(),
      printed.keyv.disconnect(),
      printed.glasswork.close(),
      printed.made.disconnect(),
      printed.bus.disconnect(),
    ]);
  });

  it('are in no error where they are numbers either', () => {
    const error = refusal(() => memcachedFace.settings({ username: 'u', password: 5_318_008 }));
    expect(error.message).toBe(
      'cachalot-memcached: option "password": expected a non-empty string, got a number.',
    );
  });
});

describe('compression', () => {
  const compression = (given: unknown) =>
    memoryFace.settings({ compression: given }).store.native.compression;

  it('is off in memory unless asked for, and then for large values', () => {
    expect(compression(undefined)).toEqual({ enabled: false, threshold: 16_384 });
    expect(compression(true)).toEqual({ enabled: true, threshold: 16_384 });
    expect(compression({ algorithm: 'lz4' })).toEqual({ enabled: true, threshold: 16_384, algorithm: 'lz4' });
    expect(compression({ enabled: false, threshold: 1 })).toEqual({ enabled: false, threshold: 1 });
  });

  it('can be switched on servers', () => {
    expect(redisFace.settings({ redisUrl: url, compression: false }).store.native.compression).toEqual({
      enabled: false,
    });
    expect(memcachedFace.settings({ compression: { level: 6 } }).store.native.compression).toEqual({
      enabled: true,
      level: 6,
    });
  });
});

describe('the factories', () => {
  it('take the store’s own names', () => {
    expect(redis({ url: 'redis://cache/1', prefix: 'a' })).toMatchObject({
      kind: 'redis',
      servers: ['cache:6379'],
      native: { prefix: 'a', backend: { db: 1 } },
    });
    expect(memcached({ servers: ['a:1', 'b:2'] })).toMatchObject({
      kind: 'memcached',
      servers: ['a:1', 'b:2'],
      native: { prefix: 'cachalot' },
    });
    expect(memory({ maxBytes: 65_536, name: 'x' })).toMatchObject({
      kind: 'memory',
      native: { backend: { type: 'memory', maxBytes: 65_536, name: 'x' } },
    });
    expect(memory().native).toEqual({
      prefix: 'cachalot',
      backend: { type: 'memory' },
      compression: { enabled: false, threshold: 16_384 },
      missMemory: { ms: 0 },
    });
  });

  it('refuse what belongs elsewhere', () => {
    expect(refusal(() => redis({ url, redisUrl: url } as never)).message).toMatch(
      /redis\(\): unknown option "redisUrl"\. It is called "url" here; all are: /,
    );
    expect(refusal(() => memory({ maxbytes: 1 } as never)).message).toMatch(/"maxBytes"/);
    expect(refusal(() => memory({ max: 1 } as never)).message).toMatch(/closest valid option is "maxBytes"/);
    expect(refusal(() => memory(new Map() as never)).message).toBe(
      'memory(): expected an object of options, got a Map.',
    );
    expect(refusal(() => memory({ maxBytes: 1 })).message).toMatch(/16384/);
    expect(refusal(() => memcached({ options: { expires: 5 } })).message).toMatch(/options.expires/);
  });
});
