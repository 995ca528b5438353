/** Lifetimes as people write them in `Cache`, Bentocache and Keyv: milliseconds, or text with a unit. */
import { parse } from '@lukeed/ms';
import { ConfigError } from './errors.js';
import { describe } from './options/check.js';

type Unit =
  | 'ms'
  | 's'
  | 'sec'
  | 'second'
  | 'seconds'
  | 'm'
  | 'min'
  | 'minute'
  | 'minutes'
  | 'h'
  | 'hr'
  | 'hour'
  | 'hours'
  | 'd'
  | 'day'
  | 'days'
  | 'w'
  | 'week'
  | 'weeks';

/** Milliseconds, or text such as `'500ms'`, `'30s'`, `'5m'`, `'2 hours'`, `'7d'`. */
export type Duration = number | `${number}${Unit}` | `${number} ${Unit}`;

/** Longer ones mean the same as for ever: beyond it whole milliseconds cannot be told apart. */
const LONGEST = Number.MAX_SAFE_INTEGER;

/**
 * In milliseconds, whole, never rounded down to 0.
 * @throws ConfigError that names the argument, what was expected and what came
 */
export function milliseconds(face: string, name: string, given: unknown): number {
  const ms = typeof given === 'string' ? textual(given) : given;
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0) {
    throw new ConfigError(
      `${face}: ${name}: expected milliseconds of 0 or more, or text such as '30s' or '5m', got ${describe(given)}. Nothing was done.`,
    );
  }
  return Math.min(Math.ceil(ms), LONGEST);
}

function textual(given: string): number | undefined {
  // A bare number in quotes is refused: whether '10' means seconds or milliseconds is anyone's guess.
  if (!/[a-z]$/i.test(given)) {
    return undefined;
  }
  // The library answers nothing for '0s', as for text that is no duration.
  return (
    parse(given) ??
    (/^0+(\.0+)? *[a-z]+$/i.test(given) && parse(given.replace(/^[0.]+/, '1')) ? 0 : undefined)
  );
}
