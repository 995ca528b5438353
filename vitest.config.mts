import { defineConfig } from 'vitest/config';

/** They count what happens in a second, or fill servers: nothing else runs beside them. */
const ALONE = ['__test__/scale.test.ts', '__test__/mass.test.ts'];
/** Most files wait for a ttl or a deadline most of the time: two cores serve twice as many of them. */
const AT_ONCE = 4;

const shared = {
  globalSetup: ['__test__/support/global-setup.ts'],
  // Processes, not threads: a native addon is loaded once a file, and a crash is told apart from a failed test.
  pool: 'forks' as const,
  // A flaky test is a defect: it is mended, not repeated.
  retry: 0,
  testTimeout: 20_000,
  hookTimeout: 20_000,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'side by side',
          include: ['__test__/**/*.test.{ts,mjs}'],
          exclude: ALONE,
          maxWorkers: AT_ONCE,
          sequence: { groupOrder: 1 },
        },
      },
      { test: { ...shared, name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
});
