//! Bounds for futures that may be begun on another thread than the runtime's.

use super::direct::reader::DirectReader;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    static SCOPE: Cell<Option<Scope>> = const { Cell::new(None) };
    /// Connections whose replies this thread has taken on.
    static CLAIMED: RefCell<Vec<Arc<dyn DirectReader>>> = const { RefCell::new(Vec::new()) };
}

/// Requests of a poll.
#[derive(Clone, Copy, Default)]
struct Scope {
    written: bool,
    queued: bool,
    /// What follows is too much for the caller's thread.
    left: bool,
    /// The caller can wait for replies itself.
    reads: bool,
}

/// What a poll on a caller's thread came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollOutcome {
    /// Nothing was sent, or something waits for the connection's task: the runtime must take it over.
    Waiting,
    /// All that it sent is on the wire, under the connection's watchdog: the reply will wake it.
    Sent,
    /// As `Waiting`: what follows is too much for a caller's thread.
    Left,
}

/// Polls once, on the thread of a caller. Bounds set no timers meanwhile: to set one would wake the runtime, which is
/// what is saved. `reads`: the thread can read replies; it must then ask for what it has claimed (`take_claimed`). Without the feature
/// `direct-reads` nothing is claimed.
pub fn poll_inline<F: Future + ?Sized>(
    work: Pin<&mut F>,
    context: &mut Context<'_>,
    reads: bool,
) -> (Poll<F::Output>, PollOutcome) {
    struct Restore(Option<Scope>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0);
        }
    }
    let _restore = Restore(
        SCOPE.replace(Some(Scope { reads: reads && cfg!(feature = "direct-reads"), ..Scope::default() })),
    );
    let polled = work.poll(context);
    let began = match SCOPE.get().unwrap_or_default() {
        Scope { left: true, .. } => PollOutcome::Left,
        Scope { written: true, queued: false, .. } => PollOutcome::Sent,
        _ => PollOutcome::Waiting,
    };
    (polled, began)
}

/// Whether the future under way is polled by `poll_inline`.
pub(super) fn is_inline() -> bool {
    SCOPE.get().is_some()
}

/// A request of the future that `poll_inline` polls, if any, was written to its end, or went to the connection's task.
pub(super) fn note_sent(to_its_end: bool) {
    if let Some(scope) = SCOPE.get() {
        let (written, queued) = (scope.written | to_its_end, scope.queued | !to_its_end);
        SCOPE.set(Some(Scope { written, queued, ..scope }));
    }
}

/// Whether the caller takes on to read the reply of what it writes now.
pub(super) fn claim(reader: &Arc<dyn DirectReader>) -> bool {
    let reads = SCOPE.get().is_some_and(|scope| scope.reads);
    if reads {
        CLAIMED.with_borrow_mut(|take_claimed| take_claimed.push(reader.clone()));
    }
    reads
}

/// What this thread took on since it was last asked.
pub fn take_claimed() -> Vec<Arc<dyn DirectReader>> {
    CLAIMED.take()
}

/// Goes on in the runtime, if it is polled by `poll_inline`: what follows is too much for a caller's thread.
pub fn leave_caller_thread() -> impl Future<Output = ()> {
    poll_fn(|context| {
        if let Some(scope) = SCOPE.get() {
            SCOPE.set(Some(Scope { left: true, ..scope }));
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::task::{Wake, Waker};

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    #[test]
    fn what_is_too_much_for_a_caller_goes_on_elsewhere() {
        let woken = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut work = pin!(leave_caller_thread());
        assert_eq!(poll_inline(work.as_mut(), &mut context, true), (Poll::Pending, PollOutcome::Left));
        assert!(woken.0.load(SeqCst));
        assert_eq!(work.as_mut().poll(&mut context), Poll::Ready(()));
    }
}
