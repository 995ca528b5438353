import { redisUrl, TTL } from './connection.mjs';

const bento = (name, server, against, layers) => ({
  name,
  server,
  package: 'bentocache',
  tagged: true,
  against,
  async open(ports) {
    const { BentoCache, bentostore } = await import('bentocache');
    const { memoryDriver } = await import('bentocache/drivers/memory');
    const { redisDriver } = await import('bentocache/drivers/redis');
    const { default: Redis } = await import('ioredis');
    const connection = new Redis(redisUrl(ports));
    const store = layers(bentostore(), memoryDriver).useL2Layer(redisDriver({ connection }));
    const client = new BentoCache({ default: 'main', prefix: 'bento', stores: { main: store } });
    const ttl = TTL * 1_000;
    return {
      get: (key) => client.get({ key }),
      set: (key, value, tags) => client.set(tags === null ? { key, value, ttl } : { key, value, ttl, tags }),
      clear: (tag) => client.deleteByTag({ tags: [tag] }),
      close: () => client.disconnect(),
    };
  },
});

export const peers = [
  bento('bentocache redis', 'redis', ['cachalot Cache redis'], (store) => store),
  bento(
    'bentocache memory + redis',
    'process',
    ['cachalot Cache redis + l1', 'cachalot Cache memory'],
    (store, memory) => store.useL1Layer(memory({ maxSize: '64mb' })),
  ),
];
