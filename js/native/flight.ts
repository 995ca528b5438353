/** A batch on its way: what to do with each of its answers. */
import { errorOf } from '../errors.js';

/** How an answer is read. */
export enum Kind {
  /** Text is JSON. */
  Json,
  /** Text and bytes as they are. */
  Raw,
  /** A list, each as `Json`. */
  List,
  /** No value. */
  Done,
}

export type Resolve = (value: unknown) => void;

/** Told of a value whose text is not JSON. */
export type Corrupt = (why: unknown) => void;

export class Flight {
  private readonly kinds: Kind[] = [];
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
  add(kind: Kind): Promise<unknown> {
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
    if (typeof answer === 'string') {
      resolve(this.kinds[index] === Kind.Json ? this.parse(answer) : answer);
    } else if (answer === null || answer === undefined || ArrayBuffer.isView(answer)) {
      // Not `instanceof Uint8Array`: test runners give each file a realm of its own.
      resolve(answer ?? undefined);
    } else if (Array.isArray(answer)) {
      resolve(this.list(answer));
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

let lastResolve: Resolve;
let lastReject: Resolve;

/** One executor for all promises: a closure for each would cost as much as the promise. */
function executor(resolve: Resolve, reject: Resolve): void {
  lastResolve = resolve;
  lastReject = reject;
}
