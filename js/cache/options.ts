/** What `createCache` takes, checked, with its defaults. */

import { type L1Options, l1Option, NO_L1, withL1 } from '../local-cache/settings.js';
import { type Check, describe, invalid, type OptionPath, object, oneOf } from '../options/check.js';
import { type Duration, parseDuration } from '../options/duration.js';
import type { StoreSpec } from '../options/native-config.js';
import { prefix } from '../options/store.js';
import { type Codec, codecOf, type Serializer } from '../serializer/serializer.js';
import { CachalotError } from '../shared/errors.js';
import type { CacheLogger } from '../shared/logger.js';
import { loggerOption } from '../shared/logger.js';
import { described } from '../store/open.js';

/** What may be said for the cache as a whole, and again for one call of `getOrSet` or `wrap`. */
export interface ComputeOptions {
  /** How long a value is fresh. `null` = for ever; 0 stores nothing and leaves no older value. @default '1h' */
  ttl?: Duration | null | undefined;
  /** How long after its ttl a value may still be served while a new one is made, or cannot be. @default none */
  grace?: Duration | false | undefined;
  /** After a failed factory the stale value is served so long before the next attempt of this process. @default '10s' */
  graceBackoff?: Duration | undefined;
  /** How long a caller waits for the factory while there is a stale value; then it gets that one, and the factory goes on behind. @default 0 */
  timeout?: Duration | undefined;
  /** How long a caller waits at all. Then the factory's `signal` is aborted, and the caller gets the stale value, or `CACHALOT_FACTORY_TIMEOUT` without one. `Infinity` = without limit. @default '5m' */
  hardTimeout?: Duration | undefined;
  /**
   * Makes a value anew a little before it runs out, with a probability that rises with the time that making it took
   * (XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015). A number
   * is its β: above 1 favours earlier. `true` = 1. @default false
   */
  earlyRefresh?: boolean | number | undefined;
  /** How long other callers, in this process or another, wait for a factory before they run their own. @default '30s' */
  lockTimeout?: Duration | undefined;
}

export interface CacheOptions extends ComputeOptions {
  /** `redis({ url })`, `memcached({ servers })` or `memory()`. */
  store: StoreSpec;
  /** What every key in the store starts with. @default the store's: 'cachalot' */
  prefix?: string | undefined;
  /**
   * `'json'`; `'structured'` (v8.serialize) keeps Date, Map, Set, BigInt, Buffer and undefined; or your own.
   * @default 'json'
   */
  serializer?: 'json' | 'structured' | Serializer | undefined;
  /**
   * What an outage looks like: `'miss'`: reads miss, writes answer false, `error` events tell; `'throw'`: calls reject.
   * @default 'miss'
   */
  errors?: 'miss' | 'throw' | undefined;
  /** Keeps values in this process too (docs/local-cache.md): `true` = with the defaults of `L1Options`. @default false */
  l1?: boolean | L1Options | undefined;
  /** Gets a line when an outage begins and one when it ends. @default a warning of the process for each outage, unless somebody listens to `error` */
  logger?: CacheLogger | undefined;
}

/** Milliseconds everywhere; `Infinity` = for ever, without limit. */
export interface ResolvedEntryOptions {
  readonly ttl: number;
  readonly grace: number;
  readonly graceBackoff: number;
  readonly timeout: number;
  readonly hardTimeout: number;
  /** 0 = no early refresh. */
  readonly earlyRefreshFactor: number;
  readonly lockTimeout: number;
  /** A fresh value older than this is served as one within its grace is: once more, while a new one is made behind. */
  readonly maxAge: number;
  /** The value is stored with the time when it was made, also where neither a grace nor an early refresh asks for it. */
  readonly hasTimes: boolean;
}

export interface CacheSettings {
  readonly store: StoreSpec;
  readonly codec: Codec;
  readonly throws: boolean;
  readonly logger: CacheLogger | undefined;
  readonly computing: ResolvedEntryOptions;
}

export const CALLER = 'cachalot';

const HOUR = 3_600_000;

/** Longer than a request is usually given, so it ends what hangs. A wait so long or longer keeps no process alive. */
export const HARD_TIMEOUT = 5 * 60_000;

const DEFAULTS: ResolvedEntryOptions = {
  ttl: HOUR,
  grace: 0,
  graceBackoff: 10_000,
  timeout: 0,
  hardTimeout: HARD_TIMEOUT,
  earlyRefreshFactor: 0,
  lockTimeout: 30_000,
  maxAge: Number.POSITIVE_INFINITY,
  hasTimes: false,
};

/** Longest wait of a timer of Node.js (2^31 - 1 ms); longer ones would fire at once. */
const MAX_TIMER = 2 ** 31 - 1;

