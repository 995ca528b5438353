// `npm ci && npm test` in this folder: packs the project as it would be published, installs that tarball here, starts a
// Postgres, migrates and seeds the application with Medusa's own commands, and runs the tests. Before: apt-get install
// postgresql redis-server memcached.

import { fileURLToPath } from 'node:url';
import { installPacked, must, runTests } from '../packed.mjs';
import { databases, SEEDED } from './support/databases.mjs';
import { startPostgres } from './support/postgres.mjs';

/** On two idle cores they take three minutes, most of it Medusa's own queries. */
const TESTS_MS = 20 * 60_000;

const here = fileURLToPath(new URL('.', import.meta.url));

installPacked(here, '@medusajs/medusa');

// So that an interrupted run leaves no server and no data behind, as one that ends.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const postgres = await startPostgres();
const env = {
  // Otherwise Medusa looks for a TypeScript compiler and complains that there is none.
  NODE_ENV: 'production',
  LOG_LEVEL: 'error',
  MEDUSA_DISABLE_TELEMETRY: 'true',
  SHOP_POSTGRES: postgres.url,
};
const medusa = (...args) =>
  must(process.execPath, ['node_modules/@medusajs/cli/cli.js', ...args], {
    cwd: here,
    env: { ...env, DATABASE_URL: `${postgres.url}/${SEEDED}` },
  });
postgres.createDatabase(SEEDED);
medusa('db:migrate');
medusa('exec', './support/seed.js');
for (const name of databases) postgres.createDatabase(name, SEEDED);

// Further words on the command line are the runner's: --test-name-pattern, or files.
const { passed, failed, ok } = runTests(here, process.argv.slice(2), env, {
  timeout: TESTS_MS,
});
await postgres.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(ok ? 0 : 1);
