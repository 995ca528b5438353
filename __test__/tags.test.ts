// Lists of tags between the caller and the core: what was checked is what is sent, once, whatever the caller's array does.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import native from '#native';
import { MemoryCachingProvider } from '../js/adapters/medusa/index.js';
import { createCache, memory } from '../js/index.js';
import { CachalotError } from '../js/shared/errors.js';
import { oneByOne } from '../js/store/clear-parts.js';
import { NativeStore } from '../js/store/native-store.js';
import { NO_TAGS, tag } from '../js/store/tags.js';

let cache: MemoryCachingProvider;

beforeEach(() => {
  cache = new MemoryCachingProvider({ logger: {} }, {});
});

afterEach(async () => {
  vi.restoreAllMocks();
  await cache.close();
});

interface Sent {
  head: number;
  key?: string;
  tags: string[];
}

/** Sets and clears as the core gets them, in order. */
function listen(): Sent[] {
  const sent: Sent[] = [];
  const { submit } = native;
  vi.spyOn(native, 'submit').mockImplementation((handle, firstId, now, text, words, length, values) => {
    let [at, from] = [0, 0];
    const cut = () => {
      const start = from;
      from += words[at++] as number;
      return text.slice(start, from);
    };
    while (at < length) {
      const word = words[at++] as number;
      const head = word & 0xff;
      if (head !== 3 && head !== 4) {
        cut();
        continue;
      }
      const key = head === 3 || (word & 0x100) !== 0 ? { key: cut() } : {};
      at += head === 3 ? 2 : 0;
      const count = words[at++] as number;
      sent.push({ head, ...key, tags: Array.from({ length: count }, cut) });
    }
    expect(from).toBe(text.length);
    return submit(handle, firstId, now, text, words, length, values);
  });
  return sent;
}

