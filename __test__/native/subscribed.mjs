// Subscribes, tells that it did, and has nothing else to do: the process must end by itself.

import { addon, redisOn } from './addon.mjs';

addon.listen((flat) => {
  if (flat[0] !== 0) console.log(flat[2] === undefined ? 'subscribed' : JSON.stringify(flat[2]));
});
const handle = addon.open(redisOn(Number(process.argv[2]), 2000));
addon.submit(handle, 1024, Date.now(), 'a', new Uint32Array([11, 1]), 2, []);
