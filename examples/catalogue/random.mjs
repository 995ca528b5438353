// A small seeded generator (mulberry32): the same seed makes the same catalogue on every machine.

/** @param {number} seed an unsigned 32-bit integer */
export function seeded(seed) {
  let state = seed >>> 0;
  /** From 0 up to, not including, 1. */
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const integer = (from, to) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    /** Both ends included. */
    integer,
    pick: (list) => list[Math.floor(next() * list.length)],
    /** `count` different members, in their own order. */
    some(list, count) {
      const left = Math.min(count, list.length);
      const chosen = new Set();
      while (chosen.size < left) chosen.add(Math.floor(next() * list.length));
      return [...chosen].sort((a, b) => a - b).map((index) => list[index]);
    },
    /** Letters and digits as in Medusa's identifiers. */
    id(kind) {
      let text = '';
      for (let i = 0; i < 26; i++) text += '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[Math.floor(next() * 32)];
      return `${kind}_${text}`;
    },
  };
}
