// The control: what plain JavaScript can do with the one trick that matters most, joining a turn's commands into one
// write. It knows no errors, no outage, no deadline; a client that is behind it pays for something else.

import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { TTL } from './connection.mjs';

class Control {
  #socket;
  #waiting = [];
  #first = 0;
  #out = [];
  #in = Buffer.alloc(0);

  async connect(port) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(this.#socket, 'connect');
    this.#socket.on('data', (chunk) =>
      this.#read(this.#in.length === 0 ? chunk : Buffer.concat([this.#in, chunk])),
    );
  }

  send(...words) {
    if (this.#out.length === 0) process.nextTick(() => this.#flush());
    this.#out.push(`*${words.length}\r\n`);
    for (const word of words) this.#out.push(`$${Buffer.byteLength(word)}\r\n`, word, '\r\n');
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #flush() {
    const bytes = this.#out.every((part) => typeof part === 'string')
      ? this.#out.join('')
      : Buffer.concat(this.#out.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
    this.#out = [];
    this.#socket.write(bytes);
  }

  #read(bytes) {
    let at = 0;
    for (;;) {
      const end = bytes.indexOf('\r\n', at, 'latin1');
      if (end < 0) break;
      const length = bytes[at] === 36 ? Number(bytes.latin1Slice(at + 1, end)) : -1;
      const next = length < 0 ? end + 2 : end + 2 + length + 2;
      if (next > bytes.length) break;
      this.#waiting[this.#first++](length < 0 ? null : bytes.subarray(end + 2, end + 2 + length));
      at = next;
    }
    this.#in = bytes.subarray(at);
    if (this.#first === this.#waiting.length) this.#first = this.#waiting.length = 0;
  }

  close() {
    this.#socket.destroy();
  }
}

const decoded = (bytes) => (bytes === null ? null : JSON.parse(bytes.utf8Slice(0, bytes.length)));
const zip = promisify(gzip);
const unzip = promisify(gunzip);

const control = (name, { compressed }) => ({
  name,
  server: 'redis',
  package: null,
  // Below 2,048 bytes the two controls are one.
  fits: ({ bytes }) => !compressed || bytes >= 2_048,
  against: ['cachalot redis'],
  async open({ redisPort }) {
    const client = new Control();
    await client.connect(redisPort);
    const { get, set } = compressed
      ? {
          async get(key) {
            const bytes = await client.send('GET', key);
            return bytes === null ? null : decoded(await unzip(bytes));
          },
          set: async (key, value) =>
            client.send('SET', key, await zip(JSON.stringify(value)), 'EX', String(TTL)),
        }
      : {
          get: async (key) => decoded(await client.send('GET', key)),
          set: (key, value) => client.send('SET', key, JSON.stringify(value), 'EX', String(TTL)),
        };
    return { get, set, close: async () => client.close() };
  },
});

export const peers = [
  control('pure-JS control', { compressed: false }),
  control('pure-JS control + gzip', { compressed: true }),
];
