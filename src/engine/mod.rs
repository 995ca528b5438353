//! Composes keys, tags, codecs and a backend: what a batch of operations means.

mod batch;
mod channels;
mod expire;
mod list;
mod load_shedding;
mod lock;
mod miss;
mod read;
mod reclaim;
mod take;
pub mod ticket;
mod write;

use crate::codec::compression::{Compression, compress};
use crate::codec::envelope::Codec;
use crate::codec::text::{Value, utf8, utf8_len};
use crate::config::{BackendConfig, Config};
use crate::error::{Code, Error, Result};
use crate::events::{Event, Events};
use crate::model::key::Keyspace;
use crate::model::tag::{Invalidation, Tag};
use crate::model::ttl::{Times, Ttl};
use crate::model::version_table::{Neighbours, Slots};
use crate::stats::{Snapshot, Stats};
use crate::store::memcached::MemcachedBackend;
use crate::store::memory::MemoryBackend;
use crate::store::redis::RedisBackend;
use crate::store::{Backend, Guard, Page};
pub use load_shedding::OVERHEAD;
use lock::Unacknowledged;
use miss::MissMemory;
use parking_lot::Mutex;
use reclaim::Reclaimer;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Values from this size on are compressed in process memory, where compression was asked for: below it the thread hop
/// costs more than the bytes are worth.
const MEMORY_THRESHOLD: usize = 16 * 1024;
/// What a miss leaves on a server for its set lives at least so long; longer if misses are remembered for longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for a ticket, whose caller is not bound to the memory of misses: a report that takes minutes can still be
/// stored. Not longer, since each such read of a key that is never set holds some 100 bytes of the server so long.
const TICKET_PATIENCE: Duration = Duration::from_secs(300);
/// At most one warning about stored bytes in this time.
const CORRUPT_WARNING_EVERY: Duration = Duration::from_secs(60);

/// One operation of a caller.
#[derive(Debug)]
pub enum Op {
    /// `remember`: a set may follow a miss. `stamp`: a hit is to be kept in L1, here and below.
    Get {
        key: String,
        remember: bool,
        stamp: bool,
    },
    /// A read whose caller carries the guard of the set that may follow, as a ticket. `times`: a fresh entry
    /// comes with its own and a ticket too.
    Read {
        key: String,
        times: bool,
        stamp: bool,
    },
    /// Whether a get would hit. Remembers nothing, and leaves nothing in the store.
    Has {
        key: String,
    },
    /// Several at once, answered together. A set may follow each miss.
    GetMany {
        keys: Vec<String>,
    },
    /// The live entries that carry any of the tags.
    GetTags {
        tags: Vec<Tag>,
    },
    /// `ttl: None` = a lifetime of zero: stores nothing, leaves nothing. `ticket`: the guard, in place of a remembered miss.
    Set {
        key: String,
        value: Input,
        tags: Vec<Tag>,
        ttl: Option<Ttl>,
        auto: bool,
        ticket: Option<Guard>,
        times: Option<Times>,
    },
    /// The key whatever else is asked; then the tags.
    Clear {
        key: Option<String>,
        tags: Vec<Tag>,
        raise: Invalidation,
    },
    /// The value, which is then gone, for exactly one caller.
    Take {
        key: String,
    },
    /// Cleared, and whether a get would have hit before that.
    Remove {
        key: String,
    },
    /// Stale from now on; what has no times is cleared.
    Expire {
        key: String,
    },
    /// A page of the keys that begin with `prefix`; the first is 0.
    Keys {
        prefix: String,
        cursor: u64,
    },
    /// For so many milliseconds, or until the owner gives it back.
    Lock {
        key: String,
        owner: String,
        ms: u64,
    },
    Unlock {
        key: String,
        owner: String,
    },
    /// To every process that subscribed to the channel.
    Publish {
        channel: String,
        payload: String,
    },
    Subscribe {
        channel: String,
    },
    Unsubscribe {
        channel: String,
    },
}

