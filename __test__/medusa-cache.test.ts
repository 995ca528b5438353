// Medusa's older Cache Module over every store: what cache-redis and cache-inmemory promise, and what they get wrong.

import { join } from 'node:path';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import {
  type MedusaCacheService,
  MemcachedCacheService,
  MemoryCacheService,
  RedisCacheService,
} from '../js/adapters/medusa-cache/index.js';
import { uniquePrefix } from './contract/stores.js';
import { freePort } from './support/ports.js';
import { runNode } from './support/processes.js';
import { proxy } from './support/proxy.js';
import { startMemcached, startRedis } from './support/servers.js';

type Service = RedisCacheService | MemcachedCacheService | MemoryCacheService;

const cleanup: Array<() => unknown> = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

function opened<S extends Service>(service: S): S {
  cleanup.push(() => service.close());
  return service;
}

interface Options {
  namespace?: string;
  ttl?: number;
}

const { redis, memcached } = inject('servers');
const stores: Array<{ name: string; open(options: Options): Service }> = [
  {
    name: 'redis',
    open: (options) => opened(new RedisCacheService({ logger: {} }, { redisUrl: redis.url, ...options })),
  },
  {
    name: 'memcached',
    open: (options) =>
      opened(new MemcachedCacheService({ logger: {} }, { location: [...memcached], ...options })),
  },
  {
    name: 'memory',
    // One name, so that two services are two handles on one store, as two clients of a server are.
    open: (options) => opened(new MemoryCacheService({ logger: {} }, { name: 'medusa-cache', ...options })),
  },
];

const KEYS = ['ps:1', 'ps:2:eur', 'ps', 'pss:1', 'x:1', 'p?s:1', 'a:b:c:d:e:f:g:h:i:j'];
/** Patterns for which keys must be listed, and what of them they fit. */
const LISTED: Array<[pattern: string, fitting: string[]]> = [
  ['ps*', ['ps:1', 'ps:2:eur', 'ps', 'pss:1']],
  ['*:1', ['ps:1', 'pss:1', 'x:1', 'p?s:1']],
  ['ps:*:eur', ['ps:2:eur']],
  ['*p*s*1', ['ps:1', 'pss:1', 'p?s:1']],
  ['p?s*', ['p?s:1']],
  ['a:b:c:d:e:f:g:h:i:*', ['a:b:c:d:e:f:g:h:i:j']],
  ['none*', []],
];
const UNLISTABLE = LISTED.map(([pattern]) => pattern);

