/** What people write for Redis and Valkey, and what it becomes for the native core. */
import {
  type Check,
  type Checked,
  flag,
  integer,
  invalid,
  mergeAliases,
  type OptionPath,
  object,
  type Shape,
  secret,
  text,
} from './check.js';
import { type CredentialsSource, credentialsSource } from './credentials.js';
import { port, printed } from './endpoint.js';
import { foreign, type IgnoredIoredisOptions, ioredisNotes } from './foreign-names.js';
import {
  defined,
  ignoredOf,
  type NativeEndpoint,
  type NativeRedis,
  type NativeSentinel,
  type NativeTls,
  type StoreSpec,
  withHidden,
} from './native-config.js';
import { MAX_DB, type RedisAddress, redisUrl } from './redis-url.js';
import {
  agreedSentinel,
  type IoredisSentinelOptions,
  ioredisSentinelShape,
  type ParsedIoredisSentinel,
  type SentinelNode,
  type SentinelOptions,
  sentinelOption,
  sentinelServers,
} from './sentinel.js';
import {
  agreedTimeouts,
  bytes,
  millisecondsOption,
  nativeCore,
  nativeTimeouts,
  prefix,
  type StoreOptions,
  storeShape,
  type TimeoutOptions,
  timeoutShape,
} from './store.js';
import { agreedTls, plainTls, type TlsOptions, tlsOption } from './tls.js';

/** The ioredis names that mean something here. */
interface OwnConnectionOptions extends IoredisSentinelOptions {
  /** ACL user. A user name in the URL means the same. */
  username?: string | undefined;
  password?: string | undefined;
  /** Database index. @default 0 */
  db?: number | undefined;
  /** As `tls` beside `redisOptions`; an empty object switches it on. */
  tls?: boolean | TlsOptions | undefined;
  /** Shown by `CLIENT LIST`; printable ASCII without spaces. */
  connectionName?: string | undefined;
  /** Milliseconds. @default 2000 */
  connectTimeout?: number | undefined;
  /** Milliseconds. @default 1000 */
  commandTimeout?: number | undefined;
  /** As `prefix`. */
  keyPrefix?: string | undefined;
  /** The address, where there is no URL; beside one they say the same. */
  host?: string | undefined;
  port?: number | undefined;
  /** Of a socket. */
  path?: string | undefined;
}

/** ioredis's options. Those that have no meaning here are ignored, and named in one line to the logger. */
export interface RedisConnectionOptions extends OwnConnectionOptions, IgnoredIoredisOptions {}

/** The same options without an address, which sentinels tell. */
export type BySentinel<T, Address extends keyof T> = Omit<T, Address | 'sentinel' | 'redisOptions'> &
  (
    | { sentinel: SentinelOptions; redisOptions?: RedisConnectionOptions | undefined }
    | { redisOptions: RedisConnectionOptions & { sentinels: readonly SentinelNode[]; name: string } }
  );

/** What the store factory and the Medusa provider have in common. */
export interface RedisOptions extends StoreOptions, TimeoutOptions {
  /** What every key in the store starts with. @default 'cachalot' */
  prefix?: string | undefined;
  /** As `compression.threshold`: values of fewer bytes are stored as they are. @default 2048 */
  compressionThreshold?: number | undefined;
  /** ioredis's options, where they have a meaning here. @default none */
  redisOptions?: RedisConnectionOptions | undefined;
  /** ACL user, as in `redisOptions`. @default the URL's */
  username?: string | undefined;
  /** As in `redisOptions`. @default the URL's */
  password?: string | undefined;
  /** Database index, as in `redisOptions`. @default the URL's, or 0 */
  db?: number | undefined;
  /** As in `redisOptions`: shown by `CLIENT LIST`. @default none */
  connectionName?: string | undefined;
  /** Sentinels that tell where the primary is, in place of an address. @default none */
  sentinel?: SentinelOptions | undefined;
  /**
   * Asked for who to log in as, in place of `username` and `password`: at the start, after three quarters of their life,
   * and when the server refuses them. Connections that are up log in anew. @default none
   */
  credentials?: CredentialsSource | undefined;
  /** TLS, as `rediss://` asks for too; `true` = with whom Node.js trusts. @default the URL's, or false */
  tls?: boolean | TlsOptions | undefined;
  /**
   * Speak RESP3, which messages between processes need, and let the server tell of changes where values are kept in the
   * process (`l1`). `false` = RESP2, for proxies that know no other; reads and clears cost the same. @default true
   */
  tracking?: boolean | undefined;
}

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

/** Also as text, which it is in environment variables. */
const portNumber: Check<number> = (value, at) =>
  port(typeof value === 'number' ? String(value) : text()(value, at), 6379, at);

const credentials = {
  username: secret,
  password: secret,
  db: integer('a database', 0, MAX_DB),
  connectionName,
};

/** TLS leaves its checker as the core takes it. */
type ParsedTls = { tls: NativeTls | false };

type ParsedConnection = ParsedTls & ParsedIoredisSentinel;

type ParsedInner = Checked<OwnConnectionOptions, ParsedConnection>;

/** What its checkers leave. */
export type ParsedRedis = ParsedTls & { redisOptions: ParsedInner; sentinel: NativeSentinel };

export const redisShape: Shape<RedisOptions, ParsedRedis> = {
  ...storeShape,
  ...timeoutShape,
  ...credentials,
  prefix,
  compressionThreshold: bytes,
  redisOptions: object<OwnConnectionOptions, ParsedConnection>(
    foreign<OwnConnectionOptions, ParsedConnection>({
      ...ioredisSentinelShape,
      ...credentials,
      tls: tlsOption,
      connectTimeout: millisecondsOption,
      commandTimeout: millisecondsOption,
      keyPrefix: prefix,
      host: text(),
      port: portNumber,
      path: text(),
    }),
    ioredisNotes,
  ),
  sentinel: sentinelOption,
  credentials: credentialsSource,
  tls: tlsOption,
  tracking: flag,
};

