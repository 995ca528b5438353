// Who hears of an outage: a logger, listeners, or else the process.

import { Keyv } from 'keyv';
import { afterEach, expect, inject, it, vi } from 'vitest';
import { cachalotBusDriver, cachalotDriver } from '../js/adapters/bentocache/index.js';
import { CachalotStore } from '../js/adapters/glasswork/index.js';
import { CachalotKeyv, createKeyv } from '../js/adapters/keyv/index.js';
import { RedisCachingProvider } from '../js/adapters/medusa/index.js';
import { RedisCacheService } from '../js/adapters/medusa-cache/index.js';
import { type CacheLogger, createCache } from '../js/index.js';
import { redis, type StoreSpec } from '../js/options/config.js';
import { uniquePrefix } from './contract/stores.js';
import { proxy } from './support/proxy.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(closers.splice(0).map((close) => close()));
});

/** Warnings of the process, without those of others. */
function warnings(): string[] {
  const heard: string[] = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void heard.push(String(warning)));
  return heard;
}

async function scene(): Promise<{ wire: Awaited<ReturnType<typeof proxy>>; store: StoreSpec; url: string }> {
  const wire = await proxy(inject('servers').redis.port);
  const url = `redis://127.0.0.1:${wire.port}`;
  return {
    wire,
    url,
    store: redis({ url, prefix: uniquePrefix(), commandTimeout: 300, connectTimeout: 300 }),
  };
}

const until = (done: () => unknown) =>
  vi.waitFor(() => expect(done()).toBeTruthy(), { timeout: 5000, interval: 20 });

it('without a logger or a listener each outage is one warning of the process', async () => {
  const heard = warnings();
  const { wire, store } = await scene();
  const cache = createCache({ store });
  closers.push(() => cache.close());
  await cache.ready();
  expect(heard).toEqual([]);
  for (let outage = 1; outage <= 2; outage++) {
    await wire.refuse();
    await until(() => heard.length === outage);
    for (let n = 0; n < 20; n++) await cache.get('k');
    await cache.delete('k');
    expect(heard).toHaveLength(outage);
    expect(heard.at(-1)).toMatch(
      /^\[cachalot\] .*127\.0\.0\.1:\d+.*Reads from it are misses until it is back\.$/,
    );
    await wire.accept();
    await cache.ready();
    await new Promise((resolve) => setTimeout(resolve, 1100));
  }
});

it.each(['logger', 'listener'])('a %s hears of it in place of the process', async (who) => {
  const heard = warnings();
  const { wire, store } = await scene();
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const cache = createCache({ store, ...(who === 'logger' ? { logger: { log } } : {}) });
  closers.push(() => cache.close());
  if (who === 'listener') cache.on('error', ({ error }) => log(error.message));
  await cache.ready();
  await wire.refuse();
  await cache.get('k');
  await until(() => lines.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(heard).toEqual([]);
});

type Opened = { close(): unknown };
const faces: Record<string, (store: StoreSpec, url: string, logger?: CacheLogger) => Opened> = {
  createCache: (store, _, logger) => createCache({ store, logger }),
  CachalotKeyv(store, _, logger) {
    const adapter = new CachalotKeyv({ store, logger });
    return { close: () => adapter.disconnect() };
  },
  'Keyv over it'(store, _, logger) {
    const keyv = new Keyv({ store: new CachalotKeyv({ store, logger }) });
    return { close: () => keyv.disconnect() };
  },
  createKeyv(_, url, logger) {
    const keyv = createKeyv(url, { logger });
    return { close: () => keyv.disconnect() };
  },
  cachalotDriver(store, _, logger) {
    const driver = cachalotDriver({ store, logger }).factory({ prefix: 'bentocache' });
    return { close: () => driver.disconnect() };
  },
  'cachalotDriver, which Bentocache gives a silent logger'(store, _, logger) {
    const internalLogger = { warn: () => {}, info: () => {} };
    const silent = {
      internalLogger,
      warn: (line: string) => void (internalLogger.warn as (line: string) => void)(line),
    };
    const driver = cachalotDriver({ store, logger }).factory({ prefix: 'bentocache', logger: silent });
    return { close: () => driver.disconnect() };
  },
  cachalotBusDriver(store, _, logger) {
    const bus = cachalotBusDriver({ store, logger }).factory({});
    return { close: () => bus.disconnect() };
  },
};

it.each(Object.entries(faces))('%s warns once, or tells its logger', async (_, open) => {
  for (const given of [false, true]) {
    const heard = warnings();
    const { wire, store, url } = await scene();
    const lines: string[] = [];
    const logger = given ? { log: (line: string) => void lines.push(line) } : undefined;
    await wire.refuse();
    const face = open(store, url, logger);
    closers.push(() => face.close());
    await until(() => heard.length + lines.length > 0);
    await wire.accept();
    if (given) {
      await until(() => lines.length === 2);
      expect(lines[0]).toContain(`127.0.0.1:${wire.port}`);
      // Never connected before.
      expect(lines[1]).toMatch(/Connected to 127\.0\.0\.1:\d+\.$/);
    }
    expect(heard).toHaveLength(given ? 0 : 1);
    vi.restoreAllMocks();
  }
});

it.each([
  ['CachalotStore', (store: StoreSpec, logger: CacheLogger) => new CachalotStore({ store, logger })],
  [
    'RedisCachingProvider',
    (store: StoreSpec, logger: CacheLogger) =>
      new RedisCachingProvider({ logger }, { redisUrl: `redis://${store.servers[0]}` }),
  ],
  [
    'RedisCacheService',
    (store: StoreSpec, logger: CacheLogger) =>
      new RedisCacheService({ logger }, { redisUrl: `redis://${store.servers[0]}` }),
  ],
])('%s tells a logger that has only log', async (_, open) => {
  const { wire, store } = await scene();
  const lines: string[] = [];
  await wire.refuse();
  const face = open(store, { log: (line) => void lines.push(line) });
  closers.push(() => face.close());
  await until(() => lines.length === 1);
  await wire.accept();
  await until(() => lines.length === 2);
  expect(lines[1]).toMatch(/Connected to 127\.0\.0\.1:\d+\.$/);
});

it('a listener of the adapter takes the warning’s place, and Keyv’s own does not', async () => {
  const heard = warnings();
  const { wire, store } = await scene();
  await wire.refuse();
  const adapter = new CachalotKeyv({ store });
  const keyv = new Keyv({ store: adapter });
  closers.push(() => keyv.disconnect());
  const errors: unknown[] = [];
  adapter.on('error', (error) => void errors.push(error));
  await keyv.get('k');
  await until(() => errors.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(heard).toEqual([]);
});

it('a handler of the bus that rejects is a line, and ends nothing', async () => {
  const { store } = await scene();
  const lines: string[] = [];
  const logger = { warn: (line: string) => void lines.push(line) };
  const [one, other] = [0, 1].map((id) => cachalotBusDriver({ store, logger }).factory({}).setId(`${id}`));
  closers.push(
    () => one?.disconnect(),
    () => other?.disconnect(),
  );
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  await one?.subscribe('c', async () => {
    throw new Error('of the handler');
  });
  await other?.publish('c', { type: 'set', keys: ['k'] });
  await until(() => lines.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off('unhandledRejection', unhandled);
  expect(lines).toEqual(['[cachalot] A handler of the bus failed: of the handler.']);
  expect(unhandled).not.toHaveBeenCalled();
});
