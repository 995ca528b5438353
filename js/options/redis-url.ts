/** Redis addresses as people write them. No message repeats a part of the URL except its scheme: it may hold a password. */
import { type Check, describe, invalid, type Place, unsupported } from './check.js';
import { port } from './endpoint.js';
import type { NativeEndpoint } from './native-config.js';

/** What a URL says. */
export interface RedisAddress {
  readonly endpoint: NativeEndpoint;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly db?: number | undefined;
}

const EXPECTED = 'a URL such as redis://127.0.0.1:6379 or unix:///run/redis.sock';

const SOCKET_SCHEMES = new Set(['unix', 'redis+unix', 'redis+socket']);

const SOCKET = /^[^:]+:\/\/(?:([^@/]*)@)?(\/[^?#]*)(?:\?([^#]*))?$/;

/** Redis itself has 16 databases unless configured; it numbers them with a signed 32-bit integer. */
export const MAX_DB = 2 ** 31 - 1;

export const redisUrl: Check<RedisAddress> = (value, at) => {
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
  if (scheme === 'rediss') {
    throw unsupported(
      at,
      'TLS (rediss://) is not supported yet and comes in a later release',
      'Use redis:// over a private network meanwhile',
    );
  }
  if (SOCKET_SCHEMES.has(scheme)) {
    return socket(value, at);
  }
  if (scheme !== 'redis') {
    throw invalid(at, EXPECTED, `the scheme ${scheme}://`);
  }
  const url = parse(value, at);
  return {
    endpoint: { host: host(url), port: port(url.port, 6379, at) },
    username: decode(url.username, at),
    password: decode(url.password, at),
    db: database(url.pathname.slice(1), url.searchParams, at),
  };
};

/** Errors of `new URL` carry the whole input, so nothing of them is kept. */
function parse(value: string, at: Place): URL {
  let url: URL | undefined;
  try {
    url = new URL(value);
  } catch {
    url = undefined;
  }
  if (url === undefined || url.hash !== '') {
    throw unparsed(at);
  }
  return url;
}

function host(url: URL): string {
  return url.hostname === '' ? '127.0.0.1' : url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Not for `new URL`, which takes no credentials without a host. */
function socket(value: string, at: Place): RedisAddress {
  const [, credentials = '', written = '', query = ''] = SOCKET.exec(value) ?? [];
  const path = decode(written, at);
  if (path === undefined || path === '/') {
    throw invalid(at, 'an absolute path after unix://, as in unix:///run/redis.sock', 'another form');
  }
  const [username = '', ...password] = credentials.split(':');
  return {
    endpoint: { path },
    username: decode(username, at),
    password: decode(password.join(':'), at),
    db: database('', new URLSearchParams(query), at),
  };
}

function database(inPath: string, query: URLSearchParams, at: Place): number | undefined {
  const unknown = [...query.keys()].find((name) => name !== 'db');
  if (unknown !== undefined) {
    throw invalid(at, 'no query parameter but db', 'another one', 'Give it as an option, if it is one');
  }
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

function decode(part: string, at: Place): string | undefined {
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

function unparsed(at: Place): Error {
  const advice = 'Percent-encode special characters in user name and password (encodeURIComponent)';
  return invalid(at, EXPECTED, 'one that does not parse', advice);
}
