//! The indexes: which keys carried a tag, for `get` by tags and for reclaiming. They decide nothing about validity, so they
//! may lose members, and members may be dead.
//!
//! A tag has one of its own, for entries of few tags; those of many are members of one index that all tags share
//! (`Tag::WIDE`), so that hundreds of tags cost a set no more than a few. A tag of a namespace needs none: it is cleared, and
//! nobody lists by it.
//!
//! An index is 16 shards, by the key's hash. A shard is one item, to which records are appended (`shard` has the
//! bytes). Appending needs no read, so a set costs no round trip for it; what is superfluous is dropped by compaction,
//! a read and a compare-and-swap.

use super::commands::{Batch, MetaGetFlags, MetaSetFlags, Replies, Version, seconds};
use super::core::Core;
use super::index_stats::Growth;
use super::protocol::{Outcome, Reply};
use super::records::{outliving, too_short};
use super::shard::{Member, RECORD, SHARDS, encode, members, newest, put_record};
use crate::error::Result;
use crate::model::tag::Tag;
use crate::model::time::UnixMs;
use crate::model::ttl::Ttl;
use crate::net::cluster::router::Location;
use crate::net::cluster::scatter::Slot;
use crate::store::request::{Presence, StaleMember};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;
use xxhash_rust::xxh3::xxh3_64;

/// Tags of a caller past which an entry is a member of the index that all share.
const WIDE_FROM: usize = 16;

/// Shards are read together up to so many bytes: some thousand members.
const PAGE: u64 = 64 * 1024;

/// Members, when each expires, and where to go on.
pub type Listed = (Vec<(String, UnixMs)>, Option<u64>);

/// Tries of a compaction against appends; the next sweep will come by again.
const MAX_TRIES: usize = 3;
/// Seconds that a stub lives in the place of an entry that was reclaimed: as long as a set waits for the memory of misses.
const BURIED: u32 = 30;

/// A shard's share of the item limit at most: the rest is room for the item's header and for appends meanwhile.
fn limit(max_item: usize) -> usize {
    max_item / 4 * 3
}

fn shard_of(key: &str) -> u32 {
    (xxh3_64(key.as_bytes()) % u64::from(SHARDS)) as u32
}

/// The indexes that list an entry with these tags.
pub fn listing(tags: &[Tag]) -> impl Iterator<Item = Tag> {
    let own = tags.iter().copied().filter(|tag| !tag.is_namespace());
    let is_wide = own.clone().nth(WIDE_FROM).is_some();
    own.take(if is_wide { 0 } else { WIDE_FROM }).chain(is_wide.then_some(Tag::WIDE))
}

/// Nothing is there, or a stub.
fn is_absent(reply: &Reply) -> bool {
    reply.outcome == Outcome::Miss || (reply.done() && reply.size == Some(0))
}

/// What a batch of sets appends, one record run a shard.
#[derive(Default)]
pub struct Joining {
    shards: BTreeMap<(Tag, u32), Run>,
}

struct Run {
    records: Vec<u8>,
    count: usize,
    ttl: Ttl,
    expires_at: UnixMs,
}

/// A run on its way, and where its answers will be.
struct Sent {
    index: Tag,
    shard: u32,
    place: Location,
    run: Run,
    append: Slot,
    look: Slot,
}

pub struct Joined {
    sent: Vec<Sent>,
}

/// What is left to do for the indexes after a batch.
pub struct Grown {
    /// Shards that were not there, or took no more.
    refused: Vec<Sent>,
    /// Shards that would go before their new entries do.
    short: Vec<(Location, Ttl)>,
    looks: Vec<(Tag, u32, Growth)>,
}

impl Joining {
    pub fn add(&mut self, tags: &[Tag], key: &str, ttl: Ttl, now: UnixMs) {
        for index in listing(tags) {
            let run = self.shards.entry((index, shard_of(key))).or_insert(Run {
                records: Vec::new(),
                count: 0,
                ttl,
                expires_at: 0,
            });
            put_record(&mut run.records, key, ttl.expires_at(now));
            run.count += 1;
            run.ttl = run.ttl.max(ttl);
            run.expires_at = ttl.expires_at(now);
        }
    }

    pub fn append(self, core: &Core, batch: &mut Batch) -> Joined {
        let sent = self.shards.into_iter().map(|((index, shard), run)| {
            let place = core.shard(index, shard);
            let append = batch.append(&place, &run.records);
            let look = batch.get(&place, MetaGetFlags::SIZE_TTL);
            Sent { index, shard, place, run, append, look }
        });
        Joined { sent: sent.collect() }
    }
}

