// The batcher and the table of promises, over process memory.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import native from '#native';
import { CachalotError, ClosedError, ConfigError, errorOf } from '../js/shared/errors.js';
import { type Extra, NativeStore, type StoreEvent } from '../js/store/native-store.js';
import { PendingBatch, ReplyType } from '../js/store/pending-batch.js';
import { Receiver } from '../js/store/receiver.js';

let store: NativeStore;
let events: StoreEvent[];

beforeEach(() => {
  events = [];
  store = new NativeStore({ prefix: 'native', backend: { type: 'memory' } }, (event) => events.push(event));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
});

describe('one turn', () => {
  it('is one call, in the order in which it was asked', async () => {
    const submit = vi.spyOn(native, 'submit');
    const [before, , first, , second, , after] = await Promise.all([
      store.get('k'),
      store.set('k', '1', 1_000, [], true),
      store.get('k'),
      store.set('k', '2', 1_000, ['t'], true),
      store.get('k'),
      store.clear({ tags: ['t'] }),
      store.get('k'),
    ]);
    expect([before, first, second, after]).toEqual([undefined, 1, 2, undefined]);
    expect(submit).toHaveBeenCalledTimes(1);
  });

  it('is split where it grows large, and every promise has its own answer', async () => {
    const submit = vi.spyOn(native, 'submit');
    const count = 5_000;
    const keys = Array.from({ length: count }, (_, n) => `key ${n}`);
    await Promise.all(keys.map((key, n) => store.set(key, `${n}`, 60_000, [], true)));
    const values = await Promise.all(keys.map((key) => store.get(key)));
    expect(values).toEqual(keys.map((_, n) => n));
    for (const call of submit.mock.calls) {
      expect(call[3].length).toBeLessThan(70_000);
    }
    expect(submit.mock.calls.length).toBeGreaterThan(8);
  });
});

describe('text and bytes', () => {
  it.each(['plain', 'café', '10 €', '🐋🐋', 'a\u0000b', '\u{10ffff}', ''])(
    'key, tag and value %j',
    async (text) => {
      await Promise.all([
        store.set(`key ${text}`, JSON.stringify(text), 1_000, [`tag ${text}`], true),
        store.set('ö', '"other"', 1_000, ['🐟'], true),
      ]);
      expect(await Promise.all([store.get(`key ${text}`), store.get('ö')])).toEqual([text, 'other']);
      expect(await store.getByTags([`tag ${text}`])).toEqual([text]);
      expect(await store.getText(`key ${text}`)).toBe(JSON.stringify(text));
    },
  );

  it.each([32_768, 32_769, 5_000_000])('%i units, Latin-1 and beyond', async (units) => {
    const latin = JSON.stringify('é'.repeat(units));
    const wide = JSON.stringify('€'.repeat(units));
    await Promise.all([store.set('l', latin, 1_000, [], true), store.set('w', wide, 1_000, [], true)]);
    expect((await store.getText('l')) === latin && (await store.getText('w')) === wide).toBe(true);
  });

  it('bytes come back as they were', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
    await store.set('b', bytes.subarray(1), 1_000, [], true);
    await store.set('e', new Uint8Array(0), 1_000, [], true);
    expect(Buffer.from((await store.getText('b')) as Uint8Array)).toEqual(Buffer.from(bytes.subarray(1)));
    expect((await store.getText('e'))?.length).toBe(0);
  });

  it('text that is not JSON is a miss, told once', async () => {
    await store.set('bad', '{"half":', 1_000, ['t'], true);
    await store.set('good', 'null', 1_000, ['t'], true);
    expect(await Promise.all([store.get('bad'), store.get('bad'), store.get('good')])).toEqual([
      undefined,
      undefined,
      null,
    ]);
    expect(await store.getByTags(['t'])).toEqual([null]);
    expect(events).toMatchObject([{ type: 'warning', code: 'CACHALOT_CORRUPT' }]);
  });
});

