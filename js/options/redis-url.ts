/** Redis addresses as people write them. No message repeats a part of the URL except its scheme: it may hold a password. */
import { type Check, describe, invalid, type OptionPath } from './check.js';
import { port } from './endpoint.js';
import type { NativeEndpoint } from './native-config.js';
import { millisecondsOption, prefix } from './store.js';

/** What a URL says. */
export interface RedisAddress {
  readonly endpoint: NativeEndpoint;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly db?: number | undefined;
  /** Its scheme asks for TLS. */
  readonly tls?: boolean | undefined;
  /** What its query says, as ioredis reads it. */
  readonly query: RedisQuery;
}

interface RedisQuery {
  username?: string;
  password?: string;
  connectionName?: string;
  keyPrefix?: string;
  connectTimeout?: number;
  commandTimeout?: number;
  tls?: boolean;
}

const EXPECTED = 'a URL such as redis://127.0.0.1:6379, rediss://host:6380 (TLS) or unix:///run/redis.sock';

const SOCKET_SCHEMES = new Set(['unix', 'redis+unix', 'redis+socket']);

const SOCKET = /^[^:]+:\/\/(?:([^@/]*)@)?(\/[^?#]*)(?:\?([^#]*))?$/;

/** Redis itself has 16 databases unless configured; it numbers them with a signed 32-bit integer. */
export const MAX_DB = 2 ** 31 - 1;

export const redisUrl: Check<RedisAddress> = (given, at) => {
  const value = isUrl(given) ? given.href : given;
  if (typeof value !== 'string' || value === '') {
    throw invalid(
      at,
      EXPECTED,
      describe(value, true),
      value === undefined ? 'Is an environment variable not set?' : '',
    );
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    throw invalid(at, EXPECTED, 'one without a scheme', 'Put redis:// before the host');
  }
  if (SOCKET_SCHEMES.has(scheme)) {
    return socket(value, at);
  }
  const isEncrypted = scheme === 'rediss' || scheme === 'valkeys';
  if (!isEncrypted && scheme !== 'redis' && scheme !== 'valkey') {
    throw invalid(at, EXPECTED, `the scheme ${scheme}://`);
  }
  const url = parse(value, at);
  return {
    endpoint: { host: host(url), port: port(url.port, 6379, at) },
    username: decode(url.username, at),
    password: decode(url.password, at),
    db: database(url.pathname.slice(1), url.searchParams, at),
    ...(isEncrypted ? { tls: true } : {}),
    query: query(url.searchParams, at),
  };
};

/** What `new URL()` makes; written out for applications that compile without its type. */
export interface UrlObject {
  readonly href: string;
}

/** Not `instanceof`: test runners give each file a realm of its own. */
export function isUrl(value: unknown): value is UrlObject {
  return Object.prototype.toString.call(value) === '[object URL]';
}

/** Errors of `new URL` carry the whole input, so nothing of them is kept. */
function parse(value: string, at: OptionPath): URL {
  let url: URL | undefined;
  try {
    url = new URL(value);
  } catch {
    url = undefined;
  }
  // An "@" there is one of credentials that hold a "?".
  if (url === undefined || url.hash !== '' || url.search.includes('@')) {
    throw unparsed(at);
  }
  return url;
}

function host(url: URL): string {
  return url.hostname === '' ? '127.0.0.1' : url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Not for `new URL`, which takes no credentials without a host. */
function socket(value: string, at: OptionPath): RedisAddress {
  const [, credentials = '', written = '', search = ''] = SOCKET.exec(value) ?? [];
  const path = decode(written, at);
  if (path === undefined || path === '/') {
    throw invalid(at, 'an absolute path after unix://, as in unix:///run/redis.sock', 'another form');
  }
  const [username = '', ...password] = credentials.split(':');
  const parameters = new URLSearchParams(search);
  return {
    endpoint: { path },
    username: decode(username, at),
    password: decode(password.join(':'), at),
    db: database('', parameters, at),
    query: query(parameters, at),
  };
}

/** Parameters that mean something here; all others are ignored. */
function query(parameters: URLSearchParams, at: OptionPath): RedisQuery {
  const taken: RedisQuery = {};
  for (const [name, value] of parameters) {
    const where = { ...at, path: `${at.path}?${name}` };
    if (name === 'db' || value === '') {
      continue;
    }
    switch (name) {
      case 'username':
      case 'password':
      case 'connectionName':
        taken[name] = value;
        break;
      case 'keyPrefix':
        taken[name] = prefix(value, where);
        break;
      case 'connectTimeout':
      case 'commandTimeout':
        taken[name] = millisecondsOption(Number(value), where);
        break;
      case 'tls':
      case 'ssl':
        taken.tls = !/^(?:false|0|no|off)$/i.test(value);
        break;
      default:
        // A name of another form may be a part of credentials.
        at.ignored?.add(/^[a-z][\w.-]{0,40}$/i.test(name) ? where.path : `a parameter of ${at.path}`);
    }
  }
  return taken;
}

function database(inPath: string, query: URLSearchParams, at: OptionPath): number | undefined {
  const inQuery = query.get('db') ?? '';
  if (inPath !== '' && inQuery !== '' && inPath !== inQuery) {
    throw invalid(at, 'one database index', 'two that differ');
  }
  const written = inPath || inQuery;
  if (written === '') {
    return undefined;
  }
  if (!/^\d{1,10}$/.test(written) || Number(written) > MAX_DB) {
    throw invalid(at, 'a database index after the host, as in redis://127.0.0.1:6379/0', 'something else');
  }
  return Number(written);
}

function decode(part: string, at: OptionPath): string | undefined {
  try {
    return part === '' ? undefined : decodeURIComponent(part);
  } catch {
    throw invalid(
      at,
      'percent-encoded user name, password and path',
      'a "%" that encodes nothing',
      'Write %25 for a "%"',
    );
  }
}

function unparsed(at: OptionPath): Error {
  const advice = 'Percent-encode special characters in user name and password (encodeURIComponent)';
  return invalid(at, EXPECTED, 'one that does not parse', advice);
}
