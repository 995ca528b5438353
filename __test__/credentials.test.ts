// Credentials that change, on a real server.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Cache, createCache, type RedisCredentials, redis } from '../js/index.js';
import { redisRaw } from './contract/raw-redis.js';
import { type RedisServer, startRedis } from './support/servers.js';

let server: RedisServer;
let raw: ReturnType<typeof redisRaw>;
/** The server takes this one only. */
let valid: string;

async function rotate(password: string): Promise<void> {
  valid = password;
  await raw.command('ACL', 'SETUSER', 'app', 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
}

beforeAll(async () => {
  server = await startRedis();
  raw = redisRaw(server.port);
});
beforeEach(() => rotate('first'));
afterAll(() => server.stop());

function open(credentials: () => RedisCredentials | Promise<RedisCredentials>, tracking = true): Cache {
  return createCache({
    store: redis({ url: server.url, credentials, tracking, connectTimeout: 1500 }),
    errors: 'throw',
  });
}

const connections = async () => {
  const list = String(await raw.command('CLIENT', 'LIST'));
  return list.split('\n').filter((line) => / user=app /.test(line));
};

test.each([true, false])('they are waited for at the start (RESP3: %s)', async (tracking) => {
  const cache = open(async () => {
    await sleep(200);
    return { username: 'app', password: valid };
  }, tracking);
  try {
    expect(await cache.set({ key: 'k', value: 1 })).toBe(true);
    expect(await cache.get('k')).toBe(1);
  } finally {
    await cache.close();
  }
});

test('before they end a living connection logs in anew, and stays', async () => {
  const asked = vi.fn(() => ({ username: 'app', password: valid, expiresAt: Date.now() + 1500 }));
  const cache = open(asked);
  try {
    await cache.set({ key: 'k', value: 1 });
    const [before] = await connections();
    await raw.command('CONFIG', 'RESETSTAT');
    await raw.command('ACL', 'SETUSER', 'app', '>second');
    valid = 'second';
    await vi.waitFor(() => expect(asked.mock.calls.length).toBeGreaterThan(1), 4000);
    await sleep(100);
    const [after, ...others] = await connections();
    expect(String(await raw.command('INFO', 'commandstats'))).toMatch(/cmdstat_auth:calls=[1-9]/);
    expect(after).toMatch(/^id=/);
    expect(after?.split(' ')[0]).toBe(before?.split(' ')[0]);
    expect(others).toEqual([]);
    // What it logged in with last is seen where the first password goes: Redis ends no connection by that alone.
    await raw.command('ACL', 'SETUSER', 'app', '<first');
    await raw.command('CLIENT', 'KILL', 'USER', 'app');
    await cache.ready({ timeout: '3s' });
    expect(await cache.get('k')).toBe(1);
  } finally {
    await cache.close();
  }
});

test('refused ones are asked for anew, at most once a second, and then it works by itself', async () => {
  const asked = vi.fn(() => ({ username: 'app', password: valid }));
  const cache = open(asked);
  try {
    await cache.set({ key: 'k', value: 1 });
    expect(asked).toHaveBeenCalledTimes(1);
    await rotate('third');
    await raw.command('CLIENT', 'KILL', 'USER', 'app');
    await vi.waitFor(async () => expect(await cache.get('k')).toBe(1), { timeout: 5000, interval: 50 });
    expect(asked).toHaveBeenCalledTimes(2);
  } finally {
    await cache.close();
  }
});

test('wrong ones for a while hammer neither the function nor the server', async () => {
  const asked = vi.fn(() => ({ username: 'app', password: 'wrong' }));
  const cache = open(asked);
  try {
    await sleep(2500);
    await expect(cache.get('k')).rejects.toThrow(/refused the credentials/);
    expect(asked.mock.calls.length).toBeGreaterThan(1);
    expect(asked.mock.calls.length).toBeLessThan(5);
  } finally {
    await cache.close();
  }
});

test('a function that fails is said and asked again, and nothing shows what it gave', async () => {
  const lines: string[] = [];
  let calls = 0;
  const cache = createCache({
    store: redis({
      url: server.url,
      credentials: () => {
        if (calls++ === 0) throw new Error('no token service');
        return { username: 'app', password: valid };
      },
      connectTimeout: 3000,
      commandTimeout: 3000,
    }),
    errors: 'throw',
    logger: {
      log: () => {},
      info: () => {},
      error: () => {},
      warn: (line: unknown) => void lines.push(String(line)),
    },
  });
  try {
    expect(await cache.set({ key: 'k', value: 1 })).toBe(true);
    expect(lines.join('\n')).toMatch(/"credentials" failed \(no token service\)/);
    expect(lines.join('\n')).not.toContain(valid);
  } finally {
    await cache.close();
  }
});

test('a function that never answers is given up and asked again', { timeout: 40_000 }, async () => {
  let calls = 0;
  const cache = open(() =>
    calls++ === 0 ? new Promise<never>(() => {}) : { username: 'app', password: valid },
  );
  try {
    await vi.waitFor(async () => expect(await cache.set({ key: 'k', value: 1 })).toBe(true), {
      timeout: 38_000,
      interval: 500,
    });
    expect(calls).toBe(2);
  } finally {
    await cache.close();
  }
});

test('what is said twice is refused', () => {
  const credentials = () => ({ password: 'x' });
  expect(() => redis({ url: 'redis://:secret@h', credentials })).toThrow(/"credentials".*"password"/);
  expect(() => redis({ url: 'redis://h', credentials: 'x' as never })).toThrow(
    /"credentials": expected a function/,
  );
});
