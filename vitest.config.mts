import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['__test__/**/*.test.{ts,mjs}'],
    globalSetup: ['__test__/support/global-setup.ts'],
    // Processes, not threads: a native addon is loaded once a file, and a crash is told apart from a failed test.
    pool: 'forks',
    // A flaky test is a defect: it is mended, not repeated.
    retry: 0,
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
