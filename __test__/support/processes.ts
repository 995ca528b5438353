// Child processes that cannot outlive the tests: servers and Node programs.

import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

/**
 * A shell that runs a program, tells its pid and exit on fd 3, and kills it when its own standard input closes. The
 * pipe closes however its parent ends, SIGKILL too, so nothing is left running; a stopped process is killed as well.
 */
export const SUPERVISOR = `
exec 4<&0
"$@" </dev/null 3>&- 4<&- &
pid=$!
echo $pid >&3
(read -r _ <&4; kill -KILL $pid 2>/dev/null) 3>&- &
watcher=$!
exec 4<&-
wait $pid
code=$?
kill $watcher 2>/dev/null
exit $code
`;

/** Output kept of a program, in characters: enough for its last words. */
const OUTPUT_LIMIT = 65_536;

export interface Supervised {
  /** Of the program itself, not of the shell over it. */
  readonly pid: number;
  readonly exited: boolean;
  /** The last 64 K characters that it wrote to both outputs. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when the program is gone. */
  readonly gone: Promise<void>;
}

export async function supervise(command: string, args: readonly string[], cwd?: string): Promise<Supervised> {
  const shell = spawn('/bin/sh', ['-c', SUPERVISOR, 'supervisor', command, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const output = collect(shell.stdout as Readable, shell.stderr as Readable);
  let exited = false;
  const gone = new Promise<void>((resolve) => {
    shell.once('close', () => {
      exited = true;
      resolve();
    });
  });
  shell.stdin?.on('error', () => {});
  const pid = await firstLine(shell);
  // What was started must not keep the test process alive by itself.
  shell.unref();
  for (const stream of shell.stdio) (stream as { unref?: () => void } | null)?.unref?.();
  return {
    pid,
    gone,
    get exited() {
      return exited;
    },
    output,
    signal(signal) {
      if (exited) return;
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    },
  };
}

/** Whether a process runs. One that ended and that nobody has waited for yet does not. */
export function alive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  const state = stdout.trim();
  return state !== '' && !state.startsWith('Z');
}

async function firstLine(shell: ChildProcess): Promise<number> {
  const side = shell.stdio[3] as Readable;
  side.setEncoding('utf8');
  const [line] = (await Promise.race([
    once(side, 'data'),
    once(shell, 'error').then(([error]) => Promise.reject(error)),
  ])) as [string];
  side.resume();
  return Number.parseInt(line, 10);
}

function collect(...streams: Readable[]): () => string {
  let text = '';
  for (const stream of streams) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      text = (text + chunk).slice(-OUTPUT_LIMIT);
    });
  }
  return () => text;
}

export interface NodeOptions {
  args?: readonly string[];
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>;
  /** Flags of node itself. */
  execArgv?: readonly string[];
  /** The child is killed after this many milliseconds, and `timedOut` says so. @default 30000 */
  timeoutMs?: number;
}

export interface NodeResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** From start to exit. */
  ms: number;
  timedOut: boolean;
}

export interface NodeChild {
  readonly process: ChildProcess;
  send(message: unknown): void;
  /** The next message by `process.send` in the child, in order; rejects when the child ends without one. */
  next<T = unknown>(): Promise<T>;
  readonly done: Promise<NodeResult>;
  kill(signal?: NodeJS.Signals): void;
}

/** Runs a JavaScript file to its end, without a message channel (which would keep it from exiting by itself). */
export async function runNode(file: string, options: NodeOptions = {}): Promise<NodeResult> {
  const child = spawn(process.execPath, [...(options.execArgv ?? []), file, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return result(child, options);
}

/** Starts a JavaScript file that talks by `process.send` and `process.on('message')`. */
export function startNode(file: string, options: NodeOptions = {}): NodeChild {
  const child = fork(file, [...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    execArgv: [...(options.execArgv ?? [])],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const inbox: unknown[] = [];
  const waiting: Array<{ resolve: (message: never) => void; reject: (why: Error) => void }> = [];
  child.on('message', (message) => {
    const waiter = waiting.shift();
    if (waiter) waiter.resolve(message as never);
    else inbox.push(message);
  });
  const done = result(child, options);
  let over: Error | undefined;
  void done.then(({ code, signal, stderr }) => {
    over = new Error(`${file} ended (code ${code}, signal ${signal}) without a message. ${stderr}`);
    for (const waiter of waiting.splice(0)) waiter.reject(over);
  });
  return {
    process: child,
    done,
    send: (message) => void child.send(message as never),
    next<T>() {
      if (inbox.length > 0) return Promise.resolve(inbox.shift() as T);
      if (over) return Promise.reject(over);
      return new Promise<T>((resolve, reject) => waiting.push({ resolve, reject }));
    },
    kill: (signal = 'SIGKILL') => void child.kill(signal),
  };
}

function result(child: ChildProcess, options: NodeOptions): Promise<NodeResult> {
  const started = performance.now();
  const stdout = collect(child.stdout as Readable);
  const stderr = collect(child.stderr as Readable);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, options.timeoutMs ?? 30_000);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code,
        signal,
        stdout: stdout(),
        stderr: stderr(),
        ms: performance.now() - started,
        timedOut,
      });
    });
  });
}
