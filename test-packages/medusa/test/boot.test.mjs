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
    ['redis', { redisUrl: 'redis://127.0.0.1:1', prefx: 'shop' }, [/prefx/, /prefix/]],
    ['redis', { redisUrl: 'redis://127.0.0.1:1', ttl: 'an hour' }, [/ttl/]],
    ['redis', { redisUrl: 'redis://127.0.0.1:1', redisOptions: { keyPrefix: 'x' } }, [/keyPrefix/]],
    ['memcached', { serverUrl: ['127.0.0.1:1'] }, [/serverUrl/, /serverUrls/]],
    ['memcached', { serverUrls: '127.0.0.1:1' }, [/serverUrls/]],
    ['memory', { maxByte: 1 }, [/maxByte/]],
  ];
  for (const [backend, options, expected] of cases) {
    it(`${backend}: ${JSON.stringify(options)}`, async () => {
      await assert.rejects(
        boot([{ id: backend, resolve: `cachalot/medusa/${backend}`, is_default: true, options }]),
        (error) => {
          for (const pattern of expected) assert.match(error.message, pattern);
          return true;
        },
      );
    });
  }
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
  it('ends by itself after the loaders ran, though no server is up (as in db:migrate and exec)', async () => {
    const [redis, memcached] = [await freePort(), await freePort()];
    await endsByItself('loaders', redis, memcached);
  });

  it('ends by itself after it was used and fell idle', async () => {
    const [redis, memcached] = await Promise.all([startRedis(), startMemcached()]);
    try {
      await endsByItself('idle', redis.port, memcached.port);
    } finally {
      await Promise.all([redis.stop(), memcached.stop()]);
    }
  });
});

/** Importing Medusa alone takes seconds on a slow machine. */
const CHILD_MS = 30_000;

async function endsByItself(mode, redisPort, memcachedPort) {
  const script = fileURLToPath(new URL('../support/lone-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, mode, String(redisPort), String(memcachedPort)], {
    cwd: packageFolder,
  });
  let said = '';
  let finished = 0;
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
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, said);
  assert.notEqual(finished, 0, said);
  // Beyond what a timer of a client, or of Medusa, may hold for a moment.
  assert.ok(Date.now() - finished < 5_000, `it lingered for ${Date.now() - finished} ms`);
}
