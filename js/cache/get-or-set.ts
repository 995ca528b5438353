/** The caller's side of `getOrSet`: read, serve what is fresh or may still be served, wait for whoever computes. */
import { FactoryTimeoutError } from '../shared/errors.js';
import { TIMED_OUT, withTimeout } from '../shared/with-timeout.js';
import type { Reading } from '../store/native-store.js';
import type { Core } from './core.js';
import type { FactoryOutcome, GetOrSetRequest, StaleEntry } from './factory.js';
import type { FactoryRun } from './factory-run.js';
import { leadsBack, onBehalf, refuseNested } from './factory-scope.js';
import { HARD_TIMEOUT, type ResolvedEntryOptions } from './options.js';

/** Waits for factories that are too old to join, before a caller runs its own beside them. */
const MAX_WAITS = 3;

export async function getOrSet(core: Core, call: GetOrSetRequest): Promise<unknown> {
  const { key, timing } = call;
  const times = byAge(timing);
  const began = performance.now();
  const deadline = began + timing.hardTimeout;
  // Whoever holds the lock gives it up after its lease; who gets it next has one too.
  const waitDeadline = began + 2 * timing.lockTimeout;
  let isCounted = false;
  for (let waits = 0; ; waits++) {
    const asked = performance.now();
    const reading = await read(core, key, times);
    const taken = { spent: performance.now() - asked, outage: reading === undefined };
    const decoded = reading?.value === undefined ? undefined : core.decode(reading.value);
    const old = reading !== undefined && isOld(reading, timing.maxAge);
    if (decoded !== undefined && reading !== undefined && !reading.stale && !old) {
      if (!isCounted) {
        core.telemetry.hit(key, false);
      }
      refreshEarly(core, call, reading, decoded.value);
      return decoded.value;
    }
    const held =
      decoded && reading !== undefined && (old || servable(reading, timing.grace))
        ? {
            value: decoded.value,
            createdAt: reading?.times?.created,
            ...(old ? { freshUntil: reading?.times?.freshUntil } : {}),
          }
        : undefined;
    if (!isCounted) {
      isCounted = true;
      if (held === undefined) {
        core.telemetry.miss(key);
      } else {
        core.telemetry.hit(key, true);
      }
    }
    if (held !== undefined) {
      return serveStale(core, call, held, reading?.ticket, deadline);
    }
    refuseNested(core, key);
    const running = core.singleFlight.of(key, reading?.ticket);
    if (running?.joinable === false && waits < MAX_WAITS && performance.now() < waitDeadline) {
      const { released, running: factory } = running.run;
      await onBehalf(factory, () => within(released, Math.min(deadline, waitDeadline), deadline, call));
      continue;
    }
    const own = running?.joinable !== true;
    if (!own) {
      core.joined(call, running.run);
    }
    const run = own
      ? core.singleFlight.start(call, reading?.ticket, undefined, waitDeadline, taken)
      : running.run;
    const outcome = await onBehalf(run.running, () => waited(run, own, deadline, call));
    if (outcome?.how === 'value') {
      return outcome.value;
    }
    // Released before it settled, or aborted by one who had less patience: look again.
    if (outcome !== undefined && (own || !run.aborted)) {
      throw outcome.error;
    }
  }
}

/** Whether a fresh value is judged by its age: then it is asked of the store, which knows it. */
export function byAge(timing: ResolvedEntryOptions): boolean {
  return timing.earlyRefreshFactor > 0 || Number.isFinite(timing.maxAge);
}

/** Within the grace of this call, which may be shorter than the one it was stored with. */
function servable({ times }: Reading, grace: number): boolean {
  // What was expired by key has no time any more; what was by tag, still its own.
  const since = times === undefined || times.freshUntil === 0 ? 0 : Date.now() - times.freshUntil;
  return grace > 0 && since <= grace;
}

function isOld({ stale, times }: Reading, maxAge: number): boolean {
  return !stale && times !== undefined && Date.now() - times.created > maxAge;
}

