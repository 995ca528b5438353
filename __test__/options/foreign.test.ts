// What people have in their configurations from other clients: it works, and one line names what has no meaning here.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { cachalotBusDriver, cachalotDriver } from '../../js/adapters/bentocache/index.js';
import { RedisCacheStore } from '../../js/adapters/glasswork/index.js';
import { CachalotKeyv, createKeyv } from '../../js/adapters/keyv/index.js';
import {
  MemcachedCachingProvider,
  RedisCachingProvider,
  redisLoader,
} from '../../js/adapters/medusa/index.js';
import { memcachedFace, redisFace } from '../../js/adapters/medusa/options.js';
import { MemcachedCacheService } from '../../js/adapters/medusa-cache/index.js';
import { memcachedSettings, redisSettings } from '../../js/adapters/medusa-cache/options.js';
import { createCache } from '../../js/index.js';
import { memcached, redis } from '../../js/options/config.js';
import { refusal } from './refusal.js';

const url = 'redis://127.0.0.1:1';

/** Of the type files of ioredis 5.11: CommonRedisOptions, its connectors' and Commander's, without what means something. */
const IOREDIS = {
  Connector: class {},
  autoPipeliningIgnoredCommands: ['ping'],
  autoResendUnfulfilledCommands: true,
  autoResubscribe: true,
  blockingTimeout: 1,
  blockingTimeoutGrace: 1,
  clientInfoTag: 'x',
  commandQueue: true,
  disableClientInfo: true,
  disconnectTimeout: 100,
  enableAutoPipelining: true,
  enableOfflineQueue: false,
  enableReadyCheck: false,
  failoverDetector: true,
  family: 0,
  keepAlive: 30_000,
  lazyConnect: true,
  maxLoadingRetryTime: 1,
  maxRetriesPerRequest: null,
  monitor: false,
  name: 'mymaster',
  natMap: {},
  noDelay: true,
  offlineQueue: true,
  preferredSlaves: [],
  readOnly: true,
  reconnectOnError: () => true,
  retryStrategy: () => 100,
  role: 'master',
  scripts: {},
  sentinelCommandTimeout: 1,
  sentinelMaxConnections: 10,
  sentinelPassword: 'x',
  sentinelReconnectStrategy: () => 1,
  sentinelRetryStrategy: () => 1,
  sentinelUsername: 'x',
  showFriendlyErrorStack: true,
  socketTimeout: 1,
  stringNumbers: true,
  updateSentinels: true,
};

/** Of those of memjs 1.3. */
const MEMJS = {
  failover: true,
  failoverTime: 60,
  keepAlive: false,
  logger: console,
  retry_delay: 0.2,
  serializer: {},
};

/** Of memcached 2.2. */
const MEMCACHED = { algorithm: 'md5', poolSize: 5, reconnect: 1, remove: true, retries: 2 };

const within = (place: string, names: object) => Object.keys(names).map((name) => `${place}.${name}`);