describe('an array that', () => {
  it('is changed after the call was sent as it was', async () => {
    const sent = listen();
    const tags = ['a', 'b', 'c'];
    const set = cache.set({ key: 'k', data: 1, tags });
    tags[0] = 'half \ud83d';
    tags.length = 2;
    tags.push('d', 'e');
    const clear = cache.clear({ tags });
    tags.reverse();
    await expect(clear).rejects.toThrow(/surrogate \(tags\[0\]\)/);
    await set;
    expect(sent).toEqual([{ head: 3, key: 'k', tags: ['a', 'b', 'c'] }]);
  });

  it.each([['a getter', 'getter'] as const, ['a proxy', 'proxy'] as const])(
    'is %s with another answer each time is read once',
    async (_, kind) => {
      const sent = listen();
      let reads = 0;
      const answer = () => ['first', 'half \ud83d', 7][reads++];
      const tags =
        kind === 'proxy'
          ? new Proxy(['x'], { get: (target, name) => (name === '0' ? answer() : Reflect.get(target, name)) })
          : Object.defineProperty(['x'], 0, { get: answer });
      await cache.set({ key: 'k', data: 1, tags });
      expect(reads).toBe(1);
      expect(sent).toEqual([{ head: 3, key: 'k', tags: ['first'] }]);
    },
  );

  it('calls the cache while it is read spoils neither call', async () => {
    const sent = listen();
    let inner: Promise<void> | undefined;
    const tags = Object.defineProperty(['a', 'x', 'c'], 1, {
      get() {
        inner = cache.set({ key: 'inner', data: 2, tags: ['i'] });
        return 'b';
      },
    });
    await Promise.all([cache.set({ key: 'outer', data: 1, tags }), cache.get({ key: 'other' })]);
    await inner;
    expect(sent).toEqual([
      { head: 3, key: 'inner', tags: ['i'] },
      { head: 3, key: 'outer', tags: ['a', 'b', 'c'] },
    ]);
    expect([await cache.get({ key: 'inner' }), await cache.get({ key: 'outer' })]).toEqual([2, 1]);
  });

  it('is of a class of its own is taken by its elements', async () => {
    const sent = listen();
    class Tags extends Array<string> {
      override join() {
        return 'joined';
      }
      override *[Symbol.iterator](): ArrayIterator<string> {
        yield 'iterated';
      }
    }
    await cache.set({ key: 'k', data: 1, tags: Tags.from({ length: 2 }, (_, n) => `t${n}`) });
    expect(sent[0]?.tags).toEqual(['t0', 't1']);
  });

  const sparse = ['a'];
  sparse[2] = 'c';
  it.each<[string, unknown[], RegExp]>([
    ['has a hole', sparse, /tags: expected an array of strings, got one with nothing in it/],
    ['holds a String object', [new String('a')], /got one with a String in it/],
    ['ends in half a character', ['a', 'half \ud83d'], /a lone surrogate \(tags\[1\]\)/],
    ['begins with half a character', ['\udc0b half', 'a'], /a lone surrogate \(tags\[0\]\)/],
    ['has the halves of a character in neighbours', ['🐋', 'half \ud83d', '\udc0b half'], /\(tags\[1\]\)/],
    ['has them around an empty name', ['half \ud83d', '', '\udc0b half'], /\(tags\[0\]\)/],
    [
      'throws when it is read',
      Object.defineProperty(['a', ''], 1, {
        get: () => {
          throw new RangeError('mine');
        },
      }),
      /mine/,
    ],
  ])('%s is refused, and costs no other call of its turn', async (_, tags, message) => {
    const sent = listen();
    const settled = await Promise.allSettled([
      cache.set({ key: 'before', data: 1, tags: ['🐋', 'é'] }),
      cache.set({ key: 'k', data: 1, tags: tags as string[] }),
      cache.clear({ tags: tags as string[] }),
      cache.get({ tags: tags as string[] }),
      cache.set({ key: 'after', data: 2, tags: ['', '€'] }),
    ]);
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    for (const refused of settled.slice(1, 4)) {
      expect(refused).toMatchObject({ reason: { message: expect.stringMatching(message) } });
    }
    expect(sent).toEqual([
      { head: 3, key: 'before', tags: ['🐋', 'é'] },
      { head: 3, key: 'after', tags: ['', '€'] },
    ]);
    expect(await cache.get({ tags: ['é'] })).toEqual([1]);
  });
});

it('of whole characters beyond 16 bits is sent as it is', async () => {
  const sent = listen();
  const tags = ['🐋', '🐋🐟', 'é', '€', '', 'a'];
  await cache.set({ key: 'k', data: 1, tags });
  await cache.clear({ key: 'k', tags });
  expect(sent).toEqual([
    { head: 3, key: 'k', tags },
    { head: 4, key: 'k', tags },
  ]);
});

it('the names of a clear are told as they were given', async () => {
  const own = createCache({ store: memory() });
  const told: unknown[] = [];
  own.on('clear', (detail) => told.push(detail));
  const sent = listen();
  await own.deleteByTag(['a', '!b', '', '🐋', '!!c', '*']);
  expect(told).toEqual([{ tags: ['a', '!b', '', '🐋', '!!c', '*'], soft: false }]);
  expect(sent).toEqual([{ head: 4, tags: ['a', '!!b', '', '🐋', '!!!c', '*'] }]);
  await own.close();
});

it('costs one look at the text, however many tags there are', async () => {
  const looks = vi.spyOn(String.prototype, 'isWellFormed');
  const count = vi.spyOn(Buffer, 'byteLength');
  const calls = async (tags: string[]) => {
    looks.mockClear();
    count.mockClear();
    await cache.set({ key: 'k', data: 1, tags });
    await cache.clear({ tags });
    return looks.mock.calls.length + count.mock.calls.length;
  };
  const one = await calls(['t']);
  expect(await calls(Array.from({ length: 1_000 }, (_, n) => `Product:prod_${n}`))).toBe(one);
});

