//! Memcached, meta protocol (1.6 and later). The layers, from the bottom:
//!
//! - `protocol`: replies out of bytes; `shard`: the bytes of an index; `index_stats`: what is known of its growth. No I/O.
//! - `commands`: the meta commands, by the wire layer of the `memcache` crate, gathered for several servers (`net/cluster`).
//! - `handshake`: authentication, and the proof that the server has what is needed.
//! - `core`: the servers and what operations share, with `deferred` (clears that an outage kept from a server) and `write_log` (what a
//!   set that is sent twice must give way to).
//! - `replay`, `epoch`, `records`, `clear`, `write` (with `bootstrap` and `parts`), `compare_and_swap`, `index`: what takes more than one
//!   command to be safe.
//!
//! Nothing here is atomic over two keys. Safety comes from generations, compare-and-swap and the order of steps
//! (docs/internals/tags.md); none of it asks a clock.

mod bootstrap;
mod clear;
mod commands;
mod compare_and_swap;
mod core;
mod deferred;
mod epoch;
mod handshake;
mod index;
mod index_stats;
mod parts;
mod protocol;
mod records;
mod replay;
mod shard;
mod write;
mod write_log;

use self::core::{Core, Counter};
use super::form::{Wire, WireEntry};
use super::guard::Lease;
use super::request::{
    Clear, KeyRead, Page, Presence, ReadEntry, SeenVersion, StaleMember, Swap, Write, WriteOutcome,
};
use super::traits::{ClearStore, EntryStore, IndexStore, LockStore, PubSub, Store};
use crate::codec::envelope;
use crate::config::MemcachedConfig;
use crate::error::Result;
use crate::events::Events;
use crate::model::key::Keyspace;
use crate::model::tag::{Clearance, Epoch, Record, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use crate::model::version_table::VersionTable;
use commands::MetaGetFlags;
use protocol::{Outcome, Reply};
use records::{RecordState, record_state};
use std::sync::Arc;
use std::time::Duration;

pub struct MemcachedStore {
    core: Arc<Core>,
}

impl MemcachedStore {
    /// Returns at once and connects in the background. Errors: `CACHALOT_CONFIG` for a list of servers or credentials
    /// that cannot be.
    pub fn open(
        space: Keyspace,
        config: &MemcachedConfig,
        events: Events,
        runtime: &tokio::runtime::Handle,
        l1: Option<Arc<VersionTable>>,
    ) -> Result<Self> {
        Ok(MemcachedStore { core: Core::open(space, config, events, runtime, l1, Core::replay_all)? })
    }

    async fn read_all(&self, keys: &[String], lease: Option<Duration>) -> Vec<KeyRead<Wire>> {
        let store = &*self.core;
        let mut batch = store.batch();
        let epoch = batch.get(&store.epoch, MetaGetFlags::VALUE);
        let star = batch.get(&store.star, MetaGetFlags::VALUE);
        let stub = lease.map(|lease| u32::try_from(lease.as_secs()).unwrap_or(u32::MAX).max(1));
        let want = MetaGetFlags { vivify: stub, ttl: lease.is_some(), ..MetaGetFlags::VALUE };
        let places: Vec<_> = keys.iter().map(|key| store.entry(key)).collect();
        let slots: Vec<_> = places.iter().map(|place| batch.get(place, want)).collect();
        let mut replies = store.send(batch).await;
        let counter = store.epoch_from(&mut replies, epoch);
        let star = replies.take(star);
        let unjudged = counter.as_ref().err().or(star.as_ref().err()).cloned();
        let mut short = store.batch();
        let found = slots.into_iter().zip(&places).map(|(slot, place)| {
            let reply = replies.take(slot)?;
            let left = reply.ttl.unwrap_or(-1);
            let found = found(reply)?;
            // A stub that another reader left, and that would go before this one's set comes. Should an entry have come
            // into its place by then, it is given this life, and may miss early.
            if let (ReadEntry::Absent(Some(_)), Some(stub)) = (&found, stub)
                && (0..i64::from(stub) / 2).contains(&left)
            {
                short.get(place, MetaGetFlags { touch: Some(stub), ..MetaGetFlags::default() });
            }
            match (&found, &unjudged) {
                // Without the epoch and the record of `*` nothing is judged: an outage, not an invalid entry to be
                // reclaimed.
                (ReadEntry::Present(_), Some(error)) => Err(error.clone()),
                _ => Ok(found),
            }
        });
        let mut found: Vec<_> = found.collect();
        if !short.is_empty() {
            store.runtime.spawn(store.send_now(short));
        }
        let epoch = match counter.ok() {
            // The reader may set what it misses, for which it needs an epoch read before it asks its own source.
            Some(was @ (Counter::Absent | Counter::Foreign(_))) if lease.is_some() => {
                store.read_epoch(Some(was)).await.ok()
            }
            other => other.map(|counter| counter.epoch()),
        };
        self.judge(&mut found, star.ok().and_then(|reply| record(&reply)).as_ref()).await;
        store.complete(&places, &mut found).await;
        let epoch = epoch.unwrap_or(Epoch::NONE);
        found.into_iter().map(|entry| KeyRead { epoch, entry }).collect()
    }

    /// Judges what was found by the records of its tags, read in a second batch if there are any.
    async fn judge(&self, found: &mut [Result<ReadEntry<Wire>>], star: Option<&Record>) {
        let stubs = found.iter().filter_map(|found| match found {
            Ok(ReadEntry::Present(entry)) => envelope::peek(&entry.bytes),
            _ => None,
        });
        let mut tags: Vec<Tag> = stubs.flat_map(|stub| stub.tags()).collect();
        tags.sort_unstable();
        tags.dedup();
        let records = match tags.is_empty() {
            true => Ok(Vec::new()),
            false => self.read_records(&tags).await,
        };
        let of = |tag: Tag| {
            let at = tags.binary_search(&tag).ok()?;
            records.as_ref().ok()?.get(at)?.as_ref()
        };
        for one in found {
            let Ok(ReadEntry::Present(entry)) = one else { continue };
            // What is no entry is found out when it is decoded.
            let Some(stub) = envelope::peek(&entry.bytes) else { continue };
            match &records {
                Err(error) if stub.tags().len() > 0 => *one = Err(error.clone()),
                _ => {
                    let all = std::iter::once(star).chain(stub.tags().map(of));
                    entry.clearance = Clearance::by_records(stub.epoch, stub.auto, all);
                }
            }
        }
    }

    async fn read_records(&self, tags: &[Tag]) -> Result<Vec<Option<Record>>> {
        let mut batch = self.core.batch();
        let slots: Vec<_> =
            tags.iter().map(|tag| batch.get(&self.core.record(*tag), MetaGetFlags::VALUE)).collect();
        let mut replies = self.core.send(batch).await;
        let answers: Vec<_> = slots.into_iter().map(|slot| replies.take(slot)).collect();
        // The records of a dead server are missing, and what depends on them misses; no answer at all is an outage.
        if let Some(Err(error)) = answers.first()
            && answers.iter().all(Result::is_err)
        {
            return Err(error.clone());
        }
        Ok(answers.into_iter().map(|answer| answer.ok().and_then(|reply| record(&reply))).collect())
    }
}

fn record(reply: &Reply) -> Option<Record> {
    match record_state(reply) {
        RecordState::Value(record, ..) => Some(record),
        _ => None,
    }
}

fn found(reply: Reply) -> Result<ReadEntry<Wire>> {
    let lease = |line: u32| reply.cas.map(|cas| Lease { cas, line, link: reply.link });
    // What a stub becomes descends from it: its number names the line, of which 0 would be no name. One in the place of
    // an entry that was reclaimed is of that entry's line.
    let own = reply.cas.map_or(1, |cas| (cas as u32).max(1));
    let line = if reply.flags == 0 { own } else { reply.flags };
    match (&reply.outcome, &reply.value) {
        (Outcome::Miss, _) => Ok(ReadEntry::Absent(None)),
        (Outcome::Done, Some(value)) if value.is_empty() || reply.stub => Ok(ReadEntry::Absent(lease(line))),
        (Outcome::Done, Some(value)) => match lease(line) {
            Some(lease) => {
                let bytes = value.clone();
                Ok(ReadEntry::Present(WireEntry { bytes, lease: Some(lease), clearance: Clearance::Hard }))
            }
            None => Err(reply.unexpected()),
        },
        // A full server cannot keep a stub.
        (Outcome::Failed(_), _) => Ok(ReadEntry::Absent(None)),
        _ => Err(reply.unexpected()),
    }
}

impl EntryStore for MemcachedStore {
    type Form = Wire;

    const COARSE_EXPIRY: bool = true;

    fn is_idle(&self) -> bool {
        // A server that is away must not keep the others' requests from their sockets; what it is asked fails, or goes by
        // way of its task.
        let mut living = self.core.nodes().iter().filter(|node| node.client.connection_id() != 0).peekable();
        living.peek().is_some() && living.all(|node| node.client.is_idle())
    }

    fn hashes_key(&self, key: &str) -> bool {
        let space = &self.core.space;
        space.memcached(&space.entry(key)).1
    }

    async fn read(
        &self,
        keys: &[String],
        _now: UnixMs,
        lease: Option<Duration>,
    ) -> Result<Vec<KeyRead<Wire>>> {
        self.core.in_order(self.read_all(keys, lease)).await
    }

    async fn write(&self, writes: Vec<Write<Wire>>, now: UnixMs) -> Vec<Result<WriteOutcome>> {
        self.core.write(writes, now).await
    }

    async fn swap(
        &self,
        key: &str,
        seen: SeenVersion<Wire>,
        times: Option<Times>,
        now: UnixMs,
    ) -> Result<bool> {
        let swap = Swap { key: key.to_owned(), seen, times };
        self.swap_all(vec![swap], now).await.pop().unwrap_or(Ok(false))
    }

    async fn swap_all(&self, swaps: Vec<Swap<Wire>>, now: UnixMs) -> Vec<Result<bool>> {
        match self.core.within(self.core.swap_all(&swaps, now)).await {
            Ok(swapped) => swapped,
            Err(late) => swaps.iter().map(|_| Err(late.clone())).collect(),
        }
    }
}

impl ClearStore for MemcachedStore {
    async fn clear(&self, clear: Clear, _now: UnixMs) -> Result<()> {
        self.core.clear(clear).await
    }

    fn defer_clear(&self, clear: Clear) {
        self.core.defer_clear(clear);
    }

    async fn remove(&self, keys: Vec<String>, _now: UnixMs) -> Vec<Result<()>> {
        self.core.remove(keys).await
    }
}

impl LockStore for MemcachedStore {
    async fn lock(&self, key: &str, owner: &str, ms: u64, _now: UnixMs) -> Result<bool> {
        self.core.in_order(self.core.lock(key, owner, ms)).await.and_then(|result| result)
    }

    async fn unlock(&self, key: &str, owner: &str, _now: UnixMs) -> Result<()> {
        self.core.in_order(self.core.unlock(key, owner)).await.and_then(|result| result)
    }
}

impl IndexStore for MemcachedStore {
    const SWEEPS: bool = false;

    fn indexes_of(tag: Tag) -> impl Iterator<Item = Tag> + Send {
        // Nobody lists by these.
        let has_one = tag != Tag::ROOT && !tag.is_namespace();
        [tag, Tag::WIDE].into_iter().filter(move |_| has_one)
    }

    fn is_listed(index: Tag, tags: &[Tag]) -> bool {
        index::listing(tags).any(|listing| listing == index)
    }

    async fn members(&self, index: Tag, _wanted: &[Tag], cursor: u64, now: UnixMs) -> Result<Page> {
        let page = self.core.within(self.core.page(index, cursor, now));
        let (members, next) = page.await.and_then(|result| result)?;
        Ok(Page { keys: members.into_iter().map(|(key, _)| key).collect(), next })
    }

    async fn presence(&self, index: Tag, cursor: u64, now: UnixMs) -> Result<Presence> {
        self.core.within(self.core.presence(index, cursor, now)).await.and_then(|result| result)
    }

    async fn prune_index(&self, index: Tag, stale: Vec<StaleMember>) -> Result<()> {
        self.core.within(self.core.prune_index(index, stale)).await.and_then(|result| result)
    }

    fn oversized_indexes(&self, now: UnixMs) -> Vec<Tag> {
        self.core.index_stats.lock().oversized(now)
    }
}

impl PubSub for MemcachedStore {}

impl Store for MemcachedStore {
    async fn close(&self) {
        self.core.close().await;
    }
}
