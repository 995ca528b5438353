// The package as a user gets it: packed, installed into an empty application, every subpath loaded both ways.

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runNode } from './support/processes.js';

const root = join(__dirname, '..');
let app: string;
let tarball: string;
let files: string[];
let manifest: { name: string; exports: Record<string, unknown>; dependencies: Record<string, string> };

/** Through the shell's npm or the one that started us; nothing here may ask a registry. */
function npm(args: string[], cwd: string): string {
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith('.js') ? [process.execPath, [cli]] : ['npm', []];
  return execFileSync(command, [...first, ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'cachalot-app-'));
  const [packed] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', app], root));
  tarball = join(app, packed.filename);
  files = packed.files.map(({ path }: { path: string }) => path);
  await writeFile(
    join(app, 'package.json'),
    JSON.stringify({ name: 'app', version: '1.0.0', private: true }),
  );
  const modules = join(app, 'node_modules');
  await mkdir(modules);
  execFileSync('tar', ['-xzf', tarball], { cwd: app });
  await rename(join(app, 'package'), join(modules, 'cachalot'));
  manifest = JSON.parse(await readFile(join(modules, 'cachalot/package.json'), 'utf8'));
  // What it names, and what an application that uses the adapter has: our copies, for nothing here may ask a registry, and
  // npm's cache need not know them.
  for (const name of [...Object.keys(manifest.dependencies), 'keyv']) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
}, 120_000);

afterAll(() => rm(app, { recursive: true, force: true }));

/** Runs JavaScript inside the application. */
async function inApp(name: string, source: string): Promise<string> {
  const file = join(app, name);
  await writeFile(file, source);
  const { code, stdout, stderr } = await runNode(file);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

function subpaths(): string[] {
  return Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => path.replace(/^\./, manifest.name));
}

test('the tarball holds what runs and what is read, and no sources or tests', () => {
  expect(files).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'index.js',
      'index.d.ts',
      'native.cjs',
      'package.json',
    ]),
  );
  expect(files.filter((file) => file.endsWith('.node'))).toHaveLength(1);
  const expected =
    /^(dist\/.+|index\.(js|d\.ts)|native\.cjs|[\w.-]+\.node|LICENSE|(README|CHANGELOG)\.md|package\.json)$/;
  expect(files.filter((file) => !expected.test(file))).toEqual([]);
});

test.each([
  { what: 'missing', bytes: undefined, says: /Sought: .*\.node, cachalot-/ },
  { what: 'of another kind', bytes: 'no addon', says: /Reason: .*\.node: / },
])('an addon that is $what is an error that says what to do', async ({ bytes, says }) => {
  const addon = join(app, 'node_modules/cachalot', files.find((file) => file.endsWith('.node')) as string);
  await rename(addon, `${addon}.away`);
  try {
    if (bytes !== undefined) {
      await writeFile(addon, bytes);
    }
    const told = await inApp(
      'missing.mjs',
      `import { createRequire } from 'node:module';
       const told = [];
       for (const load of [() => import('cachalot'), async () => createRequire(import.meta.url)('cachalot')]) {
         const { CachalotError, createCache, memory, UnsupportedError } = await load();
         try {
           createCache({ store: memory() });
         } catch (error) {
           const { code, name, message } = error;
           if (error instanceof CachalotError && error instanceof UnsupportedError) told.push({ code, name, message });
         }
       }
       console.log(JSON.stringify(told));`,
    );
    const [imported, required] = JSON.parse(told);
    expect(imported).toMatchObject({ code: 'CACHALOT_UNSUPPORTED', name: 'UnsupportedError' });
    expect(imported.message).toMatch(says);
    for (const word of [process.platform, process.arch, 'external', process.versions.node]) {
      expect(imported.message).toContain(word);
    }
    expect(required.message).toBe(imported.message);
  } finally {
    await rename(`${addon}.away`, addon);
  }
});

test('publint finds nothing to say', async () => {
  const { buffer } = await readFile(tarball).then((bytes) => new Uint8Array(bytes));
  const { messages, pkg } = await publint({ pkgDir: 'package', pack: { tarball: buffer } });
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
});

test.each(['require', 'import'])('every subpath loads by %s', async (how) => {
  expect(subpaths()).toEqual(
    expect.arrayContaining(['cachalot', 'cachalot/medusa', 'cachalot/medusa/redis']),
  );
  const load = how === 'require' ? 'require(path)' : 'await import(path)';
  const names = JSON.parse(
    await inApp(
      how === 'require' ? 'load.cjs' : 'load.mjs',
      `${how === 'require' ? '(async () => {' : ''}
       const names = {}
       for (const path of ${JSON.stringify(subpaths())}) {
         const loaded = ${load}
         names[path] = Object.keys(loaded)
       }
       console.log(JSON.stringify(names))
       ${how === 'require' ? '})()' : ''}`,
    ),
  );
  expect(Object.keys(names)).toEqual(subpaths());
  expect(names.cachalot).toEqual(expect.arrayContaining(['CachalotError', 'redis', 'memcached', 'memory']));
  expect(names['cachalot/medusa']).toEqual(
    expect.arrayContaining(['RedisCachingProvider', 'MemcachedCachingProvider', 'MemoryCachingProvider']),
  );
  expect(names['cachalot/keyv']).toEqual(expect.arrayContaining(['CachalotKeyv', 'createKeyv', 'default']));
});

test.each(['redis', 'memcached', 'memory'])(
  "cachalot/medusa/%s is what Medusa's loader asks for, both ways",
  async (kind) => {
    const shape = `
      const entry = loaded.default ?? loaded
      console.log(entry.services.length, typeof entry.services[0], entry.services[0].identifier, typeof entry.loaders[0])
      console.log(Object.isExtensible(entry), Object.isExtensible(entry.services[0]))`;
    const expected = `1 function cachalot-${kind} function\ntrue true\n`;
    const path = JSON.stringify(`cachalot/medusa/${kind}`);
    expect(await inApp('entry.cjs', `const loaded = require(${path});${shape}`)).toBe(expected);
    expect(await inApp('entry.mjs', `const loaded = await import(${path});${shape}`)).toBe(expected);
  },
);

test('an entry set through one format is read through the other, and errors are of one family', async () => {
  const output = await inApp(
    'both.mjs',
    `import { createRequire } from 'node:module'
     import * as esm from 'cachalot'
     import { MemoryCachingProvider } from 'cachalot/medusa'
     const require = createRequire(import.meta.url)
     const cjs = require('cachalot')
     const { MemoryCachingProvider: Other } = require('cachalot/medusa')
     const one = new MemoryCachingProvider({}, { name: 'shared' })
     const two = new Other({}, { name: 'shared' })
     await one.set({ key: 'k', data: { n: 1 }, tags: ['t'] })
     console.log(JSON.stringify(await two.get({ key: 'k' })))
     await two.clear({ tags: ['t'] })
     console.log(await one.get({ key: 'k' }))
     try { new Other({}, { maxByte: 1 }) } catch (error) {
       console.log(error.code, error instanceof esm.CachalotError, error instanceof cjs.CachalotError)
     }`,
  );
  expect(output).toBe('{"n":1}\nnull\nCACHALOT_CONFIG true true\n');
});
