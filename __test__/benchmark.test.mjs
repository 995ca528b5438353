// What the benchmark says of its figures, and that the documents say what the file of results says.

import { describe, expect, test } from 'vitest';
import { PEERS } from '../benchmark/peers/index.mjs';
import { invites, planOf } from '../benchmark/plan.mjs';
import { BEGIN, END, readme } from '../benchmark/report/readme.mjs';
import { stale } from '../benchmark/report/render.mjs';
import { median, ratios, summarise } from '../benchmark/statistics.mjs';
import { judge } from '../benchmark/targets.mjs';

const result = (name, opsPerSecond, rest = {}) => ({
  name,
  server: 'redis',
  ours: name.startsWith('cachalot'),
  opsPerSecond,
  mainThread: 1_000_000 / opsPerSecond,
  p50: 1_000 / opsPerSecond,
  ...rest,
});
const some = ({ name, server, ours = false, against }) => result(name, 100, { server, ours, against });
const cell = (results, rest = {}) => ({
  workload: 'get',
  bytes: 1_024,
  concurrency: 64,
  tagged: false,
  text: 'ascii',
  results,
  ...rest,
});

test('the page and the region of the README are what the results say', () => {
  expect(stale()).toEqual([]);
});

test('medians: of the rounds, field by field', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  const slice = (opsPerSecond) => ({ operations: 2, opsPerSecond, p50: 1 / opsPerSecond });
  expect(summarise([slice(10), slice(30), slice(20)])).toMatchObject({
    opsPerSecond: 20,
    slowest: 10,
    fastest: 30,
    p50: 1 / 20,
    operations: 6,
  });
});

describe('ratios', () => {
  test('against those a peer names, on its server', () => {
    const found = ratios(
      cell([
        result('cachalot redis', 300),
        result('cachalot Cache redis', 200),
        result('cachalot memcached', 900, { server: 'memcached' }),
        result('ioredis', 100, { against: ['cachalot redis'] }),
      ]),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ ours: 'cachalot redis', peer: 'ioredis', throughput: 3 });
    expect(found[0].mainThread).toBeCloseTo(1 / 3);
  });

  test('where none of those takes part, against who does', () => {
    const found = ratios(
      cell([result('cachalot Cache redis', 200), result('ioredis', 100, { against: ['cachalot redis'] })]),
    );
    expect(found.map(({ ours }) => ours)).toEqual(['cachalot Cache redis']);
  });
});

describe('targets', () => {
  test('each says why it may fall short, and what would close it', () => {
    expect(judge([]).filter(({ short }) => !(short?.length > 40))).toEqual([]);
  });

  const judged = (figure, cells) => judge(cells).find((row) => row.figure.startsWith(figure));

  test('met, not met, and not run', () => {
    const at = (peerRate) =>
      judged('get 200 B and 1 KB, 64', [
        cell([result('cachalot redis', 300), result('ioredis', peerRate), result('caching-redis', 100)]),
      ]);
    expect(at(150).met).toBe(true);
    expect(at(151).met).toBe(false);
    expect(at(151).seen.find(({ peer }) => peer === 'node-redis').met).toBeUndefined();
    expect(judged('get 200 B and 1 KB, 64', []).met).toBeUndefined();
  });

  test('times are bounded from above', () => {
    const main = (own) =>
      judged('the same: main-thread', [
        cell([
          result('cachalot redis', 1, { mainThread: own }),
          result('caching-redis', 1, { mainThread: 10 }),
        ]),
      ]);
    expect(main(3.5).met).toBe(true);
    expect(main(3.6).met).toBe(false);
  });

  test.each([true, false])('every row is seen in a run, quick: %s', (quick) => {
    const plan = planOf(quick);
    const seen = plan.cells.map((shape) =>
      cell(PEERS.filter((peer) => invites(shape, peer)).map(some), shape),
    );
    for (const { figure, seen: checks } of judge(seen)) {
      expect(checks.length, figure).toBeGreaterThan(0);
      for (const { met, peer, cell: name } of checks) expect(met, `${peer} in ${name}`).toBeDefined();
    }
  });
});

test('a README without the marks is an error, and what is outside them stays', () => {
  const results = {
    date: '2030-01-01T00:00:00.000Z',
    quick: false,
    machine: { cores: 2, loadBefore: 0.1 },
    cells: [cell([result('cachalot redis', 300), result('ioredis', 100)])],
  };
  expect(() => readme('# Title', results)).toThrow('expected');
  const text = readme(`before\n${BEGIN}\nold\n${END}\nafter\n`, results);
  expect(text.startsWith('before\n') && text.endsWith('after\n')).toBe(true);
  expect(text).toContain('| ioredis | 3.00x');
  expect(text).not.toContain('old');
});