describe('what is refused', () => {
  const half = 'half a pair \ud83d';
  it.each<[string, () => Promise<unknown>]>([
    ['key', () => store.get(half)],
    ['key', () => store.get(7 as unknown as string)],
    ['NativeStore: tags', () => store.getByTags(['t', half])],
    ['NativeStore: tags', () => store.set('k', '1', 1, 't' as unknown as string[], true)],
    ['value', () => store.set('k', half, 1, [], true)],
    ['value', () => store.set('k', new Uint16Array(2) as unknown as Uint8Array, 1, [], true)],
    ['ttl', () => store.set('k', '1', Number.NaN, [], true)],
    ['ttl', () => store.set('k', '1', -1, [], true)],
    ['key', () => store.clear({ key: half })],
    ['key', () => store.has(half)],
    ['key', () => store.read(half)],
    ['key', () => store.take(half)],
    ['key', () => store.expire(half)],
    ['key', () => store.lock(half, 'owner', 1)],
    ['key', () => store.unlock(half, 'owner')],
    ['owner', () => store.lock('k', '', 1)],
    ['owner', () => store.unlock('k', 7 as unknown as string)],
    ['ms', () => store.lock('k', 'owner', 0)],
    ['ms', () => store.lock('k', 'owner', Number.POSITIVE_INFINITY)],
    ['ms', () => store.lock('k', 'owner', Number.NaN)],
    ['prefix', () => store.keys(half, 0)],
    ['cursor', () => store.keys('', -1)],
    ['cursor', () => store.keys('', 0.5)],
  ])('%s is named', async (field, call) => {
    const error = await call().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message.startsWith(`${field}: expected`)).toBe(true);
  });

  it('a refused operation leaves the others of its turn alone', async () => {
    const work = [store.set('k', '1', 1_000, [], true), store.get(half), store.get('k')];
    expect((await Promise.allSettled(work)).map((result) => result.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  it('a configuration that the core does not take', () => {
    expect(() => new NativeStore({ prefix: '', backend: { type: 'memory' } })).toThrow(ConfigError);
  });
});

describe('lifetimes', () => {
  it('follow Date.now(), also beyond 32 bits of milliseconds, and for ever', async () => {
    const year = 365 * 24 * 3_600_000;
    await Promise.all([
      store.set('short', '1', 0.5, [], true),
      store.set('year', '1', year, [], true),
      store.set('ever', '1', Number.POSITIVE_INFINITY, [], true),
      store.set('huge', '1', 1e300, [], true),
    ]);
    const now = Date.now();
    const clock = vi.spyOn(Date, 'now');
    const all = () => Promise.all(['short', 'year', 'ever', 'huge'].map((key) => store.get(key)));
    clock.mockReturnValue(now + year - 60_000);
    expect(await all()).toEqual([undefined, 1, 1, 1]);
    clock.mockReturnValue(now + year + 60_000);
    expect(await all()).toEqual([undefined, undefined, 1, 1]);
  });
});

describe('close', () => {
  it('answers what was asked before it, refuses what comes after, and can be asked twice', async () => {
    const set = store.set('k', '1', 1_000, [], true);
    const get = store.get('k');
    const closing = store.close();
    expect(store.close()).toBe(closing);
    await expect(store.get('k')).rejects.toBeInstanceOf(ClosedError);
    expect([await set, await get]).toEqual([true, 1]);
    await closing;
    for (const late of [
      store.set('k', '1', 1, [], true),
      store.clear({ key: 'k' }),
      store.getByTags(['t']),
      store.has('k'),
      store.read('k'),
      store.take('k'),
      store.expire('k'),
      store.keys('', 0),
      store.lock('k', 'owner', 1),
      store.unlock('k', 'owner'),
    ]) {
      await expect(late).rejects.toMatchObject({ code: 'CACHALOT_CLOSED' });
    }
    expect(store.stats().hits).toBe(1);
  });
});

describe('flights', () => {
  const flight = () => {
    const created = new PendingBatch(() => {});
    return { created, promise: created.add(ReplyType.Raw) };
  };

  it('numbers come round and pass over a flight that is still on its way', async () => {
    const receiver = new Receiver();
    const early = flight();
    const firstId = receiver.register(early.created);
    (receiver as unknown as { next: number }).next = 2 ** 22 - 1;
    const late = flight();
    const lastId = receiver.register(late.created);
    const round = flight();
    const roundId = receiver.register(round.created);
    expect([firstId, lastId, roundId]).toEqual([1024, 2 ** 32 - 1024, 2048]);
    receiver.deliver([lastId, 1, 'late', roundId, 1, 'round', firstId, 1, 'early']);
    expect(await Promise.all([early.promise, late.promise, round.promise])).toEqual([
      'early',
      'late',
      'round',
    ]);
  });

  it('answers to flights that are gone change nothing', () => {
    const receiver = new Receiver();
    receiver.deliver([4096, 2, 'a', 'b', 0, 1, '{"handle":99,"type":"connected"}']);
  });
});

describe('errors', () => {
  it('are of their class by code, also from another copy of the package', async () => {
    vi.resetModules();
    const other = await import('../js/shared/errors.js');
    expect(other.CachalotError).not.toBe(CachalotError);
    const error = new other.ClosedError('Closed.');
    expect(error instanceof CachalotError && error instanceof ClosedError).toBe(true);
    expect((error as unknown) instanceof ConfigError).toBe(false);
    expect(new TypeError('no') instanceof CachalotError).toBe(false);
    class Own extends ConfigError {}
    expect(new ConfigError('x') instanceof Own).toBe(false);
    expect(new Own('x') instanceof Own).toBe(true);
  });

  it('from the core keep code, message and whether the clear is kept', () => {
    const error = errorOf({ code: 'CACHALOT_TOO_LARGE', message: 'Too large.', queued: true });
    expect({ ...error, name: error.name, text: error.message }).toEqual({
      code: 'CACHALOT_TOO_LARGE',
      queued: true,
      name: 'TooLargeError',
      text: 'Too large.',
    });
    expect(errorOf(new RangeError('odd'))).toMatchObject({ code: 'CACHALOT_INTERNAL', message: 'odd' });
  });
});

describe('tickets and times', () => {
  const times = { created: 1_700_000_000_000, freshUntil: Number.POSITIVE_INFINITY, cost: 12 };

  it('a miss comes with a ticket, and a set with it stores unless a clear came since', async () => {
    const miss = await store.read('k');
    expect(miss).toEqual({ stale: false, ticket: expect.any(String) });
    expect(miss.ticket).toHaveLength(57);
    await store.clear({ key: 'k' });
    const later = await store.read('k');
    const set = (value: string, ticket: string | undefined) =>
      store.set('k', value, 60_000, [], true, { ticket, times });
    expect(await set('1', miss.ticket)).toBe(false);
    expect(await set('2', later.ticket)).toBe(true);
    expect(await Promise.all([store.read('k'), store.read('k', true)])).toEqual([
      { value: '2', stale: false },
      { value: '2', stale: false, ticket: expect.any(String), times },
    ]);
    const [before, after] = [miss.ticket as string, later.ticket as string];
    expect(before.slice(0, 8)).toBe(after.slice(0, 8));
    expect(before.slice(0, 16) < after.slice(0, 16)).toBe(true);
  });

  it('what is stale is a miss to all but read', async () => {
    const freshUntil = Date.now() + 1_000;
    await Promise.all([
      store.set('aged', '"old"', 60_000, ['t'], true, { times: { ...times, freshUntil } }),
      store.set('cleared', '"old"', 60_000, ['auto'], true, { times }),
      store.set('bytes', new Uint8Array([1, 2]), 60_000, ['auto'], true, { times }),
    ]);
    expect(await store.get('aged')).toBe('old');
    const clock = vi.spyOn(Date, 'now').mockReturnValue(freshUntil);
    await store.clear({ tags: ['auto'], raise: 'auto' });
    expect(await Promise.all([store.get('aged'), store.has('aged'), store.getByTags(['t'])])).toEqual([
      undefined,
      false,
      [],
    ]);
    expect(await Promise.all([store.read('aged'), store.read('cleared'), store.read('bytes')])).toEqual([
      { value: '"old"', stale: true, ticket: expect.any(String), times: { ...times, freshUntil } },
      { value: '"old"', stale: true, ticket: expect.any(String), times },
      { value: expect.any(Uint8Array), stale: true, ticket: expect.any(String), times },
    ]);
    clock.mockReturnValue(freshUntil + 60_000);
    expect(await store.read('aged')).toMatchObject({ stale: false, ticket: expect.any(String) });
    expect(store.stats().stale).toBe(6);
  });

  it('a text is given as it is, JSON or not', async () => {
    await store.set('k', '{"half":', 60_000, [], true);
    expect(await store.read('k')).toEqual({ value: '{"half":', stale: false });
  });

  it.each<[string, unknown]>([
    ['ticket', { ticket: '' }],
    ['ticket', { ticket: 7 }],
    ['ticket', { ticket: `${'\0'.repeat(36)}\x01` }],
    ['ticket', { ticket: '€'.repeat(57) }],
    ['times.created', { times: { created: -1, freshUntil: 1, cost: 1 } }],
    ['times.freshUntil', { times: { created: 1, freshUntil: Number.NaN, cost: 1 } }],
    ['times.cost', { times: { created: 1, freshUntil: 1 } }],
  ])('a %s that is none is refused alone: %j', async (field, extra) => {
    const set = store.set('k', '1', 1_000, [], true, extra as Extra);
    const [refused, other] = await Promise.allSettled([set, store.set('other', '1', 1_000, [], true)]);
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: expect.objectContaining({ code: 'CACHALOT_CONFIG' }),
    });
    expect((refused as PromiseRejectedResult).reason.message).toMatch(new RegExp(`^${field}: expected`));
    expect(other).toEqual({ status: 'fulfilled', value: true });
  });
});

describe('answers of yes and no', () => {
  it('has says whether a get would hit, and guards no set', async () => {
    await store.set('there', '1', 1_000, ['t'], true);
    expect(await Promise.all([store.has('there'), store.has('nothing')])).toEqual([true, false]);
    await store.clear({ key: 'nothing' });
    expect(await store.set('nothing', '1', 1_000, [], true)).toBe(true);
    expect(store.stats().unguardedSets).toBe(2);
  });

  it('set says whether it stored', async () => {
    await store.get('k');
    await store.clear({ key: 'k' });
    expect(await store.set('k', '1', 1_000, [], true)).toBe(false);
    expect(await Promise.all([store.has('k'), store.set('k', '2', 0, [], true)])).toEqual([false, true]);
  });
});
