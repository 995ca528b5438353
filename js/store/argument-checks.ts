/** Arguments of the operations, checked before anything is packed: what is refused costs no other operation of its turn. */
import { ConfigError } from '../shared/errors.js';
import type { Extra } from './batch-encoder.js';

export function checkText(name: string, text: unknown): void {
  if (typeof text !== 'string') {
    throw new ConfigError(`${name}: expected a string, got ${text === null ? 'null' : typeof text}.`);
  }
  if (!text.isWellFormed()) {
    throw new ConfigError(
      `${name}: expected well-formed text, got one with half a surrogate pair; use toWellFormed().`,
    );
  }
}

export function checkChannel(channel: unknown): void {
  checkText('channel', channel);
  if (channel === '') {
    throw new ConfigError('channel: expected a non-empty string, got an empty one.');
  }
}

export function checkOwner(owner: string): void {
  checkText('owner', owner);
  if (owner === '') {
    throw new ConfigError('owner: expected a non-empty string, got an empty one.');
  }
}

/** The length of a ticket, and where in it stands what its read found. */
const TICKET = 57;
const FOUND = 37;

/** As strict as src/engine/ticket.rs: what that refuses costs its whole turn. */
function isTicket(ticket: unknown): boolean {
  if (typeof ticket !== 'string' || ticket.length !== TICKET) {
    return false;
  }
  const lease = ticket.charCodeAt(16);
  for (let at = 0; at < ticket.length; at++) {
    if (ticket.charCodeAt(at) > (lease === 0 && at > 16 && at < FOUND ? 0 : 255)) {
      return false;
    }
  }
  return lease < 2;
}

export function checkExtra(extra: Extra | undefined): void {
  if (extra === undefined) {
    return;
  }
  const { ticket, times } = extra;
  if (ticket !== undefined && !isTicket(ticket)) {
    throw new ConfigError('ticket: expected one that read() gave, unchanged; got something else.');
  }
  for (const name of times === undefined ? [] : (['created', 'freshUntil', 'cost'] as const)) {
    const ms: unknown = times?.[name];
    if (!(typeof ms === 'number' && ms >= 0)) {
      throw new ConfigError(`times.${name}: expected a number of milliseconds of 0 or more, got ${ms}.`);
    }
  }
}

export function checkValue(value: unknown): void {
  if (typeof value === 'string') {
    checkText('value', value);
  } else if (Object.prototype.toString.call(value) !== '[object Uint8Array]') {
    // Not `instanceof`: test runners give each file a realm of its own.
    throw new ConfigError(
      `value: expected a string or a Uint8Array, got ${value === null ? 'null' : typeof value}.`,
    );
  }
}

export function checkLifetime(ttlMs: number): void {
  if (!(ttlMs >= 0)) {
    throw new ConfigError(`ttl: expected a number of milliseconds of 0 or more, or Infinity, got ${ttlMs}.`);
  }
}

export function checkCursor(cursor: number): void {
  if (!(Number.isSafeInteger(cursor) && cursor >= 0)) {
    throw new ConfigError(`cursor: expected 0, or "next" of the page before, got ${cursor}.`);
  }
}

/** Whole milliseconds of a lock, rounded up. */
export function lockTime(ms: number): number {
  const whole = Math.ceil(ms);
  if (!(whole >= 1 && whole < 2 ** 32)) {
    throw new ConfigError(`ms: expected a number of milliseconds from 1 to 2^32 - 1, got ${ms}.`);
  }
  return whole;
}
