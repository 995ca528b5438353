//! Bounds for futures that may be begun on another thread than the runtime's.

use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};

thread_local! {
    static BEGINNING: Cell<Option<Sends>> = const { Cell::new(None) };
}

/// Requests of a first poll.
#[derive(Clone, Copy, Default)]
struct Sends {
    written: bool,
    queued: bool,
}

/// What a first poll on a caller's thread came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Began {
    /// Nothing was sent, or something waits for the connection's task: the runtime must take it over.
    Waiting,
    /// All that it sent is on the wire, under the connection's watchdog: the reply will wake it.
    Sent,
}

/// Polls once, on the thread of a caller. Bounds set no timers meanwhile: to set one would wake the runtime, which is
/// what is saved.
pub fn begin<F: Future + ?Sized>(work: Pin<&mut F>, context: &mut Context<'_>) -> (Poll<F::Output>, Began) {
    struct Restore(Option<Sends>);
    impl Drop for Restore {
        fn drop(&mut self) {
            BEGINNING.set(self.0);
        }
    }
    let _restore = Restore(BEGINNING.replace(Some(Sends::default())));
    let polled = work.poll(context);
    let Sends { written, queued } = BEGINNING.get().unwrap_or_default();
    (polled, if written && !queued { Began::Sent } else { Began::Waiting })
}

/// Whether the future under way is polled by `begin`.
pub(super) fn is_beginning() -> bool {
    BEGINNING.get().is_some()
}

/// A request of the future that `begin` polls, if any, was written to its end, or went to the connection's task.
pub(super) fn sent(to_its_end: bool) {
    if let Some(Sends { written, queued }) = BEGINNING.get() {
        BEGINNING.set(Some(Sends { written: written | to_its_end, queued: queued | !to_its_end }));
    }
}

/// A bound has passed.
#[derive(Debug)]
pub struct Overdue;

pin_project! {
    /// Of `timeout_at`. No `async fn`, which would keep its argument twice: futures that are bounded at every level would
    /// double at each.
    pub struct Bounded<F> {
        #[pin]
        work: F,
        at: Instant,
        #[pin]
        clock: Option<Sleep>,
    }
}

/// `tokio::time::timeout_at`, but for what `begin` polls.
pub fn timeout_at<F: Future>(at: Instant, work: F) -> Bounded<F> {
    Bounded { work, at, clock: None }
}

impl<F: Future> Future for Bounded<F> {
    type Output = Result<F::Output, Overdue>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut me = self.project();
        if let Poll::Ready(output) = me.work.poll(context) {
            return Poll::Ready(Ok(output));
        }
        if is_beginning() {
            return Poll::Pending;
        }
        if me.clock.is_none() {
            me.clock.set(Some(sleep_until(*me.at)));
        }
        match me.clock.as_pin_mut() {
            Some(sleep) => sleep.poll(context).map(|()| Err(Overdue)),
            None => Poll::Pending,
        }
    }
}
