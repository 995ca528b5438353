import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.mjs'],
    globalSetup: ['support/servers.mjs'],
    // A native addon is loaded once a process.
    pool: 'forks',
    // A flaky test is a defect: it is mended, not repeated.
    retry: 0,
    testTimeout: 20_000,
  },
});
