// `Cache` over every store. The cases are in cache/, split by theme.

import { describe } from 'vitest';
import { basics } from './cache/basics.js';
import { specs } from './cache/caches.js';
import { computing } from './cache/computing.js';
import { grace } from './cache/grace.js';
import { namespaces } from './cache/namespaces.js';
import { nesting } from './cache/nesting.js';
import { waiting } from './cache/waiting.js';

for (const store of specs()) {
  describe(store.name, () => {
    describe('basics', () => basics(store));
    describe('namespaces', () => namespaces(store));
    describe('computing', () => computing(store));
    describe('grace', () => grace(store));
    describe('nesting', () => nesting(store));
    describe('waiting', () => waiting(store));
  });
}
