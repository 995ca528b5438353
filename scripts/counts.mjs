// What the test runners say of their tests, line by line.

/**
 * @param {string} line
 * @param {{ passed: number, failed: number, skipped: number }} counts added to
 * @param {Set<string>} slow tests that cargo called long, and that have not ended
 */
export function count(line, counts, slow) {
  const [, test, how] = /^test (\S+) (has been running for over|\.\.\.) /.exec(line) ?? [];
  if (how === '...') slow.delete(test);
  else if (how) slow.add(test);
  // Cargo and vitest sum up in one line; Node's runner takes a line for each kind.
  if (/^(test result:|\s+Tests {2})/.test(line))
    for (const [, number, word] of line.matchAll(/(\d+) (\w+)/g)) add(word, number);
  const [, word, number] = /^[#ℹ] (\w+) (\d+)$/.exec(line) ?? [];
  if (word) add(word, number);

  function add(word, number) {
    const kind = Object.keys(WORDS).find((kind) => WORDS[kind].includes(word));
    if (kind) counts[kind] += Number(number);
  }
}

const WORDS = {
  passed: ['passed', 'pass'],
  failed: ['failed', 'fail', 'cancelled'],
  skipped: ['skipped', 'ignored', 'todo'],
};
