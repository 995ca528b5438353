// The instruments themselves: a proxy that does not cut, or a server that outlives its test, would make other tests lie.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, inject, test } from 'vitest';
import { alive, runNode, SUPERVISOR, startNode } from './processes.js';
import { proxy } from './proxy.js';
import { startMemcached, startRedis } from './servers.js';

const cleanup: Array<() => unknown> = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

/** Sends a command; resolves with what came until the wire was quiet, closed or broken. */
function ask(
  port: number,
  command: string,
  quietMs = 150,
): Promise<{ text: string; cut: boolean; ms: number }> {
  return new Promise((resolve) => {
    const started = performance.now();
    let text = '';
    let last = started;
    const socket = connect(port, '127.0.0.1', () => socket.write(command));
    const settle = (cut: boolean) => {
      socket.destroy();
      resolve({ text, cut, ms: last - started });
    };
    socket.setTimeout(quietMs, () => settle(false));
    socket.on('data', (chunk) => {
      last = performance.now();
      text += chunk.toString('latin1');
    });
    socket.on('error', () => settle(true));
    socket.on('end', () => settle(true));
  });
}

async function echo(): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => server.close());
  return (server.address() as { port: number }).port;
}

async function wireToEcho() {
  const wire = await proxy(await echo());
  cleanup.push(() => wire.stop());
  return wire;
}

/** A JavaScript file of these lines, gone after the test. */
async function script(lines: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cachalot-support-'));
  cleanup.push(() => rm(folder, { recursive: true }));
  const file = join(folder, 'child.mjs');
  await writeFile(file, lines);
  return file;
}

test('the shared servers answer', async () => {
  const { redis, memcached } = inject('servers');
  expect((await ask(redis.port, 'PING\r\n')).text).toBe('+PONG\r\n');
  expect(memcached).toHaveLength(3);
  for (const address of memcached) {
    const port = Number(address.split(':')[1]);
    expect((await ask(port, 'version\r\n')).text).toMatch(/^VERSION 1\./);
  }
});

test.each([
  {
    name: 'redis',
    start: startRedis,
    probe: 'PING\r\n',
    write: 'SET k v\r\n',
    read: 'GET k\r\n',
    empty: '$-1\r\n',
  },
  {
    name: 'memcached',
    start: startMemcached,
    probe: 'version\r\n',
    write: 'set k 0 0 1\r\nv\r\n',
    read: 'get k\r\n',
    empty: 'END\r\n',
  },
])(
  'a $name of its own can be paused, killed, restarted empty and stopped',
  async ({ start, probe, write, read, empty }) => {
    const server = await start();
    cleanup.push(() => server.stop());
    await ask(server.port, write);
    expect((await ask(server.port, read)).text).toContain('v\r\n');
    server.pause();
    expect((await ask(server.port, probe)).text).toBe('');
    server.resume();
    expect((await ask(server.port, probe)).text).not.toBe('');
    await server.kill();
    expect((await ask(server.port, probe)).cut).toBe(true);
    await server.restart();
    expect((await ask(server.port, read)).text).toBe(empty);
    const { pid } = server;
    await server.stop();
    expect(alive(pid)).toBe(false);
  },
);

test('a server that cannot start is an error with its own words', async () => {
  await expect(startRedis({ args: ['--no-such-option', '1'] })).rejects.toThrow(/no-such-option/);
});

test('a program dies with a parent that is killed', async () => {
  const file = await script(
    `import { spawn } from 'node:child_process'
     const args = ['-c', process.argv[2], 'supervisor', 'sleep', '1000']
     const shell = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore', 'pipe'] })
     shell.stdio[3].once('data', (pid) => process.send(Number(pid)))`,
  );
  const parent = startNode(file, { args: [SUPERVISOR] });
  cleanup.push(() => parent.kill());
  const pid = await parent.next<number>();
  expect(alive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await parent.done;
  await expect.poll(() => alive(pid)).toBe(false);
});

test('runNode reports output, exit code and an overrun', async () => {
  const file = await script(
    `console.log(process.argv[2]); console.error(process.env.WORD); process.exitCode = 3`,
  );
  expect(await runNode(file, { args: ['out'], env: { WORD: 'err' } })).toMatchObject({
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n',
    timedOut: false,
  });
  expect(await runNode(await script('setInterval(() => {}, 1000)'), { timeoutMs: 200 })).toMatchObject({
    signal: 'SIGKILL',
    timedOut: true,
  });
});

test('startNode exchanges messages and tells of an end without one', async () => {
  const file = await script(`process.on('message', (n) => n < 0 ? process.exit(4) : process.send(n + 1))`);
  const child = startNode(file);
  child.send(1);
  child.send(10);
  expect(await child.next()).toBe(2);
  expect(await child.next()).toBe(11);
  child.send(-1);
  await expect(child.next()).rejects.toThrow(/code 4/);
});

test('proxy: passes, counts and cuts after n bytes of replies', async () => {
  const wire = await wireToEcho();
  expect((await ask(wire.port, 'hello')).text).toBe('hello');
  expect(wire.bytes).toEqual({ toServer: 5, toClient: 5 });
  wire.cutAfter(3);
  expect(await ask(wire.port, 'hello')).toMatchObject({ text: 'hel', cut: true });
  expect((await ask(wire.port, 'again')).text).toBe('again');
  expect(wire.accepted).toBe(3);
});

test('proxy: delays by a round trip of two delays', async () => {
  const wire = await wireToEcho();
  wire.delay(60);
  const { text, ms } = await ask(wire.port, 'hello', 500);
  expect(text).toBe('hello');
  expect(ms).toBeGreaterThanOrEqual(119);
});

test('proxy: a black hole swallows nothing; what it held arrives late', async () => {
  const wire = await wireToEcho();
  wire.blackHole();
  const asked = ask(wire.port, 'hello', 400);
  await sleep(150);
  expect(wire.bytes).toEqual({ toServer: 0, toClient: 0 });
  wire.pass();
  const { text, ms } = await asked;
  expect(text).toBe('hello');
  expect(ms).toBeGreaterThanOrEqual(145);
});

test('proxy: drips replies and garbles them', async () => {
  const wire = await wireToEcho();
  wire.drip(40);
  const dripped = await ask(wire.port, 'twelve bytes', 500);
  expect(dripped.text).toBe('twelve bytes');
  expect(dripped.ms).toBeGreaterThanOrEqual(190);
  wire.garble();
  const { text } = await ask(wire.port, 'ab');
  expect([...text].map((letter) => letter.charCodeAt(0) ^ 0xff)).toEqual([0x61, 0x62]);
});

test('proxy: refuses and accepts again on the same port', async () => {
  const wire = await wireToEcho();
  await wire.refuse();
  expect((await ask(wire.port, 'hello')).cut).toBe(true);
  expect(wire.connections).toBe(0);
  await wire.accept();
  expect((await ask(wire.port, 'hello')).text).toBe('hello');
});
