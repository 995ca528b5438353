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
  // The Caching Module sits behind this flag.
  featureFlags: { caching: true },
  modules: [
    {
      resolve: '@medusajs/medusa/caching',
      options: {
        providers: [
          {
            // Was: resolve: "./src/modules/memcached", a provider of your own as the guide on Memcached writes it.
            resolve: 'cachalot/medusa/memcached',
            id: 'caching-memcached',
            is_default: true,
            options: {
              serverUrls: (process.env.MEMCACHED_SERVERS ?? '127.0.0.1:11211').split(','),
              cachePrefix: 'medusa',
              defaultTtl: 3600,
            },
          },
        ],
      },
    },
  ],
});
