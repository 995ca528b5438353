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

  it('serves a stale value within its grace while a new one is made behind', async () => {
    const cache = open({ ttl: 50, grace: '1h' });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    expect(await cache.get('k')).toBeUndefined();
    const finish = gate();
    const seen: unknown[] = [];
    const factory = async (context: { staleEntry: { value: unknown } | undefined }) => {
      seen.push(context.staleEntry?.value);
      await finish.promise;
      return 'new';
    };
    expect(await cache.getOrSet({ key: 'k', ttl: '1h', factory })).toBe('old');
    expect(await cache.getOrSet({ key: 'k', ttl: '1h', factory })).toBe('old');
    finish.open();
    await expect.poll(() => cache.get('k')).toBe('new');
    expect(seen).toEqual(['old']);
    expect(cache.stats().staleHits).toBe(2);
  });

  it('waits `timeout` for a new value before it serves a stale one, and not at all without grace', async () => {
    const cache = open({ ttl: 50, grace: '1h', timeout: '1s' });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    const quick = () => sleep(20).then(() => 'new');
    expect(await cache.getOrSet({ key: 'k', factory: quick })).toBe('new');
    await sleep(80);
    const slow = () => sleep(300).then(() => 'newer');
    expect(await cache.getOrSet({ key: 'k', timeout: 40, ttl: '1h', factory: slow })).toBe('new');
    await expect.poll(() => cache.get('k')).toBe('newer');
    expect(await cache.getOrSet({ key: 'none', timeout: 10, grace: false, factory: slow })).toBe('newer');
  });

  it('serves the stale value for a factory that fails, and lets it rest', async () => {
    const cache = open({ ttl: 50, grace: '1h', graceBackoff: 250, timeout: '1s' });
    const failures: unknown[] = [];
    cache.on('refreshFailed', ({ error }) => failures.push(error));
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    let runs = 0;
    const factory = () => {
      runs++;
      throw new Error('down');
    };
    for (let call = 0; call < 5; call++) {
      expect(await cache.getOrSet({ key: 'k', factory })).toBe('old');
    }
    expect(runs).toBe(1);
    expect(failures).toEqual([new Error('down')]);
    await sleep(300);
    expect(await cache.getOrSet({ key: 'k', factory: () => 'new' })).toBe('new');
  });

  it('ends the grace with its time', async () => {
    const cache = open({ ttl: 50, grace: 150 });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(250);
    await expect(
      cache.getOrSet({
        key: 'k',
        factory: () => {
          throw new Error('down');
        },
      }),
    ).rejects.toThrow('down');
  });

  it('gives up after `hardTimeout`, aborts the signal, and keeps nothing locked', async () => {
    const cache = open();
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
    expect(await open().getOrSet({ key: 'k', hardTimeout: 2000, factory: () => 'next' })).toBe('next');
  });

  it('serves the stale value when `hardTimeout` ends the wait', async () => {
    const cache = open({ ttl: 50, grace: '1h', timeout: '10s' });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    const hang = () => new Promise<string>(() => {});
    expect(await cache.getOrSet({ key: 'k', hardTimeout: 100, factory: hang })).toBe('old');
  });

  it('frees other callers from a factory that hangs, after its lease', async () => {
    const [one, other] = [open({ lease: 200 }), open({ lease: 200 })];
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
    const caches = Array.from({ length: 6 }, () => open({ lease: 1000 }));
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
    const [one, other, third] = [open({ lease: 300 }), open({ lease: 300 }), open()];
    const hang = () => new Promise<string>(() => {});
    for (const cache of [one, other]) cache.getOrSet({ key: 'k', factory: hang }).catch(() => {});
    await sleep(1200);
    const began = performance.now();
    expect(await third.getOrSet({ key: 'k', factory: () => 'free' })).toBe('free');
    // A lock that nobody gave back or renewed would last for seconds, and this caller's patience for a minute.
    expect(performance.now() - began).toBeLessThan(2_500);
  });

  it('aborts a refresh behind a served value after `hardTimeout`, also one longer than the lease', async () => {
    const cache = open({ ttl: 50, grace: '1h', lease: 100 });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(80);
    const aborted = gate<string>();
    const factory = ({ signal }: { signal: AbortSignal }) => {
      signal.addEventListener('abort', () => aborted.open(signal.reason.code));
      return new Promise<string>(() => {});
    };
    expect(await cache.getOrSet({ key: 'k', hardTimeout: 300, factory })).toBe('old');
    expect(await aborted.promise).toBe('CACHALOT_FACTORY_TIMEOUT');
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

  it('makes stale what is expired, by key and by tag, and removes what has no grace', async () => {
    const cache = open({ grace: '1h' });
    const hang = () => new Promise<never>(() => {});
    await cache.set({ key: 'a', value: 1, tags: ['t'] });
    await cache.set({ key: 'b', value: 2, tags: ['t'] });
    await cache.set({ key: 'c', value: 3, tags: ['t'], grace: false });
    expect(await cache.expire({ key: 'a' })).toBe(true);
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, 2, 3]);
    expect(await cache.getOrSet({ key: 'a', hardTimeout: 300, factory: hang })).toBe(1);
    expect(await cache.expireByTag(['t'])).toBe(true);
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined]);
    expect(await cache.getOrSet({ key: 'b', hardTimeout: 300, factory: hang })).toBe(2);
    await expect(cache.getOrSet({ key: 'c', hardTimeout: 100, factory: hang })).rejects.toMatchObject({
      code: 'CACHALOT_FACTORY_TIMEOUT',
    });
    await cache.deleteByTag(['t']);
    await expect(cache.getOrSet({ key: 'b', hardTimeout: 100, factory: hang })).rejects.toMatchObject({
      code: 'CACHALOT_FACTORY_TIMEOUT',
    });
  });

  it('refreshes early, the likelier the longer the factory takes', async () => {
    const cache = open({ ttl: '1h', earlyRefresh: 1e9 });
    let runs = 0;
    const factory = async () => {
      await sleep(20);
      return ++runs;
    };
    expect(await cache.getOrSet({ key: 'k', factory })).toBe(1);
    // With a β so great the next call is sure to refresh; it is served what is there.
    expect(await cache.getOrSet({ key: 'k', factory })).toBe(1);
    await expect.poll(() => cache.get('k')).toBe(2);
    const calm = open({ ttl: '1h', earlyRefresh: true });
    await calm.getOrSet({ key: 'calm', factory });
    for (let call = 0; call < 50; call++) await calm.getOrSet({ key: 'calm', factory });
    expect(runs).toBe(3);
  });

  it('wraps, and serves stale while it revalidates', async () => {
    const cache = open();
    let runs = 0;
    const fn = () => ++runs;
    expect(await cache.wrap('w', '1m', fn)).toBe(1);
    expect(await cache.wrap('w', undefined, fn)).toBe(1);
    expect(await cache.wrapSWR('s', 50, '1h', fn)).toBe(2);
    await sleep(80);
    expect(await cache.wrapSWR('s', 50, '1h', fn)).toBe(2);
    await expect.poll(() => runs).toBe(3);
    await expect(cache.wrapSWR('s', '2m', '1m', fn)).rejects.toThrow(
      /max: expected at least as long as stale/,
    );
    expect(await cache.getOrSetForever({ key: 'f', factory: fn })).toBe(4);
    // Stale at once: served once more, and made anew behind.
    expect(await cache.wrapSWR('z', 0, '1h', fn)).toBe(5);
    await sleep(10);
    expect(await cache.wrapSWR('z', 0, '1h', fn)).toBe(5);
    await expect.poll(() => runs).toBe(6);
    expect(await cache.wrapSWR('none', 0, 0, fn)).toBe(7);
    expect(await cache.has('none')).toBe(false);
    await expect(cache.wrapSWR('k', 1, null as never, fn)).rejects.toThrow(/wrapSWR: max: .*got null/);
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

  it('serves a stale value within the grace of the call, not of the entry', async () => {
    const cache = open({ ttl: 20, grace: '1h' });
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(120);
    expect(await cache.getOrSet({ key: 'k', grace: 50, factory: () => 'new' })).toBe('new');
  });

  lengthy('lets every process compute in turn where clears come faster than the factory', async () => {
    const caches = [1, 2, 3].map(() => open({ lease: 500 }));
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
