/** What people write for Redis and Valkey, and what it becomes for the native core. */
import {
  agree,
  type Check,
  type Checked,
  flag,
  integer,
  invalid,
  object,
  type Shape,
  secret,
  text,
} from './check.js';
import { printed } from './endpoint.js';
import { ioredisNotes, noTlsYet } from './foreign-names.js';
import { defined, type StoreSpec } from './native-config.js';
import { MAX_DB, type RedisAddress } from './redis-url.js';
import {
  agreedTimeouts,
  bytes,
  milliseconds,
  nativeCore,
  nativeTimeouts,
  prefix,
  type StoreOptions,
  storeShape,
  type TimeoutOptions,
  timeoutShape,
} from './store.js';

/** The ioredis names that mean something here. Any other is an error that says so. */
export interface RedisConnectionOptions {
  /** ACL user. A user name in the URL means the same. */
  username?: string | undefined;
  password?: string | undefined;
  /** Database index. @default 0 */
  db?: number | undefined;
  /** TLS comes in a later release: any value but `undefined` and `false` is `CACHALOT_UNSUPPORTED`. */
  tls?: false | undefined;
  /** Shown by `CLIENT LIST`; printable ASCII without spaces. */
  connectionName?: string | undefined;
  /** Milliseconds. @default 2000 */
  connectTimeout?: number | undefined;
  /** Milliseconds. @default 1000 */
  commandTimeout?: number | undefined;
}

/** What the store factory and the Medusa provider have in common. */
export interface RedisOptions extends StoreOptions, TimeoutOptions {
  /** What every key in the store starts with. @default 'cachalot' */
  prefix?: string | undefined;
  /** As `compression.threshold`: values of fewer bytes are stored as they are. @default 2048 */
  compressionThreshold?: number | undefined;
  redisOptions?: RedisConnectionOptions | undefined;
  /**
   * Speak RESP3, which messages between processes need, and let the server tell of changes where values are kept in the
   * process (`l1`). `false` = RESP2, for proxies that know no other; reads and clears cost the same. @default true
   */
  tracking?: boolean | undefined;
}

const noTls: Check<false> = (value, at) => {
  if (value !== false) {
    throw noTlsYet(at);
  }
  return false;
};

const connectionName: Check<string> = (value, at) => {
  const name = text()(value, at);
  if (!/^[!-~]+$/.test(name)) {
    throw invalid(
      at,
      'printable ASCII without spaces',
      'something else',
      'CLIENT SETNAME takes nothing else',
    );
  }
  return name;
};

export const redisShape: Shape<RedisOptions> = {
  ...storeShape,
  ...timeoutShape,
  prefix,
  compressionThreshold: bytes,
  redisOptions: object<RedisConnectionOptions>(
    {
      username: secret,
      password: secret,
      db: integer('a database', 0, MAX_DB),
      tls: noTls,
      connectionName,
      connectTimeout: milliseconds,
      commandTimeout: milliseconds,
    },
    ioredisNotes,
  ),
  tracking: flag,
};

/** @param urlName what the URL's option is called, for messages */
export function redisSpec(
  face: string,
  urlName: string,
  address: RedisAddress,
  options: Checked<RedisOptions>,
): StoreSpec {
  const inner = options.redisOptions ?? {};
  const both = <T>(name: 'username' | 'password' | 'db', inUrl: T | undefined, beside: T | undefined) =>
    agree(face, [
      [`the ${name} in ${urlName}`, inUrl],
      [`redisOptions.${name}`, beside],
    ]);
  const username = both('username', address.username, inner.username);
  const password = both('password', address.password, inner.password);
  if (username !== undefined && password === undefined) {
    throw invalid({ face, path: 'redisOptions.password' }, 'a password beside the user name', 'nothing');
  }
  const timeouts = agreedTimeouts(face, options, [
    ['connectTimeout', 'redisOptions.connectTimeout', inner.connectTimeout],
    ['commandTimeout', 'redisOptions.commandTimeout', inner.commandTimeout],
  ]);
  return {
    kind: 'redis',
    servers: [printed(address.endpoint)],
    native: {
      prefix: options.prefix ?? 'cachalot',
      backend: {
        type: 'redis',
        endpoint: address.endpoint,
        ...defined({
          username,
          password,
          db: both('db', address.db, inner.db),
          connectionName: inner.connectionName,
          tracking: options.tracking,
        }),
        timeouts: nativeTimeouts(timeouts),
      },
      ...nativeCore(face, options, { alias: ['compressionThreshold', options.compressionThreshold] }),
    },
  };
}
