// The providers' contract once more, with values kept in the process: what one provider of it did, every other sees at once,
// on every store. What other programs write is seen at once only where the server tells of it.

import { describe } from 'vitest';
import { hostile } from './contract/hostile.js';
import { lifetimes } from './contract/lifetimes.js';
import { medusaContract } from './contract/medusa.js';
import { names } from './contract/names.js';
import { staleness } from './contract/staleness.js';
import { stores, withL1 } from './contract/stores.js';
import { tagging } from './contract/tagging.js';
import { values } from './contract/values.js';
import { wide } from './contract/wide.js';

for (const store of stores().map(withL1)) {
  describe(store.name, () => {
    describe('Medusa', () => medusaContract(store));
    describe('values', () => values(store));
    describe('lifetimes', () => lifetimes(store));
    describe('names', () => names(store));
    describe('tags', () => tagging(store));
    describe('many tags', () => wide(store));
    describe('staleness', () => staleness(store));
    const { raw } = store;
    if (raw && store.name.startsWith('redis with tracking')) {
      describe('hostile bytes', () => hostile({ ...store, raw }));
    }
  });
}
