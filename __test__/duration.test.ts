// Lifetimes as people write them.

import { describe, expect, it } from 'vitest';
import { type Duration, parseDuration } from '../js/options/duration.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('a duration', () => {
  it.each<[Duration, number]>([
    [1500, 1500],
    [0.2, 1],
    ['500ms', 500],
    ['0s', 0],
    ['1.5h', 1.5 * HOUR],
    ['2 hours', 2 * HOUR],
    ['1h30m', 1.5 * HOUR],
    ['1h 30m', 1.5 * HOUR],
    ['1m0s', MINUTE],
    ['1m500ms', MINUTE + 500],
    ['2d4h', 52 * HOUR],
    ['1d 2h 3m', 26 * HOUR + 3 * MINUTE],
    ['1h2m3s', HOUR + 2 * MINUTE + 3000],
    ['1w1d', 8 * 24 * HOUR],
  ])('%j is %j ms', (given, ms) => {
    expect(parseDuration('cache', 'ttl', given)).toBe(ms);
  });

  it.each([
    '',
    ' ',
    '10',
    '1h30',
    '30 1h',
    '5 parsecs',
    '1h5parsecs',
    '1h-30m',
    '-1h30m',
    'h',
    '1h,30m',
    -1,
    null,
  ])('%j is refused', (given) => {
    expect(() => parseDuration('cache', 'ttl', given)).toThrow(/text such as '30s', '5m' or '1h30m', got /);
  });
});
