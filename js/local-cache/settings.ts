/** The options of L1, checked, with their defaults. */

import {
  type Check,
  type Checked,
  describe,
  flag,
  hasNames,
  integer,
  invalid,
  object,
  secondsOr,
} from '../options/check.js';
import type { Duration } from '../options/duration.js';
import type { LocalCacheSettings, StoreSpec } from '../options/native-config.js';

/** Values kept in this process in front of the store. The defaults hold for what is left out. */
export interface L1Options<Ttl = Duration> {
  /** Bound on what is kept, in bytes. A value larger than an eighth of it is not kept. @default 67108864 (64 MiB) */
  maxBytes?: number | undefined;
  /**
   * The longest that a value is served from here before the store is asked again.
   * @default no bound where every change is told (process memory, Redis with tracking); else one second
   */
  ttl?: Ttl | undefined;
  /**
   * Callers get one parsed object, frozen, in place of a copy each: faster, and a change of it throws.
   * @default false
   */
  share?: boolean | undefined;
}

const MAX_BYTES = 64 * 1024 * 1024;

/** Below it a handful of usual values fills it; 64 GiB is more than V8's heap takes. */
const SMALLEST = 64 * 1024;
const GREATEST = 64 * 1024 ** 3;

/** What to do in place of `ttl: 0`. */
export const NO_L1 = 'To keep nothing in this process, leave out "l1"';

/** What the option `l1` may be. @param ttl refuses 0, with `NO_L1` */
export function l1Option<Ttl>(ttl: Check<Ttl>): Check<boolean | Checked<L1Options<Ttl>>> {
  const options = object<L1Options<Ttl>>({
    maxBytes: integer('bytes', SMALLEST, GREATEST),
    ttl: ttl as Check<Exclude<Ttl | undefined, undefined>>,
    share: flag,
  });
  return (value, at) => {
    if (typeof value === 'boolean') {
      return value;
    }
    if (!hasNames(value)) {
      throw invalid(at, 'true, false or an object { maxBytes, ttl, share }', describe(value));
    }
    return options(value, at);
  };
}

/** The store with what was said of L1. @param toMs of a `ttl` that was checked */
export function withL1<Ttl>(
  spec: StoreSpec,
  given: boolean | Checked<L1Options<Ttl>> | undefined,
  toMs: (ttl: Ttl) => number,
): StoreSpec {
  if (given === undefined || given === false) {
    return spec;
  }
  const { maxBytes = MAX_BYTES, share = false, ttl } = given === true ? ({} as L1Options<Ttl>) : given;
  const l1: LocalCacheSettings = {
    maxBytes,
    share,
    ...(ttl === undefined ? {} : { ttlMs: Math.max(1, Math.round(toMs(ttl))) }),
  };
  return { ...spec, l1 };
}

/** Of the providers, which count in seconds. */
export const l1InSeconds = l1Option(secondsOr(NO_L1));

export function secondsToMs(ttl: number): number {
  return ttl * 1000;
}
