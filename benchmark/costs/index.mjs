// What a client costs beside the time of its operations.

import { clients } from './clients.mjs';
import { entryOverhead } from './entries.mjs';
import { hotPath } from './hot-path.mjs';
import { sizes } from './sizes.mjs';
import { startTimes } from './start.mjs';

export async function costs(ports, { costRounds, startRounds, sliceMs, ...plan }) {
  return {
    start: await startTimes(startRounds),
    clients: await clients(ports, { rounds: costRounds, milliseconds: sliceMs }),
    entries: await entryOverhead(ports),
    sizes: sizes(),
    hotPath: await hotPath(ports, plan.hotPath),
  };
}