/// A value on its way in.
#[derive(Debug)]
pub enum Input {
    /// UTF-8.
    Text(Vec<u8>),
    /// UTF-16, as V8 gives it most cheaply.
    Wide(Vec<u16>),
    Binary(Vec<u8>),
    /// As it will be stored: packed on another thread before its batch began.
    Packed(Packed),
    /// Lost with the thread that was to pack it.
    Lost,
}

/// A value after compression.
#[derive(Debug)]
pub struct Packed {
    pub codec: Codec,
    pub payload: Vec<u8>,
    /// Bytes before compression.
    pub raw_len: u32,
    pub binary: bool,
}

impl Input {
    /// In bytes; of text, as UTF-8.
    pub fn len(&self) -> usize {
        match self {
            Input::Text(bytes) | Input::Binary(bytes) => bytes.len(),
            Input::Wide(units) => utf8_len(units),
            Input::Packed(packed) => packed.raw_len as usize,
            Input::Lost => 0,
        }
    }

    pub fn is_longer_than(&self, bytes: usize) -> bool {
        match self {
            // None takes more than three.
            Input::Wide(units) if 3 * units.len() <= bytes => false,
            _ => self.len() > bytes,
        }
    }

    /// Bytes of memory that it takes.
    pub fn weight(&self) -> usize {
        match self {
            Input::Text(bytes) | Input::Binary(bytes) => bytes.len(),
            Input::Wide(units) => 2 * units.len(),
            Input::Packed(packed) => packed.payload.len(),
            Input::Lost => 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its packed form, if that is worth it.
    pub fn pack(&self, how: &Compression) -> Option<Packed> {
        match self {
            Input::Text(raw) | Input::Binary(raw) => {
                let (codec, Cow::Owned(payload)) = compress(raw, how).ok()? else { return None };
                let binary = matches!(self, Input::Binary(_));
                Some(Packed { codec, payload, raw_len: raw.len() as u32, binary })
            }
            Input::Wide(units) => Input::Text(utf8(units)).pack(how),
            Input::Packed(_) | Input::Lost => None,
        }
    }

    /// Compresses it, if that is worth it. No longer than a `u32` says.
    pub fn packed(self, how: &Compression) -> Result<Packed> {
        let (raw, binary) = match self {
            Input::Packed(packed) => return Ok(packed),
            Input::Lost => {
                return Err(Error::new(
                    Code::Internal,
                    "The value was lost before it was packed; nothing was stored.",
                ));
            }
            Input::Text(bytes) => (bytes, false),
            Input::Wide(units) => (utf8(&units), false),
            Input::Binary(bytes) => (bytes, true),
        };
        let raw_len = raw.len() as u32;
        let (codec, payload) = match compress(&raw, how)? {
            (codec, Cow::Owned(payload)) => (codec, payload),
            (codec, Cow::Borrowed(_)) => (codec, raw),
        };
        Ok(Packed { codec, payload, raw_len, binary })
    }
}

/// What a ticketed read found, where that is more than a fresh value.
#[derive(Debug)]
pub struct Reading {
    pub value: Option<Value>,
    pub ticket: ticket::Ticket,
    pub stale: bool,
    pub times: Option<Times>,
}

#[derive(Debug)]
pub enum Outcome {
    Miss,
    Hit(Value),
    /// A hit, and what it takes to keep it in L1 (`l1::Stamp::units`).
    Stamped(Value, Box<[u16]>),
    List(Vec<Value>),
    /// Of each key, in order.
    Many(Vec<Outcome>),
    Keys(Page),
    Done,
    /// The answer to a question: whether it is there, whether it was done.
    Is(bool),
    Read(Box<Reading>),
    Failed(Error),
}

pub struct Engine<B: Backend> {
    backend: Arc<B>,
    misses: MissMemory,
    unacknowledged: Unacknowledged,
    /// How long the set after a remembered miss may take.
    patience: Duration,
    /// The callers' clock as of the last batch: what background work judges expiry by, so that it never takes for
    /// expired what lives by a clock that a test has set.
    caller_clock: AtomicU64,
    compression: Compression,
    max_value: u32,
    stats: Arc<Stats>,
    events: Events,
    closed: AtomicBool,
    corrupt_warned: Mutex<Option<Instant>>,
    /// Of a read as a whole, which takes several steps; `None` where nothing is waited for.
    deadline: Option<Duration>,
    reclaimer: Option<Reclaimer>,
    l1: Option<L1>,
    /// The other stores of this process at the same place; `None` in process memory, which knows its handles.
    neighbours: Option<Arc<Neighbours>>,
}

/// What is kept in JavaScript.
struct L1 {
    slots: Arc<Slots>,
    ttl_ms: Option<u64>,
}

impl<B: Backend> Engine<B> {
    pub fn new(
        backend: B,
        config: &Config,
        events: Events,
        runtime: &Handle,
        slots: Option<Arc<Slots>>,
        stats: Arc<Stats>,
    ) -> Result<Arc<Self>> {
        let mut compression = config.compression.resolve()?;
        if !B::WIRE {
            // Values in process memory stay raw unless compression was asked for.
            if config.compression.enabled != Some(true) {
                compression.codec = Codec::None;
            }
            compression.threshold = config.compression.threshold.unwrap_or(MEMORY_THRESHOLD);
        }
        let place = config.backend.place(&Keyspace::new(&config.prefix)?);
        let neighbours = place.map(|place| Neighbours::at(place, slots.as_ref()));
        Ok(Arc::new_cyclic(|engine| Engine {
            neighbours,
            backend: Arc::new(backend),
            misses: MissMemory::new(config.miss_memory),
            unacknowledged: Unacknowledged::default(),
            patience: PATIENCE.max(Duration::from_millis(config.miss_memory.ms) + Duration::from_secs(1)),
            caller_clock: AtomicU64::new(0),
            compression,
            max_value: config.max_value_bytes,
            stats,
            events,
            closed: AtomicBool::new(false),
            corrupt_warned: Mutex::new(None),
            deadline: config.backend.command_ms().map(Duration::from_millis),
            reclaimer: (!B::SWEEPS).then(|| Reclaimer::start(engine.clone(), runtime)),
            l1: slots.map(|slots| L1 { slots, ttl_ms: config.l1.and_then(|l1| l1.ttl_ms) }),
        }))
    }

    pub fn stats(&self) -> Snapshot {
        self.stats.snapshot()
    }

    /// The counters of the values kept in JavaScript, where some are.
    pub fn slots(&self) -> Option<&Arc<Slots>> {
        self.l1.as_ref().map(|l1| &l1.slots)
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
        let slots = config.l1.map(|_| Slots::new(config.backend.tells()));
        let stats = Arc::<Stats>::default();
        Ok(match &config.backend {
            BackendConfig::Memory(memory) => {
                let backend = MemoryBackend::open(&space, memory, slots.as_ref())?;
                AnyEngine::Memory(Engine::new(backend, &config, events, runtime, slots, stats)?)
            }
            BackendConfig::Redis(redis) => {
                let backend =
                    RedisBackend::open(space, redis, events.clone(), runtime, slots.clone(), stats.clone())?;
                AnyEngine::Redis(Engine::new(backend, &config, events, runtime, slots, stats)?)
            }
            BackendConfig::Memcached(memcached) => {
                let backend =
                    MemcachedBackend::open(space, memcached, events.clone(), runtime, slots.clone())?;
                AnyEngine::Memcached(Engine::new(backend, &config, events, runtime, slots, stats)?)
            }
        })
    }

    /// Whether a batch is answered at its first poll, so that it need not leave the calling thread.
    pub fn immediate(&self) -> bool {
        each!(self, engine => !engine.heavy())
    }

    /// Whether a small batch would be sent by the thread that brings it, so that it need not wake the runtime.
    pub fn is_idle(&self) -> bool {
        each!(self, engine => engine.backend().is_idle())
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

    /// Answers an operation without doing it, for want of room.
    pub fn turn_away(&self, op: &Op) -> Outcome {
        each!(self, engine => engine.turn_away(op))
    }

    pub fn slots(&self) -> Option<&Arc<Slots>> {
        each!(self, engine => engine.slots())
    }

    pub fn stats(&self) -> Snapshot {
        each!(self, engine => engine.stats())
    }

    pub async fn close(&self) {
        each!(self, engine => engine.close().await)
    }
}