type Credentials = Pick<RedisOptions, 'username' | 'password' | 'db' | 'connectionName'>;

/** What an adapter calls the URL and the prefix, and the prefix where none is given. */
interface Naming {
  readonly url: string;
  readonly prefix: string;
  readonly fallback: string;
}

export function redisSpec(
  at: OptionPath,
  names: Naming,
  given: RedisAddress | undefined,
  options: Checked<RedisOptions, ParsedRedis>,
): StoreSpec {
  const { caller } = at;
  const inner = options.redisOptions ?? {};
  const sentinel = agreedSentinel(at, options.sentinel, inner);
  const endpoint = sentinel ? named(at, names.url, given, sentinel) : endpointOf(at, names.url, given, inner);
  const query = given?.query;
  const [inUrl, inQuery]: [Credentials, Credentials] = [
    { username: given?.username, password: given?.password, db: given?.db },
    { username: query?.username, password: query?.password, connectionName: query?.connectionName },
  ];
  const said = <Name extends keyof Credentials>(name: Name) =>
    mergeAliases<Credentials[Name]>(caller, [
      [`the ${name} in ${names.url}`, inUrl[name]],
      [`${names.url}?${name}`, inQuery[name]],
      [name, options[name]],
      [`redisOptions.${name}`, inner[name]],
    ]);
  const username = said('username');
  const password = said('password');
  if (username !== undefined && password === undefined) {
    throw invalid({ caller, path: 'redisOptions.password' }, 'a password beside the user name', 'nothing');
  }
  const source = options.credentials;
  if (source !== undefined && (username !== undefined || password !== undefined)) {
    throw invalid({ caller, path: 'credentials' }, 'none of "username" and "password" beside it', 'both');
  }
  const tls = agreedTls(caller, [
    [names.url, given?.tls === true ? plainTls() : undefined],
    [`${names.url}?tls`, query?.tls === undefined ? undefined : query.tls && plainTls()],
    ['tls', options.tls],
    ['redisOptions.tls', inner.tls],
  ]);
  const timeouts = agreedTimeouts(caller, options, [
    ['connectTimeout', 'redisOptions.connectTimeout', inner.connectTimeout],
    ['commandTimeout', 'redisOptions.commandTimeout', inner.commandTimeout],
    ['connectTimeout', `${names.url}?connectTimeout`, query?.connectTimeout],
    ['commandTimeout', `${names.url}?commandTimeout`, query?.commandTimeout],
  ]);
  const name = mergeAliases(caller, [
    [names.prefix, options.prefix],
    ['redisOptions.keyPrefix', withoutPrefix(inner.keyPrefix, options.prefix)],
    [`${names.url}?keyPrefix`, withoutPrefix(query?.keyPrefix, options.prefix)],
  ]);
  return {
    kind: 'redis',
    servers: [sentinel ? sentinelServers(sentinel) : printed(endpoint as NativeEndpoint)],
    native: {
      prefix: name ?? names.fallback,
      backend: withHidden<NativeRedis>({
        type: 'redis',
        endpoint,
        ...defined({
          sentinel,
          username,
          password,
          credentials: source && true,
          tls,
          db: said('db'),
          connectionName: said('connectionName'),
          tracking: options.tracking,
        }),
        timeouts: nativeTimeouts(timeouts),
      }),
      ...nativeCore(caller, options, { alias: ['compressionThreshold', options.compressionThreshold] }),
    },
    ...ignoredOf(at),
    ...(source && { credentials: source }),
  };
}

/** One `:` at its end is the separator: with it or without it is the same prefix. */
function withoutPrefix(prefix: string | undefined, other: string | undefined): string | undefined {
  const same = prefix !== undefined && other !== undefined && strip(prefix) === strip(other);
  return same ? other : prefix;
}

function strip(prefix: string): string {
  return prefix.replace(/:$/, '');
}

/** Sentinels tell the address, so nothing else does. */
function named(
  at: OptionPath,
  urlName: string,
  given: RedisAddress | undefined,
  { name }: NativeSentinel,
): { name: string } {
  if (given !== undefined) {
    throw invalid({ ...at, path: urlName }, 'none beside "sentinel", which tells the address', 'one');
  }
  return { name };
}

/** The URL's, or that of ioredis's own names. */
function endpointOf(
  at: OptionPath,
  urlName: string,
  given: RedisAddress | undefined,
  inner: ParsedInner,
): NativeEndpoint {
  const named: Record<'host' | 'port' | 'path', string | number | undefined> = {
    host: inner.host,
    port: inner.port,
    path: inner.path,
  };
  if (given === undefined && Object.values(named).every((one) => one === undefined)) {
    return redisUrl(undefined, { ...at, path: urlName }).endpoint;
  }
  const { endpoint } = given ?? {};
  for (const name of ['host', 'port', 'path'] as const) {
    if (endpoint !== undefined && named[name] !== undefined) {
      const inUrl = (endpoint as Partial<typeof named>)[name] ?? 'another';
      mergeAliases<string | number>(at.caller, [
        [`the ${name} in ${urlName}`, inUrl],
        [`redisOptions.${name}`, named[name]],
      ]);
    }
  }
  return (
    endpoint ??
    (inner.path === undefined
      ? { host: inner.host ?? '127.0.0.1', port: inner.port ?? 6379 }
      : { path: inner.path })
  );
}
