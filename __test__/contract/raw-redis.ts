// What lies in Redis, seen without Cachalot: a few commands over RESP2.

import { connect, type Socket } from 'node:net';
import type { Raw } from './stores.js';

export type RedisReply = Buffer | number | null | Error | RedisReply[];

export interface RedisRaw extends Raw {
  /** One command; rejects on an error reply. */
  command(...words: Array<string | Buffer>): Promise<RedisReply>;
}

export function redisRaw(port: number): RedisRaw {
  const command = (...words: Array<string | Buffer>) => ask(port, words);
  return {
    command,
    async keys(prefix) {
      const found: string[] = [];
      const pattern = `${prefix.replace(/[*?[\]\\]/g, '\\$&')}*`;
      let cursor = '0';
      do {
        const [next, page] = (await command('SCAN', cursor, 'MATCH', pattern, 'COUNT', '10000')) as [
          Buffer,
          Buffer[],
        ];
        cursor = next.toString();
        found.push(...page.map((key) => key.toString()));
      } while (cursor !== '0');
      return found;
    },
    async get(key) {
      return ((await command('GET', key)) as Buffer | null) ?? undefined;
    },
    async put(key, value) {
      await command('SET', key, value);
    },
    async remove(keys) {
      if (keys.length > 0) await command('DEL', ...keys);
    },
  };
}

/** A connection a command: slow and simple. */
function ask(port: number, words: ReadonlyArray<string | Buffer>): Promise<RedisReply> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1');
    let seen: Buffer = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      seen = Buffer.concat([seen, chunk as Buffer]);
      const parsed = parse(seen, 0);
      if (!parsed) return;
      socket.destroy();
      if (parsed.value instanceof Error) reject(parsed.value);
      else resolve(parsed.value);
    });
    socket.on('close', () => reject(new Error(`Redis hung up in the middle of ${String(words[0])}.`)));
    socket.write(Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...words.flatMap(bulk)]));
  });
}

function bulk(word: string | Buffer): Buffer[] {
  const bytes = Buffer.from(word as string);
  return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
}

function parse(bytes: Buffer, from: number): { value: RedisReply; end: number } | undefined {
  const eol = bytes.indexOf('\r\n', from);
  if (eol < 0) return undefined;
  const line = bytes.toString('utf8', from + 1, eol);
  const end = eol + 2;
  switch (String.fromCharCode(bytes[from] as number)) {
    case '+':
      return { value: Buffer.from(line), end };
    case '-':
      return { value: new Error(line), end };
    case ':':
      return { value: Number(line), end };
    case '$': {
      const length = Number(line);
      if (length < 0) return { value: null, end };
      if (bytes.length < end + length + 2) return undefined;
      return { value: bytes.subarray(end, end + length), end: end + length + 2 };
    }
    case '*': {
      const items: RedisReply[] = [];
      let at = end;
      for (let left = Number(line); left > 0; left--) {
        const item = parse(bytes, at);
        if (!item) return undefined;
        items.push(item.value);
        at = item.end;
      }
      return { value: items, end: at };
    }
    default:
      return { value: new Error(`Not a RESP reply: ${line}`), end };
  }
}
