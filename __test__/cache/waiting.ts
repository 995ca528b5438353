// How long callers wait for a factory, and what becomes of one that nobody waits for any longer.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { gate, opener, type SpecUnderTest } from './caches.js';

/** A factory that takes its time, and counts how many of it run at once. */
function counted(work: (signal: AbortSignal) => Promise<unknown>) {
  const seen = { running: 0, most: 0, runs: 0 };
  const factory = async ({ signal }: { signal: AbortSignal }) => {
    seen.runs++;
    seen.most = Math.max(seen.most, ++seen.running);
    try {
      await work(signal);
      return seen.runs;
    } finally {
      seen.running--;
    }
  };
  return { seen, factory };
}

const LATE = { status: 'rejected', reason: { code: 'CACHALOT_FACTORY_TIMEOUT' } };

export function waiting(store: SpecUnderTest) {
  const open = opener(store);

  it('runs no second factory beside one that ignores its signal, however many callers give up', async () => {
    const caches = [open(), open()];
    const { seen, factory } = counted(() => sleep(1200));
    const calls: Promise<unknown>[] = [];
    for (let call = 0; call < 20; call++) {
      calls.push(caches[call % 2]?.getOrSet({ key: 'k', hardTimeout: 50, factory }) as Promise<unknown>);
      calls.at(-1)?.catch(() => {});
      await sleep(60);
    }
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes[0]).toMatchObject(LATE);
    expect(outcomes.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(5);
    expect(seen.most).toBe(1);
    // What it makes is stored, although nobody waited for it any longer.
    await expect.poll(() => open().get('k'), { timeout: 5000 }).toBe(1);
  });

  it('frees the key at once when a factory heeds its signal', async () => {
    const cache = open();
    const { seen, factory } = counted((signal) => sleep(1200, undefined, { signal }));
    const calls: Promise<unknown>[] = [];
    for (let call = 0; call < 20; call++) {
      calls.push(cache.getOrSet({ key: 'k', hardTimeout: 50, factory }));
      calls.at(-1)?.catch(() => {});
      await sleep(60);
    }
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject(LATE);
    }
    expect(seen.most).toBe(1);
    expect(seen.runs).toBeGreaterThan(5);
    expect(await open().getOrSet({ key: 'k', hardTimeout: 5000, factory: () => 'next' })).toBe('next');
  });

  it('gives what an aborted factory makes to those who still wait for it', async () => {
    const cache = open();
    const { seen, factory } = counted(() => sleep(400));
    const first = cache.getOrSet({ key: 'k', hardTimeout: 60, factory });
    await expect(first).rejects.toMatchObject(LATE.reason);
    expect(await cache.getOrSet({ key: 'k', factory })).toBe(1);
    expect(seen.runs).toBe(1);
  });

  it('runs the next factory when an aborted one has had its lease', async () => {
    const [one, other] = [open({ lockTimeout: 400 }), open({ lockTimeout: 400 })];
    const hang = () => new Promise<string>(() => {});
    const began = performance.now();
    await expect(one.getOrSet({ key: 'k', hardTimeout: 50, factory: hang })).rejects.toMatchObject(
      LATE.reason,
    );
    const next = () => 'next';
    expect(
      await Promise.all([
        one.getOrSet({ key: 'k', factory: next }),
        other.getOrSet({ key: 'k', factory: next }),
      ]),
    ).toEqual(['next', 'next']);
    expect(performance.now() - began).toBeGreaterThan(390);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('tells of a refresh that is late, and serves the stale value meanwhile', async () => {
    const cache = open({ ttl: 30, grace: '1h', graceBackoff: 0 });
    const late: unknown[] = [];
    cache.on('refreshFailed', ({ error }) => late.push((error as { code: string }).code));
    await cache.getOrSet({ key: 'k', factory: () => 'old' });
    await sleep(60);
    const finish = gate();
    const factory = () => finish.promise.then(() => 'new');
    expect(await cache.getOrSet({ key: 'k', hardTimeout: 50, ttl: '1h', factory })).toBe('old');
    await expect.poll(() => late, { timeout: 5000 }).toEqual(['CACHALOT_FACTORY_TIMEOUT']);
    expect(await cache.getOrSet({ key: 'k', timeout: '1s', factory: () => 'beside' })).toBe('old');
    finish.open();
    await expect.poll(() => cache.get('k'), { timeout: 5000 }).toBe('new');
  });

  it('warns once of two calls at one time whose tags or ttl differ', async () => {
    const lines: string[] = [];
    const logger = { warn: (line: string) => lines.push(line) };
    const cache = open({ logger });
    const both = (key: string, other: object) => {
      const factory = () => sleep(100, 1);
      return Promise.all([
        cache.getOrSet({ key, tags: ['a'], ttl: '1m', factory }),
        sleep(30).then(() => cache.getOrSet({ key, tags: ['a'], ttl: '1m', factory, ...other })),
      ]);
    };
    await both('same', {});
    expect(lines).toEqual([]);
    await both('tags', { tags: ['b'] });
    expect(lines).toEqual([expect.stringMatching(/"tags" at one time name different tags or ttl/)]);
    await both('ttl', { ttl: '2m' });
    expect(lines).toHaveLength(1);
  });
}
