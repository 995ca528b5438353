// One contract, every store. The cases are in contract/, split by theme.

import { describe } from 'vitest';
import { hostile } from './contract/hostile.js';
import { lifetimes } from './contract/lifetimes.js';
import { medusaContract } from './contract/medusa.js';
import { names } from './contract/names.js';
import { roundTrips } from './contract/round-trips.js';
import { staleness } from './contract/staleness.js';
import { stores } from './contract/stores.js';
import { tagging } from './contract/tagging.js';
import { values } from './contract/values.js';
import { wide } from './contract/wide.js';

for (const store of stores()) {
  describe(store.name, () => {
    describe('Medusa', () => medusaContract(store));
    describe('values', () => values(store));
    describe('lifetimes', () => lifetimes(store));
    describe('names', () => names(store));
    describe('tags', () => tagging(store));
    describe('many tags', () => wide(store));
    describe('staleness', () => staleness(store));
    const { raw } = store;
    if (raw) describe('hostile bytes', () => hostile({ ...store, raw }));
    if (raw) describe('round trips', () => roundTrips(store));
  });
}
