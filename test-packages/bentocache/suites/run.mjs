// Bentocache's own driver suite over each store, by Japa. Ends with its counts as Node's test runner would write them.

import { assert } from '@japa/assert';
import { configure, processCLIArgs, run } from '@japa/runner';
import { spec } from '@japa/runner/reporters';

const stores = ['memory', 'redis', 'memcached'];
/** The suite has 21 cases; a version with fewer would not be the suite that is meant. */
const CASES = 21;

processCLIArgs([]);
configure({
  // A suite lives in a file of its own, named here: Japa collects tests while it imports these.
  files: stores.map((store) => `suites/${store}.spec.mjs`),
  plugins: [assert()],
  reporters: {
    activated: ['spec', 'counts'],
    list: [spec(), { name: 'counts', handler: counts }],
  },
  retries: 0,
});
run();

function counts(runner, emitter) {
  emitter.on('runner:end', () => {
    const { aggregates } = runner.getSummary();
    const enough = aggregates.passed + aggregates.failed >= stores.length * CASES;
    if (!enough) {
      console.error(
        `Expected ${CASES} cases on each of ${stores.length} stores, got ${aggregates.total} in all.`,
      );
      process.exitCode = 1;
    }
    console.log(`# pass ${aggregates.passed}`);
    console.log(`# fail ${aggregates.failed + (enough ? 0 : 1)}`);
    console.log(`# skipped ${aggregates.skipped}`);
    console.log(`# todo ${aggregates.todo}`);
  });
}
