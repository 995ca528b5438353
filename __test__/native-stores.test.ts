// What every store answers to the operations below the faces: two handles of one store, as two processes have them.

import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import type { NativeConfig } from '../js/options/native-config.js';
import { type KeyPage, NativeStore, type Times } from '../js/store/native-store.js';
import { uniquePrefix } from './contract/stores.js';

const { redis, memcached } = inject('servers');
const endpoint = (port: number) => ({ host: '127.0.0.1', port });
const backends: [string, NativeConfig['backend']][] = [
  ['memory', { type: 'memory', name: 'native-stores' }],
  ['redis', { type: 'redis', endpoint: endpoint(redis.port) }],
  ['redis without tracking', { type: 'redis', endpoint: endpoint(redis.port), tracking: false }],
  ['memcached', { type: 'memcached', servers: memcached.slice(0, 1).map(address) }],
  ['three memcached', { type: 'memcached', servers: memcached.map(address) }],
];

function address(text: string): { host: string; port: number } {
  return endpoint(Number(text.split(':')[1]));
}

const MINUTE = 60_000;

/** As a buffer, which is what the core makes. */
const bytes = (...of: number[]) => Buffer.from(of);

function times(freshUntil = Number.POSITIVE_INFINITY): Times {
  return { created: Date.now(), freshUntil, cost: 3 };
}

