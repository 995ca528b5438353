// The server goes away: the driver throws, and Bentocache does with it what its options say.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memcached, redis } from 'cachalot';
import { startMemcached, startRedis } from '../../servers.mjs';
import { bento } from '../support/bento.mjs';

const servers = {
  redis: [startRedis, (port) => redis({ url: `redis://127.0.0.1:${port}` })],
  memcached: [startMemcached, (port) => memcached({ servers: [`127.0.0.1:${port}`] })],
};

for (const [kind, [start, storeAt]] of Object.entries(servers)) {
  describe(`${kind} is away`, () => {
    it('alone, Bentocache throws its own error with ours as the cause', async () => {
      const server = await start();
      const lines = [];
      const logger = { child: () => logger };
      for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
        logger[level] = (message) => typeof message === 'string' && lines.push(`${level}: ${message}`);
      const cache = bento(storeAt(server.port), { logger });
      try {
        await cache.set({ key: 'k', value: 1, ttl: '1m' });
        await server.stop();
        for (const call of [
          () => cache.get({ key: 'k' }),
          () => cache.set({ key: 'k', value: 2 }),
          () => cache.delete({ key: 'k' }),
          () => cache.clear(),
        ])
          await assert.rejects(call, (error) => {
            assert.equal(error.code ?? error.constructor.code, 'E_L2_CACHE_ERROR');
            assert.match(error.cause.code, /^CACHALOT_(CONNECTION|TIMEOUT)$/);
            return true;
          });
        const told = lines.filter((line) => line.startsWith('warn: [cachalot]'));
        assert.equal(told.length, 1, `one line of the outage: ${lines.join('\n')}`);
      } finally {
        await cache.disconnectAll();
        await server.stop();
      }
    });

    it("with Bentocache's memory above it, values still come and new ones are kept there", async () => {
      const server = await start();
      const cache = bento(storeAt(server.port), { l1: true });
      try {
        await cache.set({ key: 'k', value: 1, ttl: '1m' });
        await server.stop();
        assert.equal(await cache.get({ key: 'k' }), 1);
        assert.equal(await cache.getOrSet({ key: 'other', factory: () => 2, ttl: '1m' }), 2);
        assert.equal(await cache.get({ key: 'other' }), 2);
      } finally {
        await cache.disconnectAll();
        await server.stop();
      }
    });
  });
}