describe('options of other clients', () => {
  it.each([
    ['redis()', () => redis({ url, redisOptions: IOREDIS }), within('redisOptions', IOREDIS)],
    ['redis(), beside the URL', () => redis({ url, ...IOREDIS } as never), Object.keys(IOREDIS)],
    [
      'the provider',
      () => redisFace.settings({ redisUrl: url, redisOptions: IOREDIS }).store,
      within('redisOptions', IOREDIS),
    ],
    [
      'the Cache Module',
      () => redisSettings({ redisUrl: url, redisOptions: IOREDIS }).store,
      within('redisOptions', IOREDIS),
    ],
    ['memcached()', () => memcached({ options: MEMJS }), within('options', MEMJS)],
    [
      'the provider of memcached',
      () => memcachedFace.settings({ options: MEMJS }).store,
      within('options', MEMJS),
    ],
    [
      'the Cache Module of memcached',
      () => memcachedSettings({ options: MEMCACHED }).store,
      within('options', MEMCACHED),
    ],
  ])('are taken by %s and change nothing', (_, make, names) => {
    const { ignored = [], ...store } = make();
    expect([...ignored].sort()).toEqual([...names].sort());
    const memory = store.kind === 'redis' ? redis(url) : memcached();
    expect(store.native.backend).toEqual(memory.native.backend);
  });

  it('that say "none" say nothing', () => {
    const none = { tls: null, sentinels: null, sentinelTLS: false, enableTLSForSentinelMode: false } as never;
    expect(redis({ url, redisOptions: none }).native).toEqual(redis(url).native);
    expect(redis({ url, redisOptions: { lazyConnect: undefined } }).ignored).toBeUndefined();
    const empty = { username: '', password: '', keyPrefix: '', connectionName: null, db: null, host: '' };
    expect(redis({ url, redisOptions: empty as never }).native).toEqual(redis(url).native);
    expect(memcached({ options: { username: '', password: '' } }).native).toEqual(memcached().native);
    // What is ours is taken at its word.
    expect(() => redis({ url, password: '' })).toThrow(/"password": expected a non-empty string/);
  });

  it.each<[object, string, RegExp]>([
    [
      { redisOptions: { sentinels: [{ host: 'a' }], name: 'm' } },
      'CONFIG',
      /"url": expected none beside "sentinel"/,
    ],
    [{ url: undefined, redisOptions: { sentinels: [{ host: 'a' }] } }, 'CONFIG', /"redisOptions.name"/],
    [{ url: undefined, sentinel: { name: 'm' } }, 'CONFIG', /"sentinel.nodes"/],
    [{ url: undefined, sentinel: { name: 'm', nodes: 'a:1' } }, 'CONFIG', /"sentinel.nodes".*split/],
    [{ url: undefined, sentinel: { name: 'm', nodes: ['a:b'] } }, 'CONFIG', /"sentinel.nodes\[0\]"/],
    [{ url: undefined, sentinel: { name: 'm', nodes: ['a'], natMap: () => 1 } }, 'UNSUPPORTED', /natMap/],
    [{ sentinels: [] }, 'UNSUPPORTED', /Sentinel/],
    [{ prefix: 'a', redisOptions: { keyPrefix: 'b' } }, 'CONFIG', /"prefix" and "redisOptions.keyPrefix"/],
    [{ keyPrefix: 'b' }, 'CONFIG', /"keyPrefix"\. It is called "prefix" here/],
    [{ db: 1, redisOptions: { db: 2 } }, 'CONFIG', /"db" and "redisOptions.db" mean the same and differ/],
    [{ url: `${url}/1`, db: 2 }, 'CONFIG', /"the db in url" and "db"/],
    [{ url: `${url}/1`, redisOptions: { db: 2 } }, 'CONFIG', /"the db in url" and "redisOptions.db"/],
    [{ username: 'a', redisOptions: { username: 'b' } }, 'CONFIG', /"username" and "redisOptions.username"/],
    [{ password: 'a', redisOptions: { password: 'b' } }, 'CONFIG', /"password" and "redisOptions.password"/],
    [{ redisOptions: { host: 'other' } }, 'CONFIG', /"the host in url" and "redisOptions.host"/],
    [{ redisOptions: { port: 2 } }, 'CONFIG', /"the port in url" and "redisOptions.port"/],
    [{ redisOptions: { path: '/run/x.sock' } }, 'CONFIG', /"the path in url" and "redisOptions.path"/],
  ])('that would change something are mapped or refused: %j', (options, code, said) => {
    const error = refusal(() => redis({ url, ...options } as never));
    expect(error.code).toBe(`CACHALOT_${code}`);
    expect(error.message).toMatch(said);
  });

  it('that mean something are taken', () => {
    const keyPrefix = (options: object) => redis({ url, ...options }).native.prefix;
    expect(keyPrefix({ redisOptions: { keyPrefix: 'shop:' } })).toBe('shop:');
    expect(keyPrefix({ prefix: 'shop', redisOptions: { keyPrefix: 'shop:' } })).toBe('shop');
    expect(redisSettings({ redisUrl: url, redisOptions: { keyPrefix: 'a' } }).store.native.prefix).toBe('a');
    const flat = { url, username: 'u', password: 'p', db: 3, connectionName: 'web' };
    const backend = { username: 'u', password: 'p', db: 3, connectionName: 'web' };
    expect(redis(flat).native.backend).toMatchObject(backend);
    expect(
      redis({ ...flat, redisOptions: { db: 3, host: '127.0.0.1', port: 1 } }).native.backend,
    ).toMatchObject(backend);
    const { url: redisUrl, ...rest } = flat;
    expect(redisFace.settings({ redisUrl, ...rest }).store.native.backend).toMatchObject(backend);
    const named = (redisOptions: object) => redis({ redisOptions } as never).native.backend;
    expect(named({ host: 'cache', port: '7000' })).toMatchObject({ endpoint: { host: 'cache', port: 7000 } });
    expect(named({ path: '/run/redis.sock' })).toMatchObject({ endpoint: { path: '/run/redis.sock' } });
  });
});

