import { Env } from '@adonisjs/core/env';

export default await Env.create(new URL('../', import.meta.url), {
  CACHE_REDIS_URL: Env.schema.string(),
  CACHE_MEMCACHED: Env.schema.string(),
});
