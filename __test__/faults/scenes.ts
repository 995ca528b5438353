// A provider, a wire that can be broken, and a server of its own behind it.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  memcachedStore,
  type OpenOptions,
  type Provider,
  redisStore,
  type StoreUnderTest,
  uniquePrefix,
} from '../contract/stores.js';
import { proxy, type Proxy as Wire } from '../support/proxy.js';
import { startMemcached, startRedis, type TestServer } from '../support/servers.js';

/** Deadlines of the providers under test, in milliseconds: the defaults divided, so that many outages fit in a run. */
export const COMMAND_MS = 400;
export const CONNECT_MS = 400;

export interface Scene {
  readonly name: string;
  readonly server: TestServer;
  readonly wire: Wire;
  readonly prefix: string;
  readonly log: string[];
  /** Over the wire, with the deadlines above. */
  readonly cache: Provider;
  /** Past the wire. */
  readonly direct: Provider;
  readonly store: StoreUnderTest;
  close(): Promise<void>;
}

export const KINDS = ['redis with tracking', 'redis without tracking', 'memcached'] as const;
export type Kind = (typeof KINDS)[number];

export function storeAt(kind: Kind, port: number): StoreUnderTest {
  return kind === 'memcached'
    ? memcachedStore(kind, [`127.0.0.1:${port}`])
    : redisStore(kind, `redis://127.0.0.1:${port}`, port, kind === 'redis with tracking');
}

export async function scene(kind: Kind): Promise<Scene> {
  const server = await (kind === 'memcached' ? startMemcached() : startRedis());
  const wire = await proxy(server.port);
  const prefix = uniquePrefix('f');
  const log: string[] = [];
  const logger = {
    debug: () => {},
    info: (line: string) => void log.push(`info ${line}`),
    warn: (line: string) => void log.push(`warn ${line}`),
    error: (line: string) => void log.push(`error ${line}`),
  };
  const store = storeAt(kind, wire.port);
  const deadlines = { commandTimeout: COMMAND_MS, connectTimeout: CONNECT_MS } as OpenOptions;
  const cache = store.open({ prefix, ...deadlines }, logger);
  const direct = storeAt(kind, server.port).open({ prefix });
  return {
    name: kind,
    server,
    wire,
    prefix,
    log,
    cache,
    direct,
    store,
    async close() {
      server.resume();
      await Promise.all([cache.close(), direct.close()]);
      await wire.stop();
      await server.stop();
    },
  };
}

export interface Fault {
  /** Breaks it. */
  begin(scene: Scene): unknown;
  /** Mends it. */
  end(scene: Scene): unknown;
  /** While it lasts, every so many milliseconds. */
  again?: { ms: number; act(scene: Scene): unknown };
  /** Whether what was stored before is there after it. */
  keeps: boolean;
  /** Whether the wire works in between, so that reads may hit while it lasts. */
  flaps?: boolean;
}

export const FAULTS: Record<string, Fault> = {
  'a black hole': { begin: ({ wire }) => wire.blackHole(), end: ({ wire }) => wire.pass(), keeps: true },
  'replies cut in the middle': {
    begin: ({ wire }) => wire.cutAfter(41),
    again: { ms: 60, act: ({ wire }) => wire.cutAfter(41 + Math.floor(Math.random() * 300)) },
    end: ({ wire }) => wire.pass(),
    keeps: true,
    flaps: true,
  },
  'a slow drip': { begin: ({ wire }) => wire.drip(40), end: ({ wire }) => wire.pass(), keeps: true },
  garbage: { begin: ({ wire }) => wire.garble(), end: ({ wire }) => wire.pass(), keeps: true },
  'a refused connection': {
    begin: ({ wire }) => wire.refuse(),
    end: ({ wire }) => wire.accept(),
    keeps: true,
  },
  'a stopped server': {
    begin: ({ server }) => server.pause(),
    end: ({ server }) => server.resume(),
    keeps: true,
  },
  'a killed server that comes back empty': {
    begin: ({ server }) => server.kill(),
    end: ({ server }) => server.restart(),
    keeps: false,
  },
};

/** How late timers of this very process come: what a loaded machine adds to every measured time. */
export function lateness(): { stop(): number } {
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - 5);
    last = now;
  }, 5);
  return {
    stop() {
      clearInterval(timer);
      return worst;
    },
  };
}

export interface Settled {
  what: string;
  ms: number;
  value?: unknown;
  error?: unknown;
}

/** Notes how an operation ends and when. */
export async function settle(what: string, work: Promise<unknown>): Promise<Settled> {
  const started = performance.now();
  try {
    const value = await work;
    return { what, ms: performance.now() - started, value };
  } catch (error) {
    return { what, ms: performance.now() - started, error };
  }
}

/** How long until a fresh value can be set and read again. */
export async function recovery(cache: Provider, withinMs: number): Promise<number> {
  const started = performance.now();
  for (let n = 0; performance.now() - started < withinMs + 3_000; n++) {
    const data = `probe ${n} ${Math.random()}`;
    await cache.set({ key: 'probe', data, tags: ['probe'] });
    if ((await cache.get({ key: 'probe' })) === data) return performance.now() - started;
    await sleep(10);
  }
  return Number.POSITIVE_INFINITY;
}