const ZERO_OR_MORE = "milliseconds of 0 or more, or text such as '30s', '5m' or '1h30m'";
const ABOVE_ZERO = "milliseconds above 0, or text such as '30s', '5m' or '1h30m'";

const duration: Check<Duration> = (value, at) => {
  inMs(value, at, ZERO_OR_MORE);
  return value as Duration;
};

const lifetime: Check<Duration | null> = (value, at) => (value === null ? null : duration(value, at));

const period: Check<Duration | false> = (value, at) => (value === false ? false : duration(value, at));

/** For timers. */
const wait: Check<Duration> = (value, at) => durationOf(value, at, ZERO_OR_MORE);

function durationOf(value: unknown, at: OptionPath, expected: string): Duration {
  if (inMs(value, at, expected) > MAX_TIMER) {
    throw invalid(at, `at most ${MAX_TIMER} ms (24.8 days)`, describe(value));
  }
  return value as Duration;
}

/** For timers that wait. @param zero what to do instead of writing 0 */
function aboveZero(zero = ''): Check<Duration> {
  return (value, at) => {
    const checked = durationOf(value, at, ABOVE_ZERO);
    if (inMs(value, at, ABOVE_ZERO) === 0) {
      throw invalid(at, ABOVE_ZERO, describe(value), zero);
    }
    return checked;
  };
}

const early: Check<boolean | number> = (value, at) => {
  if (typeof value !== 'boolean' && !(typeof value === 'number' && Number.isFinite(value) && value > 0)) {
    throw invalid(at, 'true, false or a number above 0', describe(value));
  }
  return value as boolean | number;
};

/** The checkers of what a call may say too. */
export const computeShape = {
  ttl: lifetime,
  grace: period,
  graceBackoff: duration,
  timeout: wait,
  hardTimeout: aboveZero(),
  earlyRefresh: early,
  lockTimeout: aboveZero(),
};

const serializer: Check<'json' | 'structured' | Serializer> = (value, at) => {
  if (typeof value === 'object' && value !== null) {
    const own = value as Partial<Serializer>;
    if (typeof own.serialize === 'function' && typeof own.deserialize === 'function') {
      return own as Serializer;
    }
    throw invalid(at, 'an object with the functions serialize and deserialize', 'one without');
  }
  return oneOf('json', 'structured')(value, at);
};

const checkOptions = object<CacheOptions>({
  ...computeShape,
  store: (value) => described(CALLER, value),
  prefix,
  serializer,
  errors: oneOf('miss', 'throw'),
  l1: l1Option(aboveZero(NO_L1)),
  logger: loggerOption,
});

/** @throws CachalotError that names the option, what was expected and what came */
export function settingsOf(options: CacheOptions): CacheSettings {
  const given = checkOptions(options, { caller: CALLER, path: '' });
  const serializer = given.serializer ?? 'json';
  const spec = described(CALLER, given.store, given.prefix);
  const store = withL1(spec, given.l1, (ttl: Duration) => parseDuration(CALLER, 'l1.ttl', ttl));
  const share = store.l1?.share === true;
  if (share && serializer !== 'json') {
    throw invalid(
      { caller: CALLER, path: 'l1.share' },
      "false, beside a serializer other than 'json'",
      'true',
      'Only what JSON makes can be frozen to its depths',
    );
  }
  return {
    store,
    codec: codecOf(CALLER, serializer, share),
    throws: given.errors === 'throw',
    logger: given.logger,
    computing: computing(given, DEFAULTS),
  };
}

/** What a call says, over what the cache says. All of it was checked. */
export function computing(given: ComputeOptions, base: ResolvedEntryOptions): ResolvedEntryOptions {
  const ms = (name: keyof ComputeOptions & keyof ResolvedEntryOptions, off: number) => {
    const value = given[name];
    if (value === undefined) {
      return base[name];
    }
    return value === null || value === false ? off : parseDuration(CALLER, name, value);
  };
  return {
    ...base,
    ttl: ms('ttl', Number.POSITIVE_INFINITY),
    grace: ms('grace', 0),
    graceBackoff: ms('graceBackoff', 0),
    timeout: ms('timeout', 0),
    hardTimeout: ms('hardTimeout', Number.POSITIVE_INFINITY),
    lockTimeout: ms('lockTimeout', 0),
    earlyRefreshFactor:
      given.earlyRefresh === undefined ? base.earlyRefreshFactor : Number(given.earlyRefresh),
  };
}

/** @throws ConfigError of the option: the parser knows none */
function inMs(value: unknown, at: OptionPath, expected: string): number {
  try {
    return parseDuration(at.caller, at.path, value);
  } catch (error) {
    throw error instanceof CachalotError ? invalid(at, expected, describe(value)) : error;
  }
}
