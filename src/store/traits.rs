//! What a store does, by what the engine asks of it. All of it comes in batches.
//!
//! Every method's first poll sends its first command before it awaits anything, or joins the queue of those who wait until
//! they can (`fifo_gate`), so that batches reach the server in the order in which they were asked for. Every method settles
//! within the store's `commandTimeout`.

use super::form::EntryForm;
use super::request::{Clear, KeyRead, Page, Presence, SeenVersion, StaleMember, Swap, Write, WriteOutcome};
use crate::error::{Code, Error, Result};
use crate::model::tag::{Epoch, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use futures_util::FutureExt;
use std::future::{Future, ready};
use std::time::Duration;

/// A whole store.
pub trait Store: EntryStore + ClearStore + LockStore + IndexStore + PubSub {
    /// Finishes what is under way, then lets go of connections and timers.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// Entries: reads, sets, and the exchange of one version for another.
pub trait EntryStore: Send + Sync + 'static {
    type Form: EntryForm;

    /// Whether the store's own expiry is coarser than a millisecond, so that a reader must check the envelope's.
    const COARSE_EXPIRY: bool;

    /// Whether the version table is told at present of every change by anyone, in order. Otherwise what is kept in L1 is bounded
    /// in time.
    fn observes_all_changes(&self) -> bool {
        false
    }

    /// Whether this key is hashed in the store, so that its envelope must carry it.
    fn hashes_key(&self, _key: &str) -> bool {
        false
    }

    /// Whether a request made now would be sent by the calling thread, with nothing in flight before it.
    fn is_idle(&self) -> bool {
        false
    }

    /// The epoch last seen in the key's scope, for the set that follows a read which failed: a clear since then shows by it, by
    /// key too. `NONE` where none was seen, or where a clear by key leaves nothing that an epoch could be compared with.
    fn last_epoch(&self, _key: &str) -> Epoch {
        Epoch::NONE
    }

    /// Reads entries, each with the epoch of its scope, and judges them by the clears of their tags. In the order of the keys;
    /// where several servers hold them, the keys of a dead one fail alone. `lease`: the caller may set what is missing, as long
    /// after.
    fn read(
        &self,
        keys: &[String],
        now: UnixMs,
        lease: Option<Duration>,
    ) -> impl Future<Output = Result<Vec<KeyRead<Self::Form>>>> + Send;

    /// Stores entries, and enters into the indexes those that are listed.
    fn write(
        &self,
        writes: Vec<Write<Self::Form>>,
        now: UnixMs,
    ) -> impl Future<Output = Vec<Result<WriteOutcome>>> + Send;

    /// Gives exactly the version that was seen other times, or removes it (`None`), and ends the sets of its key that are
    /// under way, as a clear of the key does. An absent entry takes no times. Returns false if another version is there, and
    /// nothing was done.
    fn swap(
        &self,
        key: &str,
        seen: SeenVersion<Self::Form>,
        times: Option<Times>,
        now: UnixMs,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Several swaps of different keys, in one request where there is a server. In order.
    fn swap_all(
        &self,
        swaps: Vec<Swap<Self::Form>>,
        now: UnixMs,
    ) -> impl Future<Output = Vec<Result<bool>>> + Send {
        async move {
            let mut out = Vec::with_capacity(swaps.len());
            for Swap { key, seen, times } in swaps {
                out.push(self.swap(&key, seen, times, now).await);
            }
            out
        }
    }
}

/// Clears, by key and by tag.
pub trait ClearStore: Send + Sync + 'static {
    /// Finishes only when the server acknowledged it. A clear that fails for an outage is kept, merged with the others,
    /// replayed before the first read after it, and rejects with `queued`.
    fn clear(&self, clear: Clear, now: UnixMs) -> impl Future<Output = Result<()>> + Send;

    /// Keeps a clear that an outage hindered, to be made before the first read after it.
    fn defer_clear(&self, clear: Clear);

    /// Clears these keys, and answers for each: where several servers hold them, the keys of a dead one fail alone.
    fn remove(&self, keys: Vec<String>, now: UnixMs) -> impl Future<Output = Vec<Result<()>>> + Send {
        let count = keys.len();
        self.clear(Clear::of_keys(keys), now).map(move |done| vec![done; count])
    }
}

/// Locks, each with an owner and an end.
pub trait LockStore: Send + Sync + 'static {
    /// Takes a key's lock, or extends the owner's own, for so many milliseconds (on memcached up to two seconds more, since it
    /// counts in whole seconds of its own).
    fn lock(
        &self,
        _key: &str,
        _owner: &str,
        _ms: u64,
        _now: UnixMs,
    ) -> impl Future<Output = Result<bool>> + Send {
        ready(Err(unsupported("This store has no locks.")))
    }

    /// Gives the owner's lock back; another owner's is left alone.
    fn unlock(&self, _key: &str, _owner: &str, _now: UnixMs) -> impl Future<Output = Result<()>> + Send {
        ready(Err(unsupported("This store has no locks.")))
    }
}

