/** For `resolve: 'cachalot/medusa/cache/memory'` under `Modules.CACHE` in medusa-config. */
import { MemoryCacheService } from './classes.js';
import type { MedusaCacheModule } from './module.js';

const module: MedusaCacheModule<typeof MemoryCacheService> = { service: MemoryCacheService };

export default module;
