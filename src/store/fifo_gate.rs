//! A line in which operations wait while something must be done before them, and in which whatever comes meanwhile waits
//! too: they begin in the order in which they were asked for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::unconstrained;

#[derive(Default)]
pub struct FifoGate {
    /// Who waits, and who is at the head.
    length: AtomicUsize,
    /// Fair: it goes from one to the next in the order in which they came.
    head: Mutex<()>,
}

/// The head of the line. Given to the next in line when it is dropped, which must be after the first command was sent.
pub struct Permit<'a> {
    _head: MutexGuard<'a, ()>,
    // Dropped after the head: until the next one has it, the line is not empty.
    _place: Place<'a>,
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

impl FifoGate {
    /// Nobody is in it: what is run_with now overtakes nobody.
    pub fn is_empty(&self) -> bool {
        self.length.load(Acquire) == 0
    }

    /// Joins at its first poll. Whoever gives up waiting, or is dropped, leaves the line.
    pub async fn turn(&self) -> Permit<'_> {
        self.length.fetch_add(1, AcqRel);
        let place = Place(&self.length);
        // Without the runtime's budget for a turn: where it is used up, it would not join yet.
        Permit { _head: unconstrained(self.head.lock()).await, _place: place }
    }

    /// A turn behind those who wait, if any do.
    pub async fn behind(&self) -> Option<Permit<'_>> {
        if self.is_empty() { None } else { Some(self.turn().await) }
    }
}

/// Runs what sends its first command at its first poll; then the next in line may begin.
pub async fn run_with<T>(turn: Option<Permit<'_>>, work: impl Future<Output = T>) -> T {
    let mut turn = turn;
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        turn = None;
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::{join_all, pending};
    use std::sync::Arc;
    use std::task::{Context, Waker};
    use std::time::Duration;
    use tokio::time::timeout;

    fn is_pending(work: &mut (impl Future + Unpin)) -> bool {
        work.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_waits_begins_in_order_and_nobody_overtakes() {
        let line = Arc::new(FifoGate::default());
        let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
        for _ in 0..50 {
            let first = line.turn().await;
            let mut tasks = Vec::new();
            let mut joined = Vec::new();
            for at in 0..20 {
                let (line, order) = (line.clone(), order.clone());
                let mut work = async move {
                    let turn = line.behind().await;
                    assert!(turn.is_some());
                    run_with(turn, async { order.lock().push(at) }).await;
                }
                .boxed();
                // In line since this poll.
                assert!(is_pending(&mut work));
                joined.push(work);
            }
            drop(first);
            // Whoever is polled first.
            joined.reverse();
            tasks.extend(joined.into_iter().map(tokio::spawn));
            for task in join_all(tasks).await {
                task.unwrap();
            }
            assert_eq!(std::mem::take(&mut *order.lock()), (0..20).collect::<Vec<_>>());
            assert!(line.is_empty() && line.behind().await.is_none());
        }
    }

    #[tokio::test]
    async fn whoever_gives_up_or_is_dropped_does_not_hold_the_others_up() {
        let line = FifoGate::default();
        let first = line.turn().await;
        assert!(timeout(Duration::from_millis(5), line.turn()).await.is_err());
        let mut second = Box::pin(line.turn());
        let mut third = Box::pin(line.turn());
        assert!(is_pending(&mut second));
        assert!(is_pending(&mut third));
        drop(second);
        drop(first);
        drop(third.await);
        // The head was given to one that is dropped before it takes it up.
        let first = line.turn().await;
        let mut second = Box::pin(line.turn());
        assert!(is_pending(&mut second));
        drop(first);
        drop(second);
        assert!(line.is_empty());
        drop(line.turn().now_or_never().unwrap());
    }

    #[tokio::test]
    async fn the_next_begins_once_the_one_before_has_been_polled_not_when_it_ends() {
        let line = FifoGate::default();
        let mut endless = Box::pin(run_with(Some(line.turn().await), pending::<()>()));
        assert!(!line.is_empty());
        assert!(is_pending(&mut endless));
        assert!(line.is_empty());
    }
}
