// How long loading modules takes, in a process that has loaded nothing else.    node start-child.mjs SPECIFIER...

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const specifiers = process.argv.slice(2);
const began = performance.now();
let how = 'require';
for (const specifier of specifiers) {
  try {
    require(specifier);
  } catch (error) {
    // ES modules only, before Node.js 22.
    if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
    how = 'import';
    await import(specifier);
  }
}
console.log(JSON.stringify({ milliseconds: performance.now() - began, how }));
process.exit(0);
