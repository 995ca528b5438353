//! How long entries live at most, which the server must know: so long the log keeps a clear.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A life in use is announced again after this time: what the server evicted or lost is there again then.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Calls after which the expired members of the index are counted.
const COUNT_EVERY: u32 = 8;
/// What this process has told the server of how long entries live, which says how long the log must keep a clear.
#[derive(Default)]
pub(super) struct LongestLife {
    acknowledged: Mutex<Option<Announcement>>,
    calls: AtomicU32,
}

#[derive(Clone, Copy)]
pub struct Announcement {
    /// In milliseconds.
    pub life: u64,
    pub at: Instant,
    /// The connection over which it was acknowledged: another one may lead to another server, or an empty one.
    pub connection_id: u64,
}

impl LongestLife {
    /// Whether a life must be announced: it is longer than what was told, or that is some time ago (the server may have lost it).
    pub fn announces(&self, life: u64, connection_id: u64) -> bool {
        let acknowledged = self.acknowledged.lock();
        !acknowledged.is_some_and(|told| {
            told.connection_id == connection_id && told.life >= life && told.at.elapsed() < TELL_EVERY
        })
    }

    /// The server has acknowledged it.
    pub fn acknowledged(&self, told: Announcement) {
        let mut known = self.acknowledged.lock();
        let is_shorter = known.is_some_and(|known| {
            known.connection_id == told.connection_id
                && known.at.elapsed() < TELL_EVERY
                && known.life > told.life
        });
        if !is_shorter {
            *known = Some(told);
        }
    }

    pub fn counts(&self) -> bool {
        self.calls.fetch_add(1, Relaxed).is_multiple_of(COUNT_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_announced_until_it_was_told_over_the_present_connection() {
        let lives = LongestLife::default();
        let told = |life| lives.acknowledged(Announcement { life, at: Instant::now(), connection_id: 1 });
        assert!(lives.announces(50, 1) && lives.announces(50, 1));
        told(50);
        assert!(!lives.announces(50, 1) && !lives.announces(1, 1));
        assert!(lives.announces(60, 1) && lives.announces(1, 2));
        told(60);
        told(50);
        assert!(!lives.announces(60, 1), "answers may come in any order");
        *lives.acknowledged.lock() = Some(Announcement {
            life: 60,
            at: Instant::now().checked_sub(TELL_EVERY).unwrap(),
            connection_id: 1,
        });
        assert!(lives.announces(1, 1));
    }
}
