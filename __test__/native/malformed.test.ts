// Batches that the batcher would never make: the core answers with an error, whatever they hold.

import { beforeAll, describe, expect, it } from 'vitest';
import { addon } from './addon.mjs';

type Submit = (
  handle: number,
  firstId: number,
  now: number,
  text: unknown,
  meta: unknown,
  words: number,
  values: unknown,
) => unknown[] | null;

const submit = addon.submit as Submit;
let handle: number;

beforeAll(() => {
  addon.listen(() => {});
  handle = addon.open(
    JSON.stringify({ prefix: 'malformed', backend: { type: 'memory', maxBytes: 1 << 20 } }),
  );
});

function refusal(call: () => unknown): { code?: string; message: string } {
  try {
    return { message: `no error but ${JSON.stringify(call())}` };
  } catch (error) {
    return error as { code?: string; message: string };
  }
}

describe('a malformed batch', () => {
  const cases: [string, () => unknown][] = [
    ['a text that is no string', () => submit(handle, 1024, 0, 7, new Uint32Array([1, 1]), 2, [])],
    ['words that are no Uint32Array', () => submit(handle, 1024, 0, 'k', new Uint8Array([1, 1]), 2, [])],
    ['words that are no array', () => submit(handle, 1024, 0, 'k', null, 2, [])],
    [
      'more words announced than there are',
      () => submit(handle, 1024, 0, 'k', new Uint32Array([1, 1]), 4000, []),
    ],
    ['values that are no array', () => submit(handle, 1024, 0, 'k', new Uint32Array([1, 1]), 2, 'x')],
    [
      'a value of another type',
      () => submit(handle, 1024, 0, 'k', new Uint32Array([3, 1, 1, 0, 0]), 5, [{}]),
    ],
    ['words whose memory was given away', () => submit(handle, 1024, 0, 'k', detached(), 2, [])],
    ['no operation', () => submit(handle, 1024, 0, '', new Uint32Array(0), 0, [])],
    ['id 0, which is kept for events', () => submit(handle, 0, 0, 'k', new Uint32Array([1, 1]), 2, [])],
    ['ids beyond 32 bits', () => submit(handle, 2 ** 32 - 1, 0, 'kk', new Uint32Array([1, 1, 1, 1]), 4, [])],
    [
      'a length inside a surrogate pair',
      () => submit(handle, 1024, 0, '🐋', new Uint32Array([1, 1, 1, 1]), 4, []),
    ],
    [
      'half of a huge count of tags',
      () => submit(handle, 1024, 0, 'k', new Uint32Array([2, 0x7fffffff, 1]), 3, []),
    ],
    ['a second receiver', () => addon.listen(() => {})],
  ];

  it.each(cases)('%s', (_, call) => {
    expect(refusal(call)).toMatchObject({ code: 'CACHALOT_INTERNAL' });
  });

  it('a handle that was never given out is a closed store', () => {
    const call = () => submit(handle + 1_000_000, 1024, 0, 'k', new Uint32Array([1, 1]), 2, []);
    expect(refusal(call)).toMatchObject({ code: 'CACHALOT_CLOSED' });
  });

  it('values that run code while they are read do no harm', () => {
    const words = new Uint32Array([3, 1, 1, 0, 0]);
    const values = Object.defineProperty(['x'], 0, {
      get() {
        structuredClone(words, { transfer: [words.buffer] });
        submit(handle, 2048, 0, 'inner', new Uint32Array([1, 5]), 2, []);
        return '"outer"';
      },
    });
    expect(submit(handle, 1024, 0, 'k', words, 5, values)).toEqual([true]);
    const throwing = Object.defineProperty(['x'], 0, {
      get() {
        throw new RangeError('from a getter');
      },
    });
    expect(
      refusal(() => submit(handle, 1024, 0, 'k', new Uint32Array([3, 1, 1, 0, 0]), 5, throwing)).message,
    ).toMatch(/getter|failed/);
  });

  it('10,000 random ones are each answered or refused', () => {
    const random = mulberry(20_260_101);
    const below = (n: number) => Math.floor(random() * n);
    let answered = 0;
    let refused = 0;
    const others: unknown[] = [];
    for (let round = 0; round < 10_000; round++) {
      const { words, text, values } = sensible(below);
      // Up to three words become others: pure noise would all be refused at its first word.
      for (let change = below(4); change > 0 && words.length > 0; change--) {
        words[below(words.length)] = below(2) === 0 ? below(8) : below(2 ** 32);
      }
      try {
        const answers = submit(handle, 1024, 1, text, Uint32Array.from(words), words.length, values);
        if (Array.isArray(answers)) answered++;
      } catch (error) {
        if ((error as { code?: string }).code === 'CACHALOT_INTERNAL') refused++;
        else others.push(error);
      }
    }
    expect(others).toEqual([]);
    expect(answered + refused).toBe(10_000);
    expect(answered).toBeGreaterThan(1_000);
    expect(refused).toBeGreaterThan(1_000);
  });
});

function detached(): Uint32Array {
  const words = new Uint32Array([1, 1]);
  structuredClone(words, { transfer: [words.buffer] });
  return words;
}

/** A batch of up to five operations that makes sense. */
function sensible(below: (n: number) => number) {
  const words: number[] = [];
  const values: (string | Uint8Array)[] = [];
  let text = '';
  const part = () => {
    const some = ['', 'k', 'key', 'café', '10 €', '🐋'][below(6)] as string;
    text += some;
    words.push(some.length);
  };
  const tags = () => {
    const count = below(3);
    words.push(count);
    for (let tag = 0; tag < count; tag++) part();
  };
  for (let operation = 1 + below(5); operation > 0; operation--) {
    const kind = 1 + below(9);
    const flags =
      kind === 3 || kind === 4 ? below(4) : kind === 1 ? ([0, 1, 2, 4, 10][below(5)] as number) : 0;
    words.push(kind | (flags << 8));
    if (kind === 4 ? (flags & 1) === 1 : kind !== 2) part();
    if (kind === 3) {
      words.push(below(1_000), below(3));
      values.push((flags & 2) === 2 ? new Uint8Array(3) : '"v"');
    }
    if (kind === 7) words.push(below(3), 0);
    if (kind >= 8) part();
    if (kind === 8) words.push(below(1_000));
    if (kind >= 2 && kind <= 4) tags();
  }
  return { words, text, values };
}

/** A small generator with a seed, so that a failure can be seen again. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
