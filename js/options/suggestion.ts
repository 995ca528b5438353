/** What somebody may have meant by a name that is unknown here: what other libraries call it, or a slip of the keyboard. */
import { distance } from 'fastest-levenshtein';

/**
 * Names of one thing, in lower case, among them the names of this package. Of these the one that is known where somebody
 * wrote another is suggested; where several are, the first.
 */
const SYNONYMS: readonly (readonly string[])[] = [
  ['deflate', 'gzip', 'zlib', 'gz', 'brotli', 'br'],
  [
    'url',
    'redisurl',
    'uri',
    'redisuri',
    'connectionstring',
    'connectionurl',
    'connection',
    'dsn',
    'endpoint',
    'address',
    'node',
  ],
  ['url', 'redisurl', 'host', 'hostname', 'port', 'socket', 'path'],
  [
    'servers',
    'serverurls',
    'location',
    'serverurl',
    'server',
    'hosts',
    'nodes',
    'endpoints',
    'url',
    'urls',
    'host',
    'port',
    'connection',
  ],
  [
    'store',
    'stores',
    'driver',
    'backend',
    'adapter',
    'client',
    'redis',
    'memcached',
    'memory',
    'connection',
    'url',
    'redisurl',
    'servers',
    'serverurls',
    'host',
    'port',
  ],
  ['prefix', 'namespace', 'cacheprefix', 'keyprefix', 'keyspace', 'ns', 'cachenamespace'],
  [
    'ttl',
    'defaultttl',
    'expires',
    'expiry',
    'expiration',
    'expire',
    'expiresin',
    'expirein',
    'lifetime',
    'maxage',
    'stdttl',
    'ttlseconds',
    'ttlms',
    'px',
    'ex',
  ],
  [
    'commandtimeout',
    'timeout',
    'sockettimeout',
    'requesttimeout',
    'operationtimeout',
    'operationstimeout',
    'conntimeout',
  ],
  ['connecttimeout', 'conntimeout', 'connectiontimeout', 'timeout'],
  ['redisoptions', 'ioredisoptions', 'clientoptions', 'options'],
  ['options', 'memcachedoptions', 'clientoptions'],
  ['username', 'user', 'redisusername', 'auth'],
  ['password', 'pass', 'auth', 'auth_pass', 'redispassword'],
  ['db', 'database', 'dbindex', 'redisoptions'],
  ['connectionname', 'clientname', 'redisoptions'],
  ['compression', 'gzip', 'zip', 'compress', 'compressor', 'brotli', 'zstd', 'lz4', 'deflate'],
  ['compression', 'compressionlevel', 'compressionalgorithm', 'compressionthreshold'],
  ['threshold', 'minsize', 'minbytes', 'compressionthreshold'],
  [
    'maxbytes',
    'maxsize',
    'maxentries',
    'maxitems',
    'maxkeys',
    'maxmemory',
    'lrusize',
    'size',
    'limit',
    'capacity',
  ],
  ['max', 'maximum', 'maxsize', 'limit', 'size'],
  ['maxitembytes', 'maxitemsize', 'maxvalue', 'maxvaluesize', 'itemsize'],
  ['maxvaluebytes', 'maxvalue', 'maxvaluesize', 'maxvaluelength'],
  [
    'l1',
    'near',
    'nearcache',
    'local',
    'localcache',
    'memorycache',
    'clientcache',
    'clientsidecache',
    'l1cache',
  ],
  ['tracking', 'resp3', 'resp', 'protocol', 'clienttracking'],
  ['grace', 'graceperiod', 'stale', 'stalettl', 'stalewhilerevalidate', 'staleiferror', 'swr'],
  ['gracebackoff', 'backoff'],
  ['timeout', 'softtimeout', 'factorysofttimeout'],
  ['hardtimeout', 'factorytimeout', 'factoryhardtimeout'],
  [
    'earlyrefresh',
    'beta',
    'earlyexpiration',
    'refreshahead',
    'refreshthreshold',
    'eagerrefreshthreshold',
    'xfetch',
  ],
  ['locktimeout', 'lease', 'lockttl', 'lock'],
  ['serializer', 'codec', 'serialize', 'serialise', 'encoding', 'stringify'],
  ['errors', 'throwonerrors', 'throwonerror', 'ignorecacheerrors', 'suppressl2errors', 'suppresserrors'],
  ['throwonerrors', 'throwonerror', 'throwonconnecterror', 'emiterrors', 'errors'],
  ['logger', 'log', 'logging'],
  ['key', 'id', 'cachekey', 'name'],
  ['keys', 'key', 'ids'],
  ['value', 'data', 'val', 'payload', 'content'],
  ['factory', 'fn', 'func', 'callback', 'cb', 'fetcher', 'loader', 'getfreshvalue', 'resolver'],
  ['tags', 'surrogatekeys', 'cachetags'],
  ['defaultvalue', 'default', 'fallback'],
  ['entries', 'items', 'values', 'pairs'],
  ['zstd', 'zstandard'],
  ['structured', 'v8', 'superjson', 'devalue', 'msgpack'],
  ['share', 'freeze', 'frozen', 'useclones', 'clone'],
];