/// Lists: the keys of a prefix, and the indexes by which entries are found by their tags and reclaimed.
pub trait IndexStore: Send + Sync + 'static {
    /// Whether the store removes by itself what clears and expiry leave behind. Otherwise the engine sweeps its indexes.
    const SWEEPS: bool = true;

    /// One page of the keys that begin with this text, from `cursor` (0 = the beginning).
    fn keys(&self, _prefix: &str, _cursor: u64, _now: UnixMs) -> impl Future<Output = Result<Page>> + Send {
        ready(Err(unsupported(
            "This store cannot list its keys. Clear a namespace (the part of a key before a \":\") or a tag instead, read by tags, or use Redis where keys are to be listed.",
        )))
    }

    /// The indexes in which an entry that carries this tag may be listed.
    fn indexes_of(tag: Tag) -> impl Iterator<Item = Tag> + Send {
        std::iter::once(tag)
    }

    /// Whether an index is to list an entry that carries these tags (sorted).
    fn is_listed(index: Tag, tags: &[Tag]) -> bool {
        tags.binary_search(&index).is_ok()
    }

    /// One page of an index, from `cursor` (0 = the beginning). The root's: every entry of the prefix, where the server can list
    /// them at a bounded cost a page; else an empty page. A store may leave out members that carry none of the `wanted` tags.
    fn members(
        &self,
        index: Tag,
        wanted: &[Tag],
        cursor: u64,
        now: UnixMs,
    ) -> impl Future<Output = Result<Page>> + Send;

    /// What is known of a page's members without reading their entries.
    fn presence(
        &self,
        _index: Tag,
        _cursor: u64,
        _now: UnixMs,
    ) -> impl Future<Output = Result<Presence>> + Send {
        ready(Ok(Presence::default()))
    }

    /// Removes members from an index and, if they are still the version that was judged, their entries.
    fn prune_index(&self, _index: Tag, _stale: Vec<StaleMember>) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// Indexes that have outgrown what this process last knew of them, each once.
    fn oversized_indexes(&self, _now: UnixMs) -> Vec<Tag> {
        Vec::new()
    }
}

/// Messages between processes. Nothing is kept: who is not connected misses them.
pub trait PubSub: Send + Sync + 'static {
    /// Sends to every process that subscribed to the channel, this one too.
    fn publish(&self, _channel: &str, _payload: &str) -> impl Future<Output = Result<()>> + Send {
        ready(Err(no_channels()))
    }

    /// Reports messages of the channel as `Event::Message` from now on, over every connection that this store will have.
    fn subscribe(&self, _channel: &str) -> impl Future<Output = Result<()>> + Send {
        ready(Err(no_channels()))
    }

    fn unsubscribe(&self, _channel: &str) -> impl Future<Output = Result<()>> + Send {
        ready(Err(no_channels()))
    }
}

fn no_channels() -> Error {
    unsupported(
        "Only Redis and Valkey carry messages between processes; give the bus a store made by redis({ url }).",
    )
}

fn unsupported(message: &str) -> Error {
    Error::new(Code::Unsupported, message)
}
