// What an application compiles against: the adapter is what Keyv 5 declares a store to be. Nothing here runs.

import { CacheModule } from '@nestjs/cache-manager';
import { memory, redis } from 'cachalot';
import Default, { CachalotKeyv, type CachalotKeyvOptions, createKeyv } from 'cachalot/keyv';
import { createCache } from 'cache-manager';
import Keyv, { type KeyvStoreAdapter } from 'keyv';
import { Keyv as Keyv6 } from 'keyv-6';

const store = redis({ url: 'redis://127.0.0.1:6379' });

export const adapter: KeyvStoreAdapter = new CachalotKeyv({ store });
export const same: typeof CachalotKeyv = Default;
export const five: Keyv<number> = new Keyv<number>({ store: new CachalotKeyv({ store }), namespace: 'n' });
export const six = new Keyv6<number>({ store: new CachalotKeyv({ store }), namespace: 'n' });
export const made: Keyv = createKeyv({ store: memory(), namespace: 'n', ttl: 60_000 });
export const manager = createCache({ stores: [five, made] });
export const nest = CacheModule.register({ stores: [made], ttl: 1_000 });

const every: Required<CachalotKeyvOptions> = {
  store,
  prefix: 'p',
  namespace: 'n',
  useKeyPrefix: false,
  throwOnErrors: true,
  guardSets: true,
  logger: { log() {} },
};
export const full = new CachalotKeyv(every);

// @ts-expect-error a store is no URL
new CachalotKeyv({ store: 'redis://127.0.0.1:6379' });
// @ts-expect-error an unknown option
new CachalotKeyv({ store, prefx: 'p' });
createKeyv({ store, ttl: '5m' });
// @ts-expect-error a ttl is milliseconds, or text
createKeyv({ store, ttl: new Date() });
// @ts-expect-error what createKeyv decides itself
createKeyv({ store, useKeyPrefix: true });
