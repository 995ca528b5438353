// The same for CommonJS, by both ways of importing.

import cachalot = require('cachalot');
import keyv = require('cachalot/keyv');

import CachalotKeyv, { createKeyv } from 'cachalot/keyv';

const store = cachalot.memory();
export const adapters: CachalotKeyv[] = [
  new CachalotKeyv({ store }),
  new keyv.CachalotKeyv({ store }),
  new keyv.default({ store, namespace: 'users' }),
];
export const made = createKeyv({ store, ttl: 60_000 });

// @ts-expect-error a store is no URL
new keyv.CachalotKeyv({ store: 'redis://127.0.0.1:6379' });
