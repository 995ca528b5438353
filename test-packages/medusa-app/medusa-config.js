// The application, as the `medusa` command and the tests load it: Medusa's modules as they are by default, and the
// Caching Module with the provider that the environment names.

const { Modules, defineConfig } = require('@medusajs/framework/utils');

const { SHOP_CACHING_MODULE, SHOP_PROVIDER } = process.env;
const provider = SHOP_PROVIDER ?? '{ "resolve": "cachalot/medusa/memory" }';

module.exports = defineConfig({
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    // The server has no certificate, and is reached by loopback alone.
    databaseDriverOptions: { ssl: false },
    // Nobody logs in here, but without them Medusa does not start.
    http: { jwtSecret: 'nobody', cookieSecret: 'nobody' },
  },
  admin: { disable: true },
  featureFlags: { caching: true },
  modules: [
    {
      key: Modules.CACHING,
      resolve: SHOP_CACHING_MODULE ?? '@medusajs/medusa/caching',
      options: { providers: [{ id: 'cachalot', is_default: true, ...JSON.parse(provider) }] },
    },
  ],
});
