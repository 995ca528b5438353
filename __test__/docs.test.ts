// The README and docs/: code blocks compile against the package's own types, and every link leads somewhere.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const read = (page: string) => readFileSync(join(root, page), 'utf8');

interface Block {
  page: string;
  line: number;
  language: string;
  code: string;
  /** What an HTML comment before the block declares for it, hidden from readers. */
  declared: string;
  unchecked: string | undefined;
}

/** `<!-- declare: … -->` and `<!-- no-check: reason -->` stand in the line before a block. */
function blocksOf(page: string): Block[] {
  const lines = read(page).split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const language = /^```(\w+)/.exec(lines[at] ?? '')?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', at + 1);
    const before = lines[at - 1] ?? '';
    blocks.push({
      page,
      line: at + 1,
      language,
      code: lines.slice(at + 1, end).join('\n'),
      declared: /^<!-- declare: (.*) -->$/.exec(before)?.[1] ?? '',
      unchecked: /^<!-- no-check: (.+) -->$/.exec(before)?.[1],
    });
    at = end;
  }
  return blocks;
}

/** A diff as it is once applied. */
const newSide = (code: string) =>
  code
    .split('\n')
    .filter((line) => !line.startsWith('-'))
    .map((line) => line.slice(1))
    .join('\n');

const code = pages
  .filter((page) => !/^docs\/(decisions|internals)\//.test(page))
  .flatMap(blocksOf)
  .filter(({ language }) => ['ts', 'js', 'diff'].includes(language));
const checked = code.filter(({ unchecked }) => unchecked === undefined);

test('code blocks compile', { timeout: 60_000 }, () => {
  expect(checked.length).toBeGreaterThan(7);
  const sources = new Map(
    checked.map((block, at) => [
      join(root, '__test__', `docs-block-${at}.mts`),
      `${block.declared}\n${block.language === 'diff' ? newSide(block.code) : block.code}\nexport {};\n`,
    ]),
  );
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: ['node'],
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.readFile = (name) => sources.get(name) ?? readFile(name);
  host.getSourceFile = (name, version, ...rest) => {
    const text = sources.get(name);
    return text === undefined
      ? getSourceFile(name, version, ...rest)
      : ts.createSourceFile(name, text, version);
  };
  const names = [...sources.keys()];
  const program = ts.createProgram(names, options, host);
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, ' ');
    const block = checked[names.indexOf(file?.fileName ?? '')];
    if (file === undefined || block === undefined) return `${file?.fileName}: ${text}`;
    const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
    return `${block.page}:${block.line + line}: ${text}`;
  });
  expect(problems).toEqual([]);
});

/** GitHub's name of a heading; one that occurred before gets a number. */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>();
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '');
  return new Set(
    [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
      const slug = (heading ?? '')
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replace(/\s/g, '-');
      const times = seen.get(slug) ?? 0;
      seen.set(slug, times + 1);
      return times === 0 ? slug : `${slug}-${times}`;
    }),
  );
}

test.each(pages)('links of %s lead somewhere', (page) => {
  const text = read(page).replace(/^```[\s\S]*?^```$/gm, '');
  const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? join(root, page) : resolve(root, dirname(page), path);
      if (relative(root, file).startsWith('..') || !existsSync(file)) return true;
      if (anchor === undefined) return false;
      return !statSync(file).isFile() || !anchorsOf(readFileSync(file, 'utf8')).has(anchor);
    });
  expect(broken).toEqual([]);
});

test('the README is short', () => {
  const outside = read('README.md').replace(/<!-- benchmark: generated[\s\S]*<!-- \/benchmark -->/, '');
  expect(outside.split('\n').length).toBeLessThanOrEqual(175);
});
