// Pings a server over a connection of its own, on a thread of its own: what the main thread does meanwhile is no pause of
// the server's.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

/** Often against the pauses that are looked for, seldom against what a server can answer. */
const EVERY_MS = 1;
/** Until this code is compiled. */
const WARM_UP = 20;

let ended = false;
parentPort.once('message', () => {
  ended = true;
});
const socket = connect(workerData, '127.0.0.1').setNoDelay();
await once(socket, 'connect');
for (let i = 0; i < WARM_UP; i++) await ping();
parentPort.postMessage('ready');
const pings = [];
while (!ended) {
  pings.push(await ping());
  await pause(EVERY_MS);
}
// One at least that was sent after all that is looked at.
pings.push(await ping());
socket.destroy();
parentPort.postMessage(pings);

/** By a clock that all threads have. */
async function ping() {
  const sent = performance.now();
  socket.write('PING\r\n');
  await once(socket, 'data');
  return { sent: performance.timeOrigin + sent, took: performance.now() - sent };
}
