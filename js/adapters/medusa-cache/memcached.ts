/** For `resolve: 'cachalot/medusa/cache/memcached'` under `Modules.CACHE` in medusa-config. */

import type { MedusaCacheModule } from './classes.js';
import { MemcachedCacheService } from './classes.js';

const module: MedusaCacheModule<typeof MemcachedCacheService> = { service: MemcachedCacheService };

export default module;
