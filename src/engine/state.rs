//! The state of an engine, and what all of its operations use.

use super::miss::MissMemory;
use super::sweep_queue::SweepQueue;
use super::unacknowledged::Unacknowledged;
use crate::codec::compression::Compression;
use crate::codec::envelope::Codec;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::events::{Event, Events};
use crate::model::key::Keyspace;
use crate::model::version_table::{LocalPeers, VersionTable};
use crate::net::timeout::timeout_at;
use crate::stats::{Snapshot, Stats};
use crate::store::form::EntryForm;
use crate::store::traits::Store;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Values from this size on are compressed in process memory, where compression was asked for: below it the thread hop
/// costs more than the bytes are worth.
const MEMORY_THRESHOLD: usize = 16 * 1024;
/// What a miss leaves on a server for its set lives at least so long; longer if misses are remembered for longer.
const LEASE_TTL: Duration = Duration::from_secs(30);
/// At most one warning about stored bytes in this time.
const CORRUPT_WARNING_EVERY: Duration = Duration::from_secs(60);

pub struct Engine<S: Store> {
    pub(super) store: S,
    pub(super) misses: MissMemory,
    pub(super) unacknowledged: Unacknowledged,
    /// How long the set after a remembered miss may take.
    pub(super) lease_ttl: Duration,
    /// The callers' clock as of the last batch. Background work judges expiry by it, so that it never takes for expired what
    /// lives by a clock that a test has set.
    pub(super) caller_clock: AtomicU64,
    pub(super) compression: Compression,
    pub(super) max_value: u32,
    pub(super) stats: Arc<Stats>,
    events: Events,
    pub(super) closed: AtomicBool,
    corrupt_warned: Mutex<Option<Instant>>,
    /// The time limit of a read as a whole, which takes several steps; `None` where nothing is waited for.
    deadline: Option<Duration>,
    /// Indexes to be swept; `None` for a store that sweeps by itself.
    pub(super) sweeps: Option<SweepQueue>,
    pub(super) l1: Option<L1>,
    /// The other stores of this process at the same place; `None` in process memory, which knows its handles.
    pub(super) peers: Option<Arc<LocalPeers>>,
}

/// What is kept in JavaScript.
pub(super) struct L1 {
    pub versions: Arc<VersionTable>,
    pub ttl_ms: Option<u64>,
}

impl<S: Store> Engine<S> {
    pub(super) fn new(
        store: S,
        config: &Config,
        events: Events,
        versions: Option<Arc<VersionTable>>,
        stats: Arc<Stats>,
        sweeps: Option<SweepQueue>,
    ) -> Result<Self> {
        let mut compression = config.compression.resolve()?;
        if !S::Form::IS_REMOTE {
            // Values in process memory stay raw unless compression was asked for.
            if config.compression.enabled != Some(true) {
                compression.codec = Codec::None;
            }
            compression.threshold = config.compression.threshold.unwrap_or(MEMORY_THRESHOLD);
        }
        let place = config.backend.place(&Keyspace::new(&config.prefix)?);
        Ok(Engine {
            peers: place.map(|place| LocalPeers::at(place, versions.as_ref())),
            store,
            misses: MissMemory::new(config.miss_memory),
            unacknowledged: Unacknowledged::default(),
            lease_ttl: LEASE_TTL.max(Duration::from_millis(config.miss_memory.ms) + Duration::from_secs(1)),
            caller_clock: AtomicU64::new(0),
            compression,
            max_value: config.max_value_bytes,
            stats,
            events,
            closed: AtomicBool::new(false),
            corrupt_warned: Mutex::new(None),
            deadline: config.backend.command_ms().map(Duration::from_millis),
            sweeps,
            l1: versions.map(|versions| L1 { versions, ttl_ms: config.l1.and_then(|l1| l1.ttl_ms) }),
        })
    }

    pub fn stats(&self) -> Snapshot {
        self.stats.snapshot()
    }

    /// The version table of the values kept in JavaScript, where some are.
    pub fn versions(&self) -> Option<&Arc<VersionTable>> {
        self.l1.as_ref().map(|l1| &l1.versions)
    }

    pub fn store(&self) -> &S {
        &self.store
    }

    /// Later operations fail with `CACHALOT_CLOSED`; those under way are finished.
    pub async fn close(&self) {
        self.closed.store(true, Relaxed);
        if let Some(sweeps) = &self.sweeps {
            sweeps.stop();
        }
        self.store.close().await;
    }

    /// Whether operations may take long enough (compression) that they belong on the runtime's thread.
    pub(super) fn is_heavy(&self) -> bool {
        S::Form::IS_REMOTE || self.compression.codec != Codec::None
    }

    /// Limits a read as a whole to the time that each of its steps has.
    pub(super) async fn in_time<T>(&self, read: impl Future<Output = T>) -> Result<T> {
        let Some(deadline) = self.deadline else { return Ok(read.await) };
        timeout_at(tokio::time::Instant::now() + deadline, read).await.map_err(|_| {
            Error::timeout(format!(
                "The server did not answer all of a read within {} ms (commandTimeout); raise it if the server is that far away.",
                deadline.as_millis()
            ))
        })
    }

    pub(super) fn count_corrupt(&self, error: &Error) {
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
