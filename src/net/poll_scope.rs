//! Bounds for futures that may be begun on another thread than the runtime's.

use super::direct::reader::Reads;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    static BEGINNING: Cell<Option<Sends>> = const { Cell::new(None) };
    /// Connections whose replies this thread has taken on.
    static TAKEN_ON: RefCell<Vec<Arc<dyn Reads>>> = const { RefCell::new(Vec::new()) };
}

/// Requests of a poll.
#[derive(Clone, Copy, Default)]
struct Sends {
    written: bool,
    queued: bool,
    /// What follows is too much for the caller's thread.
    left: bool,
    /// The caller can wait for replies itself.
    reads: bool,
}

/// What a poll on a caller's thread came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Began {
    /// Nothing was sent, or something waits for the connection's task: the runtime must take it over.
    Waiting,
    /// All that it sent is on the wire, under the connection's watchdog: the reply will wake it.
    Sent,
    /// As `Waiting`: what follows is too much for a caller's thread.
    Left,
}

/// Polls once, on the thread of a caller. Bounds set no timers meanwhile: to set one would wake the runtime, which is
/// what is saved. `reads`: the thread can read replies; it must ask then what it has `taken_on`.
pub fn begin<F: Future + ?Sized>(
    work: Pin<&mut F>,
    context: &mut Context<'_>,
    reads: bool,
) -> (Poll<F::Output>, Began) {
    struct Restore(Option<Sends>);
    impl Drop for Restore {
        fn drop(&mut self) {
            BEGINNING.set(self.0);
        }
    }
    let _restore = Restore(BEGINNING.replace(Some(Sends { reads, ..Sends::default() })));
    let polled = work.poll(context);
    let began = match BEGINNING.get().unwrap_or_default() {
        Sends { left: true, .. } => Began::Left,
        Sends { written: true, queued: false, .. } => Began::Sent,
        _ => Began::Waiting,
    };
    (polled, began)
}

/// Whether the future under way is polled by `begin`.
pub(super) fn is_beginning() -> bool {
    BEGINNING.get().is_some()
}

/// A request of the future that `begin` polls, if any, was written to its end, or went to the connection's task.
pub(super) fn sent(to_its_end: bool) {
    if let Some(sends) = BEGINNING.get() {
        let (written, queued) = (sends.written | to_its_end, sends.queued | !to_its_end);
        BEGINNING.set(Some(Sends { written, queued, ..sends }));
    }
}

/// Whether the caller takes on to read the reply of what it writes now.
pub(super) fn leave_reading(reader: &Arc<dyn Reads>) -> bool {
    let reads = BEGINNING.get().is_some_and(|sends| sends.reads);
    if reads {
        TAKEN_ON.with_borrow_mut(|taken_on| taken_on.push(reader.clone()));
    }
    reads
}

/// What this thread took on since it was last asked.
pub fn taken_on() -> Vec<Arc<dyn Reads>> {
    TAKEN_ON.take()
}

/// Goes on in the runtime, if it is polled by `begin`: what follows is too much for a caller's thread.
pub fn leave_caller() -> impl Future<Output = ()> {
    poll_fn(|context| {
        if let Some(sends) = BEGINNING.get() {
            BEGINNING.set(Some(Sends { left: true, ..sends }));
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
        let mut work = pin!(leave_caller());
        assert_eq!(begin(work.as_mut(), &mut context, true), (Poll::Pending, Began::Left));
        assert!(woken.0.load(SeqCst));
        assert_eq!(work.as_mut().poll(&mut context), Poll::Ready(()));
    }
}
