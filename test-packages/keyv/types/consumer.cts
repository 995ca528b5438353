// The same for CommonJS.

import { memory } from 'cachalot';
import Default, { CachalotKeyv, createKeyv } from 'cachalot/keyv';
import { Keyv, type KeyvStoreAdapter } from 'keyv';

export const adapter: KeyvStoreAdapter = new CachalotKeyv({ store: memory() });
export const same: typeof CachalotKeyv = Default;
export const five: Keyv<number> = new Keyv<number>({ store: adapter });
export const made: Keyv = createKeyv({ store: memory(), namespace: 'n' });

// @ts-expect-error a store is no URL
createKeyv({ store: 'redis://127.0.0.1:6379' });
