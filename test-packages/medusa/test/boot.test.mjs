// What a boot survives and what it refuses.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort, startMemcached, startRedis } from '../../servers.mjs';
import { boot, eventually, packageFolder } from '../support/app.mjs';

describe('a bad option fails the boot and says which', () => {
  const cases = [
    [
      'redis',
      { redisUrl: 'redis://127.0.0.1:1', prefx: 'shop' },
      /cachalot-redis: unknown option "prefx".*closest.*"prefix"/,
    ],
    ['redis', { redisUrl: 'redis://127.0.0.1:1', ttl: 'an hour' }, /"ttl": expected .*, got "an hour"/],
    [
      'redis',
      { redisUrl: 'redis://127.0.0.1:1', prefix: 'shop', redisOptions: { keyPrefix: 'x' } },
      /"prefix" and "redisOptions\.keyPrefix" mean the same and differ/,
    ],
    ['memcached', { serverUrl: ['127.0.0.1:1'] }, /unknown option "serverUrl".*called "serverUrls"/],
    ['memcached', { serverUrls: '127.0.0.1:1' }, /"serverUrls": expected .*, got a string/],
    ['memory', { maxByte: 1 }, /unknown option "maxByte".*closest.*"maxBytes"/],
  ];
  for (const [backend, options, expected] of cases) {
    it(`${backend}: ${JSON.stringify(options)}`, async () => {
      const provider = { id: backend, resolve: `cachalot/medusa/${backend}`, is_default: true, options };
      const { code, said } = await alone('boot', [provider]);
      assert.notEqual(code, 0, said);
      assert.doesNotMatch(said, /finished/);
      assert.match(said, expected);
    });
  }

  it('and the same provider without it boots', async () => {
    const options = { redisUrl: 'redis://127.0.0.1:1', ttl: 60 };
    const provider = { id: 'redis', resolve: 'cachalot/medusa/redis', is_default: true, options };
    const { code, said } = await alone('boot', [provider]);
    assert.equal(code, 0, said);
  });
});

describe('a server that is down', () => {
  const backends = {
    redis: [startRedis, (port) => ({ redisUrl: `redis://127.0.0.1:${port}` })],
    memcached: [startMemcached, (port) => ({ serverUrls: [`127.0.0.1:${port}`] })],
  };
  for (const [id, [start, optionsFor]] of Object.entries(backends)) {
    it(`${id}: the boot succeeds, gets miss, sets and clears resolve, and it works when the server comes`, async () => {
      const port = await freePort();
      const began = Date.now();
      const medusa = await boot([
        { id, resolve: `cachalot/medusa/${id}`, is_default: true, options: optionsFor(port) },
      ]);
      let server;
      try {
        assert.ok(Date.now() - began < 5_000, `booted in ${Date.now() - began} ms`);
        const { caching } = medusa;
        assert.equal(await caching.get({ key: 'k' }), null);
        await caching.set({ key: 'k', data: { n: 1 }, tags: ['Tag:1'] });
        await caching.clear({ tags: ['Tag:1'] });
        assert.equal(await caching.get({ key: 'k' }), null);
        assert.ok(Date.now() - began < 10_000, 'nothing waited for the server');
        const said = medusa.logger.lines.filter(({ level }) => level === 'warn' || level === 'error');
        assert.ok(
          said.some(({ text }) => text.includes(String(port))),
          `a warning names the server: ${JSON.stringify(said)}`,
        );

        server = await start(port);
        await eventually('values are kept', async () => {
          await caching.set({ key: 'k', data: { n: 2 }, tags: ['Tag:1'] });
          return (await caching.get({ key: 'k' }))?.n === 2;
        });
      } finally {
        await medusa.close();
        await server?.stop();
      }
    });
  }
});

describe('a process with Medusa and our providers', () => {
  const providersAt = (redisPort, memcachedPort) => [
    {
      id: 'redis',
      resolve: 'cachalot/medusa/redis',
      is_default: true,
      options: { redisUrl: `redis://127.0.0.1:${redisPort}` },
    },
    {
      id: 'memcached',
      resolve: 'cachalot/medusa/memcached',
      options: { serverUrls: [`127.0.0.1:${memcachedPort}`] },
    },
    { id: 'memory', resolve: 'cachalot/medusa/memory', options: {} },
  ];

  it('ends by itself after the loaders ran, though no server is up (as in db:migrate and exec)', async () => {
    endedByItself(await alone('loaders', providersAt(await freePort(), await freePort())));
  });

  it('ends by itself after it was used and fell idle', async () => {
    const [redis, memcached] = await Promise.all([startRedis(), startMemcached()]);
    try {
      endedByItself(await alone('use', providersAt(redis.port, memcached.port)));
    } finally {
      await Promise.all([redis.stop(), memcached.stop()]);
    }
  });
});

function endedByItself({ code, signal, said, lingered }) {
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, said);
  // Beyond what a timer of a client, or of Medusa, may hold for a moment.
  assert.ok(lingered < 5_000, `it lingered for ${lingered} ms`);
}

/** Importing Medusa alone takes seconds on a slow machine. */
const CHILD_MS = 30_000;

/**
 * Runs support/lone-process.mjs. A boot that fails leaves rejected promises behind in Medusa's loader, which end an
 * application; hence a process of its own. `lingered`: ms from its last word to its end.
 */
async function alone(mode, providers) {
  const script = fileURLToPath(new URL('../support/lone-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, mode, JSON.stringify(providers)], { cwd: packageFolder });
  let said = '';
  let finished = Number.NaN;
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
    if (text.includes('finished')) finished = Date.now();
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), CHILD_MS);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { code, signal, said, lingered: Date.now() - finished };
}
