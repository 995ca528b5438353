// Which keys a pattern fits, and which patterns need no listing of keys.

import { describe, expect, it } from 'vitest';
import { patternOf } from '../js/cache/patterns.js';

function fits(written: string, key: string, before = ''): boolean {
  const pattern = patternOf(written, before);
  switch (pattern.means) {
    case 'key':
      return key === pattern.key;
    case 'everything':
      return true;
    case 'namespace':
      return key.startsWith(`${pattern.name}:`);
    default:
      return key.startsWith(pattern.head) && pattern.matches(key);
  }
}

describe('what a pattern means', () => {
  it.each<[string, string, object]>([
    ['user:1', '', { means: 'key', key: 'user:1' }],
    ['user:1', 'app:', { means: 'key', key: 'app:user:1' }],
    ['*', '', { means: 'everything' }],
    ['***', '', { means: 'everything' }],
    ['*', 'app:', { means: 'namespace', name: 'app' }],
    ['user:*', '', { means: 'namespace', name: 'user' }],
    ['user:a:**', 'app:', { means: 'namespace', name: 'app:user:a' }],
    [':*', '', { means: 'namespace', name: '' }],
    ['::*', '', { means: 'namespace', name: ':' }],
    ['a:b:c:d:e:f:g:h:*', '', { means: 'namespace', name: 'a:b:c:d:e:f:g:h' }],
    ['a:b:c:d:e:f:g:h:i:*', '', { means: 'shape', head: 'a:b:c:d:e:f:g:h:i:' }],
    ['user*', '', { means: 'shape', head: 'user' }],
    ['user:*', 'a*:', { means: 'namespace', name: 'a*:user' }],
    ['*:1', 'a*', { means: 'shape', head: 'a*' }],
  ])('%s after "%s"', (written, before, expected) => {
    expect(patternOf(written, before)).toMatchObject(expected);
  });
});

describe('which keys it fits', () => {
  /** By the slow way that decides the same for short words. */
  const oracle = (written: string, key: string) =>
    new RegExp(
      `^${written.replace(/[^*]/g, (letter) => letter.replace(/[\\^$.|?+()[\]{}]/, '\\$&')).replace(/\*+/g, '[^]*')}$`,
    ).test(key);

  const words = (letters: string, length: number): string[] =>
    length === 0
      ? ['']
      : ['', ...[...letters].flatMap((letter) => words(letters, length - 1).map((rest) => letter + rest))];

  it('is the same for all short patterns and keys as a regular expression says', () => {
    const keys = [...new Set(words('ab:', 4))];
    let compared = 0;
    for (const written of new Set(words('ab:*', 4))) {
      for (const key of keys) {
        if (fits(written, key) !== oracle(written, key)) {
          expect.fail(`${written} and ${key}`);
        }
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(20_000);
  });

  it.each(['.', '?', '[a]', '(a|b)', 'a+', '^', '$', '\\', '\\d', '{2}', '!', '%', '\n', '\u{1f433}'])(
    'takes %j for itself',
    (literal) => {
      expect(fits(`x${literal}*`, `x${literal}1`)).toBe(true);
      expect(fits(`*${literal}`, `1${literal}`)).toBe(true);
      for (const other of ['xa1', 'x1', 'xx1', 'x\\1', 'x01', 'xaa1']) {
        expect(fits(`x${literal}*`, other)).toBe(oracle(`x${literal}*`, other));
      }
      expect(fits(`*${literal}*`, 'xb1')).toBe(false);
    },
  );

  it('does not count one letter twice', () => {
    expect(fits('ab*ba', 'aba')).toBe(false);
    expect(fits('ab*ba', 'abba')).toBe(true);
    expect(fits('a*a', 'a')).toBe(false);
    expect(fits('a*bc*c', 'abc')).toBe(false);
  });

  it('takes no longer for a pattern that a regular expression would try for years', () => {
    const written = `${'a*'.repeat(30)}b`;
    const began = performance.now();
    expect(fits(written, 'a'.repeat(60_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
