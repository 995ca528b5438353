// A look into the stores themselves, past every client.

import { connect } from 'node:net';

/** Bytes of one reply in these tests are far below this; the time is for a server that does not answer. */
const REPLY_MS = 2_000;

/** Sends one line, collects until `complete` says that the reply is whole. */
function ask(port, line, complete) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${line}\r\n`));
    let reply = '';
    socket.setEncoding('latin1').setTimeout(REPLY_MS, () => socket.destroy(new Error(`No reply to ${line}`)));
    socket.on('data', (text) => {
      reply += text;
      if (!complete(reply)) return;
      socket.destroy();
      resolve(reply);
    });
    socket.on('error', reject);
  });
}

/** Every key in a Redis database. */
export async function redisKeys(port) {
  const reply = await ask(port, 'KEYS *', (text) => {
    const count = /^\*(\d+)\r\n/.exec(text);
    return count !== null && text.split('\r\n').length === 2 + 2 * Number(count[1]);
  });
  return reply
    .split('\r\n')
    .slice(1)
    .filter((_, at) => at % 2 === 1)
    .sort();
}

/** An integer reply: STRLEN, PTTL, EXISTS … */
export async function redisInteger(port, command) {
  const reply = await ask(port, command, (text) => text.endsWith('\r\n'));
  if (!reply.startsWith(':')) throw new Error(`${command} answered ${reply}`);
  return Number(reply.slice(1));
}

/** Bytes of a Memcached item, or null where there is none. */
export async function memcachedSize(port, key) {
  const reply = await ask(port, `mg ${key} s`, (text) => text.endsWith('\r\n'));
  const size = /^HD s(\d+)/.exec(reply);
  return size === null ? null : Number(size[1]);
}
