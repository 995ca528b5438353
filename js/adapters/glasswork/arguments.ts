/** What Glasswork's methods are called with, checked. */

import { describe } from '../../options/check.js';
import { lifetime, requiredKey } from '../../shared/arguments.js';
import { ConfigError } from '../../shared/errors.js';

/** For messages. */
export const CALLER = 'cachalot/glasswork';

/** A string, or the factory of one that needs no arguments. */
export function keyOf(given: unknown): string {
  return requiredKey(CALLER, typeof given === 'function' ? given() : given);
}

/** As a key, under its own name. */
export function patternFrom(given: unknown): string {
  return requiredKey(CALLER, typeof given === 'function' ? given() : given, 'pattern');
}

/** In milliseconds. @throws ConfigError on anything but a number of seconds above 0 */
export function ttlMs(name: string, ttl: unknown): number {
  if (ttl === undefined || (typeof ttl === 'number' && ttl <= 0)) {
    throw new ConfigError(
      `${CALLER}: ${name}: expected a number of seconds above 0, got ${describe(ttl)}. Use del() to remove a value. Nothing was done.`,
    );
  }
  return lifetime(CALLER, ttl, 0);
}

/** In milliseconds; 0 is taken. */
export function age(name: string, given: unknown): number {
  if (typeof given !== 'number' || !Number.isFinite(given) || given < 0) {
    throw new ConfigError(
      `${CALLER}: ${name}: expected a number of seconds of 0 or more, got ${describe(given)}. Nothing was done.`,
    );
  }
  return given * 1000;
}

export function callable<T>(fn: T): T {
  if (typeof fn !== 'function') {
    throw new ConfigError(
      `${CALLER}: fn: expected a function that makes the value, got ${describe(fn)}. Nothing was done.`,
    );
  }
  return fn;
}
