// What nobody who hands out a fresh object gets under: parsing and making the very texts of the run.

import { product } from '../payloads.mjs';
import { median } from '../statistics.mjs';

const ROUNDS = 7;
/** Of each round; long against the clock. */
const MS = 15;

/** @returns `[{ bytes, text, parse, stringify }]` in µs */
export function jsonFloor(kinds, entries) {
  return kinds.map(({ bytes, text }) => {
    const values = Array.from({ length: entries }, (_, index) => product(bytes, bytes + index, text));
    const texts = values.map((value) => JSON.stringify(value));
    return {
      bytes,
      text,
      parse: each(texts, JSON.parse),
      stringify: each(values, (value) => JSON.stringify(value)),
    };
  });
}

function each(inputs, work) {
  const rounds = Array.from({ length: ROUNDS }, () => {
    let done = 0;
    const began = performance.now();
    while (performance.now() - began < MS) {
      for (const input of inputs) work(input);
      done += inputs.length;
    }
    return ((performance.now() - began) * 1_000) / done;
  });
  return median(rounds);
}