impl Joined {
    pub fn grown(self, replies: &mut Replies) -> Grown {
        let mut out = Grown { refused: Vec::new(), short: Vec::new(), looks: Vec::new() };
        for sent in self.sent {
            let (Ok(append), Ok(look)) = (replies.take(sent.append), replies.take(sent.look)) else {
                continue;
            };
            match append.outcome {
                Outcome::Done => {}
                Outcome::NotStored | Outcome::Failed(_) => {
                    out.refused.push(sent);
                    continue;
                }
                _ => continue,
            }
            if look.cas.is_some() && too_short(look.remaining(), sent.run.ttl) {
                out.short.push((sent.place, sent.run.ttl));
            }
            let growth = Growth {
                size: look.size.unwrap_or(0) as usize,
                record: sent.run.records.len() / sent.run.count,
                expires_at: sent.run.expires_at,
            };
            out.looks.push((sent.index, sent.shard, growth));
        }
        out
    }
}

/// One of the few compactions under way at once.
struct Compacting<'a> {
    core: &'a Core,
    index: Tag,
    shard: u32,
}

impl Drop for Compacting<'_> {
    fn drop(&mut self) {
        self.core.index_stats.lock().compacted(self.index, self.shard);
    }
}

impl Core {
    fn shard(&self, index: Tag, shard: u32) -> Location {
        self.place(&self.space.index_shard(index, shard))
    }

    /// Creates shards that an append did not find, and keeps the others long and small enough.
    pub async fn grow(&self, grown: Grown) {
        for (index, shard, growth) in grown.looks {
            if self.index_stats.lock().grew(index, shard, &growth, limit(self.max_item)) {
                self.in_background(move |core| async move {
                    // Given back however this ends, also by the deadline.
                    let slot = Compacting { core: &core, index, shard };
                    let _ = core.compact(index, shard).await;
                    drop(slot);
                });
            }
        }
        let mut batch = self.batch();
        for (place, ttl) in grown.short {
            batch.get(
                &place,
                MetaGetFlags { touch: Some(seconds(outliving(ttl))), ..MetaGetFlags::default() },
            );
        }
        let adds: Vec<_> = grown
            .refused
            .into_iter()
            .map(|sent| {
                let put = MetaSetFlags { flags: 0, life: seconds(outliving(sent.run.ttl)) };
                let slot = batch.add(&sent.place, &sent.run.records, put);
                (sent, slot)
            })
            .collect();
        if batch.is_empty() {
            return;
        }
        let mut replies = self.send(batch).await;
        // Added by another set meanwhile, or there and full: compacting makes room, or finds nothing to do.
        for (sent, slot) in adds {
            if matches!(replies.take(slot), Ok(Reply { outcome: Outcome::NotStored, .. })) {
                let mut batch = self.batch();
                let slot = batch.append(&sent.place, &sent.run.records);
                if let Ok(reply) = self.send(batch).await.take(slot)
                    && !reply.done()
                    && self.compact(sent.index, sent.shard).await.is_ok()
                {
                    let mut batch = self.batch();
                    batch.append(&sent.place, &sent.run.records);
                    self.send(batch).await;
                }
            }
        }
    }

    async fn read_shard(&self, place: &Location) -> Result<Reply> {
        let mut batch = self.batch();
        let slot = batch.get(place, MetaGetFlags::VALUE_TTL);
        self.send(batch).await.take(slot)
    }

