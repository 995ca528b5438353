// Servers that all test files share; each test takes a prefix of its own.

import type { TestProject } from 'vitest/node';
import { type MemcachedServer, type RedisServer, startMemcached, startRedis } from './servers.js';

export interface SharedServers {
  redis: { url: string; port: number; socket: string };
  /** `host:port` of several instances. */
  memcached: string[];
}

declare module 'vitest' {
  export interface ProvidedContext {
    servers: SharedServers;
  }
}

/** Enough to see that keys are spread, and that one can be away. */
const MEMCACHED_INSTANCES = 3;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const settled = await Promise.allSettled<RedisServer | MemcachedServer>([
    startRedis(),
    ...Array.from({ length: MEMCACHED_INSTANCES }, () => startMemcached({ args: ['-m', '512'] })),
  ]);
  const started = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async () => void (await Promise.all(started.map((server) => server.stop())));
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const [redis, ...memcached] = started as [RedisServer, ...MemcachedServer[]];
  project.provide('servers', {
    redis: { url: redis.url, port: redis.port, socket: redis.socket },
    memcached: memcached.map((server) => server.address),
  });
  return stop;
}
