// A primary, its replica and three sentinels that watch them.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisRaw } from '../contract/raw-redis.js';
import { freePort } from './ports.js';
import { supervise } from './processes.js';
import { type RedisServer, startRedis } from './servers.js';

export const NAME = 'shop-primary';

/** Until all know of each other; some two seconds. */
const ACQUAINTED_MS = 30_000;

export interface SentinelSet {
  /** As they stand at the start. */
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** `127.0.0.1:port` of the sentinels. */
  readonly nodes: string[];
  /** The port of the present primary, as the first sentinel has it. */
  told(): Promise<number>;
  stop(): Promise<void>;
}

export async function startSentinels(): Promise<SentinelSet> {
  const folder = await mkdtemp(join(tmpdir(), 'cachalot-sentinel-'));
  const primary = await startRedis();
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
  const running = await Promise.all(
    [1, 2, 3].map(async (at) => {
      const port = await freePort();
      const file = join(folder, `${at}.conf`);
      const lines = [
        ...[`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`],
        `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 2`,
        ...[`sentinel down-after-milliseconds ${NAME} 1000`, `sentinel failover-timeout ${NAME} 5000`],
      ];
      await writeFile(file, `${lines.join('\n')}\n`);
      return { port, process: await supervise('redis-server', [file, '--sentinel'], undefined) };
    }),
  );
  const about = async (port: number) => {
    const words = ((await redisRaw(port).command('SENTINEL', 'MASTER', NAME)) as Buffer[]).map(String);
    return (field: string) => Number(words[words.indexOf(field) + 1]);
  };
  const deadline = Date.now() + ACQUAINTED_MS;
  for (const { port } of running) {
    for (;;) {
      const known = await about(port).catch(() => () => 0);
      if (known('num-other-sentinels') === 2 && known('num-slaves') === 1) break;
      if (Date.now() > deadline) throw new Error('the sentinels did not find each other');
      await sleep(100);
    }
  }
  return {
    primary,
    replica,
    nodes: running.map(({ port }) => `127.0.0.1:${port}`),
    told: async () => (await about(running[0]?.port ?? 0))('port'),
    async stop() {
      for (const { process } of running) process.signal('SIGKILL');
      await Promise.all(running.map(({ process }) => process.gone));
      await Promise.all([primary.stop(), replica.stop(), rm(folder, { recursive: true, force: true })]);
    },
  };
}
