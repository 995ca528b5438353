// One cell: everyone warms up, then rounds, in each of which everyone has one turn.

import { fill, slice } from './measure.mjs';
import { product, tagsOf } from './payloads.mjs';
import { slug } from './peers/index.mjs';
import { summarise } from './statistics.mjs';
import { WORKLOADS } from './workloads/index.mjs';

/** A first clear compiles, and sends scripts to the server; that is not what clearing costs. */
const WARM_UP_ENTRIES = 200;

/** Of ours: what was asked for is more than it takes, or nothing that it knows. All else is a fault. */
const REFUSALS = ['CACHALOT_CONFIG', 'CACHALOT_TOO_LARGE', 'CACHALOT_UNSUPPORTED'];

/**
 * @returns `{ results, failures }`. A peer that answers wrongly or throws is out of the cell, with the reason; if ours
 *   does, the run ends, unless it refused.
 */
export async function measureCell(invited, shape, { plan, pids, filled }) {
  const workload = WORKLOADS[shape.workload];
  const failures = [];
  const sheets = new Map(invited.map((contestant) => [contestant, { data: undefined, slices: [] }]));

  async function turn(contestant, work) {
    const sheet = sheets.get(contestant);
    if (sheet === undefined) return;
    try {
      await work(contestant, sheet);
    } catch (error) {
      if (contestant.ours && !REFUSALS.includes(error.code)) throw error;
      sheets.delete(contestant);
      failures.push({ name: contestant.name, reason: error.message.split('\n')[0] });
    }
  }

  for (const one of invited) {
    await turn(one, async (contestant, sheet) => {
      sheet.data = workload.prepare
        ? { ...(await workload.prepare(contestant, shape)), entries: shape.entries }
        : await dataOf(contestant, shape, workload, { plan, filled });
    });
  }
  for (const one of invited) {
    await turn(one, (contestant, { data }) =>
      workload.once
        ? workload.once(contestant, { ...data, entries: WARM_UP_ENTRIES })
        : slice(contestant, workload, data, shape.concurrency, plan.warmUpMs),
    );
  }
  const rounds = shape.rounds ?? (workload.once ? plan.clearRounds : plan.rounds);
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < invited.length; at++) {
      await turn(invited[(at + round) % invited.length], async (contestant, { data, slices }) => {
        const pid = contestant.client.pid ?? pids[contestant.server];
        slices.push(
          workload.once
            ? await workload.once(contestant, data, pid)
            : await slice(contestant, workload, data, shape.concurrency, plan.sliceMs, pid),
        );
      });
    }
  }
  const results = [...sheets].map(([{ name, server, ours = false, against }, { slices }]) => ({
    name,
    server,
    ours,
    ...(against && { against }),
    ...summarise(slices),
  }));
  return { results, failures };
}

/** The data set of a kind of cell, under keys of the contestant's own, written once. */
async function dataOf(contestant, { bytes, text, tagged, entries }, workload, { plan, filled }) {
  const kind = `${bytes}:${text}${tagged ? ':tagged' : ''}`;
  const prefix = `${slug(contestant)}${kind}:`;
  const known = filled.get(prefix);
  if (known) return { ...known, entries };
  const seeds = Array.from({ length: plan.entries }, (_, index) => bytes + index);
  const values = seeds.map((seed) => product(bytes, seed, text));
  const data = {
    prefix,
    keys: seeds.map((seed) => `${prefix}products:${seed}`),
    absent: seeds.map((seed) => `${prefix}absent:${seed}`),
    values,
    tags: tagged ? values.map((value, index) => tagsOf(value, seeds[index])) : null,
  };
  if (!workload.once) {
    await fill(contestant, data);
    filled.set(prefix, data);
  }
  return { ...data, entries };
}
