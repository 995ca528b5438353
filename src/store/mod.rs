//! What a store must do, in batches. The engine composes this with keys, codecs and the rules of tags; a backend knows
//! its server's commands and how to make each step atomic there, and nothing of TypeScript or napi.
//!
//! Every method's first poll sends its first command before it awaits anything, or joins the line of those who wait until
//! they can (`fifo_gate`), so that batches reach the server in the order in which they were asked for. Every method settles
//! within the backend's `commandTimeout`.

pub mod asked;
pub mod deferred_clears;
pub mod fifo_gate;
pub mod memcached;
pub mod memory;
pub mod redis;

use crate::codec::envelope::{Codec, EntryVersion};
use crate::codec::text::Value;
use crate::error::{Code, Error, Result};
use crate::model::tag::{Clearance, Epoch, Invalidation, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::{Times, Ttl};
use bytes::Bytes;
use futures_util::FutureExt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Ticket of a miss on a server without scripts: the stub that the miss left in the entry's place (docs/internals/tags.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The server's number of the stub, or of what replaced it since.
    pub cas: u64,
    /// Which stub a value descends from; a delete ends the line.
    pub line: u32,
    /// The connection over which it was got: another one may lead to a restarted server, whose numbers begin again. On Redis the
    /// server's history, which is all of a lease there.
    pub link: u64,
}

/// What a miss leaves behind for the set that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    pub epoch: Epoch,
    pub lease: Option<Lease>,
    /// What the read found, where the set may replace nothing else: a set of the key that came since stands.
    pub found: Option<EntryVersion>,
}

impl Guard {
    /// Of a read that found nothing to name, or whose set may replace whatever it finds.
    pub fn at(epoch: Epoch) -> Self {
        Guard { epoch, lease: None, found: None }
    }

    /// Where the two can be compared.
    pub fn is_later_than(&self, other: Guard) -> bool {
        self.is_comparable_to(other) && self.epoch.is_later_than(other.epoch)
    }

    /// Numbers of two generations, connections or histories cannot be compared.
    pub fn is_comparable_to(&self, other: Guard) -> bool {
        let link = |guard: &Guard| guard.lease.map(|lease| lease.link);
        link(self) == link(&other) && self.epoch.generation == other.epoch.generation
    }
}

/// An entry as a read found it.
#[derive(Clone, Debug)]
pub enum Found {
    Absent(Option<Lease>),
    /// An envelope, how to name exactly this version of it, and what clears since its epoch make of it.
    Wire(Bytes, Option<Lease>, Clearance),
    /// From process memory: alive, and already judged: whether it is stale.
    Live(Arc<LiveEntry>, bool),
}

/// A version of an entry, as a read found it.
#[derive(Clone, Debug)]
pub enum Seen {
    /// No entry, but perhaps a stub.
    Nothing(Option<Lease>),
    Wire(Bytes, Option<Lease>),
    Live(Arc<LiveEntry>),
}

impl Seen {
    pub fn lease(&self) -> Option<Lease> {
        match self {
            Seen::Wire(_, lease) | Seen::Nothing(lease) => *lease,
            Seen::Live(_) => None,
        }
    }
}

/// A value as process memory keeps it.
#[derive(Clone, Debug)]
pub enum Kept {
    /// Ready for JavaScript.
    Plain(Value),
    Packed {
        codec: Codec,
        payload: Bytes,
        raw_len: u32,
        binary: bool,
    },
}

/// An entry in process memory.
#[derive(Debug)]
pub struct LiveEntry {
    pub value: Kept,
    pub epoch: Epoch,
    pub auto: bool,
    pub tags: Box<[Tag]>,
    /// `ttl::NEVER` = never.
    pub expires_at: UnixMs,
    pub times: Option<Times>,
    /// Counted up by the store at each that it keeps.
    pub number: u64,
}

#[derive(Debug)]
pub struct ReadReply {
    /// The epoch, read in the same batch; `NONE` if there is none or it could not be read.
    pub epoch: Epoch,
    /// In the order of the keys. On several servers, the keys of a dead one fail alone.
    pub found: Vec<Result<Found>>,
}

