// How Medusa makes a provider: construction, loaders, and what `resolve:` finds.

import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type CacheLogger,
  MemcachedCachingProvider,
  MemoryCachingProvider,
  memcachedLoader,
  memoryLoader,
  type ProviderLoader,
  RedisCachingProvider,
  redisLoader,
} from '../js/adapters/medusa/index.js';
import memcachedModule from '../js/adapters/medusa/memcached.js';
import memoryModule from '../js/adapters/medusa/memory.js';
import redisModule from '../js/adapters/medusa/redis.js';

type Line = [level: string, message: string];

function recorder(): { logger: CacheLogger; lines: Line[] } {
  const lines: Line[] = [];
  const level = (name: string) => (message: string) => void lines.push([name, message]);
  return {
    lines,
    logger: { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') },
  };
}

const open: MemoryCachingProvider[] = [];

function provider(
  options: ConstructorParameters<typeof MemoryCachingProvider>[1] = {},
): MemoryCachingProvider {
  const made = new MemoryCachingProvider({ logger: recorder().logger }, options);
  open.push(made);
  return made;
}

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(open.splice(0).map((made) => made.close()));
});

describe('construction', () => {
  it('fails at once on a wrong option', () => {
    const { logger } = recorder();
    expect(() => new MemoryCachingProvider({ logger }, { maxbytes: 1 } as never)).toThrow(/"maxBytes"/);
    expect(() => new RedisCachingProvider({ logger }, {} as never)).toThrow(/"redisUrl"/);
    expect(() => new MemcachedCachingProvider({ logger }, { servers: [] } as never)).toThrow(/"serverUrls"/);
    expect(() => MemoryCachingProvider.validateOptions({ maxbytes: 1 })).toThrow(/"maxBytes"/);
  });

  it('has the identifiers that Medusa registers them by', () => {
    expect(RedisCachingProvider.identifier).toBe('cachalot-redis');
    expect(MemcachedCachingProvider.identifier).toBe('cachalot-memcached');
    expect(MemoryCachingProvider.identifier).toBe('cachalot-memory');
  });

  it('takes a cradle that throws on unknown names, with a logger that lacks methods or throws', async () => {
    const cradle = (known: object) =>
      new Proxy(known, {
        get(target, name) {
          if (!(name in target)) {
            throw new Error(`Could not resolve '${String(name)}'`);
          }
          return Reflect.get(target, name);
        },
      });
    const throwing = {
      warn: () => {
        throw new Error('the logger');
      },
    };
    for (const dependencies of [
      cradle({}),
      cradle({ logger: {} }),
      cradle({ logger: throwing }),
      undefined,
      {},
    ]) {
      const made = new MemoryCachingProvider(dependencies as never, {});
      open.push(made);
      await made.set({ key: 'k', data: 1 });
      expect(await made.get({ key: 'k' })).toBe(1);
    }
  });

  it('works behind a Proxy', async () => {
    const cache = new Proxy(provider(), {});
    await cache.set({ key: 'k', data: 1 });
    expect(await cache.get({ key: 'k' })).toBe(1);
  });

  it('says what is missing where only the Caching Module’s options arrive', () => {
    const options = { providers: [{ id: 'a', resolve: 'b' }], ttl: 60 };
    expect(() => new MemoryCachingProvider({ logger: recorder().logger }, options as never)).toThrow(
      /loader.*\{ services, loaders \}/,
    );
  });

  it('keeps stores without a name apart, and shares those of one name', async () => {
    const [one, other, shared, sharing] = [
      provider(),
      provider(),
      provider({ name: 'shop' }),
      provider({ name: 'shop' }),
    ];
    await one.set({ key: 'k', data: 1 });
    expect(await other.get({ key: 'k' })).toBeNull();
    await shared.set({ key: 'k', data: 2 });
    expect(await sharing.get({ key: 'k' })).toBe(2);
  });
});

/** As much of Medusa's container as a loader and a class see of it. */
function container() {
  const resolvers: Record<string, { resolve: () => unknown }> = {};
  return {
    register: (added: typeof resolvers) => void Object.assign(resolvers, added),
    cradle: new Proxy({} as Record<string, unknown>, {
      get(_, name: string) {
        const found = resolvers[name];
        if (!found) {
          throw new Error(`Could not resolve '${name}'`);
        }
        return found.resolve();
      },
    }),
  };
}

