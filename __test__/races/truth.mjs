// The truth of a race: pages of one file are the same to all processes, and a version is one aligned word of it. Two a key:
// what is committed, and the last commit whose clear has finished.

import { openSync, readSync, writeSync } from 'node:fs';

export function openTruth(path) {
  const file = openSync(path, 'r+');
  const word = Buffer.alloc(4);
  const read = (place) => {
    readSync(file, word, 0, 4, place * 4);
    return word.readUInt32LE(0);
  };
  const write = (place, version) => {
    word.writeUInt32LE(version);
    writeSync(file, word, 0, 4, place * 4);
  };
  return {
    committed: (key) => read(key * 2),
    cleared: (key) => read(key * 2 + 1),
    commit: (key, version) => write(key * 2, version),
    finish: (key, version) => write(key * 2 + 1, version),
  };
}
