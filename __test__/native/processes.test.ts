// What the addon does to the process around it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/ports.js';

/** Accepts and never answers. */
let hole: Server;
let port: number;
const sockets = new Set<Socket>();

beforeEach(async () => {
  hole = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  hole.listen(0, '127.0.0.1');
  await once(hole, 'listening');
  port = (hole.address() as AddressInfo).port;
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  hole.close();
  await once(hole, 'close');
});

async function run(script: string, ...args: (string | number)[]) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const since = performance.now();
  const child = spawn(process.execPath, [file, ...args.map(String)], {
    timeout: 15_000,
    killSignal: 'SIGKILL',
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    err += data;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, out: out.trim(), err, ms: performance.now() - since };
}

describe('a process', () => {
  it('with an open store and no server ends by itself', async () => {
    const { code, signal, out } = await run('./in-flight.mjs', await freePort(), 0);
    expect({ code, signal, out }).toEqual({ code: 0, signal: null, out: '{}' });
  });

  it('waits for requests in flight to a server that never answers, and then ends', async () => {
    const { code, signal, out, err } = await run('./in-flight.mjs', port, 50);
    expect({ code, signal, err }).toEqual({ code: 0, signal: null, err: '' });
    const codes = JSON.parse(out) as Record<string, number>;
    expect(Object.values(codes).reduce((sum, count) => sum + count, 0)).toBe(50);
    expect(Object.keys(codes).every((name) => /^CACHALOT_(TIMEOUT|CONNECTION)$/.test(name))).toBe(true);
  });

  it('survives worker threads that are terminated with requests in flight', async () => {
    const { code, signal, out, err } = await run('./terminated.mjs', port);
    expect({ code, signal, out, err }).toEqual({ code: 0, signal: null, out: 'terminated 12', err: '' });
  });
});
