/** Names that ioredis, memjs and other clients know: most have no meaning here, and some get an answer of their own. */
import { type Check, type ForeignNames, type OptionPath, type Shape, unsupported } from './check.js';

/** Options of ioredis 5 (RedisOptions, its connectors' and Commander's) that Cachalot has no use for. */
const IOREDIS = [
  'family',
  'retryStrategy',
  'reconnectOnError',
  'maxRetriesPerRequest',
  'maxLoadingRetryTime',
  'socketTimeout',
  'blockingTimeout',
  'blockingTimeoutGrace',
  'disconnectTimeout',
  'enableOfflineQueue',
  'offlineQueue',
  'commandQueue',
  'enableAutoPipelining',
  'autoPipeliningIgnoredCommands',
  'lazyConnect',
  'enableReadyCheck',
  'keepAlive',
  'noDelay',
  'disableClientInfo',
  'clientInfoTag',
  'autoResubscribe',
  'autoResendUnfulfilledCommands',
  'readOnly',
  'stringNumbers',
  'monitor',
  'scripts',
  'showFriendlyErrorStack',
  'Connector',
  'enableTLSForSentinelMode',
  'role',
  'sentinelRetryStrategy',
  'sentinelReconnectStrategy',
  'preferredSlaves',
  'sentinelCommandTimeout',
  'updateSentinels',
  'sentinelMaxConnections',
  'failoverDetector',
] as const;

/** Options of memjs 1.3 that Cachalot has no use for. */
const MEMJS = ['failover', 'failoverTime', 'retry_delay', 'logger', 'serializer'] as const;

/** Options of memcached 2.2 (the npm client) that Cachalot has no use for. */
const MEMCACHED_CLIENT = [
  'maxKeySize',
  'keyCompression',
  'maxExpiration',
  'poolSize',
  'idle',
  'algorithm',
  'compatibility',
  'maxQueueSize',
  'debug',
  'retries',
  'factor',
  'minTimeout',
  'maxTimeout',
  'randomize',
  'reconnect',
  'retry',
  'failures',
  'failuresTimeout',
  'remove',
  'failOverServers',
  'redundancy',
] as const;

type Ignored<Names extends readonly string[]> = { [Name in Names[number]]?: unknown };

/** Taken and ignored, with one line to the logger: they have no meaning here. */
export type IgnoredIoredisOptions = Ignored<typeof IOREDIS>;
export type IgnoredMemjsOptions = Ignored<typeof MEMJS>;
export type IgnoredMemcachedClientOptions = Ignored<typeof MEMCACHED_CLIENT>;

export function isIoredisName(name: string): boolean {
  return (IOREDIS as readonly string[]).includes(name);
}

/** They mean something inside `redisOptions`, beside `sentinels`; where they stand alone, nothing. */
const SENTINEL = new Set(['name', 'sentinelUsername', 'sentinelPassword', 'sentinelTLS', 'natMap']);

/** For names inside `redisOptions`, and beside it, where some put them. */
export const ioredisNotes: ForeignNames = (name, at, value) => {
  if (name === 'sentinels' && !isOff(value)) {
    const advice = 'Write sentinel: { name, nodes }, or put them into redisOptions';
    return unsupported(at, 'Sentinel has an option of its own here', advice);
  }
  return name === 'sentinels' || SENTINEL.has(name) || isIoredisName(name) ? 'ignored' : undefined;
};

/** For names inside `options` of memcached. */
export const memjsNotes: ForeignNames = (name) =>
  (MEMJS as readonly string[]).includes(name) ? 'ignored' : undefined;

/** For names inside the older Cache Module's `options`. */
export const memcachedClientNotes: ForeignNames = (name) =>
  (MEMCACHED_CLIENT as readonly string[]).includes(name) ? 'ignored' : undefined;

/** For names beside `serverUrls`. */
export const memcachedNotes: ForeignNames = memjsNotes;

/** Options of another client, to which `null` and an empty string are as good as nothing: `password: process.env.X ?? ''`. */
export function foreign<T, Parsed = object>(shape: Shape<T, Parsed>): Shape<T, Parsed> {
  const entries = Object.entries(shape) as [string, Check<unknown>][];
  return Object.fromEntries(
    entries.map(([name, check]) => [
      name,
      (value: unknown, at: OptionPath) => (value === null || value === '' ? undefined : check(value, at)),
    ]),
  ) as unknown as Shape<T, Parsed>;
}

/** As JavaScript libraries write "none". */
export function isOff(value: unknown): boolean {
  return value === undefined || value === null || value === false;
}
