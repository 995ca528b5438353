//! A gate at which operations wait while something must be done before them. Whatever comes meanwhile waits too, so that they begin in
//! the order in which they were asked for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::unconstrained;

#[derive(Default)]
pub struct FifoGate {
    /// How many wait, and hold the permit.
    length: AtomicUsize,
    /// Fair: it goes from one to the next in the order in which they came.
    head: Mutex<()>,
}

/// The head of the gate. Given to the next in line when it is dropped, which must be after the first command was sent.
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

    /// Joins at its first poll. Whoever gives up waiting, or is dropped, leaves the gate.
    pub async fn acquire(&self) -> Permit<'_> {
        self.length.fetch_add(1, AcqRel);
        let place = Place(&self.length);
        // Without the runtime's budget of polls: where it is used up, it would not join yet.
        Permit { _head: unconstrained(self.head.lock()).await, _place: place }
    }

    /// Acquires a permit behind those who wait, if any do.
    pub async fn acquire_behind(&self) -> Option<Permit<'_>> {
        if self.is_empty() { None } else { Some(self.acquire().await) }
    }
}

/// Runs work that sends its first command at its first poll; then the next who waits may begin.
pub async fn run_with<T>(permit: Option<Permit<'_>>, work: impl Future<Output = T>) -> T {
    let mut permit = permit;
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        permit = None;
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
        let gate = Arc::new(FifoGate::default());
        let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
        for _ in 0..50 {
            let first = gate.acquire().await;
            let mut tasks = Vec::new();
            let mut joined = Vec::new();
            for at in 0..20 {
                let (gate, order) = (gate.clone(), order.clone());
                let mut work = async move {
                    let permit = gate.acquire_behind().await;
                    assert!(permit.is_some());
                    run_with(permit, async { order.lock().push(at) }).await;
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
            assert!(gate.is_empty() && gate.acquire_behind().await.is_none());
        }
    }

    #[tokio::test]
    async fn whoever_gives_up_or_is_dropped_does_not_hold_the_others_up() {
        let gate = FifoGate::default();
        let first = gate.acquire().await;
        assert!(timeout(Duration::from_millis(5), gate.acquire()).await.is_err());
        let mut second = Box::pin(gate.acquire());
        let mut third = Box::pin(gate.acquire());
        assert!(is_pending(&mut second));
        assert!(is_pending(&mut third));
        drop(second);
        drop(first);
        drop(third.await);
        // The head was given to one that is dropped before it takes it up.
        let first = gate.acquire().await;
        let mut second = Box::pin(gate.acquire());
        assert!(is_pending(&mut second));
        drop(first);
        drop(second);
        assert!(gate.is_empty());
        drop(gate.acquire().now_or_never().unwrap());
    }

    #[tokio::test]
    async fn the_next_begins_once_the_one_before_has_been_polled_not_when_it_ends() {
        let gate = FifoGate::default();
        let mut endless = Box::pin(run_with(Some(gate.acquire().await), pending::<()>()));
        assert!(!gate.is_empty());
        assert!(is_pending(&mut endless));
        assert!(gate.is_empty());
    }
}
