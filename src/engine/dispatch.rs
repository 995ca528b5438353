//! Opens an engine over the store that a configuration names, and hands on to it.

use super::op::{Op, Outcome};
use super::reclaim;
use super::state::Engine;
use super::sweep_queue::SweepQueue;
use crate::codec::compression::Compression;
use crate::config::{BackendConfig, Config};
use crate::error::Result;
use crate::events::Events;
use crate::model::key::Keyspace;
use crate::model::version_table::VersionTable;
use crate::stats::{Snapshot, Stats};
use crate::store::memcached::MemcachedStore;
use crate::store::memory::MemoryStore;
use crate::store::redis::RedisStore;
use crate::store::traits::{EntryStore, Store};
use std::sync::Arc;
use tokio::runtime::Handle;

/// An engine over whichever store its configuration names.
#[derive(Clone)]
pub enum AnyEngine {
    Memory(Arc<Engine<MemoryStore>>),
    Redis(Arc<Engine<RedisStore>>),
    Memcached(Arc<Engine<MemcachedStore>>),
}

/// The same expression over each store.
macro_rules! each {
    ($any:expr, $engine:ident => $body:expr) => {
        match $any {
            AnyEngine::Memory($engine) => $body,
            AnyEngine::Redis($engine) => $body,
            AnyEngine::Memcached($engine) => $body,
        }
    };
}

impl AnyEngine {
    /// Returns at once; connections are made in the background.
    pub fn open(config: Config, events: Events, runtime: &Handle) -> Result<Self> {
        let space = Keyspace::new(&config.prefix)?;
        let versions = config.l1.map(|_| VersionTable::new(config.backend.tells()));
        let stats = Arc::<Stats>::default();
        Ok(match &config.backend {
            BackendConfig::Memory(memory) => {
                let store = MemoryStore::open(&space, memory, versions.as_ref())?;
                AnyEngine::Memory(start(store, &config, events, runtime, versions, stats)?)
            }
            BackendConfig::Redis(redis) => {
                let (told, counted) = (events.clone(), stats.clone());
                let store = RedisStore::open(space, redis, told, runtime, versions.clone(), counted)?;
                AnyEngine::Redis(start(store, &config, events, runtime, versions, stats)?)
            }
            BackendConfig::Memcached(memcached) => {
                let store =
                    MemcachedStore::open(space, memcached, events.clone(), runtime, versions.clone())?;
                AnyEngine::Memcached(start(store, &config, events, runtime, versions, stats)?)
            }
        })
    }

    /// Of a store on Redis that was opened to be told them.
    pub fn set_credentials(&self, username: Option<String>, password: String, runtime: &Handle) {
        if let AnyEngine::Redis(engine) = self {
            engine.store().set_credentials(username, password, runtime);
        }
    }

    /// Whether a batch is answered at its first poll, so that it need not leave the calling thread.
    pub fn immediate(&self) -> bool {
        each!(self, engine => !engine.is_heavy())
    }

    /// Whether a small batch would be sent by the thread that brings it, so that it need not wake the runtime.
    pub fn is_idle(&self) -> bool {
        each!(self, engine => engine.store().is_idle())
    }

    /// How values are compressed, for those who pack them before their batch begins.
    pub fn compression(&self) -> Compression {
        each!(self, engine => engine.compression)
    }

    /// Values longer than this are refused.
    pub fn max_value(&self) -> usize {
        each!(self, engine => engine.max_value as usize)
    }

    /// Runs a batch. `deliver(first, outcomes)` is called as parts of it finish, in any order, each operation once.
    pub async fn run(&self, ops: Vec<Op>, now: u64, deliver: impl Fn(usize, Vec<Outcome>) + Send + Sync) {
        each!(self, engine => engine.run(ops, now, deliver).await)
    }

    /// Answers an operation without doing it, since there is no room for it.
    pub fn shed(&self, op: &Op) -> Outcome {
        each!(self, engine => engine.shed(op))
    }

    pub fn versions(&self) -> Option<&Arc<VersionTable>> {
        each!(self, engine => engine.versions())
    }

    pub fn stats(&self) -> Snapshot {
        each!(self, engine => engine.stats())
    }

    pub async fn close(&self) {
        each!(self, engine => engine.close().await)
    }
}

fn start<S: Store>(
    store: S,
    config: &Config,
    events: Events,
    runtime: &Handle,
    versions: Option<Arc<VersionTable>>,
    stats: Arc<Stats>,
) -> Result<Arc<Engine<S>>> {
    let (sweeps, requests) = (!S::SWEEPS).then(SweepQueue::new).unzip();
    let engine = Arc::new(Engine::new(store, config, events, versions, stats, sweeps)?);
    if let Some(requests) = requests {
        reclaim::spawn(&engine, requests, runtime);
    }
    Ok(engine)
}
