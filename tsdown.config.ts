import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: [
    'js/index.ts',
    'js/adapters/adonis/index.ts',
    'js/adapters/bentocache/index.ts',
    'js/adapters/glasswork/index.ts',
    'js/adapters/keyv/index.ts',
    'js/adapters/medusa/{index,redis,memcached,memory}.ts',
    'js/adapters/medusa-cache/{index,redis,memcached,memory}.ts',
  ],
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20',
  dts: true,
  // The addon's loader is generated at the root; both formats load that one (package.json, "imports").
  deps: { neverBundle: ['#native'] },
  // A file for each module, once for each format: shared chunks required each other in a circle, which CommonJS cannot load.
  unbundle: true,
});
