// What people write for Redis.

import { describe, expect, it } from 'vitest';
import { memcachedFace, redisFace } from '../../js/adapters/medusa/options.js';
import { redis } from '../../js/options/config.js';
import { refusal } from './refusal.js';

const url = 'redis://127.0.0.1:6379';

describe('redisUrl', () => {
  const endpoint = (redisUrl: string) => redisFace.settings({ redisUrl }).store.native.backend;

  it.each([
    ['redis://', { endpoint: { host: '127.0.0.1', port: 6379 } }],
    ['redis://cache', { endpoint: { host: 'cache', port: 6379 } }],
    ['redis://cache:7000/3', { endpoint: { host: 'cache', port: 7000 }, db: 3 }],
    ['REDIS://cache/', { endpoint: { host: 'cache', port: 6379 } }],
    ['redis://[::1]:7000', { endpoint: { host: '::1', port: 7000 } }],
    ['redis://:p%40ss%2Fw%23@cache', { endpoint: { host: 'cache', port: 6379 }, password: 'p@ss/w#' }],
    [
      'redis://us%3Aer:pw@cache?db=2',
      { endpoint: { host: 'cache', port: 6379 }, username: 'us:er', password: 'pw', db: 2 },
    ],
    ['unix:///run/redis%20a.sock', { endpoint: { path: '/run/redis a.sock' } }],
    ['redis+unix:///run/redis.sock?db=4', { endpoint: { path: '/run/redis.sock' }, db: 4 }],
    ['redis+socket://:pw@/run/redis.sock', { endpoint: { path: '/run/redis.sock' }, password: 'pw' }],
  ])('%s', (written, expected) => {
    expect(endpoint(written)).toEqual({ type: 'redis', timeouts: {}, ...expected });
  });

  it.each([
    ['localhost:6379', 'without a scheme'],
    ['http://cache', 'http://'],
    ['redis://cache:99999', 'does not parse'],
    ['redis://cache/one', 'database index'],
    ['redis://cache/-1', 'database index'],
    ['redis://cache/99999999999', 'database index'],
    ['redis://cache/1?db=2', 'differ'],
    ['redis://:p1?ss@cache', 'Percent-encode'],
    ['redis://cache?x=1@2', 'Percent-encode'],
    ['redis://:100%@cache', '%25'],
    ['redis://:pa#ss@cache', 'Percent-encode'],
    ['unix://run/redis.sock', 'absolute path'],
    ['unix://', 'absolute path'],
    ['', 'an empty string'],
  ])('refuses %j', (written, said) => {
    const error = refusal(() => endpoint(written));
    expect(error.code).toBe('CACHALOT_CONFIG');
    expect(error.message).toContain('option "redisUrl"');
    expect(error.message).toContain(said);
  });

  it('is required, and says what may be missing', () => {
    expect(refusal(() => redisFace.settings({ redisUrl: undefined })).message).toMatch(
      /"redisUrl".*got nothing.*environment variable/,
    );
    expect(refusal(() => redisFace.settings(undefined)).message).toMatch(/"redisUrl"/);
    expect(refusal(() => redis({} as never)).message).toMatch(/"url".*got nothing/);
  });

  it('switches TLS on by each name that it has, and shows nobody the key', () => {
    for (const settings of [
      redisFace.settings({ redisUrl: 'rediss://cache' }),
      redisFace.settings({ redisUrl: 'rediss://cache', redisOptions: { tls: { servername: 'other' } } }),
      redisFace.settings({ redisUrl: url, redisOptions: { tls: {} } }),
      redisFace.settings({ redisUrl: url, tls: true }),
      memcachedFace.settings({ serverUrls: ['memcacheds://cache'] }),
      memcachedFace.settings({ tls: {} }),
    ]) {
      expect(settings.store.native.backend).toMatchObject({
        tls: { ca: [expect.stringMatching(/BEGIN CERT/)] },
      });
      expect(JSON.stringify(settings)).not.toContain('BEGIN');
    }
    for (const off of [undefined, false] as const) {
      const settings = redisFace.settings({ redisUrl: url, redisOptions: { tls: off } });
      expect(settings.store.native.backend).not.toHaveProperty('tls');
    }
  });

  it.each<[object, string, RegExp]>([
    [{ tls: { ca: '/etc/ca.pem' } }, 'CONFIG', /"tls.ca": expected text in PEM.*\{ file: path \}/],
    [{ tls: { key: 7 } }, 'CONFIG', /"tls.key": expected text in PEM, or \{ file: path \}, got a number/],
    [{ tls: { minVersion: 'TLSv1.1' } }, 'CONFIG', /"tls.minVersion"/],
    [{ tls: { serverName: 'a' } }, 'CONFIG', /"tls.serverName".*"tls.servername"/],
    [{ tls: { checkServerIdentity: () => undefined } }, 'UNSUPPORTED', /"servername"/],
    [{ tls: { pfx: 'x' } }, 'UNSUPPORTED', /"cert" and "key"/],
    [{ tls: 'RedisCloudFixed' }, 'UNSUPPORTED', /profiles.*\{ ca \}/],
    [{ tls: false, redisUrl: 'rediss://cache' }, 'CONFIG', /"tls": expected TLS, which "redisUrl" asks for/],
    [{ tls: { servername: 'a' }, redisOptions: { tls: { servername: 'b' } } }, 'CONFIG', /TLS options twice/],
  ])('answers %o', (options, code, says) => {
    const error = refusal(() => redisFace.settings({ redisUrl: url, ...options }));
    expect([error.code, error.message]).toEqual([`CACHALOT_${code}`, expect.stringMatching(says)]);
  });
});

