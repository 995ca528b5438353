/** Names that ioredis and memjs know and that have no meaning here: each gets an answer better than "unknown option". */
import { ConfigError } from '../errors.js';
import { type Notes, type Place, unsupported } from './check.js';

/** Options of ioredis 5 (RedisOptions, its connectors' and Commander's) that Cachalot has no use for, and why. */
const IOREDIS: Readonly<Record<string, string>> = {
  host: 'the address is part of the URL',
  port: 'the address is part of the URL',
  path: 'the address is part of the URL: unix:///path',
  family: 'the address is part of the URL; write an IPv6 address in brackets',
  keyPrefix: 'use "prefix"',
  retryStrategy: 'Cachalot reconnects with jittered backoff',
  reconnectOnError: 'Cachalot reconnects with jittered backoff',
  maxRetriesPerRequest: 'every operation settles within "commandTimeout"',
  maxLoadingRetryTime: 'every operation settles within "commandTimeout"',
  socketTimeout: 'every operation settles within "commandTimeout"',
  blockingTimeout: 'no blocking command is used',
  blockingTimeoutGrace: 'no blocking command is used',
  disconnectTimeout: 'closing is bounded by "commandTimeout"',
  enableOfflineQueue: 'the queue is always on and bounded',
  offlineQueue: 'the queue is always on and bounded',
  commandQueue: 'the queue is always on and bounded',
  enableAutoPipelining: 'operations of one turn are always pipelined',
  autoPipeliningIgnoredCommands: 'operations of one turn are always pipelined',
  lazyConnect: 'Cachalot always connects in the background',
  enableReadyCheck: 'readiness is always checked',
  keepAlive: 'TCP keepalive is always on',
  noDelay: 'TCP_NODELAY is always on',
  disableClientInfo: 'no client information is sent beside "connectionName"',
  clientInfoTag: 'use "connectionName"',
  autoResubscribe: 'no subscription is used',
  autoResendUnfulfilledCommands: 'clears made during an outage are kept and replayed; nothing else is resent',
  readOnly: 'a replica may lag behind a clear',
  stringNumbers: 'values are JSON',
  monitor: 'a cache has no use for it',
  scripts: 'a cache has no use for it',
  showFriendlyErrorStack: 'errors have a "code" and say what to do',
  Connector: 'Cachalot dials by itself',
};

const SENTINEL = new Set([
  'sentinels',
  'name',
  'role',
  'sentinelUsername',
  'sentinelPassword',
  'sentinelRetryStrategy',
  'sentinelReconnectStrategy',
  'preferredSlaves',
  'sentinelCommandTimeout',
  'enableTLSForSentinelMode',
  'sentinelTLS',
  'natMap',
  'updateSentinels',
  'sentinelMaxConnections',
  'failoverDetector',
]);

/** For names inside `redisOptions`. */
export const ioredisNotes: Notes = (name, at) => {
  if (SENTINEL.has(name)) {
    return unsupported(
      at,
      'Sentinel is not supported yet and comes in a later release',
      'Give the URL of the primary meanwhile',
    );
  }
  const why = Object.hasOwn(IOREDIS, name) ? IOREDIS[name] : undefined;
  return why === undefined ? undefined : meaningless(at, 'ioredis', why);
};

const MOVED = new Set(['username', 'password', 'db', 'connectionName']);

/** For names beside `redisUrl`, where older configurations put ioredis's options. */
export const redisNotes: Notes = (name, at) => {
  if (name === 'tls') {
    return noTlsYet(at);
  }
  if (MOVED.has(name)) {
    return new ConfigError(
      `${at.face}: unknown option "${name}". Put it into "redisOptions": redisOptions.${name}.`,
    );
  }
  return ioredisNotes(name, at);
};

/** Options of memjs 1.3 that Cachalot has no use for, and why. */
const MEMJS: Readonly<Record<string, string>> = {
  failover:
    "a dead server's keys are misses and never move to another one, which would bring back old values",
  failoverTime: 'Cachalot reconnects with jittered backoff',
  retry_delay: 'Cachalot reconnects with jittered backoff',
  logger: 'the logger is the one that Medusa gives',
  serializer: 'values are JSON',
};

/** For names inside `options`. */
export const memjsNotes: Notes = (name, at) => {
  const why = Object.hasOwn(MEMJS, name) ? MEMJS[name] : undefined;
  return why === undefined ? undefined : meaningless(at, 'memjs', why);
};

/** Options of memcached 2.2 (the npm client) that Cachalot has no use for, and why. */
const MEMCACHED_CLIENT: Readonly<Record<string, string>> = {
  maxKeySize: 'keys that the server cannot hold are hashed',
  keyCompression: 'keys that the server cannot hold are hashed',
  maxExpiration: 'any lifetime is kept exactly',
  poolSize: 'one pipelined connection a server is used',
  idle: 'the connection is kept',
  algorithm: 'servers are chosen by rendezvous hashing, always the same way',
  compatibility: 'servers are chosen by rendezvous hashing, always the same way',
  maxQueueSize: 'the queue is always on and bounded',
  debug: 'what happens is told to the logger that Medusa gives',
  ...Object.fromEntries(
    ['retries', 'factor', 'minTimeout', 'maxTimeout', 'randomize', 'reconnect', 'retry'].map((name) => [
      name,
      'Cachalot reconnects with jittered backoff',
    ]),
  ),
  ...Object.fromEntries(
    ['failures', 'failuresTimeout', 'remove', 'failOverServers', 'redundancy'].map((name) => [
      name,
      "a dead server's keys are misses and never move to another one, which would bring back old values",
    ]),
  ),
};

/** For names inside the older Cache Module's `options`. */
export const memcachedClientNotes: Notes = (name, at) => {
  const why = Object.hasOwn(MEMCACHED_CLIENT, name) ? MEMCACHED_CLIENT[name] : undefined;
  return why === undefined ? undefined : meaningless(at, 'memcached', why);
};

/** For names beside `serverUrls`. */
export const memcachedNotes: Notes = (name, at) => {
  return name === 'tls' ? noTlsYet(at) : undefined;
};

export function noTlsYet(at: Place): Error {
  return unsupported(
    at,
    'TLS is not supported yet and comes in a later release',
    'Use a private network meanwhile',
  );
}

function meaningless(at: Place, library: string, why: string): ConfigError {
  return new ConfigError(
    `${at.face}: option "${at.path}" is one of ${library} and has no meaning here: ${why}. Remove it.`,
  );
}
