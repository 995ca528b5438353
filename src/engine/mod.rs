//! Composes keys, tags, codecs and a backend: what a batch of operations means.

mod batch;
mod miss;
mod overload;
mod read;
mod reclaim;
mod write;

use crate::backend::Backend;
use crate::backend::memcached::MemcachedBackend;
use crate::backend::memory::MemoryBackend;
use crate::backend::redis::RedisBackend;
use crate::codec::compression::Compression;
use crate::codec::envelope::Codec;
use crate::codec::text::Value;
use crate::config::{BackendConfig, Config};
use crate::error::{Code, Error, Result};
use crate::events::{Event, Events};
use crate::key::Keyspace;
use crate::stats::{Snapshot, Stats};
use crate::tags::Raise;
use crate::ttl::Ttl;
use miss::MissMemory;
use parking_lot::Mutex;
use reclaim::Reclaimer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Values from this size on are compressed in process memory, where compression was asked for: below it the thread hop
/// costs more than the bytes are worth.
const MEMORY_THRESHOLD: usize = 16 * 1024;
/// At most one warning about stored bytes in this time.
const CORRUPT_WARNING_EVERY: Duration = Duration::from_secs(60);

/// One operation of a caller.
#[derive(Debug)]
pub enum Op {
    /// `remember`: a set may follow a miss.
    Get { key: String, remember: bool },
    /// The live entries that carry any of the tags.
    GetTags { tags: Vec<String> },
    /// `ttl: None` = a lifetime of zero: stores nothing, leaves nothing.
    Set { key: String, value: Input, tags: Vec<String>, ttl: Option<Ttl>, auto: bool },
    /// The key whatever else is asked; then the tags.
    Clear { key: Option<String>, tags: Vec<String>, raise: Raise },
}

/// A value on its way in.
#[derive(Debug)]
pub enum Input {
    /// UTF-8.
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

impl Input {
    pub fn len(&self) -> usize {
        match self {
            Input::Text(bytes) | Input::Binary(bytes) => bytes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Debug)]
pub enum Outcome {
    Miss,
    Hit(Value),
    List(Vec<Value>),
    Done,
    Failed(Error),
}

pub struct Engine<B: Backend> {
    backend: Arc<B>,
    misses: MissMemory,
    compression: Compression,
    max_value: u32,
    stats: Arc<Stats>,
    events: Events,
    closed: AtomicBool,
    corrupt_warned: Mutex<Option<Instant>>,
    /// Of a read as a whole, which takes several steps; `None` where nothing is waited for.
    deadline: Option<Duration>,
    reclaimer: Option<Reclaimer>,
}

impl<B: Backend> Engine<B> {
    pub fn new(backend: B, config: &Config, events: Events, runtime: &Handle) -> Result<Arc<Self>> {
        let mut compression = config.compression.resolve()?;
        if !B::WIRE {
            // Values in process memory stay raw unless compression was asked for.
            if config.compression.enabled != Some(true) {
                compression.codec = Codec::None;
            }
            compression.threshold = config.compression.threshold.unwrap_or(MEMORY_THRESHOLD);
        }
        Ok(Arc::new_cyclic(|engine| Engine {
            backend: Arc::new(backend),
            misses: MissMemory::new(config.miss_memory),
            compression,
            max_value: config.max_value_bytes,
            stats: Arc::default(),
            events,
            closed: AtomicBool::new(false),
            corrupt_warned: Mutex::new(None),
            deadline: config.backend.command_ms().map(Duration::from_millis),
            reclaimer: B::WIRE.then(|| Reclaimer::start(engine.clone(), runtime)),
        }))
    }

    pub fn stats(&self) -> Snapshot {
        self.stats.snapshot()
    }

    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Later operations fail with `CACHALOT_CLOSED`; those under way are finished.
    pub async fn close(&self) {
        self.closed.store(true, Relaxed);
        if let Some(reclaimer) = &self.reclaimer {
            reclaimer.stop();
        }
        self.backend.close().await;
    }

    /// Whether operations may take long enough (compression) that they belong on the runtime's thread.
    fn heavy(&self) -> bool {
        B::WIRE || self.compression.codec != Codec::None
    }

    fn count_corrupt(&self, error: &Error) {
        self.stats.corrupt.add(1);
        let now = Instant::now();
        let mut warned = self.corrupt_warned.lock();
        if warned.is_none_or(|at| now.duration_since(at) >= CORRUPT_WARNING_EVERY) {
            *warned = Some(now);
            let message = format!("{} It counts as a miss; the next set replaces it.", error.message);
            (self.events)(Event::Warning { code: Code::Corrupt.as_str(), message });
        }
    }
}

/// An engine over whichever backend its configuration names.
#[derive(Clone)]
pub enum AnyEngine {
    Memory(Arc<Engine<MemoryBackend>>),
    Redis(Arc<Engine<RedisBackend>>),
    Memcached(Arc<Engine<MemcachedBackend>>),
}

/// The same expression over each backend.
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
        Ok(match &config.backend {
            BackendConfig::Memory(memory) => {
                let backend = MemoryBackend::open(&space, memory)?;
                AnyEngine::Memory(Engine::new(backend, &config, events, runtime)?)
            }
            BackendConfig::Redis(redis) => {
                let backend = RedisBackend::open(space, redis, events.clone(), runtime)?;
                AnyEngine::Redis(Engine::new(backend, &config, events, runtime)?)
            }
            BackendConfig::Memcached(memcached) => {
                let backend = MemcachedBackend::open(space, memcached, events.clone(), runtime)?;
                AnyEngine::Memcached(Engine::new(backend, &config, events, runtime)?)
            }
        })
    }

    /// Whether a batch is answered at its first poll, so that it need not leave the calling thread.
    pub fn immediate(&self) -> bool {
        each!(self, engine => !engine.heavy())
    }

    /// Runs a batch. `deliver(first, outcomes)` is called as parts of it finish, in any order, each operation once.
    pub async fn run(&self, ops: Vec<Op>, now: u64, deliver: impl Fn(usize, Vec<Outcome>) + Send + Sync) {
        each!(self, engine => engine.run(ops, now, deliver).await)
    }

    /// Answers an operation without doing it, for want of room.
    pub fn turn_away(&self, op: &Op) -> Outcome {
        each!(self, engine => engine.turn_away(op))
    }

    pub fn stats(&self) -> Snapshot {
        each!(self, engine => engine.stats())
    }

    pub async fn close(&self) {
        each!(self, engine => engine.close().await)
    }
}