async function read(core: Core, key: string, times: boolean): Promise<Reading | undefined> {
  try {
    return await core.store.read(key, times);
  } catch (error) {
    core.reportError('getOrSet', error);
    return undefined;
  }
}

/** There is a value within its grace: the factory gets `timeout`, and what fails is told and not thrown. */
async function serveStale(
  core: Core,
  call: GetOrSetRequest,
  held: StaleEntry,
  ticket: string | undefined,
  deadline: number,
): Promise<unknown> {
  const { key, timing } = call;
  if (core.singleFlight.backsOff(key)) {
    return held.value;
  }
  const running = core.singleFlight.of(key, ticket);
  const run = running?.run ?? core.singleFlight.start(call, ticket, held);
  if (running === undefined) {
    tellFailure(core, call, run);
  }
  const waitDeadline = Math.min(timing.timeout, deadline - performance.now());
  // A run too old to join will be followed by one that is not, when this value is asked for again.
  if (waitDeadline > 0 && running?.joinable !== false && !leadsBack(run.running)) {
    const outcome = await onBehalf(run.running, () => withTimeout(run.outcome, waitDeadline));
    if (outcome !== TIMED_OUT && outcome.how === 'value') {
      return outcome.value;
    }
  }
  return held.value;
}

/** Nobody waits for a refresh, so its failure is told and not thrown. */
function tellFailure(core: Core, { key }: GetOrSetRequest, run: FactoryRun): void {
  run.outcome.then((outcome) => {
    if (outcome.how === 'failed') {
      core.refreshFailed(key, outcome.error);
    }
  });
}

/** XFetch: the longer a value takes to make and the nearer its end, the likelier it is made anew before. */
function refreshEarly(core: Core, call: GetOrSetRequest, { times, ticket }: Reading, value: unknown): void {
  const { key, timing } = call;
  if (
    timing.earlyRefreshFactor === 0 ||
    times === undefined ||
    times.freshUntil === Number.POSITIVE_INFINITY
  ) {
    return;
  }
  const ahead = -Math.log(1 - Math.random()) * times.cost * timing.earlyRefreshFactor;
  if (
    Date.now() + ahead < times.freshUntil ||
    core.singleFlight.of(key, ticket) ||
    core.singleFlight.backsOff(key)
  ) {
    return;
  }
  const held = { value, createdAt: times.created, freshUntil: times.freshUntil };
  tellFailure(core, call, core.singleFlight.start(call, ticket, held));
}

/** What the run came to; `undefined` = it was released first, and a caller that joined it goes on without it. */
async function waited(
  run: FactoryRun,
  own: boolean,
  deadline: number,
  call: GetOrSetRequest,
): Promise<FactoryOutcome | undefined> {
  const left = deadline - performance.now();
  const over = own ? run.outcome : Promise.race([run.settled, run.released.then(() => undefined)]);
  const outcome = await withTimeout<FactoryOutcome | undefined>(over, left, holds(call));
  if (outcome === TIMED_OUT) {
    const error = tooLate(call);
    if (own) {
      run.abort(error);
    }
    throw error;
  }
  return outcome;
}

async function within(
  released: Promise<void>,
  until: number,
  deadline: number,
  call: GetOrSetRequest,
): Promise<void> {
  const late = (await withTimeout(released, until - performance.now(), holds(call))) === TIMED_OUT;
  if (late && performance.now() >= deadline) {
    throw tooLate(call);
  }
}

/** Whether a caller keeps the process alive while a factory runs: not for one that hangs, unless he said how long. */
function holds({ timing }: GetOrSetRequest): boolean {
  return timing.hardTimeout < HARD_TIMEOUT;
}

function tooLate({ key, timing }: GetOrSetRequest): FactoryTimeoutError {
  return new FactoryTimeoutError(
    `No value of "${key}" within ${timing.hardTimeout} ms (hardTimeout), and no stale one to serve.`,
  );
}
