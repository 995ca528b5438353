// What the server itself gives to a client in C that parses nothing.

import { execFileSync } from 'node:child_process';

/** Requests of one test: a second or two. */
const REQUESTS = 60_000;

/** @returns `{ rows: [{ test, bytes, clients, pipeline, opsPerSecond }] }`, or `{ reason }` where it is not installed */
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
