// Completes package-lock.json with the entries of other platforms' optional packages.
//
// npm leaves an optional dependency out of the lockfile when the registry it was pointed at (a partial mirror) does not
// have it, and then `npm ci` refuses that lockfile everywhere. The parent names the exact version, and the package's
// name the platform, which is all that npm needs to skip it, or to fetch it where it belongs. Run after `npm install`:
//   node scripts/complete-lockfile.mjs [package-lock.json]
import { readFileSync, writeFileSync } from 'node:fs';

const OS = {
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  linux: 'linux',
  openharmony: 'openharmony',
  win32: 'win32',
};
const CPU = {
  arm: 'arm',
  arm64: 'arm64',
  ia32: 'ia32',
  loong64: 'loong64',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  universal: undefined,
  wasm32: 'wasm32',
  x64: 'x64',
};
const LIBC = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

const file = process.argv[2] ?? 'package-lock.json';
const lock = JSON.parse(readFileSync(file, 'utf8'));
let added = 0;
for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] || lock.packages[`${path}/node_modules/${name}`]) {
      continue;
    }
    const words = name.split(/[-/]/);
    const named = (table) => [...new Set(words.map((word) => table[word]).filter(Boolean))];
    const [os, cpu, libc] = [named(OS), named(CPU), named(LIBC)];
    if (!/^\d+\.\d+\.\d+/.test(version) || (os.length === 0 && cpu.length === 0)) {
      throw new Error(
        `${name}@${version}: expected an exact version and a platform in the name; add it by hand.`,
      );
    }
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(cpu.length > 0 && { cpu }),
      ...(parent.dev && { dev: true }),
      ...(os.includes('linux') && libc.length > 0 && { libc }),
      optional: true,
      ...(os.length > 0 && { os }),
    };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${file}: ${added} entries added`);
