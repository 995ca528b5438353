// Reads how many tests passed from what the runners print.

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @returns {Counts} */
export const none = () => ({ passed: 0, failed: 0, skipped: 0 });

/** A check that either holds or does not. @returns {Counts} */
export const check = (holds) => ({ ...none(), [holds ? 'passed' : 'failed']: 1 });

/** @param {Counts[]} all */
export function sum(all) {
  const total = none();
  for (const one of all) for (const key of Object.keys(total)) total[key] += one[key];
  return total;
}

/** A runner that failed without a failed test (it did not compile, it crashed) is one failure. */
export function withExit(counts, code) {
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** Sums the closing lines of cargo's test binaries. `slow`: tests of which cargo said that they take long, and which have not ended. */
export function cargoReader() {
  const counts = none();
  /** @type {Set<string>} */
  const slow = new Set();
  return {
    counts,
    slow,
    line(text) {
      const long = /^test (\S+) has been running for over/.exec(text);
      if (long) slow.add(long[1]);
      const ended = /^test (\S+) \.\.\. /.exec(text);
      if (ended) slow.delete(ended[1]);
      const found = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/.exec(text);
      if (!found) return;
      counts.passed += Number(found[1]);
      counts.failed += Number(found[2]);
      counts.skipped += Number(found[3]);
    },
  };
}

/** Sums the closing lines of Node's test runner, in its readable form and in TAP. */
export function nodeTestReader() {
  const counts = none();
  const meaning = {
    pass: 'passed',
    fail: 'failed',
    cancelled: 'failed',
    skipped: 'skipped',
    todo: 'skipped',
  };
  return {
    counts,
    line(text) {
      const found = /^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)$/.exec(text.trim());
      if (found) counts[meaning[found[1]]] += Number(found[2]);
    },
  };
}

/**
 * Counts of vitest's JSON report. A file that could not be loaded has no tests, and is one failure.
 *
 * @param {{ testResults: Array<{ status: string, assertionResults: Array<{ status: string }> }> }} report
 */
export function vitestCounts(report) {
  const counts = none();
  for (const file of report.testResults) {
    const before = counts.failed;
    for (const { status } of file.assertionResults) {
      if (status === 'passed') counts.passed++;
      else if (status === 'failed') counts.failed++;
      else counts.skipped++;
    }
    if (file.status === 'failed' && counts.failed === before) counts.failed++;
  }
  return counts;
}

/** `3 passed, 0 failed`, and what was skipped if anything was. @param {Counts} counts */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
