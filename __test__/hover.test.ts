// What an editor shows: every public method has a sentence and an example that compiles, every option a sentence and its default.
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const entries = [
  'index',
  ...['adonis', 'bentocache', 'glasswork', 'keyv', 'medusa', 'medusa-cache'].map(
    (name) => `adapters/${name}/index`,
  ),
];
const config = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile).config;
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const compiler = { ...options, noEmit: true, noUnusedLocals: false, noUnusedParameters: false };
const program = ts.createProgram(
  entries.map((name) => `${root}js/${name}.ts`),
  compiler,
);
const checker = program.getTypeChecker();

/** Classes whose methods an application calls. Those of the drivers and providers are called by their frameworks. */
const CALLED = ['Cache', 'CacheService'];

interface Item {
  name: string;
  text: string;
  examples: string[];
  hasDefault: boolean;
  isOptional: boolean;
}

function describe(symbol: ts.Symbol, name: string, isOptional = false): Item {
  const tags = symbol.getJsDocTags(checker);
  return {
    name,
    text: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
    examples: tags.filter((tag) => tag.name === 'example').map((tag) => ts.displayPartsToString(tag.text)),
    hasDefault: tags.some((tag) => tag.name === 'default'),
    isOptional,
  };
}

const exported = new Set<ts.Symbol>();
for (const name of entries) {
  const file = program.getSourceFile(`${root}js/${name}.ts`);
  const module = file && checker.getSymbolAtLocation(file);
  for (const symbol of module ? checker.getExportsOfModule(module) : []) {
    exported.add(symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  }
}

const isInternal = (symbol: ts.Symbol) =>
  symbol.getJsDocTags(checker).some((tag) => tag.name === 'internal') ||
  symbol.declarations?.some(
    (one) => ts.getCombinedModifierFlags(one) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected),
  );

const called: Item[] = [];
const settings: Item[] = [];
for (const symbol of exported) {
  const [declaration] = symbol.declarations ?? [];
  if (declaration === undefined) continue;
  if (ts.isFunctionDeclaration(declaration)) called.push(describe(symbol, symbol.name));
  else if (ts.isClassDeclaration(declaration) && CALLED.includes(symbol.name)) {
    for (const member of checker.getDeclaredTypeOfSymbol(symbol).getProperties()) {
      if (member.flags & ts.SymbolFlags.Method && !member.name.startsWith('__@') && !isInternal(member)) {
        called.push(describe(member, `${symbol.name}.${member.name}`));
      }
    }
  } else if (ts.isInterfaceDeclaration(declaration) && /Options$|Config$/.test(symbol.name)) {
    for (const member of declaration.members) {
      const property = member.name && checker.getSymbolAtLocation(member.name);
      if (property && ts.isPropertySignature(member)) {
        settings.push(
          describe(property, `${symbol.name}.${property.name}`, member.questionToken !== undefined),
        );
      }
    }
  }
}

test('there is something to look at', () => {
  expect(called.map((one) => one.name)).toEqual(
    expect.arrayContaining(['createCache', 'redis', 'Cache.get', 'Cache.close', 'CacheService.wrapSWR']),
  );
  expect(settings.length).toBeGreaterThan(60);
});

test('every public method has a sentence and an example', () => {
  expect(called.filter((one) => one.text === '' || one.examples.length === 0).map((one) => one.name)).toEqual(
    [],
  );
});

test('every option has a sentence, and its default if it may be left out', () => {
  const bare = settings.filter((one) => one.text === '' || (one.isOptional && !one.hasDefault));
  expect(bare.map((one) => one.name)).toEqual([]);
});

test('every example compiles', () => {
  const given = `import { createCache, memcached, memory, redis, type Cache } from '${root}js/index.js';
import { cachalot, cachalotBus } from '${root}js/adapters/adonis/index.js';
import { cachalotBusDriver, cachalotDriver } from '${root}js/adapters/bentocache/index.js';
import { CacheService, createCacheKey } from '${root}js/adapters/glasswork/index.js';
import { createKeyv } from '${root}js/adapters/keyv/index.js';
interface Product { id: number }
interface User { id: string }
declare const cache: Cache, service: CacheService, product: Product, user: User;
declare function load(id: number): Promise<Product>;
`;
  const files = new Map<string, string>(
    called.flatMap((one) =>
      one.examples.map((example, at) => {
        // In a file of its own: an example may name what it makes as the others do.
        const code = `${given}export async function example() {\n${example}\n}\n`;
        return [`${root}__test__/${one.name}.${at}.example.ts`, code] as const;
      }),
    ),
  );
  const host = ts.createCompilerHost(compiler);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.getSourceFile = (name, version, ...rest) => {
    const code = files.get(name);
    return code === undefined
      ? getSourceFile(name, version, ...rest)
      : ts.createSourceFile(name, code, version);
  };
  const examples = ts.createProgram([...files.keys()], compiler, host);
  const wrong = [...files.keys()].flatMap((name) => {
    const file = examples.getSourceFile(name);
    return [...examples.getSyntacticDiagnostics(file), ...examples.getSemanticDiagnostics(file)].map(
      (found) => `${name.slice(root.length)}: ${ts.flattenDiagnosticMessageText(found.messageText, ' ')}`,
    );
  });
  expect(wrong).toEqual([]);
});
