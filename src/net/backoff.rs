//! When to try again.

use rand::RngExt;
use std::time::Duration;

/// A server that restarts in place is often back within this; a refused attempt costs next to nothing.
const FIRST: Duration = Duration::from_millis(50);

/// Half of the two seconds within which a returned server must be in use again; one attempt a second and process is a
/// load that no server notices.
const LONGEST: Duration = Duration::from_secs(1);

/// Counts the failures since the server last proved that it works, and spreads the attempts of many processes that
/// lost it at the same moment.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Whether nothing failed since the server last worked.
    pub fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The server answered: the next loss begins anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// From the start of the last attempt to the start of the next, so that time an attempt spent hanging is not waited
    /// for again. None at first; then 50 ms doubling up to 1 s, of which the upper half is random.
    pub fn pause(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return Duration::ZERO };
        let full = FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST);
        full.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_up_to_a_second_with_jitter_and_begins_anew() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.pause(), Duration::ZERO);
        for full in [50, 100, 200, 400, 800, 1000, 1000] {
            backoff.failed();
            let pauses: Vec<u128> = (0..50).map(|_| backoff.pause().as_millis()).collect();
            assert!(pauses.iter().all(|ms| (full / 2..=full).contains(ms)), "{full}: {pauses:?}");
            assert!(pauses.iter().any(|ms| *ms != pauses[0]), "no jitter at {full} ms");
        }
        backoff.failures = u32::MAX;
        backoff.failed();
        assert!(backoff.pause() <= LONGEST);
        backoff.reset();
        assert!(backoff.is_fresh());
    }
}
