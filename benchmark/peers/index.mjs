// Who takes part. A peer is a file here with a list `peers`; each entry has
//
//   name      unique; how tables and targets call it
//   server    `redis`, `memcached`, or `process` for those that answer hits without a server: who is compared with whom
//   package   its npm package (`with`: others it needs), or null
//   ours      true for ours
//   tagged    whether it knows tags at all
//   against   which of ours it is compared with; all on the same server where it says nothing
//   fits(shape)   which cells it is there for; all where it says nothing
//   variant   true for another setting of one that is there: what clients cost beside time is not counted of it
//   open({ redisPort, memcachedPort }) → { get(key) → value, null or undefined;  set(key, value, tags or null);
//             getMany(keys)?;  clear(tag)?;  provider?, as Medusa calls it;  close() }
//
// All keep the settings that their users get when they set nothing.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { peers as bentocache } from './bentocache.mjs';
import { peers as cachalot } from './cachalot.mjs';
import { peers as cacheable } from './cacheable.mjs';
import { peers as cachingRedis } from './caching-redis.mjs';
import { inProcess, memcachedClients, redisClients } from './clients.mjs';
import { peers as control } from './control.mjs';

export const PEERS = [
  ...cachalot,
  ...redisClients,
  ...cachingRedis,
  ...bentocache,
  ...cacheable,
  ...control,
  ...memcachedClients,
  ...inProcess,
];

/** A client that cannot be had, or does not connect within this, is reported as not run. */
const OPEN_MS = 10_000;

/** Opens those that can be had; the others are named with the reason. */
export async function openAll(ports, wanted) {
  const open = [];
  const notRun = [];
  for (const peer of wanted) {
    try {
      open.push({ ...peer, client: await within(OPEN_MS, probed(peer, ports)) });
    } catch (error) {
      notRun.push({ name: peer.name, reason: error.message.split('\n')[0] });
    }
  }
  return { open, notRun };
}

/** Opened, and seen to answer: some connect behind, and the first call waits for it. */
async function probed(peer, ports) {
  const client = await peer.open(ports);
  await client.set(`${slug(peer)}probe`, { probe: true }, null);
  if ((await client.get(`${slug(peer)}probe`))?.probe !== true)
    throw new Error('it does not give back a value');
  return client;
}

function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What the keys of a peer begin with: a prefix made beforehand costs nobody anything, an option might. */
export const slug = ({ name }) => `${name.replaceAll(/[^a-z0-9]+/gi, '-')}:`;

/** Version of an installed package; a package without the file is not installed. */
export function versionOf(name) {
  const path = fileURLToPath(
    new URL(
      name === 'cachalot' ? '../../package.json' : `../node_modules/${name}/package.json`,
      import.meta.url,
    ),
  );
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).version : 'not installed';
}