/// What to store.
#[derive(Debug)]
pub enum Body {
    /// An envelope, stamped with the epoch of its guard. A store gives it another (`envelope::restamp`) where no miss guards it.
    Wire(Vec<u8>),
    Live(Kept),
}

#[derive(Debug)]
pub struct Write {
    /// The user's key.
    pub key: String,
    /// Sorted, each once.
    pub tags: Vec<Tag>,
    pub auto: bool,
    pub ttl: Ttl,
    /// Inside the envelope too, where there is one.
    pub times: Option<Times>,
    /// The miss that this set follows; `None` = unguarded: stamp it with the current epoch.
    pub guard: Option<Guard>,
    pub body: Body,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// Stored; on memcached with the lease of the stored version, so that a second set after the same miss can replace it.
    Stored(Option<Lease>),
    /// A clear since the miss made the data too old, or a set since has replaced what a ticketed read found: nothing stored,
    /// whatever was there is as it was.
    Stale,
}

/// What to clear. Keys whatever else is asked; then tags.
#[derive(Clone, Debug)]
pub struct Clear {
    pub keys: Vec<String>,
    /// May hold the root.
    pub tags: Vec<Tag>,
    pub raise: Invalidation,
}

/// A version of an entry that is to have other times, or to go (`None`).
#[derive(Debug)]
pub struct Swap {
    pub key: String,
    pub seen: Seen,
    pub times: Option<Times>,
}

/// A member of an index that a sweep found superfluous, and the version that was judged.
#[derive(Debug)]
pub struct Dead {
    pub key: String,
    /// Which version was read, if that can be told; `None`: no entry was there. What is there by now may be another: then
    /// nothing is done.
    pub seen: Option<Option<Lease>>,
    /// The entry is valid but not to be listed there any more: only the membership goes.
    pub retagged: bool,
}

/// A page of an index.
#[derive(Debug, Default)]
pub struct Page {
    /// User keys; repeats are possible.
    pub keys: Vec<String>,
    /// Where to go on; `None` = the end.
    pub next: Option<u64>,
}

/// Which members of a page have no entry, and when the others expire.
#[derive(Debug, Default)]
pub struct Presence {
    pub absent: Vec<String>,
    pub ends: Vec<UnixMs>,
    /// As in `Page`.
    pub next: Option<u64>,
}

