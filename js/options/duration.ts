/** Lifetimes as people write them in `Cache`, Bentocache and Keyv: milliseconds, or text with a unit. */
import { parse } from '@lukeed/ms';
import { ConfigError } from '../shared/errors.js';
import { describe } from './check.js';

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

type Short = 'ms' | 's' | 'm' | 'h' | 'd' | 'w';

/** Milliseconds, or text such as `'500ms'`, `'30s'`, `'5m'`, `'2 hours'`, `'7d'`, `'1h30m'`, `'1h 30m'`. */
export type Duration =
  | number
  | `${number}${Unit}`
  | `${number} ${Unit}`
  | `${number}${Short}${'' | ' '}${number}${Short}`
  | `${number}d${'' | ' '}${number}h${'' | ' '}${number}m`
  | `${number}h${'' | ' '}${number}m${'' | ' '}${number}s`;

/** Longer ones mean the same as for ever: beyond it whole milliseconds cannot be told apart. */
const LONGEST = Number.MAX_SAFE_INTEGER;

/**
 * In milliseconds, whole, never rounded down to 0.
 * @throws ConfigError that names the argument, what was expected and what came
 */
export function parseDuration(caller: string, name: string, given: unknown): number {
  const ms = typeof given === 'string' ? textual(given) : given;
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0) {
    throw new ConfigError(
      `${caller}: ${name}: expected milliseconds of 0 or more, or text such as '30s', '5m' or '1h30m', got ${describe(given)}. Nothing was done.`,
    );
  }
  return Math.min(Math.ceil(ms), LONGEST);
}

/** One part of text such as `'1h 30m'`. The first alone may have a sign, which is then refused as negative. */
const PART = /^-?(\d+(?:\.\d*)?|\.\d+) *[a-z]+(?= *(\d|\.\d|$))/i;

function textual(given: string): number | undefined {
  let ms = 0;
  let rest = given.trim();
  do {
    // A bare number in quotes is refused: whether '10' means seconds or milliseconds is anyone's guess.
    const part = PART.exec(rest)?.[0];
    const parsed = part === undefined ? undefined : single(part);
    if (part === undefined || parsed === undefined) {
      return undefined;
    }
    ms += parsed;
    rest = rest.slice(part.length).trimStart();
  } while (rest !== '');
  return ms;
}

function single(part: string): number | undefined {
  // The library answers nothing for '0s', as for text that is no duration.
  return (
    parse(part) ?? (/^0+(\.0+)? *[a-z]+$/i.test(part) && parse(part.replace(/^[0.]+/, '1')) ? 0 : undefined)
  );
}