describe('Redis options', () => {
  it('has the documented defaults', () => {
    expect(redisFace.settings({ redisUrl: url })).toEqual({
      ttl: 3600,
      store: {
        kind: 'redis',
        servers: ['127.0.0.1:6379'],
        native: {
          prefix: 'cachalot',
          backend: { type: 'redis', endpoint: { host: '127.0.0.1', port: 6379 }, timeouts: {} },
          compression: {},
          missMemory: {},
        },
      },
    });
  });

  it('turns every option into the core’s', () => {
    const { store, ttl } = redisFace.settings({
      redisUrl: url,
      prefix: 'shop:',
      ttl: 60,
      compressionThreshold: 512,
      compression: { enabled: true, threshold: 512, level: 3, algorithm: 'zstd' },
      tracking: false,
      maxValueBytes: 1000,
      staleWriteGuard: { ms: 5, max: 6 },
      connectTimeout: 7,
      redisOptions: { username: 'u', password: 'p', db: 9, connectionName: 'shop-1', commandTimeout: 8 },
    });
    expect(ttl).toBe(60);
    expect(store.native).toEqual({
      prefix: 'shop:',
      backend: {
        type: 'redis',
        endpoint: { host: '127.0.0.1', port: 6379 },
        username: 'u',
        password: 'p',
        db: 9,
        connectionName: 'shop-1',
        tracking: false,
        timeouts: { connectMs: 7, commandMs: 8 },
      },
      compression: { enabled: true, threshold: 512, level: 3, algorithm: 'zstd' },
      maxValueBytes: 1000,
      missMemory: { ms: 5, max: 6 },
    });
  });

  it('takes one thing said twice only if both say the same', () => {
    const both = (one: object, other: object) => () =>
      redisFace.settings({ redisUrl: url, ...one, ...other });
    expect(
      both({ redisUrl: 'redis://u:pw@h/1' }, { redisOptions: { username: 'u', password: 'pw', db: 1 } }),
    ).not.toThrow();
    expect(refusal(both({ connectTimeout: 1 }, { redisOptions: { connectTimeout: 2 } })).message).toMatch(
      /"connectTimeout" and "redisOptions.connectTimeout"/,
    );
    expect(refusal(both({ compressionThreshold: 1 }, { compression: { threshold: 2 } })).message).toMatch(
      /"compressionThreshold"/,
    );
    expect(refusal(both({ redisUrl: 'redis://h/1' }, { redisOptions: { db: 2 } })).message).toMatch(
      /the db in redisUrl/,
    );
    expect(refusal(both({}, { redisOptions: { username: 'u' } })).message).toMatch(/"redisOptions.password"/);
  });

  it('names an unknown option and the closest valid one', () => {
    const said = (options: object) =>
      refusal(() => redisFace.settings({ redisUrl: url, ...options })).message;
    expect(said({ prefx: 'a' })).toMatch(
      /^cachalot-redis: unknown option "prefx"\. The closest valid option is "prefix"/,
    );
    expect(said({ redisurl: 'a' })).toMatch(/closest valid option is "redisUrl"/);
    expect(said({ redisOptions: { pasword: 'a' } })).toMatch(
      /"redisOptions.pasword".*"redisOptions.password"/,
    );
    expect(said({ compression: { treshold: 1 } })).toMatch(/"compression.treshold".*"compression.threshold"/);
    expect(said({ staleWriteGuard: { maximum: 1 } })).toMatch(
      /"staleWriteGuard.maximum".*"staleWriteGuard.max"/,
    );
    // A name of Object.prototype is no option either.
    expect(said({ constructor: 1 })).toMatch(/unknown option "constructor"/);
    expect(said({ redisOptions: { toString: 1 } })).toMatch(/unknown option "redisOptions.toString"/);
  });

  it.each([
    [{ ttl: '3600' }, 'ttl', 'Number('],
    [{ ttl: 0 }, 'ttl', 'nothing would be stored'],
    [{ ttl: Number.NaN }, 'ttl', 'NaN'],
    [{ prefix: '' }, 'prefix', 'empty string'],
    [{ prefix: ':' }, 'prefix', '":"'],
    [{ prefix: 'x'.repeat(129) }, 'prefix', '129 bytes'],
    [{ prefix: 7 }, 'prefix', 'got 7'],
    [{ tracking: 'yes' }, 'tracking', '"yes"'],
    [{ commandTimeout: 0 }, 'commandTimeout', 'got 0'],
    [{ commandTimeout: 1.5 }, 'commandTimeout', 'got 1.5'],
    [{ commandTimeout: null }, 'commandTimeout', 'got null'],
    [{ maxValueBytes: -1 }, 'maxValueBytes', 'got -1'],
    [{ compressionThreshold: '2048' }, 'compressionThreshold', 'Number('],
    [{ compression: 'zstd' }, 'compression', '"zstd"|a string'],
    [{ compression: { algorithm: 'gzip' } }, 'compression.algorithm', 'It is called "deflate" here'],
    [{ compression: { algorithm: 'ztsd' } }, 'compression.algorithm', 'The closest is "zstd"'],
    [{ compression: { level: 10 } }, 'compression.level', '1 to 9 for deflate'],
    [{ compression: { level: 23, algorithm: 'zstd' } }, 'compression.level', '1 to 22'],
    [{ compression: { level: 1, algorithm: 'lz4' } }, 'compression.level', 'no level for lz4'],
    [{ redisOptions: { db: '0' } }, 'redisOptions.db', 'Number('],
    [{ redisOptions: { connectionName: 'a b' } }, 'redisOptions.connectionName', 'without spaces'],
    [{ redisOptions: [] }, 'redisOptions', 'an array'],
  ])('refuses %j', (options, name, said) => {
    const error = refusal(() => redisFace.settings({ redisUrl: url, ...options }));
    expect(error.code).toBe('CACHALOT_CONFIG');
    expect(error.message).toContain(`cachalot-redis: option "${name}": expected`);
    expect(error.message).toMatch(new RegExp(said.replace(/[.*+?^${}()[\]\\]/g, '\\$&')));
  });

  it('refuses options that are no object', () => {
    for (const options of ['redis://h', 7, []]) {
      expect(refusal(() => redisFace.settings(options)).message).toMatch(/expected an object of options/);
    }
  });
});
