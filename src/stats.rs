//! Counters of one engine, all since it was opened.

use crate::error::{Code, Error};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        #[derive(Debug, Default)]
        pub struct Stats { $($(#[$doc])* pub $name: Counter),* }

        /// A reading of all counters.
        #[derive(Debug, Clone, Serialize, PartialEq, Eq)]
        #[serde(rename_all = "camelCase")]
        pub struct Snapshot { $($(#[$doc])* pub $name: u64),* }

        impl Stats {
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.get()),* }
            }
        }
    };
}

counters! {
    hits,
    misses,
    sets,
    /// Sets that a clear since their miss made too old: nothing was stored.
    rejected_writes,
    /// Sets that no miss guarded: only as fresh as their caller.
    unguarded_sets,
    clears,
    /// Entries found past their envelope's expiry.
    expired,
    /// Entries found with a tag cleared since.
    invalidated,
    /// Entries found stale: past their freshness, or automatically invalidated, and kept for their grace.
    stale,
    /// Stored bytes that did not decode, each a miss.
    corrupt,
    /// Errors that say the server is away or too slow.
    outages,
    /// Any other error.
    errors,
    /// Entries removed by background reclaiming.
    reclaimed,
    /// Clears that pushed tags out of a full clear log which living entries may have needed (Redis).
    log_overflows,
    /// Locks had, and locks that another owner had.
    locks,
    locks_refused,
    /// Payload bytes given to set, and bytes kept after compression with their envelope.
    bytes_in,
    bytes_stored,
}

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Stats {
    pub fn failed(&self, error: &Error) {
        match error.code {
            Code::Closed => {}
            code if code.is_outage() => self.outages.add(1),
            _ => self.errors.add(1),
        }
    }
}
