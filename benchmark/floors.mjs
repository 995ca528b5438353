// What figures are held against.

import { execFileSync } from 'node:child_process';
import { product } from './payloads.mjs';
import { median } from './statistics.mjs';

const ROUNDS = 7;
/** Of each round; long against the clock. */
const MS = 15;

/** What nobody who hands out a fresh object gets under: parsing and making the very texts of the run. @returns `[{ bytes, text, parse, stringify }]` in µs */
export function jsonFloor(kinds, entries) {
  return kinds.map(({ bytes, text }) => {
    const values = Array.from({ length: entries }, (_, index) => product(bytes, bytes + index, text));
    const texts = values.map((value) => JSON.stringify(value));
    return {
      bytes,
      text,
      parse: each(texts, JSON.parse),
      stringify: each(values, (value) => JSON.stringify(value)),
    };
  });
}

function each(inputs, work) {
  const rounds = Array.from({ length: ROUNDS }, () => {
    let done = 0;
    const began = performance.now();
    while (performance.now() - began < MS) {
      for (const input of inputs) work(input);
      done += inputs.length;
    }
    return ((performance.now() - began) * 1_000) / done;
  });
  return median(rounds);
}

/** Requests of one test: a second or two. */
const REQUESTS = 60_000;

/** What the server itself gives to a client in C that parses nothing. @returns `{ rows: [{ test, bytes, clients, pipeline, opsPerSecond }] }`, or `{ reason }` where it is not installed */
export function redisLimit(port, { bytes, clients = 64, pipelines = [1, 16] }) {
  try {
    const rows = bytes.flatMap((size) =>
      pipelines.flatMap((pipeline) =>
        run(port, size, clients, pipeline).map(([test, rate]) => ({
          test,
          bytes: size,
          clients,
          pipeline,
          opsPerSecond: rate,
        })),
      ),
    );
    return { rows };
  } catch (error) {
    return {
      reason: error.code === 'ENOENT' ? 'redis-benchmark is not installed' : error.message.split('\n')[0],
    };
  }
}

function run(port, size, clients, pipeline) {
  const text = execFileSync(
    'redis-benchmark',
    [
      ...['-h', '127.0.0.1', '-p', port, '-t', 'set,get', '-d', size, '-c', clients, '-P', pipeline],
      ...['-n', REQUESTS, '--csv'],
    ].map(String),
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  return [...text.matchAll(/^"(SET|GET)","([\d.]+)"/gm)].map(([, test, rate]) => [
    test.toLowerCase(),
    Number(rate),
  ]);
}
