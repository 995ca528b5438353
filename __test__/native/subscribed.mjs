// Subscribes, tells that it did, and has nothing else to do: the process must end by itself.

import { addon, redisOn } from './addon.mjs';

const ID = 1024;

addon.listen((flat) => {
  // An event of the connection may come in the same delivery, before it.
  for (let at = 0; at < flat.length; at += 3)
    if (flat[at] === ID) console.log(flat[at + 2] ? JSON.stringify(flat[at + 2]) : 'subscribed');
});
const handle = addon.open(redisOn(Number(process.argv[2]), 2000));
addon.submit(handle, ID, Date.now(), 'a', new Uint32Array([11, 1]), 2, []);
