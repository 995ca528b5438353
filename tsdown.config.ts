import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: ['js/{index,medusa/index,medusa/redis,medusa/memcached,medusa/memory}.ts'],
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20',
  dts: true,
  // The addon's loader is generated at the root; both formats load that one (package.json, "imports").
  deps: { neverBundle: ['#native'] },
  // A file for each module, once for each format: shared chunks required each other in a circle, which CommonJS cannot load.
  unbundle: true,
});
