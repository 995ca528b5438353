/** Keyv 5 and 6 on Cachalot, and with Keyv cache-manager and NestJS. */
export { CachalotKeyv, CachalotKeyv as default } from './adapter.js';
export { type CreateKeyvOptions, createKeyv } from './create.js';
export type { CachalotKeyvOptions } from './options.js';
export type { CachalotKeyvDescription, CachalotKeyvEntry, CachalotKeyvEvents } from './types.js';
