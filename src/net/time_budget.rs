//! A time limit that counts only time in which the process runs: a server is not late because its client was frozen.

use super::timeout::{IDLE_AFTER, Overdue};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A budget is spent in at least this many slices. A slice that took more than twice its length counts as two, since the process did
/// not run for the rest: a freeze costs at most a fifth of the budget, and a runtime that is merely busy gets no extra time.
const MAX_SLICES: u32 = 10;

/// The shortest slice. The runtime's timers are exact to a millisecond, so shorter ones would mostly be late.
const SHORTEST: Duration = Duration::from_millis(10);

/// The longest slice, far enough below `IDLE_AFTER` that one which took that long was late by most of it.
const LONGEST: Duration = Duration::from_millis(250);

/// The time that an attempt to connect has left.
#[derive(Debug)]
pub struct TimeBudget {
    limit: Duration,
    left: Duration,
    slice: Duration,
    was_frozen: bool,
}

impl TimeBudget {
    pub fn new(limit: Duration) -> Self {
        TimeBudget {
            limit,
            left: limit,
            slice: (limit / MAX_SLICES).clamp(SHORTEST, LONGEST),
            was_frozen: false,
        }
    }

    /// The whole budget, spent or not.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the process was frozen, while the budget was spent, long enough for the server to hang up meanwhile.
    pub fn was_frozen(&self) -> bool {
        self.was_frozen
    }

    /// Limits the work to the time that is left.
    pub async fn spend<F: Future>(&mut self, work: F) -> Result<F::Output, Overdue> {
        let mut work = pin!(work);
        loop {
            let slice = self.slice.min(self.left);
            let since = Instant::now();
            let outcome = timeout(slice, work.as_mut()).await;
            let took = since.elapsed();
            self.was_frozen |= took >= IDLE_AFTER;
            let spent = took.min(2 * self.slice);
            self.left = self.left.saturating_sub(spent);
            match outcome {
                Ok(output) => return Ok(output),
                Err(_) if self.left.is_zero() => return Err(Overdue),
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::{advance, sleep};

    const LIMIT: Duration = Duration::from_millis(500);

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Moves the clock on while nothing else runs.
    async fn freeze(time: Duration) {
        advance(time).await;
    }

    fn roughly(time: Duration, expected: Duration) -> bool {
        (expected..expected + Duration::from_millis(20)).contains(&time)
    }

    #[tokio::test(start_paused = true)]
    async fn is_spent_by_work_that_does_not_end() {
        let since = Instant::now();
        let mut budget = TimeBudget::new(LIMIT);
        assert!(budget.spend(sleep(LIMIT / 2)).await.is_ok());
        assert!(roughly(since.elapsed(), LIMIT / 2), "{:?}", since.elapsed());
        assert!(budget.spend(sleep(LIMIT / 10)).await.is_ok());
        assert!(budget.spend(pending::<()>()).await.is_err());
        assert!(roughly(since.elapsed(), LIMIT), "{:?}", since.elapsed());
        assert!(!budget.was_frozen());
        assert!(budget.spend(async { 1 }).await.is_ok_and(|one| one == 1), "what is ready needs no time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_freeze_costs_a_fifth_at_most() {
        let mut budget = TimeBudget::new(LIMIT);
        let work = async {
            sleep(LIMIT / 4).await;
            freeze(HOUR).await;
            sleep(LIMIT / 2).await;
        };
        assert!(budget.spend(work).await.is_ok());
        assert!(budget.was_frozen());
        let since = Instant::now();
        assert!(budget.spend(pending::<()>()).await.is_err());
        assert!(since.elapsed() < LIMIT / 4 + Duration::from_millis(20), "{:?}", since.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_freeze_of_a_second_is_noticed_whenever_it_begins_and_waiting_is_none() {
        let limit = Duration::from_secs(60);
        let mut budget = TimeBudget::new(limit);
        assert!(budget.spend(sleep(limit / 2)).await.is_ok());
        assert!(!budget.was_frozen());
        for begins in [0, 1, 100, 249, 250, 251] {
            let mut budget = TimeBudget::new(limit);
            let work = async {
                sleep(Duration::from_millis(begins)).await;
                freeze(IDLE_AFTER).await;
            };
            assert!(budget.spend(work).await.is_ok());
            assert!(budget.was_frozen(), "after {begins} ms");
        }
    }
}
