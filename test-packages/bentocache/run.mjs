// `npm ci && npm test` in this folder: installs the project as it would be published, compiles a consumer against it and
// Bentocache, runs Bentocache's own driver suite by Japa over every store, and then Bentocache itself.

import { fileURLToPath } from 'node:url';
import { installPacked, must, run, runTests } from '../packed.mjs';
import { startMemcached, startRedis } from '../servers.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

installPacked(here, 'bentocache');
const checks = ['types/tsconfig.node16.json', 'types/tsconfig.bundler.json'];
for (const project of checks)
  must(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], { cwd: here });

const words = process.argv.slice(2);
const redis = await startRedis();
const memcached = await startMemcached();
const env = {
  CACHE_REDIS: `redis://127.0.0.1:${redis.port}`,
  CACHE_MEMCACHED: `127.0.0.1:${memcached.port}`,
};
// Japa's words and those of Node's runner are not the same: any given go to the latter alone.
const suites =
  words.length > 0 ? { status: 0 } : run(process.execPath, ['suites/run.mjs'], { cwd: here, env });
const { passed, failed, ok } = runTests(here, words, env);
await Promise.all([redis.stop(), memcached.stop()]);
console.log(
  `Bentocache: ${passed} tests of ours passed, ${failed} failed; ${checks.length} type checks passed.`,
);
process.exit(suites.status === 0 && ok ? 0 : 1);
