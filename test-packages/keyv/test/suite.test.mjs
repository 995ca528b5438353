// Keyv's own published test suite (for Keyv 5) over every store, with Keyv 5 and with Keyv 6.

import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import Keyv from 'keyv';
import { Keyv as Keyv6 } from 'keyv-6';
import * as vitest from 'vitest';
import { adapters, STORES } from '../support/stores.mjs';

/** Keyv 6 answers a delete of many with a list, which is never falsy; keyv.test.mjs has the case in its place. */
const CHANGED_IN_6 = '.deleteMany([keys]) with nonexistent keys resolves to false';

let left = 0;
const suiteFor6 = {
  ...vitest,
  it(name, ...rest) {
    if (name === CHANGED_IN_6) left++;
    else vitest.it(name, ...rest);
  },
};

for (const [version, Tested, test] of [
  ['Keyv 5', Keyv, vitest],
  ['Keyv 6', Keyv6, suiteFor6],
]) {
  vitest.describe.each(Object.entries(STORES))(`${version} on %s`, (kind, spec) => {
    const adapter = adapters(spec);
    const store = () => adapter();
    keyvTestSuite(test, Tested, store);
    if (kind !== 'memcached') keyvIteratorTests(test, Tested, store);
  });
}

vitest.it('leaves out one case of the suite for Keyv 6, on each store', () => {
  vitest.expect(left).toBe(Object.keys(STORES).length);
});
