// The shop with the Caching Module of Medusa 2.19, which awaits neither set nor clear: a provider that rejects one then
// ends the process. Does what makes both fail, prints "outlasted it" at the end, and exits with 0 only if it got there.
//
//   node outlast.mjs redis|memcached|memory down|full|forbidden|large

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { stores } from '../../medusa-stores.mjs';
import { databaseOf, OLDER } from './databases.mjs';
import { startShop } from './shop.mjs';

const MODULE = 'caching-2.19';
/** Of products: the JSON of one has tens of kB, that of the other more than a MB. */
const [SMALL, LARGE] = [1, 60];
/** Between the JSON of the two. */
const MAX_VALUE_BYTES = 500_000;
/** For what is begun in the background to succeed or fail: a store here answers in milliseconds. */
const BACKGROUND_MS = 5_000;

const [id, failure] = process.argv.slice(2);
const { server, provider } = await stores[id](failure === 'large' ? { maxValueBytes: MAX_VALUE_BYTES } : {});
const shop = await startShop(provider, databaseOf(OLDER), MODULE);
const { default: older } = createRequire(import.meta.url)(MODULE);
assert.equal(shop.caching.constructor, older.service);

await cached(SMALL);
if (failure === 'down') await server.stop();
if (failure === 'full') await command(server.port, 'CONFIG SET maxmemory 1');
if (failure === 'forbidden') await command(server.port, 'ACL SETUSER default -@write');

// Twice: what the first time left undone must not break the second.
for (const time of ['first', 'second']) {
  await shop.list(LARGE);
  await setTimeout(BACKGROUND_MS / 10);
  const { answer, asked } = await shop.list(LARGE);
  assert.ok(asked > 0, 'this listing cannot be cached');
  const [{ id: product, title }] = answer.data;
  await shop.rename(product, `${title}, ${time}`);
  await setTimeout(BACKGROUND_MS / 10);
  const now = (await shop.list(LARGE)).answer.data.find(({ id }) => id === product);
  assert.equal(now.title, `${title}, ${time}`);
}
await setTimeout(BACKGROUND_MS / 10);
console.log('outlasted it');
await shop.stop();
await server?.stop();

/** Lists until the answer comes from the cache: nothing tells when the set has ended. */
async function cached(size) {
  const until = Date.now() + BACKGROUND_MS;
  while ((await shop.list(size)).asked > 0) {
    assert.ok(Date.now() < until, `a listing of ${size} is cached within ${BACKGROUND_MS} ms`);
  }
}

/** Sends a command to Redis, past every client. */
async function command(port, line) {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${line}\r\n`);
  const [reply] = await once(socket.setEncoding('utf8'), 'data');
  socket.destroy();
  assert.equal(reply, '+OK\r\n');
}