describe('URLs', () => {
  const backend = (given: Parameters<typeof redis>[0]) => redis(given).native.backend;

  it.each([
    ['redis://cache?family=0', { host: 'cache', port: 6379 }, ['url?family']],
    [
      'redis://cache:7000?family=6&retryStrategy=x',
      { host: 'cache', port: 7000 },
      ['url?family', 'url?retryStrategy'],
    ],
    ['redis://cache?nobody_knows=1&db=2', { host: 'cache', port: 6379 }, ['url?nobody_knows']],
    ['redis://cache?%0a=1', { host: 'cache', port: 6379 }, ['a parameter of url']],
    ['redis://cache?tls=false', { host: 'cache', port: 6379 }, undefined],
    ['unix:///run/redis.sock?family=0', { path: '/run/redis.sock' }, ['url?family']],
    ['valkey://cache', { host: 'cache', port: 6379 }, undefined],
  ])('%s', (written, endpoint, ignored) => {
    for (const given of [written, new URL(written), { url: written }, { url: new URL(written) }]) {
      const spec = redis(given);
      expect(spec.native.backend).toMatchObject({ endpoint });
      expect(spec.ignored).toEqual(ignored);
    }
  });

  it('say what ioredis reads from their query', () => {
    const query =
      'db=2&username=u&password=p&connectionName=web&connectTimeout=7&commandTimeout=8&keyPrefix=shop';
    const spec = redis(`redis://cache?${query}`);
    expect(spec.native).toMatchObject({
      prefix: 'shop',
      backend: {
        db: 2,
        username: 'u',
        password: 'p',
        connectionName: 'web',
        timeouts: { connectMs: 7, commandMs: 8 },
      },
    });
    expect(spec.ignored).toBeUndefined();
    expect(
      refusal(() => redis({ url: 'redis://cache?commandTimeout=1', commandTimeout: 2 })).message,
    ).toMatch(/"commandTimeout" and "url\?commandTimeout" mean the same/);
    expect(refusal(() => redis('redis://cache?commandTimeout=soon')).message).toMatch(
      /"url\?commandTimeout": expected a whole number/,
    );
  });

  it.each(['rediss://cache', 'valkeys://cache', 'redis://cache?tls=true', 'redis://cache?ssl=1'])(
    '%s asks for TLS',
    (written) => expect(backend(written)).toMatchObject({ tls: { ca: [expect.any(String)] } }),
  );

  it('are taken by every face, as text and as an object', () => {
    const redisUrl = new URL('redis://u:p@cache/3');
    const expected = { endpoint: { host: 'cache', port: 6379 }, username: 'u', password: 'p', db: 3 };
    expect(backend(redisUrl)).toMatchObject(expected);
    expect(redisFace.settings({ redisUrl }).store.native.backend).toMatchObject(expected);
    expect(redisSettings({ redisUrl }).store.native.backend).toMatchObject(expected);
  });
});