describe('loaders', () => {
  const moduleOptions = { ttl: 77, providers: [{ id: 'a' }, { id: 'b' }] };

  it('hand their options to the class, whose second argument is then ignored', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    const [one, other] = [container(), container()];
    const { logger } = recorder();
    await memoryLoader({ container: one, logger, options: { ttl: 5 }, moduleOptions });
    await memoryLoader({ container: other, logger, options: { ttl: 50 }, moduleOptions });
    const made = [one, other].map(({ cradle }) => new MemoryCachingProvider(cradle, moduleOptions as never));
    open.push(...made);
    await Promise.all(made.map((cache) => cache.set({ key: 'k', data: 1 })));
    vi.setSystemTime(1_700_000_006_000);
    expect(await Promise.all(made.map((cache) => cache.get({ key: 'k' })))).toEqual([null, 1]);
  });

  it('do not mistake the Caching Module’s options for those of a provider that has none', async () => {
    const { cradle, register } = container();
    await memoryLoader({
      container: { register },
      logger: recorder().logger,
      options: moduleOptions,
      moduleOptions: undefined,
    });
    const made = new MemoryCachingProvider(cradle, moduleOptions as never);
    open.push(made);
    await made.set({ key: 'k', data: 1 });
    expect(await made.get({ key: 'k' })).toBe(1);
    // Redis has an option that must be given, so there the boot fails.
    await expect(redisLoader({ container: { register }, options: moduleOptions })).rejects.toThrow(
      /"redisUrl"/,
    );
  });

  it('keep two kinds apart in one container', async () => {
    const { cradle, register } = container();
    await memcachedLoader({
      container: { register },
      logger: recorder().logger,
      options: { serverUrls: ['127.0.0.1:1'] },
    });
    expect(() => new RedisCachingProvider(cradle as never, {} as never)).toThrow(/"redisUrl"/);
  });

  it.each<[ProviderLoader, object, RegExp]>([
    [redisLoader, { redisUrl: 'redis://127.0.0.1:1', prefx: 'a' }, /"prefx".*"prefix"/],
    [memcachedLoader, { serverUrl: ['a'] }, /"serverUrl".*"serverUrls"/],
    [memoryLoader, { maxbytes: 1 }, /"maxBytes"/],
  ])('fail the boot on a wrong option', async (loader, options, said) => {
    const { register } = container();
    await expect(loader({ container: { register }, options, moduleOptions })).rejects.toMatchObject({
      code: 'CACHALOT_CONFIG',
      message: expect.stringMatching(said),
    });
  });

  it('tell where they connect to, without credentials', async () => {
    const { logger, lines } = recorder();
    const { register } = container();
    await redisLoader({
      container: { register },
      logger,
      options: { redisUrl: 'redis://u:s3cr3t@127.0.0.1:1/2' },
    });
    await memcachedLoader({
      container: { register },
      logger,
      options: { serverUrls: ['127.0.0.1:1', '[::1]:2'], username: 'u', password: 's3cr3t' },
    });
    await memoryLoader({ container: { register }, logger });
    expect(lines).toContainEqual(['info', '[cachalot-redis] Connecting to 127.0.0.1:1 …']);
    expect(lines).toContainEqual(['info', '[cachalot-memcached] Connecting to 127.0.0.1:1, [::1]:2 …']);
    expect(lines).toContainEqual(['info', '[cachalot-memory] Caching in process memory.']);
    expect(JSON.stringify(lines)).not.toContain('s3cr3t');
  });
});

describe('what `resolve:` loads', () => {
  it.each([
    [redisModule, RedisCachingProvider, redisLoader],
    [memcachedModule, MemcachedCachingProvider, memcachedLoader],
    [memoryModule, MemoryCachingProvider, memoryLoader],
  ])('is services and loaders, and extensible', (exported, service, loader) => {
    expect(exported).toEqual({ services: [service], loaders: [loader] });
    expect(Object.isExtensible(exported)).toBe(true);
    expect(Object.isExtensible(service)).toBe(true);
  });
});
