// Servers that all test files share.

import { startMemcached, startRedis } from '../../servers.mjs';

export default async function setup(project) {
  const redis = await startRedis();
  const memcached = await startMemcached();
  project.provide('ports', { redis: redis.port, memcached: memcached.port });
  return async () => {
    await Promise.all([redis.stop(), memcached.stop()]);
  };
}
