// The contestants of the shop: Medusa's providers for Redis. Each has a redis-server of its own, so that the server's CPU,
// memory and keys are those of one contestant.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { startRedis } from '../../test-packages/servers.mjs';
import { PEERS } from '../peers/index.mjs';

const NAMES = ['cachalot redis', 'caching-redis'];

/** As PEERS, but `open` starts the server, and the client has what `onItsServer` adds. */
export const SHOP_PEERS = PEERS.filter(({ name }) => NAMES.includes(name)).map((peer) => ({
  ...peer,
  server: 'shop',
  async open() {
    const server = await startRedis();
    return onItsServer(await peer.open({ redisPort: server.port }), server);
  },
}));

async function onItsServer(client, server) {
  const { default: Redis } = await import('ioredis');
  const admin = new Redis(server.port);
  const used = async () => Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))[1]) / 2 ** 20;
  const look = async () => ({ redisMemory: await used(), keys: await admin.dbsize() });
  let before = await look();
  return {
    ...client,
    pid: server.pid,
    /** Removes everything from the server. A client that finds its bookkeeping gone begins it again with the first set. */
    async empty() {
      await admin.flushall();
      await client.set('first', { first: true }, null);
      await client.get('first');
      before = await look();
    },
    /** MiB and keys since it was empty. */
    async stored() {
      const { redisMemory, keys } = await look();
      return { redisMemory: redisMemory - before.redisMemory, keys: keys - before.keys };
    },
    /** Pings the server from another thread. @returns a function: ends that, and gives `[{ sent, took }]` in ms */
    async pings() {
      const worker = new Worker(new URL('ping-worker.mjs', import.meta.url), { workerData: server.port });
      await once(worker, 'message');
      return async () => {
        worker.postMessage('end');
        const [pings] = await once(worker, 'message');
        return pings;
      };
    },
    async close() {
      admin.disconnect();
      await client.close();
      await server.stop();
    },
  };
}
