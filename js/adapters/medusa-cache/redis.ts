/** For `resolve: 'cachalot/medusa/cache/redis'` under `Modules.CACHE` in medusa-config. */

import type { MedusaCacheModule } from './classes.js';
import { RedisCacheService } from './classes.js';

const module: MedusaCacheModule<typeof RedisCacheService> = { service: RedisCacheService };

export default module;
