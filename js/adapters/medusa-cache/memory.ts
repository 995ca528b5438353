/** For `resolve: 'cachalot/medusa/cache/memory'` under `Modules.CACHE` in medusa-config. */

import type { MedusaCacheModule } from './classes.js';
import { MemoryCacheService } from './classes.js';

const module: MedusaCacheModule<typeof MemoryCacheService> = { service: MemoryCacheService };

export default module;
