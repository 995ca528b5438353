// What is measured. A workload is an object in a file here with
//
//   what     how tables call it
//   run(client, data, index) → promise    one run; `data` is `{ keys, values, tags, absent }`, tags null where untagged
//   per      operations of one run, 1 if it says nothing; `inTurn`: they follow one another, so a latency is divided
//   check(value, data, index, name)       throws on a wrong answer; after every run, so it must be cheap
//   verify(client, data, sampled, name)   after a slice, for what is not cheap
//   needs    a method that not every client has
//   name(shape)                           how its cells are called, where sizes and numbers at a time say too little
//   prepare(contestant, shape) → data     where it is not the usual products
//
// or, where a run needs preparation, `once(contestant, data, serverPid)` with the figures of one. Which cells there are
// is in ../plan.mjs.

import { shopEvent, shopExpired, shopMemory } from '../shop/events.mjs';
import { shopCached, shopNew, shopSet } from '../shop/listings.mjs';
import { shopTraffic } from '../shop/traffic.mjs';
import { clear } from './clear.mjs';
import { get, hits, misses } from './get.mjs';
import { allOf, getMany } from './many.mjs';
import { set } from './set.mjs';

export const WORKLOADS = {
  ...{ shopTraffic, shopNew, shopCached, shopSet, shopEvent, shopExpired, shopMemory },
  ...{ get, misses, set, getMany, allOf, clear, hits },
};
