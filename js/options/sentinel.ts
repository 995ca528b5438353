/** Sentinel: who tells where the primary is. */
import {
  type Check,
  type Checked,
  describe,
  hasNames,
  invalid,
  mergeAliases,
  type OptionPath,
  object,
  secret,
  text,
  unsupported,
} from './check.js';
import { port, printed } from './endpoint.js';
import { defined, type NativeEndpoint, type NativeSentinel, type NativeTls } from './native-config.js';
import { type TlsOptions, tlsOption } from './tls.js';

export type SentinelNode = string | { host?: string | undefined; port?: number | undefined };

export interface SentinelOptions {
  /** What the sentinels call the primary, as in `sentinel monitor <name> …`. */
  name: string;
  /** Where the sentinels are: `host`, `host:port`, `[v6]:port`, or `{ host, port }`; their port is 26379 unless it is given. */
  nodes: readonly SentinelNode[];
  /** Of the sentinels themselves, which have users of their own. @default none */
  username?: string | undefined;
  /** Of the sentinels. @default none */
  password?: string | undefined;
  /** To the sentinels. That to the server is `tls` beside `sentinel`. @default false */
  tls?: boolean | TlsOptions | undefined;
  /** Where an address that they tell is from here: `{ '10.0.0.1:6379': { host, port } }`. @default none */
  natMap?: Readonly<Record<string, SentinelNode>> | undefined;
}

const DEFAULT_PORT = 26_379;

const ADDRESS = /^(?:\[([^\]]+)\]|([^\s:/@[\]]+))(?::(\d+))?$/;

const node =
  (fallback: number): Check<NativeEndpoint> =>
  (value, at) => {
    const { host, port: number } = (
      hasNames(value) ? value : (parsed(value) ?? { host: undefined })
    ) as Record<'host' | 'port', unknown>;
    if (typeof host !== 'string' || host === '') {
      throw invalid(at, 'an address such as "10.0.0.1:26379" or { host, port }', describe(value, true));
    }
    return { host, port: port(number === undefined ? '' : String(number), fallback, at) };
  };

function parsed(value: unknown): { host: string; port?: string } | undefined {
  const found =
    typeof value === 'string' ? ADDRESS.exec(value.replace(/^(?:rediss?|sentinel):\/\//, '')) : null;
  const host = found?.[1] ?? found?.[2];
  return host === undefined ? undefined : { host, ...(found?.[3] !== undefined && { port: found[3] }) };
}

export const sentinelNodes: Check<NativeEndpoint[]> = (value, at) => {
  if (!Array.isArray(value) || value.length === 0) {
    const advice = typeof value === 'string' ? 'Write it as a list: value.split(",")' : '';
    throw invalid(at, 'a non-empty array of addresses', describe(value, true), advice);
  }
  return value.map((one, i) => node(DEFAULT_PORT)(one, { ...at, path: `${at.path}[${i}]` }));
};

export const natMap: Check<Record<string, NativeEndpoint>> = (value, at) => {
  if (typeof value === 'function') {
    throw unsupported(
      at,
      'a function has no meaning for the native client',
      'Write the addresses out, as an object',
    );
  }
  if (!hasNames(value)) {
    throw invalid(at, "an object such as { '10.0.0.1:6379': { host, port } }", describe(value, true));
  }
  const entries = Object.entries(value).map(
    ([from, to]) => [from, node(6379)(to, { ...at, path: `${at.path}["${from}"]` })] as const,
  );
  return Object.fromEntries(entries);
};

interface ParsedSentinel {
  nodes: NativeEndpoint[];
  tls: NativeTls | false;
  natMap: Record<string, NativeEndpoint>;
}

const shape = object<SentinelOptions, ParsedSentinel>({
  name: text(),
  nodes: sentinelNodes,
  username: secret,
  password: secret,
  tls: tlsOption,
  natMap,
});

export const sentinelOption: Check<NativeSentinel> = (value, at) => {
  const { name, nodes, tls, ...rest } = shape(value, at);
  for (const [missing, given] of Object.entries({ name, nodes })) {
    if (given === undefined) {
      throw invalid({ ...at, path: `${at.path}.${missing}` }, 'one', 'nothing');
    }
  }
  return { name, nodes: nodes ?? [], ...defined({ ...rest, tls: tls || undefined }) } as NativeSentinel;
};

/** What ioredis calls it, inside `redisOptions`. */
export interface IoredisSentinelOptions {
  sentinels?: readonly SentinelNode[] | undefined;
  /** What the sentinels call the primary. */
  name?: string | undefined;
  sentinelUsername?: string | undefined;
  sentinelPassword?: string | undefined;
  sentinelTLS?: boolean | TlsOptions | undefined;
  natMap?: Readonly<Record<string, SentinelNode>> | undefined;
}

export interface ParsedIoredisSentinel {
  sentinels: NativeEndpoint[];
  sentinelTLS: NativeTls | false;
  natMap: Record<string, NativeEndpoint>;
}

export const ioredisSentinelShape = {
  sentinels: ((value, at) =>
    Array.isArray(value) && value.length === 0 ? undefined : sentinelNodes(value, at)) as Check<
    NativeEndpoint[]
  >,
  name: text(),
  sentinelUsername: secret,
  sentinelPassword: secret,
  sentinelTLS: tlsOption,
  natMap,
};

/** Either's. Without sentinels ioredis makes nothing of the other names. */
export function agreedSentinel(
  at: OptionPath,
  own: NativeSentinel | undefined,
  theirs: Checked<IoredisSentinelOptions, ParsedIoredisSentinel>,
): NativeSentinel | undefined {
  const { sentinels: nodes, name, sentinelUsername, sentinelPassword, sentinelTLS, natMap } = theirs;
  if (nodes === undefined) {
    for (const [unused, value] of Object.entries({
      ...{ name, sentinelUsername, sentinelPassword, natMap },
      sentinelTLS: sentinelTLS || undefined,
    })) {
      if (value !== undefined) {
        at.ignored?.add(`redisOptions.${unused}`);
      }
    }
    return own;
  }
  if (name === undefined) {
    const path = 'redisOptions.name';
    throw invalid(
      { ...at, path },
      'what the sentinels call the primary, beside "redisOptions.sentinels"',
      'nothing',
    );
  }
  return mergeAliases<NativeSentinel>(at.caller, [
    ['sentinel', own],
    [
      'redisOptions.sentinels',
      {
        name,
        nodes,
        ...defined({
          username: sentinelUsername,
          password: sentinelPassword,
          tls: sentinelTLS || undefined,
          natMap,
        }),
      },
    ],
  ]);
}

/** For people. */
export function sentinelServers({ name, nodes }: NativeSentinel): string {
  return `${name} (Sentinel at ${nodes.map(printed).join(', ')})`;
}
