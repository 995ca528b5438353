/** What the core is opened with: the JSON form of src/config.rs. */
import type { L1Settings } from '../l1/settings.js';

export interface NativeConfig {
  prefix: string;
  backend: NativeRedis | NativeMemcached | NativeMemory;
  compression?: NativeCompression;
  maxValueBytes?: number;
  missMemory?: { ms?: number; max?: number };
  l1?: { ttlMs?: number };
}

interface NativeRedis {
  type: 'redis';
  endpoint: NativeEndpoint;
  username?: string;
  password?: string;
  db?: number;
  connectionName?: string;
  tracking?: boolean;
  timeouts?: NativeTimeouts;
}

interface NativeMemcached {
  type: 'memcached';
  servers: NativeEndpoint[];
  username?: string;
  password?: string;
  maxItemBytes?: number;
  timeouts?: NativeTimeouts;
}

interface NativeMemory {
  type: 'memory';
  name?: string;
  maxBytes?: number;
}

export type NativeEndpoint = { host: string; port: number } | { path: string };

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

/** A store, described but not opened: what the factories make. */
export interface StoreSpec {
  readonly kind: 'redis' | 'memcached' | 'memory';
  /** Addresses for people, never credentials. Empty for process memory. */
  readonly servers: readonly string[];
  /** Holds credentials: never to be logged. */
  readonly native: NativeConfig;
  /** Values are kept in this process too. */
  readonly l1?: L1Settings;
}

/** Without the names that are `undefined`, so that the core's defaults hold. */
export function defined<T extends object>(value: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as {
    [Name in keyof T]: Exclude<T[Name], undefined>;
  };
}
