// The parts of the page about what is not an operation: floors, and what a client costs beside time.

import { sizeName } from '../statistics.mjs';
import { fixed, integer, kilo, micro, table } from './format.mjs';

const bold = ({ name, ours }) => (ours ? `**${name}**` : name);

export function floorSections({ floors }) {
  if (floors === undefined) return [];
  const { json, redis } = floors;
  return [
    '## Floors and limits',
    '',
    'Parsing and making the same texts on the main thread, which nobody who hands out a fresh object gets under:',
    '',
    ...table(
      ['', 'JSON.parse µs', 'JSON.stringify µs'],
      json.map(({ bytes, text, parse, stringify }) => [
        `${sizeName(bytes)}, ${text}`,
        micro(parse),
        micro(stringify),
      ]),
    ),
    '',
    redis.reason
      ? `redis-benchmark was not run: ${redis.reason}.`
      : 'What the same server gives to redis-benchmark, a client in C that looks at nothing:',
    '',
    ...(redis.reason
      ? []
      : table(
          ['', 'clients', 'pipeline', 'ops/s'],
          redis.rows.map(({ test, bytes, clients, pipeline, opsPerSecond }) => [
            `${test} ${sizeName(bytes)}`,
            clients,
            pipeline,
            integer(opsPerSecond),
          ]),
        )),
  ];
}

export function costSections({ costs }) {
  if (costs === undefined) return [];
  return [...idle(costs), '', ...entries(costs), '', ...start(costs), '', ...size(costs)];
}

function idle({ clients }) {
  const run = clients.filter(({ reason }) => reason === undefined);
  return [
    '## What a client costs while nothing happens',
    '',
    'Each alone in a process, connected, after one set and one get; resident memory, threads and handles above a bare Node.js process. "Peak" is the most',
    'resident memory of that process in all, after gets and sets, 64 at a time.',
    '',
    ...table(
      ['', 'idle MB', 'threads', 'handles', 'peak MB, 1 KB', 'peak MB, 16 KB'],
      run.map((client) => [
        bold(client),
        fixed(client.rss, 1),
        client.threads,
        client.handles,
        fixed(client.peak[1_024], 0),
        fixed(client.peak[16_384], 0),
      ]),
    ),
    ...clients
      .filter(({ reason }) => reason !== undefined)
      .flatMap(({ name, reason }) => ['', `Not run: ${name}: ${reason}`]),
  ];
}

function entries({ entries: { bytes, entries: count, redis, memory } }) {
  const shown = (number) => (number === null || number === undefined ? '–' : integer(number));
  return [
    '## What an entry takes beside its JSON',
    '',
    `${integer(count)} entries of ${bytes} B. In Redis: \`used_memory\` above that of plain strings with a ttl. The five tags are Medusa's: four that entries share, one of each entry's own.`,
    '',
    ...table(
      ['bytes an entry, in Redis', 'no tags', '5 tags'],
      redis.map((row) => [bold(row), row.reason ?? shown(row.plain), row.reason ? '–' : shown(row.tagged)]),
    ),
    '',
    ...table(
      ['bytes an entry, in process (resident memory)', ''],
      memory.map(({ name, overhead, reason }) => [name, reason ?? shown(overhead)]),
    ),
  ];
}

function start({ start }) {
  const [least, ...rest] = start;
  return [
    '## How long loading takes',
    '',
    `\`require\` of what an application loads, in a process of its own (the least that shows: ${fixed(least.milliseconds, 1)} ms).`,
    '',
    ...table(
      ['', 'ms', 'by'],
      rest.map((row) => [bold(row), row.reason ?? fixed(row.milliseconds, 1), row.how ?? '–']),
    ),
  ];
}

function size({ sizes: { addon, packed, unpacked, peers } }) {
  return [
    '## How large it is',
    '',
    'Peers: their own folders with their binaries, without what they depend on.',
    '',
    ...table(
      ['', 'on the disk'],
      [
        [`**the addon, stripped** (\`${addon.file}\`)`, kilo(addon.bytes)],
        ['**cachalot, with one addon, as installed**', kilo(unpacked)],
        ['**the same as a tarball**', kilo(packed)],
        ...peers.map(({ name, bytes }) => [name, kilo(bytes)]),
      ],
    ),
  ];
}