describe('a clear of more names than one part', () => {
  const store = () => new NativeStore({ prefix: 'parts', backend: { type: 'memory' } });
  const names = Array.from(
    { length: 500_000 },
    (_, n) => `Product:prod_01JABCDEFGHJKMNPQRST${String(n).padStart(7, '0')}`,
  );

  it('is made in parts of bounded size, of which none is lost; other calls come in between', async () => {
    const opened = store();
    expect(names[0]).toHaveLength(40);
    await opened.set('last', '1', 60_000, [names.at(-1) as string], true);
    await opened.set('other', '1', 60_000, ['other'], true);
    const sent = listen();
    let over = false;
    const clear = opened.clear({ key: 'first', tags: names }).then(() => {
      over = true;
    });
    expect(await opened.get('other')).toBe(1);
    expect(over).toBe(false);
    await clear;
    expect(await opened.get('last')).toBeUndefined();
    expect(await opened.get('other')).toBe(1);
    expect(sent.map(({ key }) => key)).toEqual(['first', ...sent.slice(1).map(() => undefined)]);
    expect(sent.length).toBeGreaterThan(5);
    for (const { tags } of sent) expect(tags.length).toBeLessThanOrEqual(65_536);
    expect(sent.flatMap(({ tags }) => tags)).toEqual(names);
    // The room that a part took in the batch is given back.
    const { batch } = opened as unknown as { batch: { words: Uint32Array } };
    expect(batch.words.length).toBeLessThan(65_536);
    await opened.close();
  });

  it('is bounded in characters too', async () => {
    const opened = store();
    const sent = listen();
    const long = Array.from({ length: 100 }, (_, n) => `${n} `.padEnd(300_000, 'x'));
    await opened.clear({ tags: [...long, 'y'.repeat(10_000_000), 'z'] });
    for (const { tags } of sent.filter(({ tags }) => tags.length > 1)) {
      expect(tags.join('').length).toBeLessThanOrEqual(2 ** 23);
    }
    expect(sent.flatMap(({ tags }) => tags)).toEqual([...long, 'y'.repeat(10_000_000), 'z']);
    await opened.close();
  });

  it('is finished before the store closes', async () => {
    const opened = store();
    const sent = listen();
    const clear = opened.clear({ tags: names.slice(0, 100_000) });
    await opened.close();
    await clear;
    expect(sent.flatMap(({ tags }) => tags)).toHaveLength(100_000);
  });

  const kept = new CachalotError('CACHALOT_TIMEOUT', 'Kept.', { queued: true });
  const lost = new CachalotError('CACHALOT_SERVER', 'Lost.');
  it.each([
    ['a part that is kept for after an outage says so', [kept, undefined, kept], kept],
    ['a part that is lost says so, whatever became of the others', [kept, lost, undefined, kept], lost],
    ['every part made is no failure', [undefined, undefined], undefined],
  ])('%s; each is asked for', async (_, outcomes, expected) => {
    const answers = outcomes.map((error) => () => (error ? Promise.reject(error) : Promise.resolve()));
    let asked = 0;
    const rest = outcomes.slice(1).map(() => NO_TAGS);
    const outcome = oneByOne((answers[asked++] as () => Promise<void>)(), rest, () =>
      (answers[asked++] as () => Promise<void>)(),
    );
    expect(await outcome.catch((error: unknown) => error)).toBe(expected);
    expect(asked).toBe(outcomes.length);
  });

  it('waits for a part before it asks for the next, until one fails', async () => {
    const waiting: { resolve(): void; reject(error: Error): void }[] = [];
    const ask = () => new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
    const outcome = oneByOne(ask(), ['b', 'c', 'd', 'e'].map(tag), ask);
    const turn = () => new Promise(setImmediate);
    await turn();
    expect(waiting).toHaveLength(1);
    waiting[0]?.resolve();
    await turn();
    expect(waiting).toHaveLength(2);
    waiting[1]?.reject(kept);
    await turn();
    expect(waiting).toHaveLength(5);
    for (const { resolve } of waiting) resolve();
    await expect(outcome).rejects.toBe(kept);
  });
});
