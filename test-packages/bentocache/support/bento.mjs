// Bentocache with our driver below it, as an application writes it.

import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { cachalotBusDriver, cachalotDriver } from 'cachalot/bentocache';

/** @param {object} layers `l1`: Bentocache's own memory above ours; `bus`: a store; further options are Bentocache's */
export function bento(store, { l1 = false, bus, prefix, ...options } = {}) {
  const stack = bentostore();
  if (l1) stack.useL1Layer(memoryDriver({ maxItems: 100 }));
  stack.useL2Layer(cachalotDriver({ store, ...(prefix && { prefix }) }));
  if (bus) stack.useBus(cachalotBusDriver({ store: bus }));
  return new BentoCache({ default: 'main', stores: { main: stack }, ...options });
}

/** A factory that counts its runs. */
export function counted(value) {
  const factory = () => {
    factory.runs += 1;
    return typeof value === 'function' ? value(factory.runs) : value;
  };
  factory.runs = 0;
  return factory;
}
