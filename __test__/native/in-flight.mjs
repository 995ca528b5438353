// Sends gets to a server that never answers, tells how they ended, and has nothing else to do: the process must wait
// for them, and must not wait any longer.

import { addon, gets, redisOn } from './addon.mjs';

const [port, count] = process.argv.slice(2).map(Number);
const codes = {};
addon.listen((flat) => {
  for (let at = 0; at < flat.length; ) {
    const end = at + 2 + flat[at + 1];
    const event = flat[at] === 0;
    for (at += 2; at < end; at++) {
      if (!event) codes[flat[at].code] = (codes[flat[at].code] ?? 0) + 1;
    }
  }
});
const handle = addon.open(redisOn(port, 300));
if (count > 0) addon.submit(handle, 1024, Date.now(), 'k'.repeat(count), gets(count), 2 * count, []);
process.on('exit', () => console.log(JSON.stringify(codes)));
