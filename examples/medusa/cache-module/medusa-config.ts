import { defineConfig, loadEnv } from '@medusajs/framework/utils';

loadEnv(process.env.NODE_ENV || 'development', process.cwd());

module.exports = defineConfig({
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    http: {
      storeCors: process.env.STORE_CORS ?? '',
      adminCors: process.env.ADMIN_CORS ?? '',
      authCors: process.env.AUTH_CORS ?? '',
      jwtSecret: process.env.JWT_SECRET,
      cookieSecret: process.env.COOKIE_SECRET,
    },
  },
  modules: [
    {
      key: 'cache',
      // Was: resolve: "@medusajs/medusa/cache-redis". On memcached and in process memory it is
      // "cachalot/medusa/cache/memcached" with { location: "127.0.0.1:11211" }, and "cachalot/medusa/cache/memory".
      resolve: 'cachalot/medusa/cache/redis',
      options: {
        redisUrl: process.env.CACHE_REDIS_URL ?? 'redis://127.0.0.1:6379',
        ttl: 30,
      },
    },
  ],
});
