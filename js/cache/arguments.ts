/** What the methods of `Cache` are called with: one object of options, or a bare key. Checked at every call. */

import { type Check, describe } from '../options/check.js';
import { parseDuration } from '../options/duration.js';
import { suggestion } from '../options/suggestion.js';
import { refused as refuse, requiredKey } from '../shared/arguments.js';
import { ConfigError } from '../shared/errors.js';
import { type TagList, tagList } from '../store/tags.js';
import {
  CALLER,
  type ComputeOptions,
  computeShape,
  computing,
  type ResolvedEntryOptions,
} from './options.js';
import { type CacheEventName, EVENTS } from './telemetry.js';

// The options of each method of `Cache`.
export const GET = new Set(['key', 'defaultValue']);
export const SET = new Set(['key', 'value', 'ttl', 'grace', 'tags']);
export const SET_FOREVER = new Set(['key', 'value', 'tags']);
export const GET_OR_SET = new Set(['key', 'factory', 'tags', ...Object.keys(computeShape)]);
export const GET_OR_SET_FOREVER = new Set([...GET_OR_SET].filter((name) => name !== 'ttl'));
export const ENTRIES = new Set(['entries']);
export const READY_NAMES = new Set(['timeout']);

/** Keys of one call: far more than a page shows, far less than a command's reply may hold. */
const MAX_KEYS = 100_000;

/** An object of these names; the values are checked by those who use them. */
export function options<T extends object>(method: string, given: unknown, names: ReadonlySet<string>): T {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw refused(method, 'options', `an object, as in ${shapeOf(method, names, given)}`, describe(given));
  }
  for (const name in given) {
    if (!names.has(name) && (given as Record<string, unknown>)[name] !== undefined) {
      const hint = suggestion(name, [...names]);
      throw new ConfigError(
        `${CALLER}: ${method}: unknown option "${name}". ${hint === undefined ? 'All' : `${hint}; all`} are: ${[...names].join(', ')}. Nothing was done.`,
      );
    }
  }
  return given as T;
}

/** The call as it should be, with what came in its place: `set({ key: "k", value, ttl, grace, tags })`. */
function shapeOf(method: string, names: ReadonlySet<string>, given: unknown): string {
  const said = (name: string) => (LISTS.has(name) ? `[${describe(given)}]` : describe(given));
  const filled = [...names].map((name, at) =>
    at === 0 && typeof given === 'string' && given !== '' ? `${name}: ${said(name)}` : name,
  );
  return `${method.replace(/:.*/, '')}({ ${filled.join(', ')} })`;
}

const LISTS: ReadonlySet<string> = new Set(['keys', 'tags', 'entries']);

const KEY_ALONE = new Set(['key']);

/** Of a method that takes a bare key too. */
export function keyOf(method: string, given: unknown, names: ReadonlySet<string> = KEY_ALONE): string {
  if (typeof given === 'string') {
    return key(method, given);
  }
  if (typeof given !== 'object' || given === null) {
    throw refused(method, 'key', 'a string, or an object with "key"', describe(given));
  }
  return key(method, options<{ key?: unknown }>(method, given, names).key);
}

export function key(method: string, given: unknown): string {
  return requiredKey(`${CALLER}: ${method}`, given);
}

const KEYS_ALONE = new Set(['keys']);

/** Of a method that takes a bare list too. */
export function keysOf(method: string, given: unknown): string[] {
  const keys = Array.isArray(given) ? given : options<{ keys?: unknown }>(method, given, KEYS_ALONE).keys;
  if (!Array.isArray(keys)) {
    throw refused(method, 'keys', 'an array of strings', describe(keys));
  }
  if (keys.length > MAX_KEYS) {
    throw refused(method, 'keys', `at most ${MAX_KEYS} of them`, String(keys.length), 'Make several calls');
  }
  return Array.from(keys, (one: unknown) => key(method, one));
}

const TAGS_ALONE = new Set(['tags']);

/** Of a method that clears by tags: a bare list too; one at least. */
export function tagsToClear(method: string, given: unknown): TagList {
  const tags = Array.isArray(given) ? given : options<{ tags?: unknown }>(method, given, TAGS_ALONE).tags;
  const list = tagList(`${CALLER}: ${method}`, tags);
  if (list.size === 0) {
    const came = Array.isArray(tags) ? 'an empty one' : describe(tags);
    throw refused(method, 'tags', 'an array of one or more strings', came);
  }
  return list;
}

/** The caller's tags of a value; those of its namespaces are added when it is stored. */
export function tagsToStore(method: string, given: unknown): TagList {
  return tagList(`${CALLER}: ${method}`, given);
}

/** What a call says of lifetimes and waiting, over what the cache says. */
export function timing(
  method: string,
  given: ComputeOptions,
  base: ResolvedEntryOptions,
): ResolvedEntryOptions {
  let said = false;
  for (const name in computeShape) {
    const value = given[name as keyof ComputeOptions];
    if (value !== undefined) {
      said = true;
      const check = computeShape[name as keyof typeof computeShape] as Check<unknown>;
      check(value, { caller: `${CALLER}: ${method}`, path: name });
    }
  }
  return said ? computing(given, base) : base;
}

/** Milliseconds, of the positional methods. */
export function positional(method: string, name: string, given: unknown): number {
  return parseDuration(`${CALLER}: ${method}`, name, given);
}

/** A key as the store has it: it may have become too long with its namespaces. */
export function fullKey(method: string, namespace: string, given: string): string {
  return namespace === '' ? given : key(method, `${namespace}:${given}`);
}

/** @param shape the call as it should be */
export function callable<T>(method: string, name: string, given: T, shape?: () => string): T {
  if (typeof given !== 'function') {
    const advice = shape === undefined ? '' : `It is called as ${shape()}`;
    throw refused(method, name, 'a function', describe(given), advice);
  }
  return given;
}

export function refused(
  method: string,
  name: string,
  expected: string,
  came: string,
  advice = '',
): ConfigError {
  return refuse(`${CALLER}: ${method}`, name, expected, came, advice);
}

/** Returns the entries of a call that takes a bare list too. */
export function entriesOf(method: string, given: unknown): unknown[] {
  const entries: unknown = Array.isArray(given)
    ? given
    : options<{ entries?: unknown }>(method, given, ENTRIES).entries;
  if (!Array.isArray(entries)) {
    throw refused(method, 'entries', 'an array', describe(entries));
  }
  return entries;
}

/** @throws ConfigError on a name that is no event's */
export function checkEvent(event: CacheEventName): void {
  if (!EVENTS.includes(event)) {
    const hint = suggestion(String(event), EVENTS, 'value');
    throw new ConfigError(
      `${CALLER}: on: expected one of ${EVENTS.join(', ')}, got ${describe(event)}.${hint === undefined ? '' : ` ${hint}.`}`,
    );
  }
}
