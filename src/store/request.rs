//! What the engine hands to a store, and what it gets back.

use super::form::EntryForm;
use super::guard::{Guard, Lease};
use crate::error::Result;
use crate::model::tag::{Epoch, Invalidation, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::{Times, Ttl};

/// What a read found at a key.
#[derive(Clone, Debug)]
pub enum ReadEntry<F: EntryForm> {
    /// No entry, but perhaps a stub, for the set that follows.
    Absent(Option<Lease>),
    Present(F::Entry),
}

/// What a read answers for one key. Keys of one scope (a server, a partition) share the epoch.
#[derive(Clone, Debug)]
pub struct KeyRead<F: EntryForm> {
    /// The epoch of the key's scope, read in the same batch; `NONE` if there is none or it could not be read.
    pub epoch: Epoch,
    pub entry: Result<ReadEntry<F>>,
}

/// The version that a swap expects to find.
#[derive(Clone, Debug)]
pub enum SeenVersion<F: EntryForm> {
    /// No entry, but perhaps a stub.
    Absent(Option<Lease>),
    Present(F::Version),
}

/// What to store.
#[derive(Debug)]
pub struct Write<F: EntryForm> {
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
    pub body: F::Body,
}

#[derive(Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Stored; on memcached with the lease of the stored version, so that a second set after the same miss can replace it.
    Stored(Option<Lease>),
    /// Refused: a clear since the miss made the data too old, or a set since has replaced what a ticketed read found. What was
    /// there is as it was.
    Stale,
}

/// What to clear. Keys are cleared whatever `invalidation` says, tags by it.
#[derive(Clone, Debug)]
pub struct Clear {
    pub keys: Vec<String>,
    /// May hold the root.
    pub tags: Vec<Tag>,
    pub invalidation: Invalidation,
}

impl Clear {
    pub fn of_keys(keys: Vec<String>) -> Self {
        Clear { keys, tags: Vec::new(), invalidation: Invalidation::Hard }
    }
}

/// A version of an entry that is to have other times, or to go (`None`).
#[derive(Debug)]
pub struct Swap<F: EntryForm> {
    pub key: String,
    pub seen: SeenVersion<F>,
    pub times: Option<Times>,
}

/// A member of an index that a sweep found superfluous, and the version that was judged.
#[derive(Debug)]
pub struct StaleMember {
    pub key: String,
    /// Which version was read, if that can be told; `None`: no entry was there. If another is there by now, nothing is done.
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
