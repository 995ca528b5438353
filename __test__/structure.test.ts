import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const js = fileURLToPath(new URL('../js', import.meta.url));

/** Each module of js/ and the modules of js/ that it imports, types included. */
const imports = new Map(
  readdirSync(js, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const module = name.replaceAll(sep, '/');
      const { importedFiles } = ts.preProcessFile(readFileSync(join(js, name), 'utf8'));
      const imported = importedFiles
        .filter(({ fileName }) => fileName.startsWith('.'))
        .map(({ fileName }) => posix.join(dirname(module), fileName).replace(/\.js$/, '.ts'));
      return [module, imported] as const;
    }),
);

/** Returns the first circle found, as a path that ends where it begins. */
function circle(): string[] | undefined {
  const finished = new Set<string>();
  const visit = (module: string, path: string[]): string[] | undefined => {
    if (path.includes(module)) return [...path.slice(path.indexOf(module)), module];
    if (finished.has(module)) return undefined;
    for (const next of imports.get(module) ?? []) {
      const found = visit(next, [...path, module]);
      if (found !== undefined) return found;
    }
    finished.add(module);
    return undefined;
  };
  return [...imports.keys()].map((module) => visit(module, [])).find((found) => found !== undefined);
}

const adapterOf = (module: string) => /^adapters\/([^/]+)\//.exec(module)?.[1];

/** Returns the imports that a rule forbids, as "from -> to". */
function forbidden(rule: (from: string, to: string) => boolean): string[] {
  return [...imports].flatMap(([from, all]) =>
    all.filter((to) => rule(from, to)).map((to) => `${from} -> ${to}`),
  );
}

describe('the structure of js/', () => {
  it('resolves every import', () => {
    expect(imports.size).toBeGreaterThan(90);
    expect(forbidden((_, to) => !imports.has(to))).toEqual([]);
  });

  it('has no import circle, types included', () => expect(circle()).toBeUndefined());

  it('keeps adapters apart, but for AdonisJS on Bentocache', () => {
    expect(
      forbidden((from, to) => {
        const [own, other] = [adapterOf(from), adapterOf(to)];
        return (
          own !== undefined &&
          other !== undefined &&
          own !== other &&
          `${own} ${other}` !== 'adonis bentocache'
        );
      }),
    ).toEqual([]);
  });

  it('has no adapter below the adapters', () => {
    expect(forbidden((from, to) => !from.startsWith('adapters/') && to.startsWith('adapters/'))).toEqual([]);
  });

  it('has no file past 350 lines', () => {
    const long = [...imports.keys()].filter(
      (module) => readFileSync(join(js, module), 'utf8').trimEnd().split('\n').length > 350,
    );
    expect(long).toEqual([]);
  });
});
