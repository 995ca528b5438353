//! Reasons for a sweep, from the operations that find them to the task that does it (`sweep`).

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// From a clear, or the start, to its sweep. Most of what is still read is replaced within this time, which leaves less to remove.
pub const REST: Duration = Duration::from_secs(1);
/// So often a process in use that had nothing to clear looks whether another left something.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the sweep task has to do.
pub struct Sweeper {
    pub wake: Notify,
    pub is_cleared: AtomicBool,
    pub has_expired: AtomicBool,
    /// The store was used since the last look.
    pub is_used: AtomicBool,
    /// What this process cleared is not swept yet.
    pub owes: AtomicBool,
    /// Whose the lock is.
    pub owner: String,
    pub has_lock: AtomicBool,
}

impl Default for Sweeper {
    fn default() -> Self {
        Sweeper {
            wake: Notify::new(),
            is_cleared: AtomicBool::new(true),
            has_expired: AtomicBool::default(),
            is_used: AtomicBool::default(),
            owes: AtomicBool::default(),
            owner: format!("{:016x}", rand::random::<u64>()),
            has_lock: AtomicBool::default(),
        }
    }
}

impl Sweeper {
    /// Something was cleared.
    pub fn sweep(&self) {
        self.owes.store(true, Relaxed);
        self.is_cleared.store(true, Relaxed);
        self.wake.notify_one();
    }

    pub fn used(&self) {
        self.is_used.store(true, Relaxed);
    }

    /// More than a few members of the index have expired.
    pub fn shed(&self) {
        self.has_expired.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// Returns when there is something to do. `next`: the earliest time of a sweep.
    pub async fn work(&self, next: Instant) {
        let mut look_at = next.max(Instant::now() + LOOK_EVERY);
        while !self.has_expired.load(Relaxed) {
            if self.is_cleared.load(Relaxed) {
                look_at = look_at.min(next.max(Instant::now() + REST));
            }
            if timeout_at(look_at, self.wake.notified()).await.is_err() {
                return;
            }
        }
    }
}