describe.each(backends)('%s', (_, backend) => {
  let a: NativeStore;
  let b: NativeStore;

  beforeEach(() => {
    const config = { prefix: uniquePrefix(), backend };
    a = new NativeStore(config);
    b = new NativeStore(config);
  });

  afterEach(async () => {
    await Promise.all([a.close(), b.close()]);
  });

  it('answers many keys in order, and a set after a miss among them is guarded', async () => {
    await a.set('k', '{"n":1}', MINUTE, [], true);
    await a.set('b', new Uint8Array([1, 2]), MINUTE, [], true);
    expect(await b.getMany(['k', 'none', 'k', 'b'], true)).toEqual([
      { n: 1 },
      undefined,
      { n: 1 },
      bytes(1, 2),
    ]);
    expect(await b.getMany(['k', 'none', 'b'], false)).toEqual(['{"n":1}', undefined, bytes(1, 2)]);
    expect(await b.getMany([], true)).toEqual([]);
    await a.clear({ key: 'none' });
    expect(await b.set('none', '"old"', MINUTE, [], true)).toBe(false);
    expect(await b.getMany(['none'], true)).toEqual([undefined]);
    await expect(b.getMany(['k', 7 as never], true)).rejects.toThrow('key');
  });

  /** A read that misses, and its ticket. */
  async function missed(store: NativeStore, key: string): Promise<string> {
    const { value, ticket, stale } = await store.read(key);
    expect([value, stale]).toEqual([undefined, false]);
    return ticket as string;
  }

  it('has says what a get would, and leaves nothing', async () => {
    expect(await a.has('k')).toBe(false);
    expect(await b.set('k', '1', MINUTE, ['t'], true)).toBe(true);
    expect(await Promise.all([a.has('k'), a.has('other')])).toEqual([true, false]);
    await b.clear({ tags: ['t'] });
    expect(await a.has('k')).toBe(false);
    const [there] = await Promise.all([a.has('k'), a.clear({ key: 'k' })]);
    expect(there).toBe(false);
  });

  it('a ticket guards its set alone, whatever else was missed', async () => {
    const early = await missed(a, 'k');
    await a.get('k');
    await b.clear({ key: 'k' });
    const late = await missed(a, 'k');
    expect(await a.set('k', '"early"', MINUTE, ['t'], true, { ticket: early })).toBe(false);
    expect(await a.set('k', '"late"', MINUTE, ['t'], true, { ticket: late })).toBe(true);
    expect(await b.get('k')).toBe('late');
  });

  it('a clear by tag ends a ticket too', async () => {
    await a.set('known', '1', MINUTE, ['t'], true);
    const ticket = await missed(a, 'k');
    await b.clear({ tags: ['t'] });
    await a.set('k', '"early"', MINUTE, ['t'], true, { ticket, times: times() });
    expect(await a.read('k')).toMatchObject({ stale: false, ticket: expect.any(String) });
  });

  it('an automatic invalidation makes what has times stale, and ends the rest', async () => {
    await Promise.all([
      a.set('soft', '"soft"', MINUTE, ['t'], true, { times: times() }),
      a.set('own', '"own"', MINUTE, ['t'], false, { times: times() }),
      a.set('hard', '"hard"', MINUTE, ['t'], true),
    ]);
    await b.clear({ tags: ['t'], raise: 'auto' });
    expect(await Promise.all(['soft', 'own', 'hard'].map((key) => a.get(key)))).toEqual([
      undefined,
      'own',
      undefined,
    ]);
    const [soft, own, hard] = await Promise.all([b.read('soft'), b.read('own'), b.read('hard')]);
    expect(soft).toMatchObject({ value: '"soft"', stale: true, times: { cost: 3 } });
    expect([own?.value, own?.stale, hard?.value]).toEqual(['"own"', false, undefined]);
    expect(await b.getByTags(['t'])).toEqual(['own']);
    expect(await b.set('soft', '"new"', MINUTE, ['t'], true, { ticket: soft.ticket, times: times() })).toBe(
      true,
    );
    expect(await a.get('soft')).toBe('new');
    await a.clear({ tags: ['t'] });
    expect((await b.read('soft')).value).toBeUndefined();
  });

  it('a set that an automatic invalidation overtook is stored as a stale one', async () => {
    // Bookkeeping that is missing is made at a set, which refuses what is older: here it is there before.
    await a.set('k', '1', MINUTE, ['t'], true);
    await a.clear({ key: 'k' });
    const ticket = await missed(a, 'k');
    await b.clear({ tags: ['t'], raise: 'auto' });
    expect(await a.set('k', '"old"', MINUTE, ['t'], true, { ticket, times: times() })).toBe(true);
    expect(await b.get('k')).toBeUndefined();
    expect(await b.read('k')).toMatchObject({ value: '"old"', stale: true });
    expect(await b.set('k', '"bare"', MINUTE, ['t'], true, { times: times() })).toBe(true);
    expect(await a.get('k')).toBe('bare');
  });

  it('what is past its freshness is a miss with a value, until it expires', async () => {
    const made = times(Date.now() + 200);
    await a.set('k', new Uint8Array([1, 2, 3]), MINUTE, ['t'], true, { times: made });
    expect(await b.read('k', true)).toMatchObject({ stale: false, times: made });
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(await Promise.all([b.get('k'), b.has('k'), b.getByTags(['t'])])).toEqual([undefined, false, []]);
    const found = await b.read('k');
    expect(found).toMatchObject({ stale: true, times: made });
    expect([...(found.value as Uint8Array)]).toEqual([1, 2, 3]);
    // The get that missed guards a set.
    expect(await b.set('k', '"new"', MINUTE, ['t'], true)).toBe(true);
    expect(await a.get('k')).toBe('new');
  });

  it('of many takers exactly one has the value', async () => {
    for (let round = 0; round < 20; round++) {
      await a.set('k', `"${round}"`, MINUTE, ['t'], true);
      const all = [a, b, a, b].flatMap((store) => Array.from({ length: 5 }, () => store.take('k')));
      expect((await Promise.all(all)).filter((value) => value !== undefined)).toEqual([`"${round}"`]);
      // No get: its miss would make the next set one that was under way, which a take ends.
      expect(await Promise.all([a.has('k'), b.take('k')])).toEqual([false, undefined]);
    }
    await a.set('bytes', new Uint8Array([7]), MINUTE, [], true);
    expect([...((await b.take('bytes')) as Uint8Array)]).toEqual([7]);
  });

  it('a set that was under way when its key was taken is refused', async () => {
    await a.set('k', '1', MINUTE, [], true, { times: times(Date.now() - 1) });
    const { ticket } = await a.read('k');
    await b.set('k', '2', MINUTE, [], true);
    expect(await b.take('k')).toBe('2');
    expect(await a.set('k', '3', MINUTE, [], true, { ticket })).toBe(false);
    expect(await b.has('k')).toBe(false);
  });

  it('expire keeps what has times as stale, and refuses the sets under way', async () => {
    const made = times();
    await a.set('k', '"old"', MINUTE, ['t'], true, { times: made });
    await a.expire('k');
    const first = await a.read('k');
    const second = await b.read('k');
    expect(first).toMatchObject({ value: '"old"', stale: true, times: { created: made.created, cost: 3 } });
    await b.expire('k');
    const third = await a.read('k');
    expect(third).toMatchObject({ value: '"old"', stale: true });
    for (const { ticket } of [first, second]) {
      expect(await a.set('k', '"slow"', MINUTE, ['t'], true, { ticket, times: times() })).toBe(false);
    }
    expect(await a.set('k', '"new"', MINUTE, ['t'], true, { ticket: third.ticket, times: times() })).toBe(
      true,
    );
    expect(await Promise.all([a.get('k'), b.get('k')])).toEqual(['new', 'new']);
    expect(await b.getByTags(['t'])).toEqual(['new']);
  });

  it('expire deletes what has no times, and ends a set after a miss', async () => {
    await a.set('k', '1', MINUTE, [], true);
    await b.expire('k');
    const { ticket, value, stale } = await a.read('k');
    expect([value, stale]).toEqual([undefined, false]);
    await b.expire('k');
    expect(await a.set('k', '2', MINUTE, [], true, { ticket })).toBe(false);
  });

  it('an expired entry ends when it would have', async () => {
    await a.set('k', '1', 900, [], true, { times: times() });
    await b.expire('k');
    expect((await a.read('k')).stale).toBe(true);
    await vi.waitUntil(async () => (await a.read('k')).value === undefined, { timeout: 3_000, interval: 50 });
  });

  it('a lock has one owner, who may extend it and alone may give it back', async () => {
    expect([await a.lock('k', 'a', MINUTE), await b.lock('k', 'b', MINUTE)]).toEqual([true, false]);
    await b.unlock('k', 'b');
    expect([await b.lock('k', 'b', MINUTE), await a.lock('k', 'a', MINUTE)]).toEqual([false, true]);
    expect(await b.lock('other key', 'b', MINUTE)).toBe(true);
    await a.unlock('k', 'a');
    expect([await b.lock('k', 'b', MINUTE), await a.lock('k', 'a', MINUTE)]).toEqual([true, false]);
    await Promise.all([b.unlock('k', 'b'), a.unlock('never locked', 'a')]);
    expect(a.stats()).toMatchObject({ locks: 2, locksRefused: 1 });
    expect(await a.has('k')).toBe(false);
  });

  it('a lock ends by itself, and not before its time', async () => {
    const asked = Date.now();
    expect(await a.lock('k', 'a', 600)).toBe(true);
    await vi.waitUntil(() => b.lock('k', 'b', MINUTE), { timeout: 4_000, interval: 10 });
    expect(Date.now() - asked).toBeGreaterThanOrEqual(600);
    expect(await a.lock('k', 'a', 600)).toBe(false);
  });

  it('of many who ask for a lock at once one has it', async () => {
    const owners = Array.from({ length: 40 }, (_, n) => `owner ${n}`);
    const had = await Promise.all(owners.map((owner, n) => (n % 2 ? a : b).lock('k', owner, MINUTE)));
    expect(had.filter(Boolean)).toHaveLength(1);
  });

  it('one turn reaches the server in its order', async () => {
    // The first set of a connection without a read before it asks for the epoch.
    await a.set('k', '0', MINUTE, [], true);
    for (let round = 0; round < 20; round++) {
      const work: Promise<unknown>[] = [];
      for (let n = 0; n < 50; n++) {
        work.push(a.set('k', `${n}`, MINUTE, [], true), a.get('k'), a.lock(`l${n}`, 'a', MINUTE));
      }
      const got = (await Promise.all(work)).filter((_, at) => at % 3 === 1);
      expect(got).toEqual(Array.from({ length: 50 }, (_, n) => n));
    }
  });

  it('who has the lock after its owner gave it back finds what that owner stored', async () => {
    let found = 0;
    await a.set('k', '0', MINUTE, ['t'], true);
    for (let round = 0; round < 30; round++) {
      const key = `k${round}`;
      await a.lock(key, 'a', MINUTE);
      const work = async () => {
        await Promise.all([a.set(key, '1', MINUTE, ['t'], true), a.unlock(key, 'a')]);
      };
      const wait = async () => {
        for (;;) {
          const [had, value] = await Promise.all([b.lock(key, 'b', MINUTE), b.getText(key)]);
          if (had) {
            found += value === '1' ? 1 : 0;
            return;
          }
        }
      };
      await Promise.all([wait(), work()]);
    }
    expect(found).toBe(30);
  });

  it('keys are listed by a literal prefix, or it says why not', async () => {
    const keys = [
      'a*b:1',
      'a*b:2',
      'axb:1',
      'a*',
      '[a]:x',
      'é€🐋',
      ...Array.from({ length: 700 }, (_, n) => `n:${n}`),
    ];
    if (backend.type === 'memcached') {
      await expect(a.keys('', 0)).rejects.toMatchObject({ code: 'CACHALOT_UNSUPPORTED' });
      return;
    }
    await Promise.all(keys.map((key) => a.set(key, '1', MINUTE, ['t'], true)));
    const list = async (prefix: string) => {
      const all = new Set<string>();
      for (let cursor: number | undefined = 0; cursor !== undefined; ) {
        const page: KeyPage = await b.keys(prefix, cursor);
        for (const key of page.keys) all.add(key);
        cursor = page.next;
      }
      return [...all].sort();
    };
    expect(await list('')).toEqual([...keys].sort());
    expect(await list('a*b:')).toEqual(['a*b:1', 'a*b:2']);
    expect(await list('[a]')).toEqual(['[a]:x']);
    expect(await list('é€')).toEqual(['é€🐋']);
    expect(await list('n:')).toHaveLength(700);
    expect(await list('none')).toEqual([]);
  });
});
