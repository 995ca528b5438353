// Another process, or thread, that replaces and clears as it is told, and answers when that has resolved.

import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { createCache, memcached, memory, redis } from 'cachalot';

const { kind, options } = JSON.parse(isMainThread ? process.argv[2] : workerData);
const cache = createCache({ store: { memcached, memory, redis }[kind](options), errors: 'throw' });
const port = isMainThread ? process : parentPort;
const send = (message) => (isMainThread ? process.send(message) : parentPort.postMessage(message));

const ways = {
  set: (key, value, tag) => cache.set({ key, value, tags: [tag] }),
  delete: (key) => cache.delete(key),
  pull: (key) => cache.pull(key),
  expire: (key) => cache.expire(key),
  deleteByTag: (_key, _value, tag) => cache.deleteByTag([tag]),
  expireByTag: (_key, _value, tag) => cache.expireByTag([tag]),
  clear: () => cache.clear(),
  clearNamespace: (key) => cache.namespace(key.split(':')[0]).clear(),
};

port.on('message', async ({ id, way, key, value, tag }) => {
  try {
    await ways[way](key, value, tag);
    send({ id });
  } catch (error) {
    send({ id, error: String(error) });
  }
});
send({ ready: true });
