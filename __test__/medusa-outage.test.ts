// What a provider does when its store fails, with a store that fails on demand. Real outages are in the failure suite.

import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RedisCachingProvider } from '../js/adapters/medusa/index.js';
import { CachalotError, TooLargeError } from '../js/shared/errors.js';
import type { StoreEvent } from '../js/store/native-store.js';

const store = vi.hoisted(() => ({
  failure: undefined as Error | undefined,
  onEvent: (_: unknown): void => {},
}));

vi.mock('../js/store/native-store.js', () => ({
  NativeStore: class {
    constructor(_config: unknown, onEvent: (event: unknown) => void) {
      store.onEvent = onEvent;
    }
    async #answer<T>(value: T): Promise<T> {
      if (store.failure) {
        throw store.failure;
      }
      return value;
    }
    get = () => this.#answer(undefined);
    getByTags = () => this.#answer([]);
    set = () => this.#answer(undefined);
    clear = () => this.#answer(undefined);
    close = async () => {};
  },
}));

const server = 'cache:6379';
const lost: StoreEvent = { type: 'disconnected', server, code: 'CACHALOT_CONNECTION', message: 'refused.' };
const back: StoreEvent = { type: 'connected', server };

let lines: string[] = [];

function provider(): RedisCachingProvider {
  const level = (name: string) => (message: string) => void lines.push(`${name} ${message}`);
  return new RedisCachingProvider(
    { logger: { info: level('info'), warn: level('warn') } },
    { redisUrl: `redis://${server}` },
  );
}

async function use(cache: RedisCachingProvider): Promise<unknown[]> {
  return [
    await cache.get({ key: 'k' }),
    await cache.get({ tags: ['t'] }),
    await cache.set({ key: 'k', data: 1 }),
  ];
}

beforeEach(() => {
  vi.useRealTimers();
  lines = [];
  store.failure = undefined;
});

describe.each(['CACHALOT_CONNECTION', 'CACHALOT_TIMEOUT', 'CACHALOT_BUSY'] as const)(
  'in an outage (%s)',
  (code) => {
    it('reads are misses, writes resolve, and one warning tells of it', async () => {
      const cache = provider();
      store.failure = new CachalotError(code, 'No answer.');
      expect(await use(cache)).toEqual([null, null, undefined]);
      expect(await use(cache)).toEqual([null, null, undefined]);
      expect(lines).toEqual([
        'warn [cachalot-redis] No answer. Reads are misses until the server answers again.',
      ]);
    });

    it('a clear that is kept resolves and is told; one that is lost rejects', async () => {
      const cache = provider();
      store.failure = new CachalotError(code, 'No answer.', { queued: true });
      await cache.clear({ tags: ['t'] });
      await cache.clear({ key: 'k' });
      expect(lines).toEqual([
        'info [cachalot-redis] A clear is kept, and replayed before the first read after the outage: No answer.',
      ]);
      store.failure = new CachalotError(code, 'No answer.');
      await expect(cache.clear({ tags: ['t'] })).rejects.toBe(store.failure);
    });
  },
);

