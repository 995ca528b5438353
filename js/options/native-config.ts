/** What the core is opened with: the JSON form of src/config.rs. */
import { inspect } from 'node:util';
import type { OptionPath } from './check.js';
import type { CredentialsSource } from './credentials.js';

export interface NativeConfig {
  prefix: string;
  backend: NativeRedis | NativeMemcached | NativeMemory;
  compression?: NativeCompression;
  maxValueBytes?: number;
  missMemory?: { ms?: number; max?: number };
  l1?: { ttlMs?: number };
}

export interface NativeRedis {
  type: 'redis';
  endpoint: NativeEndpoint | { name: string };
  sentinel?: NativeSentinel;
  username?: string;
  password?: string;
  credentials?: boolean;
  tls?: NativeTls;
  db?: number;
  connectionName?: string;
  tracking?: boolean;
  timeouts?: NativeTimeouts;
}

export interface NativeMemcached {
  type: 'memcached';
  servers: NativeEndpoint[];
  username?: string;
  password?: string;
  tls?: NativeTls;
  maxItemBytes?: number;
  timeouts?: NativeTimeouts;
}

interface NativeMemory {
  type: 'memory';
  name?: string;
  maxBytes?: number;
}

export type NativePem = string | { file: string };

export interface NativeTls {
  ca: NativePem[];
  cert?: NativePem;
  key?: NativePem;
  servername?: string;
  rejectUnauthorized?: boolean;
  minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export type NativeEndpoint = { host: string; port: number } | { path: string };

export interface NativeSentinel {
  name: string;
  nodes: NativeEndpoint[];
  username?: string;
  password?: string;
  tls?: NativeTls;
  natMap?: Record<string, NativeEndpoint>;
}

export interface NativeTimeouts {
  connectMs?: number;
  commandMs?: number;
  keepaliveMs?: number;
}

export interface NativeCompression {
  enabled?: boolean;
  algorithm?: 'zstd' | 'lz4' | 'deflate';
  level?: number;
  threshold?: number;
}

/** The local cache of a store, as it is opened. */
export interface LocalCacheSettings {
  readonly maxBytes: number;
  readonly share: boolean;
  /** Absent: the core's own. */
  readonly ttlMs?: number;
}

/** A store, described but not opened: what the factories make. */
export interface StoreSpec {
  readonly kind: 'redis' | 'memcached' | 'memory';
  /** Addresses for people, never credentials. Empty for process memory. */
  readonly servers: readonly string[];
  /** Its credentials are shown neither by JSON nor by `inspect`; `nativeText` is what has them. */
  readonly native: NativeConfig;
  /** Options that were taken and have no meaning here. */
  readonly ignored?: readonly string[];
  /** Who to log in as, where that changes. */
  readonly credentials?: CredentialsSource;
  /** Values are kept in this process too. */
  readonly l1?: LocalCacheSettings;
}

/** Without the names that are `undefined`, so that the core's defaults hold. */
export function defined<T extends object>(value: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as {
    [Name in keyof T]: Exclude<T[Name], undefined>;
  };
}

export function ignoredOf({ ignored }: OptionPath): Pick<StoreSpec, 'ignored'> {
  return ignored === undefined || ignored.size === 0 ? {} : { ignored: [...ignored] };
}

const HIDDEN = '<hidden>';

/** The same, with credentials that are read as usual and that nothing which prints objects shows. */
export function withHidden<
  T extends { username?: string; password?: string; tls?: NativeTls; sentinel?: NativeSentinel },
>(backend: T): T {
  const shown: Record<string, unknown> = { ...backend };
  for (const name of ['username', 'password', 'tls', 'sentinel'] as const) {
    const value = backend[name];
    if (value !== undefined) {
      shown[name] = HIDDEN;
      // Printed as [Getter] where custom inspection is off, as in console.dir.
      Object.defineProperty(backend, name, { get: () => value, enumerable: true, configurable: true });
    }
  }
  const show = () => ({ ...shown });
  Object.defineProperty(backend, 'toJSON', { value: show });
  Object.defineProperty(backend, inspect.custom, { value: show });
  return backend;
}

/** For the core, credentials and all. */
export function nativeText(config: NativeConfig): string {
  // A copy has the values, and nothing that hides them.
  return JSON.stringify({ ...config, backend: { ...config.backend } });
}