describe('one line', () => {
  const open: { close?(): Promise<unknown>; disconnect?(): Promise<unknown> }[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close?.() ?? one.disconnect?.()));
  });

  const redisOptions = { lazyConnect: true, maxRetriesPerRequest: null };
  const line =
    'Ignored, for they have no meaning here: redisOptions.lazyConnect, redisOptions.maxRetriesPerRequest.';
  type Logger = { info(line: string): void };

  it.each<[string, (logger: Logger) => unknown, string]>([
    ['cachalot', (logger) => createCache({ store: redis({ url, redisOptions }), logger }), line],
    [
      'cachalot-redis',
      (logger) => new RedisCachingProvider({ logger }, { redisUrl: url, redisOptions }),
      line,
    ],
    [
      'cachalot-memcached',
      (logger) => new MemcachedCachingProvider({ logger }, { options: { failover: true } }),
      'Ignored, for they have no meaning here: options.failover.',
    ],
    [
      'cachalot/medusa/cache/memcached',
      (logger) => new MemcachedCacheService({ logger }, { options: { remove: true } }),
      'Ignored, for they have no meaning here: options.remove.',
    ],
    [
      'cachalot',
      (logger) => new RedisCacheStore({ url, options: redisOptions, logger }),
      line.replaceAll('redisOptions', 'options'),
    ],
    ['CachalotKeyv', (logger) => new CachalotKeyv({ store: redis({ url, redisOptions }), logger }), line],
    [
      'CachalotKeyv',
      (logger) =>
        createKeyv(`${url}?family=0`, { namespace: 'n', useUnlink: true, clearBatchSize: 9, logger }).store,
      'Ignored, for they have no meaning here: url?family, useUnlink, clearBatchSize.',
    ],
    [
      'cachalot',
      (logger) => {
        const driver = cachalotDriver({ store: redis({ url, redisOptions }), logger });
        open.push(driver.factory({ prefix: 'a' }));
        return driver.factory({ prefix: 'b' });
      },
      line,
    ],
    [
      'cachalot',
      (logger) => cachalotBusDriver({ store: redis({ url, redisOptions }), logger }).factory({}),
      line,
    ],
  ])('by %s (%#)', (name, make, expected) => {
    const info = vi.fn();
    open.push(make({ info }) as never);
    expect(info.mock.calls).toEqual([[`[${name}] ${expected}`]]);
  });

  it('by Medusa’s loader, and none by the provider after it', async () => {
    const info = vi.fn();
    const cradle: Record<string, unknown> = { logger: { info } };
    await redisLoader({
      container: {
        register: (given) => {
          for (const [name, { resolve }] of Object.entries(given)) cradle[name] = resolve();
        },
      },
      logger: { info },
      options: { redisUrl: url, redisOptions },
    });
    open.push(new RedisCachingProvider(cradle));
    const said = info.mock.calls.flat().filter((one) => one.includes('Ignored'));
    expect(said).toEqual([`[cachalot-redis] ${line}`]);
  });
});

describe('createKeyv and CachalotKeyv', () => {
  it('take a URL and what stands beside it, as @keyv/redis does', async () => {
    const keyv = createKeyv(url, { namespace: 'n', throwOnErrors: true, logger: {} });
    const adapter = keyv.store as CachalotKeyv;
    expect([keyv.namespace, adapter.opts.url]).toEqual(['n', 'redis://127.0.0.1:1']);
    const own = new CachalotKeyv(new URL(url), { namespace: 'm', logger: {} });
    expect([own.namespace, own.opts.url]).toEqual(['m', 'redis://127.0.0.1:1']);
    await Promise.all([adapter.disconnect(), own.disconnect()]);
  });

  it('say what is wrong', () => {
    expect(() => createKeyv('127.0.0.1:6379')).toThrow(/without a scheme/);
    expect(() => createKeyv(url, { namspace: 'n' } as never)).toThrow(/"namspace".*"namespace"/);
    expect(() => createKeyv({ url } as never)).toThrow(/"url"\. It is called "store" here: store: redis/);
    expect(() => createKeyv({ store: redis(url) } as never, {})).toThrow(/got two objects/);
  });
});
