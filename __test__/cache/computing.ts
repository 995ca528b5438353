import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { gate, opener, type SpecUnderTest } from './caches.js';

/** A factory that says when it began, and makes its value when it is told to. */
function held<T>(value: T) {
  const started = gate();
  const finish = gate();
  const factory = async () => {
    started.open();
    await finish.promise;
    return value;
  };
  return { factory, started: started.promise, finish: finish.open };
}

/** Cases of several seconds run on one store of each kind: how many servers it has is nothing to them. */
function lengthyOn(store: SpecUnderTest) {
  const oneOfItsKind = ['memory', 'redis', 'memcached, one server'].includes(store.name);
  return oneOfItsKind ? it : () => {};
}

export function computing(store: SpecUnderTest) {
  const open = opener(store);
  const lengthy = lengthyOn(store);

  it('runs one factory for all callers of a key, in two caches at once', async () => {
    const [one, other] = [open(), open()];
    let runs = 0;
    const factory = async () => {
      runs++;
      await sleep(60);
      return { run: runs };
    };
    const calls = Array.from({ length: 60 }, (_, at) =>
      (at % 2 === 0 ? one : other).getOrSet({ key: 'k', factory }),
    );
    expect(new Set((await Promise.all(calls)).map((value) => value.run))).toEqual(new Set([1]));
    expect(await one.getOrSet({ key: 'k', factory })).toEqual({ run: 1 });
    expect(runs).toBe(1);
  });

  it('stores nothing in place of what was set since, by this cache or another, once its lease or the wait is over', async () => {
    const [one, other] = [open(), open()];
    for (const [at, set] of [
      () => one.set({ key: 'k', value: 'newer' }),
      () => other.set({ key: 'k', value: 'newer' }),
      () => other.getOrSet({ key: 'k', factory: () => 'newer' }),
    ].entries()) {
      await one.delete('k');
      const { factory, started, finish } = held('old');
      const late = one.getOrSet({ key: 'k', factory, lockTimeout: 40, ...(at === 1 && { hardTimeout: 30 }) });
      late.catch(() => {});
      await started;
      await sleep(60);
      await set();
      finish();
      if (at === 1) {
        await expect(late).rejects.toThrow();
        // The factory is over, and its set asked for.
        await sleep(30);
      } else {
        expect(await late).toBe('old');
      }
      expect(await other.get('k')).toBe('newer');
      expect(await one.getOrSet({ key: 'k', factory: () => 'another' })).toBe('newer');
    }
  });

  it('gives those who wait for a factory what those get who come later: a Date is a string', async () => {
    const cache = open();
    const at = new Date(0);
    const plain = { n: 1 };
    const factory = () => ({ at, deep: [{ at }], left: undefined, plain });
    const read = { at: at.toJSON(), deep: [{ at: at.toJSON() }], plain };
    const [first, second] = await Promise.all([0, 1].map(() => cache.getOrSet({ key: 'k', factory })));
    expect(first).toStrictEqual(read);
    expect(second).toBe(first);
    expect(await cache.getOrSet({ key: 'k', factory })).toStrictEqual(read);
    expect(
      await cache.getOrSet({
        key: 'skipped',
        factory: ({ skip }) => {
          skip();
          return { at };
        },
      }),
    ).toEqual({ at: at.toJSON() });
    // What JSON keeps is not copied.
    const kept = { n: 1, list: ['x', null] };
    expect(await cache.getOrSet({ key: 'kept', factory: () => kept })).toBe(kept);
    const structured = open({ serializer: 'structured' });
    expect((await structured.getOrSet({ key: 's', factory })).at).toBe(at);
  });

  it('gives every waiting caller the error of a factory that throws, and locks nothing', async () => {
    const cache = open();
    let runs = 0;
    const factory = async () => {
      runs++;
      await sleep(20);
      throw new RangeError('no database');
    };
    const calls = Array.from({ length: 5 }, () => cache.getOrSet({ key: 'k', factory }));
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: new RangeError('no database') });
    }
    expect(runs).toBe(1);
    expect(await open().getOrSet({ key: 'k', factory: () => 'mended' })).toBe('mended');
    expect(cache.stats().factories).toEqual({ runs: 1, failures: 1 });
  });

  it('takes a factory that throws at once, or is not asynchronous', async () => {
    const cache = open();
    const fails = () => {
      throw new Error('at once');
    };
    await expect(cache.getOrSet({ key: 'k', factory: fails })).rejects.toThrow('at once');
    expect(await cache.getOrSet({ key: 'k', factory: () => 1 })).toBe(1);
  });

  it('never stores as valid what was computed before a clear', async () => {
    const [one, other] = [open(), open()];
    for (const clear of [
      () => other.delete('k'),
      () => other.deleteByTag(['t']),
      () => other.clear(),
      () => other.expire('k'),
    ]) {
      const slow = held('old');
      const old = one.getOrSet({ key: 'k', tags: ['t'], factory: slow.factory });
      await slow.started;
      await clear();
      slow.finish();
      expect(await old).toBe('old');
      expect(await other.get('k')).toBeUndefined();
      expect(await one.getOrSet({ key: 'k', tags: ['t'], factory: () => 'new' })).toBe('new');
      expect(await other.get('k')).toBe('new');
      await one.delete('k');
    }
  });

  it('joins no caller to a factory that began before a clear which the caller has seen', async () => {
    const cache = open();
    const slow = held('old');
    const old = cache.getOrSet({ key: 'k', tags: ['t'], factory: slow.factory });
    await slow.started;
    await cache.deleteByTag(['t']);
    const after = cache.getOrSet({ key: 'k', tags: ['t'], factory: () => 'new' });
    await sleep(30);
    slow.finish();
    expect(await old).toBe('old');
    expect(await after).toBe('new');
  });

  it('sets tags and ttl from within, skips, and fails', async () => {
    const cache = open({ ttl: '1h' });
    await cache.getOrSet({
      key: 'a',
      tags: ['given'],
      factory: (context) => {
        context.setTags(['own']);
        context.setTtl('100ms');
        return 1;
      },
    });
    await cache.deleteByTag(['given']);
    expect(await cache.get('a')).toBe(1);
    await sleep(150);
    expect(await cache.get('a')).toBeUndefined();

    expect(await cache.getOrSet({ key: 'b', factory: (context) => context.skip() })).toBeUndefined();
    expect(
      await cache.getOrSet({
        key: 'b',
        factory: (context) => {
          context.skip();
          return 'given, not kept';
        },
      }),
    ).toBe('given, not kept');
    expect(await cache.has('b')).toBe(false);

    const cause = new Error('down');
    const failing = cache.getOrSet({ key: 'c', factory: (context) => context.fail('no stock', { cause }) });
    await expect(failing).rejects.toMatchObject({ code: 'CACHALOT_FACTORY', message: 'no stock', cause });
    const wrong = cache.getOrSet({
      key: 'c',
      factory: (context) => context.setTags([7 as never]),
    });
    await expect(wrong).rejects.toThrow(/setTags: tags: expected an array of strings, got one with 7/);
  });

  it('gives up after `hardTimeout`, aborts the signal, and keeps nothing locked beyond the lease', async () => {
    const cache = open({ lockTimeout: 500 });
    let signal: AbortSignal | undefined;
    const hang = (context: { signal: AbortSignal }) => {
      signal = context.signal;
      return new Promise<string>(() => {});
    };
    const began = performance.now();
    const calls = [1, 2].map(() => cache.getOrSet({ key: 'k', hardTimeout: 120, factory: hang }));
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ reason: { code: 'CACHALOT_FACTORY_TIMEOUT' } });
    }
    expect(performance.now() - began).toBeLessThan(1500);
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toMatchObject({ code: 'CACHALOT_FACTORY_TIMEOUT' });
    expect(await open().getOrSet({ key: 'k', hardTimeout: 5000, factory: () => 'next' })).toBe('next');
  });

  it('closes after 5 s although a factory hangs, aborts its signal, and its callers hear of it', async () => {
    const cache = open();
    let signal: AbortSignal | undefined;
    const began = gate();
    const hang = (context: { signal: AbortSignal }) => {
      signal = context.signal;
      began.open();
      return new Promise<string>(() => {});
    };
    const calls = Promise.allSettled([1, 2].map(() => cache.getOrSet({ key: 'k', factory: hang })));
    await began.promise;
    const from = performance.now();
    await cache.close();
    const took = performance.now() - from;
    expect(took).toBeGreaterThan(4_900);
    expect(took).toBeLessThan(7_000);
    expect(signal?.reason).toMatchObject({ code: 'CACHALOT_CLOSED' });
    for (const outcome of await calls) {
      expect(outcome).toMatchObject({ reason: { code: 'CACHALOT_CLOSED' } });
    }
  });

  it('frees other callers from a factory that hangs, after its lease', async () => {
    const [one, other] = [open({ lockTimeout: 200 }), open({ lockTimeout: 200 })];
    const hanging = one.getOrSet({ key: 'k', factory: () => new Promise<string>(() => {}) });
    hanging.catch(() => {});
    await sleep(20);
    const began = performance.now();
    const freed = await Promise.all([
      one.getOrSet({ key: 'k', factory: () => 'mine' }),
      other.getOrSet({ key: 'k', factory: () => 'mine' }),
    ]);
    expect(freed).toEqual(['mine', 'mine']);
    expect(performance.now() - began).toBeGreaterThan(100);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  lengthy('keeps to one factory at a time when each takes longer than its lease', async () => {
    const caches = Array.from({ length: 6 }, () => open({ lockTimeout: 1000 }));
    let running = 0;
    let most = 0;
    let runs = 0;
    const factory = async () => {
      runs++;
      most = Math.max(most, ++running);
      await sleep(1500);
      running--;
      return runs;
    };
    const calls = caches.map(async (cache, at) => {
      await sleep(at * 40);
      return cache.getOrSet({ key: 'k', factory });
    });
    await Promise.all(calls);
    // The first, and the one that got the lock when the first's lease was over.
    expect({ runs, most }).toEqual({ runs: 2, most: 2 });
  });

  it('leaves no lock behind a factory that hangs, whoever gets it', async () => {
    const [one, other, third] = [open({ lockTimeout: 300 }), open({ lockTimeout: 300 }), open()];
    const hang = () => new Promise<string>(() => {});
    for (const cache of [one, other]) cache.getOrSet({ key: 'k', factory: hang }).catch(() => {});
    await sleep(1200);
    const began = performance.now();
    expect(await third.getOrSet({ key: 'k', factory: () => 'free' })).toBe('free');
    // A lock that nobody gave back or renewed would last for seconds, and this caller's patience for a minute.
    expect(performance.now() - began).toBeLessThan(2_500);
  });

  lengthy(
    'renews the lock of a factory that takes longer than the lock of a dead process lasts',
    async () => {
      const [one, other] = [open(), open()];
      let runs = 0;
      const factory = async () => {
        runs++;
        await sleep(6_500);
        return runs;
      };
      const slow = one.getOrSet({ key: 'k', factory });
      await sleep(50);
      expect(await other.getOrSet({ key: 'k', factory })).toBe(1);
      expect(await slow).toBe(1);
    },
  );

  it('does not store over a set of this process what was computed before it', async () => {
    const cache = open();
    const slow = held('computed');
    const computing = cache.getOrSet({ key: 'k', factory: slow.factory });
    await slow.started;
    expect(await cache.set({ key: 'k', value: 'set' })).toBe(true);
    slow.finish();
    expect(await computing).toBe('computed');
    expect(await cache.get('k')).toBe('set');
  });

  it('does not join a factory from before a delete of the key', async () => {
    const cache = open();
    const slow = held('old');
    const old = cache.getOrSet({ key: 'k', factory: slow.factory });
    await slow.started;
    await cache.delete('k');
    const after = cache.getOrSet({ key: 'k', factory: () => 'new' });
    await sleep(30);
    slow.finish();
    expect(await Promise.all([old, after])).toEqual(['old', 'new']);
    expect(await cache.get('k')).toBe('new');
  });

  it('gives undefined to the callers and keeps nothing', async () => {
    const cache = open();
    let runs = 0;
    const factory = () => {
      runs++;
      return undefined;
    };
    expect(await cache.getOrSet({ key: 'k', factory })).toBeUndefined();
    expect(await cache.getOrSet({ key: 'k', factory })).toBeUndefined();
    expect(runs).toBe(2);
  });

  lengthy('lets every process compute in turn where clears come faster than the factory', async () => {
    const caches = [1, 2, 3].map(() => open({ lockTimeout: 500 }));
    const clearing = setInterval(() => void caches[0]?.deleteByTag(['t']), 40);
    try {
      const waits: number[] = [];
      const reading = caches.map(async (cache) => {
        const until = performance.now() + 4000;
        while (performance.now() < until) {
          const began = performance.now();
          await cache.getOrSet({ key: 'k', tags: ['t'], factory: () => sleep(100).then(() => 1) });
          waits.push(performance.now() - began);
        }
      });
      await Promise.all(reading);
      // Twice the lease, the factory itself, and what a busy machine adds.
      expect(Math.max(...waits)).toBeLessThan(3_000);
      expect(waits.length).toBeGreaterThan(15);
    } finally {
      clearInterval(clearing);
    }
  });

  it('gives the caller a value that the store has no room for', async () => {
    const cache = open();
    const large = 'x'.repeat(68 * 1024 * 1024);
    const errors: string[] = [];
    cache.on('error', ({ error }) => errors.push(error.code));
    expect((await cache.getOrSet({ key: 'k', factory: () => large })).length).toBe(large.length);
    expect(errors).toEqual(['CACHALOT_TOO_LARGE']);
    expect(await cache.get('k')).toBeUndefined();
  });

  it('drops what a factory makes that cannot be represented, with an error', async () => {
    const cache = open();
    const making = cache.getOrSet({ key: 'k', factory: () => ({ at: [new Map()] }) });
    await expect(making).rejects.toThrow(/value: expected a value that JSON can hold, got a Map at at\[0\]/);
    expect(await cache.getOrSet({ key: 'k', factory: () => 1 })).toBe(1);
  });
}
