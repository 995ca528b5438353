/** What people write for memcached, and what it becomes for the native core. */
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
} from './check.js';
import { type MemcachedAddress, printed } from './endpoint.js';
import { foreign, type IgnoredMemjsOptions, memjsNotes } from './foreign-names.js';
import {
  defined,
  ignoredOf,
  type NativeMemcached,
  type NativeTls,
  type StoreSpec,
  withHidden,
} from './native-config.js';
import {
  agreedTimeouts,
  MAX_TIMEOUT_MS,
  nativeCore,
  nativeTimeouts,
  type StoreOptions,
  storeShape,
  type TimeoutOptions,
  timeoutShape,
} from './store.js';
import { agreedTls, plainTls, type TlsOptions, tlsOption } from './tls.js';

/** The memjs names that mean something here. */
interface OwnMemjsOptions {
  /** As `commandTimeout`, but in seconds. */
  timeout?: number | undefined;
  /** As `connectTimeout`, but in seconds. */
  conntimeout?: number | undefined;
  /** As `defaultTtl`, in seconds. */
  expires?: number | undefined;
  /** 0 or more. Checked and otherwise unused: here an operation is bounded by its deadline, not by a count. */
  retries?: number | undefined;
  /** TCP keepalive is always on; `false` is ignored. @default true */
  keepAlive?: boolean | undefined;
  /** Silence before the first keepalive probe, in seconds. @default 30 */
  keepAliveDelay?: number | undefined;
  username?: string | undefined;
  password?: string | undefined;
}

/** memjs's options. Those that have no meaning here are ignored, and named in one line to the logger. */
export interface MemjsOptions extends OwnMemjsOptions, IgnoredMemjsOptions {}

/** What the store factory and the Medusa provider have in common. */
export interface MemcachedOptions extends StoreOptions, TimeoutOptions {
  /** For the server's ASCII authentication (`-Y`), with `password`. @default none */
  username?: string | undefined;
  /** Needed with `username`. @default none */
  password?: string | undefined;
  /** The server's item limit (`-I`), in bytes. A larger value is `CACHALOT_TOO_LARGE`. @default 1048576 */
  maxItemBytes?: number | undefined;
  /** TLS, as `memcacheds://` asks for too; `true` = with whom Node.js trusts. Of all servers. @default false */
  tls?: boolean | TlsOptions | undefined;
  /** memjs's options, where they have a meaning here. @default none */
  options?: MemjsOptions | undefined;
}

/** memcached's own bounds of `-I`: 1 KiB to 1 GiB. */
const itemBytes = integer('bytes', 1024, 1024 * 1024 * 1024);

/** Linux takes no longer silence than this for TCP_KEEPIDLE, in seconds. */
const MAX_KEEPALIVE_S = 32_767;

const fraction =
  (max: number): Check<number> =>
  (value, at) => {
    if (typeof value !== 'number' || !(value > 0 && value <= max)) {
      throw invalid(
        at,
        `a number of seconds above 0 and up to ${max}`,
        typeof value === 'number' ? String(value) : `a ${typeof value}`,
      );
    }
    return value;
  };

const expires: Check<number> = (value, at) => {
  if (value === 0) {
    throw invalid(
      at,
      'a number of seconds above 0',
      '0',
      'memjs reads 0 as "never"; write a long lifetime instead',
    );
  }
  return fraction(Number.MAX_SAFE_INTEGER)(value, at);
};

const keepAlive: Check<boolean> = (value, at) => {
  if (!flag(value, at)) {
    at.ignored?.add(at.path);
  }
  return true;
};

/** What its checkers leave. */
export type ParsedMemcached = { tls: NativeTls | false };

export const memcachedShape: Shape<MemcachedOptions, ParsedMemcached> = {
  ...storeShape,
  ...timeoutShape,
  username: secret,
  password: secret,
  maxItemBytes: itemBytes,
  tls: tlsOption,
  options: object<OwnMemjsOptions>(
    foreign<OwnMemjsOptions>({
      timeout: fraction(MAX_TIMEOUT_MS / 1000),
      conntimeout: fraction(MAX_TIMEOUT_MS / 1000),
      expires,
      retries: integer('retries', 0, Number.MAX_SAFE_INTEGER),
      keepAlive,
      keepAliveDelay: fraction(MAX_KEEPALIVE_S),
      username: secret,
      password: secret,
    }),
    memjsNotes,
  ),
};

export function memcachedSpec(
  at: OptionPath,
  addresses: MemcachedAddress[],
  prefix: string,
  options: Checked<MemcachedOptions, ParsedMemcached>,
): StoreSpec {
  const { caller } = at;
  const inner = options.options ?? {};
  const username = mergeAliases(caller, [
    ['username', options.username],
    ['options.username', inner.username],
  ]);
  const password = mergeAliases(caller, [
    ['password', options.password],
    ['options.password', inner.password],
  ]);
  if ((username === undefined) !== (password === undefined)) {
    const [missing, given] = username === undefined ? ['username', 'password'] : ['password', 'username'];
    throw invalid({ caller, path: missing }, `one beside "${given}"`, 'nothing');
  }
  const servers = addresses.map(({ endpoint }) => endpoint);
  const tls = agreedTls(caller, [
    ['memcacheds://', addresses.some((one) => one.tls) ? plainTls() : undefined],
    ['tls', options.tls],
  ]);
  const timeouts = agreedTimeouts(caller, options, [
    ['connectTimeout', 'options.conntimeout', inMs(inner.conntimeout)],
    ['commandTimeout', 'options.timeout', inMs(inner.timeout)],
  ]);
  return {
    kind: 'memcached',
    servers: servers.map(printed),
    native: {
      prefix,
      backend: withHidden<NativeMemcached>({
        type: 'memcached',
        servers,
        ...defined({ username, password, tls, maxItemBytes: options.maxItemBytes }),
        timeouts: nativeTimeouts(timeouts, inMs(inner.keepAliveDelay)),
      }),
      ...nativeCore(caller, options),
    },
    ...ignoredOf(at),
  };
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.max(1, Math.round(seconds * 1000));
}
