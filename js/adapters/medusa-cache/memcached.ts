/** For `resolve: 'cachalot/medusa/cache/memcached'` under `Modules.CACHE` in medusa-config. */
import { MemcachedCacheService } from './classes.js';
import type { MedusaCacheModule } from './module.js';

const module: MedusaCacheModule<typeof MemcachedCacheService> = { service: MemcachedCacheService };

export default module;
