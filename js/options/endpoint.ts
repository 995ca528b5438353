/** Where servers listen, and memcached addresses as people write them. */
import { type Check, describe, invalid, type OptionPath } from './check.js';
import type { NativeEndpoint } from './native-config.js';

export function port(written: string, fallback: number, at: OptionPath): number {
  if (written === '') {
    return fallback;
  }
  const number = /^\d{1,5}$/.test(written) ? Number(written) : 0;
  if (number < 1 || number > 65_535) {
    throw invalid(at, 'a port from 1 to 65535', 'another');
  }
  return number;
}

/** For people: never holds credentials. */
export function printed(endpoint: NativeEndpoint): string {
  if ('path' in endpoint) {
    return endpoint.path;
  }
  return endpoint.host.includes(':')
    ? `[${endpoint.host}]:${endpoint.port}`
    : `${endpoint.host}:${endpoint.port}`;
}

/** Of a server. Its credentials are options. */
export interface MemcachedAddress {
  readonly endpoint: NativeEndpoint;
  /** Its scheme asks for TLS. */
  readonly tls: boolean;
}

const EXPECTED = 'a memcached address such as "127.0.0.1:11211", "[::1]:11211" or "/run/memcached.sock"';

const HOST_PORT = /^(?:\[([0-9a-f:.]+(?:%[\w.-]+)?)\]|([^\s:/@[\]]+))(?::(\d+))?\/?$/i;

/** `host`, `host:port`, `[v6]:port`, a socket's path, or any of these after `memcached://`. */
const memcachedServer: Check<MemcachedAddress> = (value, at) => {
  if (typeof value !== 'string' || value.trim() === '') {
    throw invalid(at, EXPECTED, describe(value, true));
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase();
  const tls = scheme === 'memcacheds';
  if (scheme !== undefined && !tls && scheme !== 'memcached' && scheme !== 'unix') {
    throw invalid(at, EXPECTED, `the scheme ${scheme}://`);
  }
  const address = value.trim().replace(/^[a-z]+:\/\//i, '');
  if (address.includes('@')) {
    throw invalid(
      at,
      EXPECTED,
      'one with a user name',
      'Give credentials in "username" and "password", which hold for all servers',
    );
  }
  if (address.startsWith('/')) {
    return { endpoint: { path: address }, tls };
  }
  if (address.includes(',')) {
    throw invalid(
      at,
      'one address an element',
      'several with commas between them',
      'Split them: value.split(",")',
    );
  }
  const found = HOST_PORT.exec(address);
  const host = found?.[1] ?? found?.[2];
  if (scheme === 'unix' || host === undefined) {
    const advice = address.split(':').length > 2 ? 'Put an IPv6 address in brackets' : '';
    throw invalid(at, EXPECTED, JSON.stringify(address.slice(0, 60)), advice);
  }
  return { endpoint: { host, port: port(found?.[3] ?? '', 11_211, at) }, tls };
};

/** At least one server, none twice. */
export const memcachedServers: Check<MemcachedAddress[]> = (value, at) => {
  if (!Array.isArray(value) || value.length === 0) {
    const advice = typeof value === 'string' ? 'Write it as a list: value.split(",")' : '';
    throw invalid(
      at,
      'a non-empty array of addresses',
      Array.isArray(value) ? 'an empty one' : describe(value, true),
      advice,
    );
  }
  const servers = value.map((server, i) =>
    memcachedServer(server, { caller: at.caller, path: `${at.path}[${i}]` }),
  );
  const plain = servers.find(({ tls }) => !tls);
  if (plain !== undefined && servers.some(({ tls }) => tls)) {
    throw invalid(
      at,
      'memcacheds:// (TLS) for all servers or for none',
      `${printed(plain.endpoint)} without it`,
    );
  }
  const names = servers.map(({ endpoint }) => printed(endpoint));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw invalid(at, 'every server once', `${twice} twice`);
  }
  return servers;
};

export const DEFAULT_SERVERS: MemcachedAddress[] = [
  { endpoint: { host: '127.0.0.1', port: 11_211 }, tls: false },
];
