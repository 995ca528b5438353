import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that take longest begin first, or they would be waited for at the end. */
const LONG = [
  '/cache.test.ts',
  '/scale.test.ts',
  '/cache/processes.test.ts',
  '/outages.test.ts',
  '/contract.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => LONG.findLastIndex((name) => moduleId.endsWith(name));
    const place = (file: TestSpecification) => (rank(file) < 0 ? LONG.length : rank(file));
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ['__test__/**/*.test.{ts,mjs}'],
    globalSetup: ['__test__/support/global-setup.ts'],
    // Processes, not threads: a native addon is loaded once a file, and a crash is told apart from a failed test.
    pool: 'forks',
    // Most files wait for a ttl or a deadline most of the time: two cores serve twice as many of them.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // A flaky test is a defect: it is mended, not repeated.
    retry: 0,
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