describe.each(stores)('$name', ({ name, open }) => {
  const service = (options: Options = {}) => open({ namespace: uniquePrefix(), ...options });
  const filled = async (cache: MedusaCacheService, keys: readonly string[]) => {
    await Promise.all(keys.map((key) => cache.set(key, { key })));
  };
  const alive = async (cache: MedusaCacheService, keys: readonly string[]) => {
    const found = await Promise.all(keys.map((key) => cache.get(key)));
    return keys.filter((_, at) => found[at] !== null);
  };

  it.each([null, false, 0, '', [], {}, 'text', -1.5, { a: { b: [1, 'é', '\u{1f433}'] } }])(
    'gives back %j as it was stored',
    async (data) => {
      const cache = service();
      await cache.set('k', data);
      expect(await cache.get('k')).toStrictEqual(data);
    },
  );

  it('gives null for a miss', async () => {
    expect(await service().get('k')).toBeNull();
  });

  it('keeps a namespace to itself, whichever service asks', async () => {
    const [namespace, other] = [uniquePrefix(), uniquePrefix()];
    const [one, same, beside] = [open({ namespace }), open({ namespace }), open({ namespace: other })];
    await one.set('k', 1);
    await beside.set('k', 2);
    expect(await same.get('k')).toBe(1);
    await one.clear();
    expect(await same.get('k')).toBeNull();
    expect(await beside.get('k')).toBe(2);
  });

  it('stores nothing for a ttl of 0, and leaves no older value', async () => {
    const cache = service();
    await cache.set('k', 1);
    await cache.set('k', 2, 0);
    expect(await cache.get('k')).toBeNull();
  });

  it('lets a value go when its ttl ends', async () => {
    const cache = service();
    await Promise.all([cache.set('short', 1, 1), cache.set('long', 1)]);
    expect(await alive(cache, ['short', 'long'])).toEqual(['short', 'long']);
    await expect.poll(() => cache.get('short'), { timeout: 5000 }).toBeNull();
    expect(await cache.get('long')).toBe(1);
  });

  it.each<[string, (cache: Service) => Promise<unknown>, RegExp]>([
    ['an empty key', (cache) => cache.get(''), /key: expected a non-empty string, got an empty string/],
    ['no key', (cache) => cache.invalidate(undefined as never), /key.*got nothing/],
    ['a number as key', (cache) => cache.set(7 as never, 1), /key.*got 7/],
    ['undefined', (cache) => cache.set('k', undefined), /data.*JSON.*undefined/],
    ['a Map', (cache) => cache.set('k', new Map()), /data.*a Map/],
    ['a negative ttl', (cache) => cache.set('k', 1, -1), /ttl.*finite number of seconds.*-1/],
    ['a ttl in words', (cache) => cache.set('k', 1, '5m' as never), /ttl.*"5m"/],
  ])('refuses %s', async (_, call, said) => {
    const cache = service();
    await cache.set('k', 'before');
    await expect(call(cache)).rejects.toMatchObject({
      code: 'CACHALOT_CONFIG',
      message: expect.stringMatching(said),
    });
    expect(await cache.get('k')).toBe('before');
  });

  describe('invalidate', () => {
    it('removes a key, and only that', async () => {
      const cache = service();
      const keys = ['ps:1', 'ps:10', 'ps', 'ps:1:x'];
      await filled(cache, keys);
      await cache.invalidate('ps:1');
      expect(await alive(cache, keys)).toEqual(['ps:10', 'ps', 'ps:1:x']);
      await cache.invalidate('ps:none');
    });

    it('takes ps:* for every key that begins with it, and no other', async () => {
      const cache = service();
      const keys = ['ps:1', 'ps:', 'ps:a:b:c', 'ps', 'PS:1', 'xps:1', 'ps;1', 'a:ps:1'];
      await filled(cache, keys);
      await cache.invalidate('ps:*');
      expect(await alive(cache, keys)).toEqual(['ps', 'PS:1', 'xps:1', 'ps;1', 'a:ps:1']);
      await cache.set('ps:1', 'anew');
      expect(await cache.get('ps:1')).toBe('anew');
    });

    it('reaches as deep as eight levels', async () => {
      const cache = service();
      const deep = 'a:b:c:d:e:f:g:h';
      const keys = [`${deep}:1`, `${deep}:2:3:4`, `${deep}x:1`, 'a:b:1'];
      await filled(cache, keys);
      await cache.invalidate(`${deep}:**`);
      expect(await alive(cache, keys)).toEqual([`${deep}x:1`, 'a:b:1']);
    });

    it('takes * for everything of its namespace', async () => {
      const cache = service();
      await filled(cache, ['ps:1', 'k']);
      await cache.invalidate('*');
      expect(await alive(cache, ['ps:1', 'k'])).toEqual([]);
    });

    it.each(['?s:*', '[p]s:*', 'p.:*', '\\ps:*', '!ps:*', 'p{s}:*', '^ps:*'])(
      'takes every character of %s but the * for itself',
      async (pattern) => {
        const cache = service();
        const literal = pattern.replace('*', '1');
        await filled(cache, ['ps:1', literal]);
        await cache.invalidate(pattern);
        expect(await alive(cache, ['ps:1', literal])).toEqual(['ps:1']);
      },
    );

    // What a store does not do is no case of it: none is skipped.
    const [listed, refused] = name === 'memcached' ? [[], UNLISTABLE] : [LISTED, []];

    it.each(listed)('goes through the keys for %s', async (pattern, fitting) => {
      const cache = service();
      await filled(cache, KEYS);
      await cache.invalidate(pattern);
      expect(await alive(cache, KEYS)).toEqual(KEYS.filter((key) => !fitting.includes(key)));
    });

    it.each(refused)('says that memcached cannot serve %s, and what it can', async (pattern) => {
      const cache = service();
      await filled(cache, KEYS);
      await expect(cache.invalidate(pattern)).rejects.toMatchObject({
        code: 'CACHALOT_UNSUPPORTED',
        message: expect.stringMatching(/memcached cannot list keys.*"\*" works.*"user:\*"/),
      });
      expect(await alive(cache, KEYS)).toEqual(KEYS);
    });

    it.each(['ps:1', 'ps:*', '*'])(
      'of %s also stops what was read before it and is stored after',
      async (given) => {
        const cache = service();
        await cache.set('warm', 1);
        expect(await cache.get('ps:1')).toBeNull();
        await cache.invalidate(given);
        await cache.set('ps:1', 'read before');
        expect(await cache.get('ps:1')).toBeNull();
      },
    );
  });

  it('closes by its hook; every later call rejects', async () => {
    const cache = service();
    await cache.set('k', 1);
    await cache.__hooks.onApplicationShutdown();
    await cache.__hooks.onApplicationShutdown();
    const calls = await Promise.allSettled([cache.get('k'), cache.set('k', 1), cache.invalidate('k')]);
    expect(calls).toMatchObject(
      calls.map(() => ({ status: 'rejected', reason: { code: 'CACHALOT_CLOSED' } })),
    );
    expect(cache.stats().sets).toBe(1);
  });
});

