//! Process memory: answered inside the call. Stores of one name are one store, also across worker threads.

mod entries;
mod locks;
mod members;
mod numbers;
mod store;
mod tagged;

use super::{Backend, Clear, Dead, Found, Page, ReadReply, Seen, Write, Written};
use crate::config::MemoryConfig;
use crate::error::{Code, Error, Result};
use crate::model::key::Keyspace;
use crate::model::tag::{Epoch, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use crate::model::version_table::Slots;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;
use store::Store;

/// A lock and not a channel: an operation holds it for well under a microsecond, and the answer is needed in the call.
type Shared = Arc<Mutex<Store>>;

/// The stores that have a name. Weak: a store goes with its last handle.
static NAMED: LazyLock<Mutex<HashMap<String, Weak<Mutex<Store>>>>> = LazyLock::new(Default::default);

pub struct MemoryBackend {
    store: Shared,
}

impl MemoryBackend {
    pub fn open(space: &Keyspace, config: &MemoryConfig, l1: Option<&Arc<Slots>>) -> Result<Self> {
        let backend = Self::shared(space, config)?;
        if let Some(slots) = l1 {
            backend.store.lock().watch(slots);
        }
        Ok(backend)
    }

    fn shared(space: &Keyspace, config: &MemoryConfig) -> Result<Self> {
        let Some(name) = &config.name else {
            return Ok(MemoryBackend { store: Arc::new(Mutex::new(Store::new(config.max_bytes))) });
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
            return Ok(MemoryBackend { store });
        }
        let store = Arc::new(Mutex::new(Store::new(config.max_bytes)));
        named.insert(id, Arc::downgrade(&store));
        Ok(MemoryBackend { store })
    }

    /// Entries held, bytes they weigh, and members of all tag indexes.
    pub fn sizes(&self) -> (usize, u64, usize) {
        self.store.lock().sizes()
    }
}

impl Backend for MemoryBackend {
    const WIRE: bool = false;
    const COARSE_EXPIRY: bool = false;
    const SWEEPS: bool = true;

    fn exact(&self) -> bool {
        true
    }

    fn hashes(&self, _key: &str) -> bool {
        false
    }

    fn last_epoch(&self) -> Epoch {
        self.store.lock().epoch()
    }

    async fn read(&self, keys: &[String], now: UnixMs, _lease: Option<Duration>) -> Result<ReadReply> {
        let mut store = self.store.lock();
        let found = keys.iter().map(|key| {
            Ok(store.get(key, now).map_or(Found::Absent(None), |(entry, stale)| Found::Live(entry, stale)))
        });
        let found = found.collect();
        let reply = ReadReply { epoch: store.epoch(), found };
        store.maintain(now);
        Ok(reply)
    }

    async fn write(&self, writes: Vec<Write>, now: UnixMs) -> Vec<Result<Written>> {
        let mut store = self.store.lock();
        let written = writes.into_iter().map(|write| store.set(write, now)).collect();
        store.maintain(now);
        written
    }

    async fn clear(&self, clear: Clear, now: UnixMs) -> Result<()> {
        let mut store = self.store.lock();
        store.clear(&clear);
        store.maintain(now);
        Ok(())
    }

    async fn swap(&self, key: &str, seen: Seen, times: Option<Times>, now: UnixMs) -> Result<bool> {
        let mut store = self.store.lock();
        match seen {
            Seen::Live(seen) => Ok(store.swap(key, &seen, times)),
            Seen::Nothing(_) => Ok(times.is_none() && store.end_sets(key, now)),
            Seen::Wire(..) => Err(Error::new(Code::Internal, "An envelope was given to the memory store.")),
        }
    }

    /// Nothing hinders a clear here.
    fn owe(&self, clear: Clear) {
        self.store.lock().clear(&clear);
    }

    async fn lock(&self, key: &str, owner: &str, ms: u64, now: UnixMs) -> Result<bool> {
        self.store.lock().locks.lock(key, owner, now.saturating_add(ms), now)
    }

    async fn unlock(&self, key: &str, owner: &str, now: UnixMs) -> Result<()> {
        self.store.lock().locks.unlock(key, owner, now);
        Ok(())
    }

    /// All in one page: there is no place in the store from which one could go on.
    async fn keys(&self, prefix: &str, _cursor: u64, now: UnixMs) -> Result<Page> {
        Ok(Page { keys: self.store.lock().keys(prefix, now), next: None })
    }

    async fn members(&self, tag: Tag, _wanted: &[Tag], _cursor: u64, now: UnixMs) -> Result<Page> {
        Ok(Page { keys: self.store.lock().members(tag, now), next: None })
    }

    /// Nothing to do: the store removes what it finds dead by itself.
    async fn bury(&self, _tag: Tag, _dead: Vec<Dead>) -> Result<()> {
        Ok(())
    }

    fn crowded(&self, _now: UnixMs) -> Vec<Tag> {
        Vec::new()
    }

    async fn close(&self) {}
}
