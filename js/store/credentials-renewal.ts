/** Asks for credentials that change: at the start, before they end, and when the server refuses them. */
import native from '#native';
import type { CredentialsSource, RedisCredentials } from '../options/credentials.js';
import { errorMessage } from '../shared/errors.js';
import { TIMED_OUT, withTimeout } from '../shared/with-timeout.js';

/** Of their life. Signers renew theirs in the last quarter, too. */
const RENEW_AT = 0.75;
/** Processes that were started together ask apart. */
const JITTER = 0.05;
/** They are asked for at most once in this time. */
const EVERY_MS = 1000;
/** So long an answer may take. */
const SOURCE_MS = 30_000;
/** A longer timer of Node.js's would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class CredentialsRenewal {
  private timer: NodeJS.Timeout | undefined;
  private askedAt = Number.NEGATIVE_INFINITY;
  private isAsking = false;
  private isOver = false;

  constructor(
    private readonly handle: number,
    private readonly source: CredentialsSource,
    private readonly warn: (message: string) => void,
  ) {
    void this.ask();
  }

  /** The server refused those that it has: others, soon. */
  refused(): void {
    if (!this.isAsking) {
      this.in(Math.max(0, this.askedAt + EVERY_MS - performance.now()));
    }
  }

  stop(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  private in(ms: number): void {
    clearTimeout(this.timer);
    if (!this.isOver) {
      // Keeps no process alive.
      this.timer = setTimeout(() => void this.ask(), Math.min(ms, MAX_TIMER_MS)).unref();
    }
  }

  /** A source that hangs must not be the last one that was asked. */
  private async answer(): Promise<RedisCredentials> {
    const given = await withTimeout(Promise.resolve(this.source()), SOURCE_MS, false);
    if (given === TIMED_OUT) {
      throw new Error(`no answer within ${SOURCE_MS / 1000} s`);
    }
    return given;
  }

  private async ask(): Promise<void> {
    this.isAsking = true;
    this.askedAt = performance.now();
    try {
      const { username, password, expiresAt } = checked(await this.answer());
      if (this.isOver) {
        return;
      }
      native.setCredentials(this.handle, username, password);
      const left = expiresAt === undefined ? undefined : Number(expiresAt) - Date.now();
      clearTimeout(this.timer);
      if (left !== undefined) {
        this.in(Math.max(EVERY_MS, left * (RENEW_AT + JITTER * (Math.random() - 0.5))));
      }
    } catch (error) {
      if (!this.isOver) {
        this.warn(
          `The function "credentials" failed (${errorMessage(error)}). It is asked again; connections that are made meanwhile log in with what it last gave.`,
        );
        this.in(EVERY_MS);
      }
    } finally {
      this.isAsking = false;
    }
  }
}

/** No message repeats what came. */
function checked(given: RedisCredentials): RedisCredentials {
  const { username, password, expiresAt } = given ?? {};
  if (typeof password !== 'string' || password === '') {
    throw new Error('expected { username?, password, expiresAt? } with a non-empty password');
  }
  if (username !== undefined && (typeof username !== 'string' || username === '')) {
    throw new Error('expected "username" to be a non-empty string, or absent');
  }
  if (expiresAt !== undefined && !Number.isFinite(Number(expiresAt))) {
    throw new Error('expected "expiresAt" to be a Date or milliseconds since 1970');
  }
  return given;
}
