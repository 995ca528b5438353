/** A batch on its way: what to do with each of its answers. */
import { errorOf } from '../shared/errors.js';
import type { Times } from './batch-encoder.js';

/** How an answer is read. */
export enum ReplyType {
  /** Text is JSON. */
  Json,
  /** Text and bytes as they are. */
  Raw,
  /** Of each key, as `Json`; a `CachalotError` in the place of one that failed. */
  Many,
  /** The same as `Raw`. */
  ManyRaw,
  /** A list, each as `Json`. */
  List,
  /** No value, or a boolean. */
  Done,
  /** A value as it is, and what a set after it needs. */
  Reading,
  /** A page of keys. */
  Keys,
  /** As it came: a value, one with its stamp for L1, or what `reading` takes. */
  Stamped,
}

/** What `read` found. */
export interface Reading {
  /** As it was given to `set`. */
  value?: string | Uint8Array;
  /** For the set that follows; beside a fresh value only if its times were asked for. */
  ticket?: string;
  /** Past its `freshUntil`, or cleared with `raise: 'auto'`, and kept for those who can do with it. */
  stale: boolean;
  times?: Times;
}

export interface KeyPage {
  /** What has ended may be among them, and a key more than once. */
  keys: string[];
  /** Where to go on; `undefined` = the end. */
  next: number | undefined;
}

type Resolve = (value: unknown) => void;

/** Told of a value whose text is not JSON. */
export type Corrupt = (why: unknown) => void;

export class PendingBatch {
  private readonly kinds: ReplyType[] = [];
  private readonly resolves: Resolve[] = [];
  private readonly rejects: Resolve[] = [];
  private readonly corrupt: Corrupt;
  private settled = 0;

  constructor(corrupt: Corrupt) {
    this.corrupt = corrupt;
  }

  get size(): number {
    return this.kinds.length;
  }

  get done(): boolean {
    return this.settled === this.kinds.length;
  }

  /** One operation more. */
  add(kind: ReplyType): Promise<unknown> {
    const promise = new Promise(executor);
    this.kinds.push(kind);
    this.resolves.push(lastResolve);
    this.rejects.push(lastReject);
    return promise;
  }

  /** The answer to one operation, as src/binding gives it. Never throws. */
  settle(index: number, answer: unknown): void {
    const resolve = this.resolves[index];
    if (resolve === undefined) {
      return;
    }
    this.settled++;
    const kind = this.kinds[index];
    if (kind === ReplyType.Reading && isValue(answer)) {
      resolve(reading(answer));
    } else if (typeof answer === 'string') {
      resolve(kind === ReplyType.Json ? this.parse(answer) : answer);
    } else if (answer === null || answer === undefined || ArrayBuffer.isView(answer)) {
      // Not `instanceof Uint8Array`: test runners give each file a realm of its own.
      resolve(answer ?? undefined);
    } else if (typeof answer === 'boolean') {
      resolve(answer);
    } else if (Array.isArray(answer)) {
      resolve(this.array(kind, answer));
    } else {
      this.rejects[index]?.(errorOf(answer));
    }
  }

  /** The whole batch failed. */
  fail(error: unknown): void {
    for (let index = 0; index < this.rejects.length; index++) {
      this.rejects[index]?.(errorOf(error));
    }
  }

  private array(kind: ReplyType | undefined, answer: unknown[]): unknown {
    switch (kind) {
      case ReplyType.Reading:
        return reading(...(answer as Parameters<typeof reading>));
      case ReplyType.Stamped:
        return answer;
      case ReplyType.Many:
        return this.many(answer, true);
      case ReplyType.ManyRaw:
        return this.many(answer, false);
      case ReplyType.Keys: {
        const [next, ...keys] = answer;
        return { keys, next: next ?? undefined };
      }
      default:
        return this.list(answer);
    }
  }

  private many(answers: unknown[], json: boolean): unknown[] {
    for (let at = 0; at < answers.length; at++) {
      const answer = answers[at];
      if (typeof answer === 'string') {
        answers[at] = json ? this.parse(answer) : answer;
      } else if (!ArrayBuffer.isView(answer)) {
        answers[at] = answer === null ? undefined : errorOf(answer);
      }
    }
    return answers;
  }

  private list(values: unknown[]): unknown[] {
    const list: unknown[] = [];
    for (const value of values) {
      const item = typeof value === 'string' ? this.parse(value) : value;
      if (item !== undefined) {
        list.push(item);
      }
    }
    return list;
  }

  /** A text that is not JSON is a miss: a throw in here would leave promises hanging. */
  private parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (why) {
      this.corrupt(why);
      return undefined;
    }
  }
}

function isValue(answer: unknown): answer is string | Uint8Array {
  return typeof answer === 'string' || ArrayBuffer.isView(answer);
}

/** A fresh value alone, or the fields in the order in which src/binding gives them. */
export function reading(
  value: string | Uint8Array | null,
  ticket: string | null = null,
  stale = false,
  created?: number,
  freshUntil?: number,
  cost?: number,
): Reading {
  const reading: Reading = { stale };
  if (value !== null) {
    reading.value = value;
  }
  if (ticket !== null) {
    reading.ticket = ticket;
  }
  if (created !== undefined && freshUntil !== undefined && cost !== undefined) {
    reading.times = { created, freshUntil, cost };
  }
  return reading;
}

let lastResolve: Resolve;
let lastReject: Resolve;

/** One executor for all promises: a closure for each would cost as much as the promise. */
function executor(resolve: Resolve, reject: Resolve): void {
  lastResolve = resolve;
  lastReject = reject;
}
