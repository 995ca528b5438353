import { test } from '@japa/runner';
import { registerCacheDriverTestSuite } from 'bentocache/test_suite';
import { cachalotDriver } from 'cachalot/bentocache';
import { STORES } from './stores.mjs';

/** As Bentocache makes a driver: its own prefix, and what the suite asks for in its place. */
export function registerSuite(kind) {
  const store = STORES[kind]();
  test.group(`Bentocache's driver suite on ${kind}`, (group) => {
    registerCacheDriverTestSuite({
      test,
      group,
      createDriver: (options) =>
        cachalotDriver({ store, ...options }).factory({ prefix: 'japa', ...options }),
    });
  });
}
