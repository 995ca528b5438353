//! Process memory: answered inside the call. Stores of one name are one store, also across worker threads.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod contents;
mod entries;
mod locks;
mod members;
mod numbers;

mod tagged;

use super::form::InMemory;
use super::request::{Clear, KeyRead, Page, ReadEntry, SeenVersion, Write, WriteOutcome};
use super::traits::{ClearStore, EntryStore, IndexStore, LockStore, PubSub, Store};
use crate::config::MemoryConfig;
use crate::error::{Error, Result};
use crate::model::key::Keyspace;
use crate::model::tag::{Epoch, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use crate::model::version_table::VersionTable;
use contents::Contents;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

/// A lock and not a channel: an operation holds it for well under a microsecond, and the answer is needed in the call.
type Shared = Arc<Mutex<Contents>>;

/// The stores that have a name. Weak: a store goes with its last handle.
static NAMED: LazyLock<Mutex<HashMap<String, Weak<Mutex<Contents>>>>> = LazyLock::new(Default::default);

pub struct MemoryStore {
    contents: Shared,
}

impl MemoryStore {
    pub fn open(space: &Keyspace, config: &MemoryConfig, l1: Option<&Arc<VersionTable>>) -> Result<Self> {
        let store = Self::shared(space, config)?;
        if let Some(slots) = l1 {
            store.contents.lock().watch(slots);
        }
        Ok(store)
    }

    fn shared(space: &Keyspace, config: &MemoryConfig) -> Result<Self> {
        let Some(name) = &config.name else {
            return Ok(MemoryStore { contents: Arc::new(Mutex::new(Contents::new(config.max_bytes))) });
        };
        let mut named = NAMED.lock();
        named.retain(|_, store| store.strong_count() > 0);
        // Prefixes are stores of their own, so that one's clear of `*` is not another's.
        let id = format!("{}{name}", space.entry_prefix());
        if let Some(store) = named.get(&id).and_then(Weak::upgrade) {
            let open = store.lock().max_bytes();
            if open != config.max_bytes {
                return Err(Error::config(format!(
                    "maxBytes: the memory store \"{name}\" is already open with {open}, got {}; use one value for one name.",
                    config.max_bytes
                )));
            }
            return Ok(MemoryStore { contents: store });
        }
        let store = Arc::new(Mutex::new(Contents::new(config.max_bytes)));
        named.insert(id, Arc::downgrade(&store));
        Ok(MemoryStore { contents: store })
    }

    /// Entries held, bytes they weigh, and members of all tag indexes.
    pub fn sizes(&self) -> (usize, u64, usize) {
        self.contents.lock().sizes()
    }
}

impl EntryStore for MemoryStore {
    type Form = InMemory;

    const COARSE_EXPIRY: bool = false;

    fn observes_all_changes(&self) -> bool {
        true
    }

    fn last_epoch(&self, _key: &str) -> Epoch {
        self.contents.lock().epoch()
    }

    async fn read(
        &self,
        keys: &[String],
        now: UnixMs,
        _lease: Option<Duration>,
    ) -> Result<Vec<KeyRead<InMemory>>> {
        let mut contents = self.contents.lock();
        let epoch = contents.epoch();
        let read = |key: &String| {
            let entry = contents.get(key, now).map_or(ReadEntry::Absent(None), ReadEntry::Present);
            KeyRead { epoch, entry: Ok(entry) }
        };
        let reads = keys.iter().map(read).collect();
        contents.maintain(now);
        Ok(reads)
    }

    async fn write(&self, writes: Vec<Write<InMemory>>, now: UnixMs) -> Vec<Result<WriteOutcome>> {
        let mut contents = self.contents.lock();
        let written = writes.into_iter().map(|write| contents.set(write, now)).collect();
        contents.maintain(now);
        written
    }

    async fn swap(
        &self,
        key: &str,
        seen: SeenVersion<InMemory>,
        times: Option<Times>,
        now: UnixMs,
    ) -> Result<bool> {
        let mut contents = self.contents.lock();
        Ok(match seen {
            SeenVersion::Present(seen) => contents.swap(key, &seen, times),
            SeenVersion::Absent(_) => times.is_none() && contents.end_sets(key, now),
        })
    }
}

impl ClearStore for MemoryStore {
    async fn clear(&self, clear: Clear, now: UnixMs) -> Result<()> {
        let mut contents = self.contents.lock();
        contents.clear(&clear);
        contents.maintain(now);
        Ok(())
    }

    /// Nothing hinders a clear here.
    fn defer_clear(&self, clear: Clear) {
        self.contents.lock().clear(&clear);
    }
}

impl LockStore for MemoryStore {
    async fn lock(&self, key: &str, owner: &str, ms: u64, now: UnixMs) -> Result<bool> {
        self.contents.lock().locks.lock(key, owner, now.saturating_add(ms), now)
    }

    async fn unlock(&self, key: &str, owner: &str, now: UnixMs) -> Result<()> {
        self.contents.lock().locks.unlock(key, owner, now);
        Ok(())
    }
}

impl IndexStore for MemoryStore {
    /// All in one page: there is no place in the store from which one could go on.
    async fn keys(&self, prefix: &str, _cursor: u64, now: UnixMs) -> Result<Page> {
        Ok(Page { keys: self.contents.lock().keys(prefix, now), next: None })
    }

    async fn members(&self, tag: Tag, _wanted: &[Tag], _cursor: u64, now: UnixMs) -> Result<Page> {
        Ok(Page { keys: self.contents.lock().members(tag, now), next: None })
    }
}

impl PubSub for MemoryStore {}

impl Store for MemoryStore {
    async fn close(&self) {}
}
