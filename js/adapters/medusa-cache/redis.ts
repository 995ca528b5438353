/** For `resolve: 'cachalot/medusa/cache/redis'` under `Modules.CACHE` in medusa-config. */
import { RedisCacheService } from './classes.js';
import type { MedusaCacheModule } from './module.js';

const module: MedusaCacheModule<typeof RedisCacheService> = { service: RedisCacheService };

export default module;
