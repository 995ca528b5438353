/** Options that every store takes, and what they become for the native core. */
import {
  type Check,
  describe,
  flag,
  integer,
  invalid,
  mergeAliases,
  object,
  oneOf,
  type Shape,
  switchable,
} from './check.js';
import { defined, type NativeCompression, type NativeConfig, type NativeTimeouts } from './native-config.js';

export interface CompressionOptions {
  /** Whether values are compressed. @default true, except for process memory: false */
  enabled?: boolean | undefined;
  /** Values of fewer bytes are stored as they are. @default 2048; for process memory 16384 */
  threshold?: number | undefined;
  /**
   * 1 to 22 for zstd, 1 to 9 for deflate, none for lz4. A level without an algorithm means deflate at that level.
   * @default 1 for zstd, 6 for deflate
   */
  level?: number | undefined;
  /** How they are compressed. A reader goes by the entry, not by this. @default 'zstd' */
  algorithm?: 'zstd' | 'lz4' | 'deflate' | undefined;
}

export interface StoreOptions {
  /**
   * `true` and `false` switch it on and off with the defaults. Values are kept compressed only if that is smaller.
   * @default true, except for process memory: false
   */
  compression?: boolean | CompressionOptions | undefined;
  /** Largest value, in bytes of its JSON text, that is stored or read. @default 67108864 (64 MiB) */
  maxValueBytes?: number | undefined;
}

export interface TimeoutOptions {
  /** For a connection and its greeting, in milliseconds. @default 2000 */
  connectTimeout?: number | undefined;
  /** Every operation settles within this many milliseconds. @default 1000 */
  commandTimeout?: number | undefined;
}

/** An hour: longer than that a request does not wait, and no timer of any runtime overflows. */
export const MAX_TIMEOUT_MS = 3_600_000;

/** What a connection takes as one reply, with room for the envelope around it (src/net/handshake.rs). */
const MAX_VALUE_BYTES = 64 * 1024 * 1024;

/** Of a value. */
export const bytes = integer('bytes', 0, MAX_VALUE_BYTES);

export const millisecondsOption = integer('milliseconds', 1, MAX_TIMEOUT_MS);

const compression: Check<CompressionOptions> = object<CompressionOptions>({
  enabled: flag,
  threshold: bytes,
  level: integer('a compression level', 1, 22),
  algorithm: oneOf('zstd', 'lz4', 'deflate'),
});

export const storeShape: Shape<StoreOptions> = {
  compression: switchable(compression),
  maxValueBytes: integer('bytes', 1, MAX_VALUE_BYTES),
};

export const timeoutShape: Shape<TimeoutOptions> = {
  connectTimeout: millisecondsOption,
  commandTimeout: millisecondsOption,
};

/** Longest prefix once escaped, as the core counts it (src/model/key.rs): leaves room for bookkeeping names on memcached. */
const MAX_PREFIX_BYTES = 128;

/** Colons at its end are the separator's and not part of the name. */
export const prefix: Check<string> = (value, at) => {
  if (typeof value !== 'string' || value.replace(/:+$/, '') === '') {
    throw invalid(
      at,
      'a non-empty string',
      describe(value),
      'Without a prefix the cache would share its keys with every other application on the server',
    );
  }
  if (!(value as string & { isWellFormed(): boolean }).isWellFormed()) {
    throw invalid(at, 'well-formed Unicode', 'a lone surrogate');
  }
  if (Buffer.byteLength(value) > MAX_PREFIX_BYTES) {
    throw invalid(at, `at most ${MAX_PREFIX_BYTES} bytes`, `${Buffer.byteLength(value)} bytes`);
  }
  return value;
};

/** The part of the core's configuration that is the same for every store. */
export function nativeCore(
  caller: string,
  options: StoreOptions,
  extra: { alias?: readonly [string, number | undefined]; fallback?: NativeCompression } = {},
): Pick<NativeConfig, 'compression' | 'maxValueBytes' | 'missMemory'> {
  const given: CompressionOptions =
    typeof options.compression === 'boolean' ? { enabled: options.compression } : (options.compression ?? {});
  checkLevel(caller, given);
  const threshold = mergeAliases(caller, [
    ['compression.threshold', given.threshold],
    ...(extra.alias ? [extra.alias] : []),
  ]);
  // An object of options without `enabled` switches compression on: whoever sets a level wants it.
  const enabled = given.enabled ?? (typeof options.compression === 'object' ? true : undefined);
  return defined({
    compression: { ...extra.fallback, ...defined({ ...given, enabled, threshold }) },
    maxValueBytes: options.maxValueBytes,
    // A caller's set is stored. Adapters whose callers can only get and set switch the guard on (stale-write-guard.ts).
    missMemory: { ms: 0 },
  });
}

function checkLevel(caller: string, { algorithm, level }: CompressionOptions): void {
  const at = { caller, path: 'compression.level' };
  if (level !== undefined && algorithm === 'lz4') {
    throw invalid(at, 'no level for lz4', String(level), 'Leave it out, or choose zstd or deflate');
  }
  if (level !== undefined && level > 9 && algorithm !== 'zstd') {
    throw invalid(
      at,
      '1 to 9 for deflate',
      String(level),
      'zstd takes 1 to 22: set compression.algorithm to "zstd"',
    );
  }
}

export function nativeTimeouts(given: TimeoutOptions, keepaliveMs?: number): NativeTimeouts {
  return defined({ connectMs: given.connectTimeout, commandMs: given.commandTimeout, keepaliveMs });
}

/** Fails if the two timeouts of two places differ. */
export function agreedTimeouts(
  caller: string,
  ours: TimeoutOptions,
  theirs: ReadonlyArray<readonly [keyof TimeoutOptions, string, number | undefined]>,
): TimeoutOptions {
  const one = (name: keyof TimeoutOptions) =>
    mergeAliases(caller, [
      [name, ours[name]],
      ...theirs.filter(([of]) => of === name).map(([, path, value]) => [path, value] as const),
    ]);
  return { connectTimeout: one('connectTimeout'), commandTimeout: one('commandTimeout') };
}
