// TLS to real servers, with certificates of this run.

import { execFile } from 'node:child_process';
import { copyFile, readFile, utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCache, memcached, redis, type TlsOptions } from '../js/index.js';
import { redisRaw } from './contract/raw-redis.js';
import { type Authority, type Certificate, encrypted, makeAuthority } from './support/certificates.js';
import { freePort } from './support/ports.js';
import { type MemcachedServer, type RedisServer, startMemcached, startRedis } from './support/servers.js';

let authority: Authority;
let good: Certificate;

beforeAll(async () => {
  authority = await makeAuthority();
  good = await authority.sign();
});
afterAll(() => authority.remove());

interface Listening {
  port: number;
  stop(): Promise<void>;
}

type Encrypted = Listening & { server: RedisServer | MemcachedServer };

async function redisOver({ cert, key }: Certificate, more: string[] = []): Promise<Encrypted> {
  const port = await freePort();
  const args = [
    ...['--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key],
    ...['--tls-ca-cert-file', authority.caFile, '--tls-auth-clients', 'no', ...more],
  ];
  const server = await startRedis({ args });
  return { server, port, stop: () => server.stop() };
}

async function memcachedOver({ cert, key }: Certificate, more: string[] = []): Promise<Encrypted> {
  const args = ['-Z', '-o', [`ssl_chain_cert=${cert}`, `ssl_key=${key}`, ...more].join(',')];
  const server = await startMemcached({ args });
  return { server, port: server.port, stop: () => server.stop() };
}

const kinds = [
  {
    name: 'redis',
    listen: redisOver,
    store: (port: number, tls?: TlsOptions | boolean, host = 'localhost') =>
      redis({ url: `redis://${host}:${port}`, tls, connectTimeout: 600 }),
    byUrl: (port: number, tls: TlsOptions) =>
      redis({ url: `rediss://localhost:${port}`, redisOptions: { tls } }),
    askClients: ['--tls-auth-clients', 'yes'],
  },
  {
    name: 'memcached',
    listen: memcachedOver,
    store: (port: number, tls?: TlsOptions | boolean, host = 'localhost') =>
      memcached({ servers: [`${host}:${port}`], tls, connectTimeout: 600 }),
    byUrl: (port: number, tls: TlsOptions) => memcached({ servers: [`memcacheds://localhost:${port}`], tls }),
    askClients: ['ssl_verify_mode=2'],
  },
] as const;

type Spec = ReturnType<(typeof kinds)[number]['store']>;

const open = (store: Spec) => createCache({ store, errors: 'throw' });

/** Why no connection came about. */
async function refusal(store: Spec): Promise<string> {
  const cache = open(store);
  try {
    await cache.ping();
  } catch (why) {
    return (why as Error).message;
  } finally {
    await cache.close();
  }
  return 'it was connected';
}

describe.each(kinds)('$name over TLS', ({ listen, store, byUrl, askClients, name }) => {
  let up: Encrypted;
  beforeAll(async () => {
    up = await listen(good);
  });
  afterAll(() => up.stop());

  test('a cache does all that it does without, one at a time and many at once, small and large', async () => {
    const cache = open(byUrl(up.port, { ca: authority.ca }));
    try {
      const large = 'x'.repeat(700_000);
      expect(await cache.set({ key: 'large', value: large, tags: ['t'] })).toBe(true);
      for (let i = 0; i < 100; i++) {
        expect(await cache.set({ key: `k${i}`, value: { i }, tags: ['t', `t${i}`] })).toBe(true);
        expect(await cache.get(`k${i}`)).toEqual({ i });
      }
      expect(await cache.get('large')).toBe(large);
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
      const all = await Promise.all(keys.map((key) => cache.get(key)));
      expect(all).toEqual(keys.map((_, i) => ({ i })));
      await cache.deleteByTag({ tags: ['t7'] });
      expect(await cache.get('k7')).toBeUndefined();
      await cache.deleteByTag({ tags: ['t'] });
      expect(await cache.getMany(['large', ...keys])).toEqual([undefined, ...keys.map(() => undefined)]);
    } finally {
      await cache.close();
    }
  });

  test('bytes that arrive in any pieces are put together, and 20 MB go both ways', async () => {
    const cache = open(store(up.port, { ca: authority.ca }));
    try {
      const values = Array.from({ length: 40 }, (_, at) => `${at}`.repeat(250_000));
      await Promise.all(values.map((value, at) => cache.set({ key: `v${at}`, value })));
      expect(await cache.getMany(values.map((_, at) => `v${at}`))).toEqual(values);
    } finally {
      await cache.close();
    }
  });

  test('a server that comes back is used again', async () => {
    const cache = open(store(up.port, { ca: authority.ca }));
    try {
      await cache.set({ key: 'k', value: 1 });
      await up.server.restart();
      await cache.ready({ timeout: '5s' });
      expect(await cache.set({ key: 'k', value: 2 })).toBe(true);
      expect(await cache.get('k')).toBe(2);
    } finally {
      await cache.close();
    }
  });

  test('whom Node.js does not trust is not trusted, and the message says what to give', async () => {
    const message = await refusal(store(up.port, true));
    expect(message).toMatch(/signed by nobody who is trusted.*"tls.ca".*NODE_EXTRA_CA_CERTS/);
    expect(await refusal(store(up.port, { rejectUnauthorized: false }))).toBe('it was connected');
  });

  test('the certificate must be for the host, or for "servername"', async () => {
    const tls = { ca: authority.ca };
    expect(await refusal(store(up.port, tls, '127.0.0.1'))).toMatch(/another name.*"tls.servername"/);
    expect(await refusal(store(up.port, { ...tls, servername: 'other.example' }))).toMatch(/another name/);
    const named = store(up.port, { ...tls, servername: 'localhost' }, '127.0.0.1');
    expect(await refusal(named)).toBe('it was connected');
  });

  test('an expired certificate is refused, and the message says so', async () => {
    const old = await listen(await authority.sign({ expired: true }));
    try {
      expect(await refusal(store(old.port, { ca: authority.ca }))).toMatch(/has expired. Renew it/);
    } finally {
      await old.stop();
    }
  });

  test('a certificate that its own key signed is trusted where it is given as "ca"', async () => {
    const itself = await authority.selfSigned();
    const own = await listen(itself);
    try {
      const ca = await readFile(itself.cert, 'utf8');
      expect(await refusal(store(own.port, { ca }))).toBe('it was connected');
      expect(await refusal(store(own.port, { ca, servername: 'other.example' }))).toMatch(/another name/);
      expect(await refusal(store(own.port, { ca: authority.ca }))).not.toBe('it was connected');
    } finally {
      await own.stop();
    }
  });

  test('a server that asks for a client certificate gets it, of a locked key too', async () => {
    const more = name === 'redis' ? askClients : [...askClients, `ssl_ca_cert=${authority.caFile}`];
    const asking = await listen(good, [...more]);
    try {
      const ca = authority.ca;
      expect(await refusal(store(asking.port, { ca }))).toMatch(/"tls.cert" and "tls.key"|hung up/);
      const { cert, key } = await authority.sign({ names: 'DNS:client' });
      expect(await refusal(store(asking.port, { ca, cert: { file: cert }, key: { file: key } }))).toBe(
        'it was connected',
      );
      const locked = await encrypted(key, 'open sesame');
      const text = await readFile(cert);
      const opened = store(asking.port, { ca, cert: text, key: locked, passphrase: 'open sesame' });
      expect(await refusal(opened)).toBe('it was connected');
    } finally {
      await asking.stop();
    }
  });

  // memcached has no option for the newest version.
  test.skipIf(name === 'memcached')('a minimum of TLS 1.3 is kept', async () => {
    const old = await listen(good, ['--tls-protocols', 'TLSv1.2']);
    try {
      expect(await refusal(store(old.port, { ca: authority.ca }))).toBe('it was connected');
      expect(await refusal(store(old.port, { ca: authority.ca, minVersion: 'TLSv1.3' }))).toMatch(
        /minVersion/,
      );
    } finally {
      await old.stop();
    }
  });

  test('a plain address of a TLS port, and TLS to a plain one, say what is wrong', async () => {
    expect(await refusal(store(up.port))).toMatch(/speaks TLS/);
    const plain = name === 'redis' ? await startRedis() : await startMemcached();
    try {
      const encrypted = await refusal(store(plain.port, { ca: authority.ca }));
      expect(encrypted).toMatch(/did not answer with TLS|speak TLS/);
    } finally {
      await plain.stop();
    }
  });
});

test('files that changed are read again by the next connection', async () => {
  const other = await makeAuthority();
  const up = await redisOver(good, ['--tls-auth-clients', 'yes']);
  const raw = redisRaw(up.server.port);
  const client = await authority.sign({ names: 'DNS:client' });
  const cache = open(
    redis({
      url: `rediss://localhost:${up.port}`,
      tls: { ca: { file: authority.caFile }, cert: { file: client.cert }, key: { file: client.key } },
      connectTimeout: 1000,
    }),
  );
  try {
    expect(await cache.set({ key: 'k', value: 1 })).toBe(true);
    const [server, fresh] = [await other.sign(), await other.sign({ names: 'DNS:client' })];
    await raw.command(
      ...['CONFIG', 'SET', 'tls-ca-cert-file', other.caFile, 'tls-cert-file', server.cert],
      ...['tls-key-file', server.key],
    );
    const soon = new Date(Date.now() + 2000);
    for (const [from, to] of [
      [other.caFile, authority.caFile],
      [fresh.cert, client.cert],
      [fresh.key, client.key],
    ] as const) {
      await copyFile(from, to);
      await utimes(to, soon, soon);
    }
    await raw.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await sleep(50);
    await cache.ready({ timeout: '5s' });
    expect(await cache.get('k')).toBe(1);
  } finally {
    await cache.close();
    await up.stop();
    await other.remove();
  }
});

test('a file named by NODE_EXTRA_CA_CERTS is trusted, and the whole works for who only changes the URL', async () => {
  const own = await makeAuthority();
  const up = await redisOver(await own.sign());
  try {
    const program = `
      const { createCache, redis } = await import(process.argv[1]);
      const cache = createCache({ store: redis('rediss://localhost:${up.port}'), errors: 'throw' });
      await cache.set({ key: 'k', value: 'found' });
      console.log(await cache.get('k'));
      await cache.close();`;
    const entry = new URL('../dist/index.mjs', import.meta.url).href;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', program, entry],
      { env: { ...process.env, NODE_EXTRA_CA_CERTS: own.caFile } },
    );
    expect(stdout).toBe('found\n');
  } finally {
    await up.stop();
    await own.remove();
  }
});
