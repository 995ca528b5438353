// Real servers for tests, on loopback and on ports of their own. They die with the process that started them.

import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.js';
import { type Supervised, supervise } from './processes.js';

/** How long a server may take until it answers; both take some 20 ms, a loaded machine more. */
const READY_MS = 10_000;
/** A question, and how this kind of server answers it: another one may have been quicker to take the port. */
interface Probe {
  ask: string;
  is: RegExp;
}
const REDIS: Probe = { ask: 'PING\r\n', is: /^[+-]/ };
const MEMCACHED: Probe = { ask: 'version\r\n', is: /^(VERSION|CLIENT_ERROR|ERROR)/ };

/** A free port may be taken by another process before the server binds it. */
const PORT_TRIES = 5;

export interface ServerOptions {
  /** Further arguments of the server's own command line. */
  args?: readonly string[];
  /** A fixed port. @default a free one */
  port?: number;
}

export interface TestServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly pid: number;
  /** Ends it (SIGTERM, then SIGKILL after 2 s) and removes its folder. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it is gone. `restart` brings it back. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Kills it if it runs, and starts it again, empty, on the same port. */
  restart(): Promise<void>;
  /** Its last words. */
  output(): string;
}

export interface RedisServer extends TestServer {
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  /** Path of its unix socket. */
  readonly socket: string;
}

export interface MemcachedServer extends TestServer {
  /** `127.0.0.1:port` */
  readonly address: string;
}

/** A redis-server without persistence, on a free TCP port and a unix socket. Needs `redis-server` on the PATH. */
export async function startRedis(options: ServerOptions = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cachalot-redis-'));
  const socket = join(folder, 'redis.sock');
  const server = await launch('redis-server', REDIS, folder, options, (port) => [
    ...['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', socket, '--unixsocketperm', '700'],
    ...['--save', '', '--appendonly', 'no', '--dir', folder, '--daemonize', 'no'],
  ]);
  return Object.assign(server, { url: `redis://127.0.0.1:${server.port}`, socket });
}

/** A memcached on a free TCP port. Needs `memcached` on the PATH. */
export async function startMemcached(options: ServerOptions = {}): Promise<MemcachedServer> {
  // It refuses to run as root without being told whom to become.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const server = await launch('memcached', MEMCACHED, undefined, options, (port) => [
    ...['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...user],
  ]);
  return Object.assign(server, { address: `127.0.0.1:${server.port}` });
}

async function launch(
  command: string,
  probe: Probe,
  folder: string | undefined,
  options: ServerOptions,
  argsFor: (port: number) => string[],
): Promise<TestServer> {
  let port = options.port ?? (await freePort());
  const start = () => supervise(command, [...argsFor(port), ...(options.args ?? [])], folder);
  let running = await start();
  for (let left = PORT_TRIES; !(await ready(running, port, probe)); left--) {
    const words = running.output();
    await end(running);
    if (left <= 1 || options.port !== undefined || !/address already in use/i.test(words)) {
      if (folder) await rm(folder, { recursive: true, force: true });
      throw new Error(
        `${command} did not start on port ${port}. Is it installed? It said: ${words || '(nothing)'}`,
      );
    }
    port = await freePort();
    running = await start();
  }
  return {
    host: '127.0.0.1',
    port,
    get pid() {
      return running.pid;
    },
    async stop() {
      await end(running);
      if (folder) await rm(folder, { recursive: true, force: true });
    },
    async kill() {
      running.signal('SIGKILL');
      await running.gone;
    },
    pause: () => running.signal('SIGSTOP'),
    resume: () => running.signal('SIGCONT'),
    async restart() {
      running.signal('SIGKILL');
      await running.gone;
      running = await start();
      if (!(await ready(running, port, probe))) {
        throw new Error(`${command} did not come back on port ${port}. It said: ${running.output()}`);
      }
    },
    output: () => running.output(),
  };
}

async function end(running: Supervised): Promise<void> {
  if (running.exited) return;
  // A stopped process takes SIGTERM only after it goes on.
  running.signal('SIGCONT');
  running.signal('SIGTERM');
  const late = setTimeout(() => running.signal('SIGKILL'), 2_000);
  await running.gone;
  clearTimeout(late);
}

async function ready(running: Supervised, port: number, probe: Probe): Promise<boolean> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline && !running.exited) {
    if ((await answers(port, probe)) && !running.exited) return true;
    await sleep(10);
  }
  return false;
}

/** Its own words, or a hang-up after it accepted us (a server that speaks TLS): it is up. */
function answers(port: number, { ask, is }: Probe): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(ask));
    const settle = (up: boolean) => {
      socket.destroy();
      resolve(up);
    };
    socket.once('data', (reply) => settle(is.test(reply.toString('latin1'))));
    socket.once('end', () => settle(true));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code === 'ECONNRESET'));
    socket.setTimeout(1_000, () => settle(false));
  });
}