pub trait Backend: Send + Sync + 'static {
    /// Whether entries are stored as envelopes (`Body::Wire`).
    const WIRE: bool;
    /// Whether the store's own expiry is coarser than a millisecond, so that a reader must check the envelope's.
    const COARSE_EXPIRY: bool;
    /// Whether the store removes by itself what clears and expiry leave behind.
    const SWEEPS: bool;

    /// Whether every change by anyone is told to L1's counters at present, in order. Else what is kept there is bounded
    /// in time.
    fn exact(&self) -> bool {
        false
    }

    /// Whether this key is hashed in the store, so that its envelope must carry it.
    fn hashes(&self, key: &str) -> bool;

    /// Whether what is asked now would be sent by the thread that asks, with nothing under way before it.
    fn is_idle(&self) -> bool {
        false
    }

    /// The epoch last seen, for the set that follows a read which failed: whatever was cleared since shows by it, by key
    /// too. `NONE` where none was seen, or where a clear by key leaves nothing that an epoch could be compared with.
    fn last_epoch(&self) -> Epoch {
        Epoch::NONE
    }

    /// Reads entries and the epoch, and judges each entry by the clears of its tags. `lease`: the caller may set what is
    /// missing, as long after.
    fn read(
        &self,
        keys: &[String],
        now: UnixMs,
        lease: Option<Duration>,
    ) -> impl Future<Output = Result<ReadReply>> + Send;

    /// Stores entries, and enters into the indexes those that are listed.
    fn write(&self, writes: Vec<Write>, now: UnixMs) -> impl Future<Output = Vec<Result<Written>>> + Send;

    /// Finished only when the server acknowledged it. One that failed for an outage is kept, merged with the others,
    /// replayed before the first read after it, and rejects with `queued`.
    fn clear(&self, clear: Clear, now: UnixMs) -> impl Future<Output = Result<()>> + Send;

    /// Gives exactly the version that was seen other times, or removes it (`None`), and ends the sets of its key that are
    /// under way, as a clear of the key does. Of nothing there is only that to end, and no times to give. False: another
    /// version is there, and nothing was done.
    fn swap(
        &self,
        key: &str,
        seen: Seen,
        times: Option<Times>,
        now: UnixMs,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Several swaps of different keys, in one request where there is a server. In order.
    fn swap_all(&self, swaps: Vec<Swap>, now: UnixMs) -> impl Future<Output = Vec<Result<bool>>> + Send {
        async move {
            let mut out = Vec::with_capacity(swaps.len());
            for Swap { key, seen, times } in swaps {
                out.push(self.swap(&key, seen, times, now).await);
            }
            out
        }
    }

    /// Clears these keys, and tells of each what became of it: on several servers, the keys of a dead one fail alone.
    fn remove(&self, keys: Vec<String>, now: UnixMs) -> impl Future<Output = Vec<Result<()>>> + Send {
        let count = keys.len();
        self.clear(Clear { keys, tags: Vec::new(), raise: Invalidation::Hard }, now)
            .map(move |done| vec![done; count])
    }

    /// Keeps a clear that an outage hindered, to be made before the first read after it.
    fn owe(&self, clear: Clear);

    /// Takes a key's lock, or extends the owner's own. It ends after so many milliseconds (on memcached up to two
    /// seconds later, since it counts in whole seconds of its own).
    fn lock(&self, key: &str, owner: &str, ms: u64, now: UnixMs)
    -> impl Future<Output = Result<bool>> + Send;

    /// Gives the owner's lock back; another's is left alone.
    fn unlock(&self, key: &str, owner: &str, now: UnixMs) -> impl Future<Output = Result<()>> + Send;

    /// One page of the keys that begin with this text, from `cursor` (0 = the beginning).
    fn keys(&self, prefix: &str, cursor: u64, now: UnixMs) -> impl Future<Output = Result<Page>> + Send;

    /// Tells every process that subscribed to the channel, this one too; nobody else learns of it, and nothing is kept.
    fn publish(&self, _channel: &str, _payload: &str) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Err(no_channels()))
    }

    /// From now on what is published is told as `Event::Message`, over every connection that this store will have. What
    /// is published while there is none is missed.
    fn subscribe(&self, _channel: &str) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Err(no_channels()))
    }

    fn unsubscribe(&self, _channel: &str) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Err(no_channels()))
    }

    /// The indexes in which an entry that carries this tag may be listed.
    fn indexes(tag: Tag) -> impl Iterator<Item = Tag> + Send {
        std::iter::once(tag)
    }

    /// Whether an index is to list an entry that carries these tags (sorted).
    fn lists(index: Tag, tags: &[Tag]) -> bool {
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

    /// What can be told of a page's members without reading their entries.
    fn presence(
        &self,
        _index: Tag,
        _cursor: u64,
        _now: UnixMs,
    ) -> impl Future<Output = Result<Presence>> + Send {
        std::future::ready(Ok(Presence::default()))
    }

    /// Removes dead members from an index and, if they are still the version that was judged, their entries.
    fn bury(&self, index: Tag, dead: Vec<Dead>) -> impl Future<Output = Result<()>> + Send;

    /// Indexes that have outgrown what this process last knew of them; each is told once.
    fn crowded(&self, now: UnixMs) -> Vec<Tag>;

    /// Finishes what is under way, then lets go of connections and timers.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

fn no_channels() -> Error {
    Error::new(
        Code::Unsupported,
        "Only Redis and Valkey carry messages between processes; give the bus a store made by redis({ url }).",
    )
}
