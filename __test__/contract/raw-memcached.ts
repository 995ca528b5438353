// What lies in memcached, seen without Cachalot: the classic protocol, a connection a command.

import { connect } from 'node:net';
import type { Raw } from './stores.js';

export interface MemcachedRaw extends Raw {
  /** Every value of the keys that begin so, by key: one for each server that holds it. */
  all(prefix: string): Promise<Array<{ key: string; value: Buffer; flags: number }>>;
  /** Sends lines to every server; answers what each said. */
  command(line: string, until: RegExp): Promise<string[]>;
}

const DONE = /(END|DELETED|NOT_FOUND|STORED|OK|ERROR[^\r]*|VERSION[^\r]*)\r\n$/;

export function memcachedRaw(ports: readonly number[]): MemcachedRaw {
  const keysOf = async (port: number, prefix: string) => {
    let dump = 'BUSY';
    // One crawl at a time: another test's may be under way.
    while (dump.startsWith('BUSY')) {
      dump = (await ask(port, 'lru_crawler metadump all\r\n', /(END|ERROR.*|BUSY.*)\r\n$/)).toString(
        'latin1',
      );
    }
    return [...dump.matchAll(/^key=(\S+)/gm)]
      .map((found) => decodeURIComponent(found[1] as string))
      .filter((key) => key.startsWith(prefix));
  };
  const fetch = async (port: number, key: string) => {
    const reply = await ask(port, `get ${key}\r\n`, /END\r\n$/);
    const found = /^VALUE (?:\S+) (\d+) (\d+)\r\n/.exec(reply.subarray(0, 400).toString('latin1'));
    if (!found) return undefined;
    const from = (found[0] as string).length;
    return { flags: Number(found[1]), value: reply.subarray(from, from + Number(found[2])) };
  };
  return {
    async keys(prefix) {
      return (await Promise.all(ports.map((port) => keysOf(port, prefix)))).flat();
    },
    async get(key) {
      const found = await Promise.all(ports.map((port) => fetch(port, key)));
      return found.find((one) => one !== undefined)?.value;
    },
    async put(key, value) {
      // Where it is; if it is nowhere, on every server: which of them holds a key is the client's to know.
      const held = await Promise.all(ports.map((port) => fetch(port, key)));
      const there = ports.filter((_, n) => held[n] !== undefined);
      const line = Buffer.from(`set ${key} 0 0 ${value.length}\r\n`);
      const request = Buffer.concat([line, value, Buffer.from('\r\n')]);
      await Promise.all((there.length > 0 ? there : ports).map((port) => ask(port, request, DONE)));
    },
    async remove(keys) {
      for (const port of ports) {
        for (let at = 0; at < keys.length; at += 500) {
          const chunk = keys.slice(at, at + 500);
          // `mn` answers MN when everything before it is done.
          await ask(port, `${chunk.map((key) => `md ${key} q\r\n`).join('')}mn\r\n`, /MN\r\n$/);
        }
      }
    },
    async all(prefix) {
      const out: Array<{ key: string; value: Buffer; flags: number }> = [];
      for (const port of ports) {
        for (const key of await keysOf(port, prefix)) {
          const found = await fetch(port, key);
          if (found) out.push({ key, ...found });
        }
      }
      return out;
    },
    async command(line, until) {
      return Promise.all(ports.map(async (port) => (await ask(port, line, until)).toString('latin1')));
    },
  };
}

function ask(port: number, request: string | Buffer, until: RegExp): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      chunks.push(chunk as Buffer);
      // The end shows in the last bytes; a value that ends alike is no value of these tests.
      const tail = Buffer.concat(chunks.slice(-2)).subarray(-200).toString('latin1');
      if (!until.test(tail)) return;
      socket.destroy();
      resolve(Buffer.concat(chunks));
    });
    socket.on('close', () =>
      reject(new Error(`memcached hung up in the middle of ${request.toString().slice(0, 40)}`)),
    );
  });
}
