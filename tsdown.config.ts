import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: [
    'js/index.ts',
    'js/adonis/index.ts',
    'js/bentocache/index.ts',
    'js/glasswork/index.ts',
    'js/keyv/index.ts',
    'js/medusa/{index,redis,memcached,memory}.ts',
    'js/medusa/cache/{index,redis,memcached,memory}.ts',
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