    /// Puts these members in place of that version; false if it is another by now.
    async fn swap_shard(&self, place: &Location, was: &Reply, members: &[Member<'_>]) -> Result<bool> {
        let Some(version) = Version::of(was) else { return Ok(true) };
        let mut batch = self.batch();
        let slot = if members.is_empty() {
            batch.delete_version(place, version)
        } else {
            let put = MetaSetFlags { flags: 0, life: seconds(was.remaining()) };
            batch.replace(place, version, &encode(members), put)
        };
        Ok(self.send(batch).await.take(slot)?.outcome != Outcome::Exists)
    }

    /// Drops repeats and the expired from a shard, and the oldest where it still is too large.
    async fn compact(&self, index: Tag, shard: u32) -> Result<()> {
        let place = self.shard(index, shard);
        for _ in 0..MAX_TRIES {
            let was = self.read_shard(&place).await?;
            let value = was.value.clone().unwrap_or_default();
            let now = self.caller_clock.load(Relaxed);
            let alive: Vec<_> =
                members(&value).into_iter().filter(|member| member.expires_at > now).collect();
            let kept = newest(&alive, limit(self.max_item) / 2);
            if self.swap_shard(&place, &was, kept).await? {
                self.index_stats.lock().looked(index, shard, kept);
                break;
            }
        }
        Ok(())
    }

    /// As many shards a page as are small together.
    pub async fn page(&self, index: Tag, cursor: u64, now: UnixMs) -> Result<Listed> {
        let Some(first) = u32::try_from(cursor).ok().filter(|shard| *shard < SHARDS && index != Tag::ROOT)
        else {
            return Ok(Listed::default());
        };
        let mut batch = self.batch();
        let sizes: Vec<_> = (first..SHARDS)
            .map(|shard| {
                let place = self.shard(index, shard);
                let slot = batch.get(&place, MetaGetFlags::SIZE);
                (shard, place, slot)
            })
            .collect();
        let mut replies = self.send(batch).await;
        let mut batch = self.batch();
        let mut read = Vec::new();
        let (mut bytes, mut next) = (0, None);
        for (shard, place, slot) in sizes {
            let size = match replies.take(slot) {
                Ok(reply) => reply.size.unwrap_or(0),
                // The members on a dead server are missing like its entries, unless all are dead.
                Err(error) if self.nodes().iter().all(|node| node.client.connection_id() == 0) => {
                    return Err(error);
                }
                Err(_) => continue,
            };
            if bytes > 0 && bytes + size > PAGE {
                next = Some(u64::from(shard));
                break;
            }
            bytes += size;
            let slot = (size > 0).then(|| batch.get(&place, MetaGetFlags::VALUE_TTL));
            read.push((shard, place, slot));
        }
        let mut replies = self.send(batch).await;
        let mut listed = Vec::new();
        for (shard, place, slot) in read {
            let was = slot.map(|slot| replies.take(slot));
            let Ok(was) = was.transpose() else { continue };
            let value = was.as_ref().and_then(|reply| reply.value.clone()).unwrap_or_default();
            let mut alive = members(&value);
            alive.retain(|member| member.expires_at > now);
            let kept: usize = alive.iter().map(Member::bytes).sum();
            // Half as much again and a few records are not worth a write.
            if let Some(was) = &was
                && value.len() - kept > kept / 2 + 16 * (RECORD + 32)
            {
                self.swap_shard(&place, was, &alive).await?;
            }
            self.index_stats.lock().looked(index, shard, &alive);
            listed.extend(alive.iter().map(|member| (member.key.to_owned(), member.expires_at)));
        }
        Ok((listed, next))
    }

    pub async fn presence(&self, index: Tag, cursor: u64, now: UnixMs) -> Result<Presence> {
        let (members, next) = self.page(index, cursor, now).await?;
        let mut batch = self.batch();
        let looks: Vec<_> =
            members.iter().map(|(key, _)| batch.get(&self.entry(key), MetaGetFlags::SIZE)).collect();
        let mut replies = self.send(batch).await;
        let mut out = Presence { next, ..Presence::default() };
        for ((key, end), slot) in members.into_iter().zip(looks) {
            match replies.take(slot) {
                Ok(reply) if is_absent(&reply) => out.absent.push(key),
                _ => out.ends.push(end),
            }
        }
        Ok(out)
    }

    pub async fn prune_index(&self, index: Tag, dead: Vec<StaleMember>) -> Result<()> {
        let mut shards: BTreeMap<u32, Vec<StaleMember>> = BTreeMap::new();
        for dead in dead {
            shards.entry(shard_of(&dead.key)).or_default().push(dead);
        }
        for (shard, dead) in shards {
            let place = self.shard(index, shard);
            for _ in 0..MAX_TRIES {
                // The shard is read first: a set that comes after the entries were looked at appends after that, and
                // the swap fails.
                let was = self.read_shard(&place).await?;
                let gone = self.gone(&dead).await?;
                let value = was.value.clone().unwrap_or_default();
                let kept: Vec<_> =
                    members(&value).into_iter().filter(|member| !gone.contains(member.key)).collect();
                let bytes: usize = kept.iter().map(Member::bytes).sum();
                if bytes == value.len() || self.swap_shard(&place, &was, &kept).await? {
                    self.index_stats.lock().looked(index, shard, &kept);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Empties the entries that still are the version judged; answers which keys have no claim to the index.
    ///
    /// A stub stays for a while, in the line of what it replaced: a set may be on its way that leased the dead entry.
    async fn gone<'d>(&self, dead: &'d [StaleMember]) -> Result<HashSet<&'d str>> {
        let mut batch = self.batch();
        let mut steps = Vec::new();
        for dead in dead {
            let place = self.entry(&dead.key);
            let (slot, expected) = match dead.seen {
                None => (batch.get(&place, MetaGetFlags::SIZE), None),
                // Judged over a connection that is gone, or by a server without numbers: another sweep will see it.
                Some(None) => continue,
                Some(Some(lease)) if lease.link != self.nodes()[place.node].client.connection_id() => {
                    continue;
                }
                Some(Some(lease)) if dead.retagged => {
                    (batch.get(&place, MetaGetFlags::SIZE), Some(lease.cas))
                }
                Some(Some(lease)) => {
                    let version = Version { cas: lease.cas, link: lease.link };
                    let put = MetaSetFlags { flags: lease.line, life: BURIED };
                    (batch.replace(&place, version, b"", put), None)
                }
            };
            steps.push((dead, slot, expected));
        }
        let mut replies = self.send(batch).await;
        let mut gone = HashSet::new();
        for (dead, slot, expected) in steps {
            let Ok(reply) = replies.take(slot) else { continue };
            let superfluous = match (dead.seen, dead.retagged) {
                (None, _) => is_absent(&reply),
                (Some(_), true) => reply.outcome == Outcome::Miss || (reply.done() && reply.cas == expected),
                (Some(_), false) => matches!(reply.outcome, Outcome::Done | Outcome::NotFound),
            };
            if superfluous {
                gone.insert(dead.key.as_str());
            }
        }
        Ok(gone)
    }
}