describe('in an outage', () => {
  const lines: string[] = [];
  const logger = {
    warn: (line: string) => void lines.push(line),
    info: (line: string) => void lines.push(line),
  };

  it.each(['redis', 'memcached'] as const)(
    '%s: get is null, set and invalidate reject, and what was invalidated is gone after it',
    async (kind) => {
      lines.length = 0;
      const server = kind === 'redis' ? await startRedis() : await startMemcached();
      cleanup.push(() => server.stop());
      const wire = await proxy(server.port);
      cleanup.push(() => wire.stop());
      const own = { namespace: 'shop', commandTimeout: 300 };
      const cache = opened(
        kind === 'redis'
          ? new RedisCacheService({ logger }, { redisUrl: `redis://127.0.0.1:${wire.port}`, ...own })
          : new MemcachedCacheService({ logger }, { location: `127.0.0.1:${wire.port}`, ...own }),
      );
      await cache.set('ps:1', 1);
      await cache.set('k', 1);
      wire.blackHole();
      expect(await cache.get('ps:1')).toBeNull();
      await expect(cache.set('ps:2', 2)).rejects.toMatchObject({
        code: expect.stringMatching(/CACHALOT_(CONNECTION|TIMEOUT)/),
      });
      await expect(cache.invalidate('ps:*')).rejects.toMatchObject({ queued: true });
      wire.pass();
      await expect.poll(() => cache.get('k'), { timeout: 5000 }).toBe(1);
      expect(await cache.get('ps:1')).toBeNull();
      expect(lines.filter((line) => line.includes('Reads')).length).toBeLessThanOrEqual(2);
      expect(lines.join('\n')).toContain(`cachalot/medusa/cache/${kind}`);
    },
  );

  it('is no reason not to start', async () => {
    const cache = opened(
      new RedisCacheService({ logger }, { redisUrl: `redis://127.0.0.1:${await freePort()}` }),
    );
    expect(await cache.get('k')).toBeNull();
    await expect(cache.set('k', 1)).rejects.toMatchObject({ code: 'CACHALOT_CONNECTION' });
  });
});

it.each<[string, Record<string, string>]>([
  ['memory', {}],
  ['redis', { REDIS_URL: redis.url }],
  ['memcached', { MEMCACHED_SERVER: memcached[0] ?? '' }],
])('examples/medusa-cache runs on %s', async (_, env) => {
  const file = join(__dirname, '../examples/medusa-cache/main.mjs');
  const { code, stdout } = await runNode(file, { env });
  expect({ code, lines: stdout.split('\n').filter((line) => line.includes('costs')) }).toEqual({
    code: 0,
    lines: [
      'first: ps_shirt costs 19.95 EUR, computed',
      'first: ps_shirt costs 21.5 USD, computed',
      'first: ps_mug costs 7.9 EUR, computed',
      'again: ps_shirt costs 19.95 EUR, cached',
      'again: ps_shirt costs 21.5 USD, cached',
      'again: ps_mug costs 7.9 EUR, cached',
      'after the change: ps_shirt costs 17.95 EUR, computed',
      'after the change: ps_shirt costs 21.5 USD, computed',
      'after the change: ps_mug costs 7.9 EUR, cached',
    ],
  });
});
