import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { memcached, memory, redis } from '../js/config.js';
import { CachalotError } from '../js/errors.js';
import { memcachedFace, memoryFace, redisFace } from '../js/medusa/options.js';

/** The error of a call that must throw one. */
function refusal(call: () => unknown): CachalotError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(CachalotError);
    return error as CachalotError;
  }
  throw new Error('expected an error');
}

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
    ['redis://cache?family=6', 'no query parameter but db'],
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

  it('answers TLS as not supported yet', () => {
    for (const call of [
      () => redisFace.settings({ redisUrl: 'rediss://cache' }),
      () => redisFace.settings({ redisUrl: url, redisOptions: { tls: {} } }),
      () => redisFace.settings({ redisUrl: url, tls: true }),
      () => memcachedFace.settings({ serverUrls: ['memcacheds://cache'] }),
      () => memcachedFace.settings({ tls: {} }),
    ]) {
      const error = refusal(call);
      expect(error.code).toBe('CACHALOT_UNSUPPORTED');
      expect(error.message).toMatch(/TLS.*later release/);
    }
    redisFace.settings({ redisUrl: url, redisOptions: { tls: undefined } });
    redisFace.settings({ redisUrl: url, redisOptions: { tls: false } });
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
      missMemory: { ms: 5, max: 6 },
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
    expect(said({ missMemory: { maximum: 1 } })).toMatch(/"missMemory.maximum".*"missMemory.max"/);
    // A name of Object.prototype is no option either.
    expect(said({ constructor: 1 })).toMatch(/unknown option "constructor"/);
    expect(said({ redisOptions: { toString: 1 } })).toMatch(/unknown option "redisOptions.toString"/);
  });

  it('says of an ioredis name that it has no meaning here, and what to do', () => {
    const said = (options: object) => refusal(() => redisFace.settings({ redisUrl: url, ...options }));
    expect(said({ redisOptions: { maxRetriesPerRequest: 3 } }).message).toMatch(
      /"redisOptions.maxRetriesPerRequest" is one of ioredis.*commandTimeout.*Remove it/,
    );
    expect(said({ lazyConnect: true }).message).toMatch(/"lazyConnect" is one of ioredis/);
    expect(said({ redisOptions: { keyPrefix: 'a' } }).message).toMatch(/use "prefix"/);
    expect(said({ db: 1 }).message).toMatch(/redisOptions.db/);
    expect(said({ redisOptions: { sentinels: [] } }).code).toBe('CACHALOT_UNSUPPORTED');
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
    [{ compression: { algorithm: 'gzip' } }, 'compression.algorithm', 'The closest is'],
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

describe('secrets', () => {
  const secret = 's3cr3t-value';

  it.each([
    () => redisFace.settings({ redisUrl: `redis://:${secret}@h:99999` }),
    () => redisFace.settings({ redisUrl: `redis://:${secret}#x@h` }),
    () => redisFace.settings({ redisUrl: `redis://:${secret}%@h` }),
    () => redisFace.settings({ redisUrl: `:${secret}@h` }),
    () => redisFace.settings({ redisUrl: `rediss://:${secret}@h` }),
    () => redisFace.settings({ redisUrl: `redis://:${secret}@h/${secret}` }),
    () => redisFace.settings({ redisUrl: [`redis://:${secret}@h`] }),
    () => redisFace.settings({ redisUrl: `redis://:${secret}@h`, redisOptions: { password: 'another' } }),
    () => redisFace.settings({ redisUrl: url, redisOptions: { password: { [secret]: secret } } }),
    () => redisFace.settings({ redisUrl: url, redisOptions: secret }),
    () => redisFace.settings({ redisUrl: url, password: secret }),
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

  it('are in no error where they are numbers either', () => {
    const error = refusal(() => memcachedFace.settings({ username: 'u', password: 5_318_008 }));
    expect(error.message).toBe(
      'cachalot-memcached: option "password": expected a non-empty string, got a number.',
    );
  });
});

describe('serverUrls', () => {
  const servers = (...serverUrls: unknown[]) => memcachedFace.settings({ serverUrls }).store.native.backend;

  it.each([
    ['cache', { host: 'cache', port: 11211 }],
    ['10.0.0.1:11212', { host: '10.0.0.1', port: 11212 }],
    ['[fe80::1%eth0]:11212', { host: 'fe80::1%eth0', port: 11212 }],
    ['[::1]', { host: '::1', port: 11211 }],
    ['memcached://cache:11212/', { host: 'cache', port: 11212 }],
    ['/run/memcached.sock', { path: '/run/memcached.sock' }],
    ['unix:///run/memcached.sock', { path: '/run/memcached.sock' }],
  ])('%s', (written, expected) => {
    expect(servers(written)).toEqual({ type: 'memcached', servers: [expected], timeouts: {} });
  });

  it.each([
    [['::1'], 'serverUrls[0]', 'brackets'],
    [['cache:0'], 'serverUrls[0]', 'port from 1 to 65535'],
    [['cache:123456'], 'serverUrls[0]', 'port'],
    [['a', ''], 'serverUrls[1]', 'an empty string'],
    [['a:1,b:2'], 'serverUrls[0]', 'split(",")'],
    [['redis://a'], 'serverUrls[0]', 'redis://'],
    [['u:p@a'], 'serverUrls[0]', '"username" and "password"'],
    [['a:1', 'b:1', 'a:1'], 'serverUrls', 'a:1 twice'],
    [[], 'serverUrls', 'an empty one'],
    [[undefined], 'serverUrls[0]', 'got nothing'],
  ])('refuses %j', (given, name, said) => {
    const error = refusal(() => servers(...given));
    expect(error.message).toContain(`option "${name}"`);
    expect(error.message).toContain(said);
  });

  it('is a list', () => {
    expect(refusal(() => memcachedFace.settings({ serverUrls: 'a:1,b:1' })).message).toContain('split(",")');
  });
});

describe('Memcached options', () => {
  it('has the documented defaults', () => {
    expect(memcachedFace.settings({})).toEqual({
      ttl: 3600,
      store: {
        kind: 'memcached',
        servers: ['127.0.0.1:11211'],
        native: {
          prefix: 'medusa',
          backend: { type: 'memcached', servers: [{ host: '127.0.0.1', port: 11211 }], timeouts: {} },
          compression: {},
        },
      },
    });
  });

  it('reads memjs’s names, in seconds', () => {
    const { store, ttl } = memcachedFace.settings({
      username: 'u',
      password: 'p',
      maxItemBytes: 2048,
      options: {
        timeout: 0.5,
        conntimeout: 1.5,
        expires: 60,
        retries: 2,
        keepAlive: true,
        keepAliveDelay: 10,
      },
    });
    expect(ttl).toBe(60);
    expect(store.native.backend).toEqual({
      type: 'memcached',
      servers: [{ host: '127.0.0.1', port: 11211 }],
      username: 'u',
      password: 'p',
      maxItemBytes: 2048,
      timeouts: { connectMs: 1500, commandMs: 500, keepaliveMs: 10_000 },
    });
  });

  it('takes either name of the prefix, or both if they agree', () => {
    const prefix = (options: object) => memcachedFace.settings(options).store.native.prefix;
    expect(prefix({ cachePrefix: 'a' })).toBe('a');
    expect(prefix({ keyPrefix: 'b' })).toBe('b');
    expect(prefix({ cachePrefix: 'c', keyPrefix: 'c' })).toBe('c');
    expect(refusal(() => prefix({ cachePrefix: 'c', keyPrefix: 'd' })).message).toMatch(
      /"cachePrefix" and "keyPrefix"/,
    );
  });

  it.each([
    [{ defaultTtl: 5, options: { expires: 6 } }, '"defaultTtl" and "options.expires"'],
    [{ commandTimeout: 5, options: { timeout: 6 } }, '"commandTimeout" and "options.timeout"'],
    [{ ttl: 5 }, '"defaultTtl"'],
    [{ prefix: 'a' }, '"cachePrefix"'],
    [{ username: 'u' }, '"password"'],
    [{ password: 'p' }, '"username"'],
    [{ maxItemBytes: 10 }, '"maxItemBytes"'],
    [{ options: { expires: 0 } }, 'never'],
    [{ options: { keepAlive: false } }, 'always on'],
    [{ options: { failover: true } }, 'is one of memjs and has no meaning here'],
    [{ options: { retry_delay: 1 } }, 'backoff'],
    [{ options: { serializer: {} } }, 'JSON'],
    [{ options: { tiemout: 1 } }, '"options.timeout"'],
  ])('refuses %j', (options, said) => {
    expect(refusal(() => memcachedFace.settings(options)).message).toContain(said);
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
    });
  });

  it('refuse what belongs elsewhere', () => {
    expect(refusal(() => redis({ url, redisUrl: url } as never)).message).toMatch(
      /redis\(\): unknown option "redisUrl"/,
    );
    expect(refusal(() => memory({ maxbytes: 1 } as never)).message).toMatch(/"maxBytes"/);
    expect(refusal(() => memory({ maxBytes: 1 })).message).toMatch(/16384/);
    expect(refusal(() => memcached({ options: { expires: 5 } })).message).toMatch(/options.expires/);
  });
});