describe('the log', () => {
  const begins = `warn [cachalot-redis] No connection to ${server}: refused. Reads from it are misses until it is back.`;
  const ends = `info [cachalot-redis] Connected to ${server} again.`;
  const connected = () => {
    const cache = provider();
    store.onEvent(back);
    return cache;
  };

  it('has one line when an outage begins and one when it ends', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const cache = connected();
    for (const _ of [1, 2]) {
      store.onEvent(lost);
      store.failure = new CachalotError('CACHALOT_CONNECTION', 'No answer.');
      await use(cache);
      store.onEvent(lost);
      store.failure = undefined;
      store.onEvent(back);
      vi.advanceTimersByTime(1000);
    }
    expect(lines).toEqual([begins, ends, begins, ends]);
  });

  it('has a line a second at most for a wire that comes and goes', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    connected();
    for (let ms = 0; ms < 2000; ms += 50) {
      store.onEvent(lost);
      store.onEvent(back);
      vi.advanceTimersByTime(50);
    }
    expect(lines).toEqual([begins, ends, begins, ends]);
  });

  it('tells of a loss that it held back, if that lasts', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const cache = connected();
    store.onEvent(lost);
    store.onEvent(back);
    store.onEvent(lost);
    store.failure = new CachalotError('CACHALOT_CONNECTION', 'No answer.');
    await use(cache);
    expect(lines).toEqual([begins, ends]);
    vi.advanceTimersByTime(1000);
    await use(cache);
    expect(lines).toEqual([begins, ends, begins]);
  });

  it('tells an outage once where an operation fails before the connection is known to be lost', async () => {
    const cache = connected();
    store.failure = new CachalotError('CACHALOT_TIMEOUT', 'Too slow.');
    await use(cache);
    store.onEvent(lost);
    store.onEvent(back);
    expect(lines).toEqual([
      'warn [cachalot-redis] Too slow. Reads are misses until the server answers again.',
      `info [cachalot-redis] Connected to ${server} again.`,
    ]);
  });

  it('counts the clears that were kept', async () => {
    const cache = connected();
    store.onEvent(lost);
    store.failure = new CachalotError('CACHALOT_CONNECTION', 'No answer.', { queued: true });
    await cache.clear({ tags: ['a'] });
    await cache.clear({ tags: ['b'] });
    store.onEvent(back);
    expect(lines.at(-1)).toBe(
      `info [cachalot-redis] Connected to ${server} again. Clears made meanwhile (2) are replayed.`,
    );
  });

  it('repeats itself at most every 30 seconds where nothing tells of an end', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const cache = provider();
    store.failure = new CachalotError('CACHALOT_BUSY', 'Too much.');
    for (const ms of [0, 29_000, 2_000]) {
      vi.advanceTimersByTime(ms);
      await use(cache);
    }
    expect(lines).toHaveLength(2);
  });

  it('names a server once', () => {
    provider();
    store.onEvent({ ...lost, message: `Nobody listens at ${server}. Is it running?` });
    expect(lines).toEqual([
      `warn [cachalot-redis] Nobody listens at ${server}. Is it running? Reads from it are misses until it is back.`,
    ]);
  });

  it('says nothing of a first connection', () => {
    provider();
    store.onEvent(back);
    expect(lines).toEqual([]);
  });

  it('passes warnings on', () => {
    provider();
    store.onEvent({ type: 'warning', code: 'CACHALOT_CORRUPT', message: 'A stored value did not decode.' });
    expect(lines).toEqual(['warn [cachalot-redis] A stored value did not decode.']);
  });
});

describe('other failures', () => {
  it('CACHALOT_CLOSED reaches the caller', async () => {
    const cache = provider();
    store.failure = new CachalotError('CACHALOT_CLOSED', 'Yours to mend.');
    for (const call of [
      cache.get({ key: 'k' }),
      cache.get({ tags: ['t'] }),
      cache.set({ key: 'k', data: 1 }),
      cache.clear({ key: 'k' }),
    ]) {
      await expect(call).rejects.toBe(store.failure);
    }
    expect(lines).toEqual([]);
  });

  it('a value that is too large is told of once', async () => {
    const cache = provider();
    store.failure = new TooLargeError('It has 5 bytes.');
    for (let n = 0; n < 3; n++) {
      await cache.set({ key: 'k', data: 1 });
    }
    expect(lines).toEqual([
      'warn [cachalot-redis] It has 5 bytes. Nothing was stored, and no older value is left. This is said once.',
    ]);
  });

  it.each(['CACHALOT_SERVER', 'CACHALOT_CORRUPT', 'CACHALOT_INTERNAL'] as const)(
    '%s is a miss and a warning',
    async (code) => {
      const cache = provider();
      store.failure = new CachalotError(code, 'OOM.');
      expect(await use(cache)).toEqual([null, null, undefined]);
      expect(lines).toEqual([
        'warn [cachalot-redis] A get failed: OOM.',
        'warn [cachalot-redis] A set failed: OOM.',
      ]);
    },
  );

  // Of the connection, such as a password that is refused: arguments are checked before.
  it.each(['CACHALOT_CONFIG', 'CACHALOT_UNSUPPORTED'] as const)(
    '%s is an outage, told once',
    async (code) => {
      const cache = provider();
      store.failure = new CachalotError(code, 'No such database.');
      expect(await use(cache)).toEqual([null, null, undefined]);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(/^warn \[cachalot-redis\] No such database\./);
    },
  );

  it('a clear that was neither done nor kept rejects, whatever the reason', async () => {
    const cache = provider();
    for (const code of ['CACHALOT_SERVER', 'CACHALOT_UNSUPPORTED', 'CACHALOT_CONFIG'] as const) {
      store.failure = new CachalotError(code, 'READONLY.');
      await expect(cache.clear({ tags: ['t'] })).rejects.toBe(store.failure);
    }
  });

  it('what is no error of ours is not hidden', async () => {
    const cache = provider();
    store.failure = new TypeError('a defect');
    await expect(cache.get({ key: 'k' })).rejects.toBe(store.failure);
  });
});