/** How to write it here, where it is more than another name. */
function remark(name: string, other: string): string {
  if (other === 'store') {
    return name.includes('server') || name.startsWith('memcached')
      ? ': store: memcached({ servers })'
      : ': store: redis({ url }), memcached({ servers }) or memory()';
  }
  return ['host', 'hostname', 'port', 'socket'].includes(name) && /url$/i.test(other)
    ? `: write host and port as one address, ${other}: 'redis://host:port'`
    : '';
}

/** @param parent where the option stands: `redisOptions` */
export function suggestion(
  name: string,
  names: readonly string[],
  what: 'option' | 'value' = 'option',
  parent = '',
): string | undefined {
  const full = (known: string) => (parent === '' ? known : `${parent}.${known}`);
  const other = synonym(name, names);
  if (other !== undefined && other.toLowerCase() !== name.toLowerCase()) {
    return `It is called "${full(other)}" here${remark(name.toLowerCase(), other)}`;
  }
  const near = other ?? begunBy(name, names) ?? misspelt(name, names);
  return near === undefined
    ? undefined
    : `The closest${what === 'option' ? ' valid option' : ''} is "${full(near)}"`;
}

function synonym(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  const same = names.find((known) => known.toLowerCase() === lower);
  if (same !== undefined) {
    return same;
  }
  for (const group of SYNONYMS) {
    const meant = group.includes(lower)
      ? group.find((one) => names.some((known) => known.toLowerCase() === one))
      : undefined;
    if (meant !== undefined) {
      return names.find((known) => known.toLowerCase() === meant);
    }
  }
  return undefined;
}

/** The shortest name that begins so: `max` is nearer to `maxBytes` than to `ttl`, whatever the number of edits. */
function begunBy(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  return names
    .filter(
      (known) => known.toLowerCase() === lower || (lower.length > 2 && known.toLowerCase().startsWith(lower)),
    )
    .sort((one, other) => one.length - other.length)[0];
}

/** The nearest name, of which up to a third of the letters may be wrong; two that changed places are one. */
function misspelt(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  let [best, fewest] = [undefined as string | undefined, Math.floor(name.length / 3) + 1];
  for (const known of names) {
    const edits = swapped(lower, known.toLowerCase()) ? 1 : distance(lower, known.toLowerCase());
    if (edits < fewest) {
      [best, fewest] = [known, edits];
    }
  }
  return best;
}

function swapped(one: string, other: string): boolean {
  const at = [...one].findIndex((letter, index) => letter !== other[index]);
  const pair = `${one[at + 1] ?? ''}${one[at] ?? ''}`;
  return one.slice(0, at) + pair + one.slice(at + 2) === other;
}
