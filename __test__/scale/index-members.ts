// The size of the index that lists a tag's entries, as it lies in the server (docs/internals/tags.md).

import type { MemcachedRaw } from '../contract/raw-memcached.js';
import type { RedisRaw } from '../contract/raw-redis.js';
import type { StoreUnderTest } from '../contract/stores.js';

/** Before the key of a member: its length (2 bytes) and its expiry (8). */
const MEMBER_HEADER = 10;

export async function indexMembers(store: StoreUnderTest, prefix: string): Promise<number> {
  if (store.kind === 'redis') {
    // One for all tags, here as below.
    return (await (store.raw as RedisRaw).command('ZCARD', `${prefix}!i`)) as number;
  }
  const shards = (await (store.raw as MemcachedRaw).all(`${prefix}!i:`)).filter(({ key }) =>
    /^[0-9a-f]+:/.test(key.slice(prefix.length + 3)),
  );
  return shards.reduce((sum, { value }) => sum + membersIn(value), 0);
}

function membersIn(shard: Buffer): number {
  let count = 0;
  for (let at = 0; at + MEMBER_HEADER <= shard.length; count++) at += MEMBER_HEADER + shard.readUInt16LE(at);
  return count;
}
