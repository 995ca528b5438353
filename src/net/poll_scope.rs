//! The first poll of a future on the thread of a caller, which writes its requests there.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

thread_local! {
    static SCOPE: Cell<Option<Scope>> = const { Cell::new(None) };
}

/// The requests of one poll.
#[derive(Clone, Copy, Default)]
struct Scope {
    written: bool,
    queued: bool,
}

/// Polls once, on the thread of a caller. Time limits set no timers meanwhile: to set one would wake the runtime, which is
/// what is saved. Returns also whether all that it sent is on the wire, under the connection's watchdog: then the reply will wake it.
/// Otherwise the runtime must take it over.
pub fn poll_inline<F: Future + ?Sized>(
    work: Pin<&mut F>,
    context: &mut Context<'_>,
) -> (Poll<F::Output>, bool) {
    struct Restore(Option<Scope>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0);
        }
    }
    let _restore = Restore(SCOPE.replace(Some(Scope::default())));
    let polled = work.poll(context);
    let Scope { written, queued } = SCOPE.get().unwrap_or_default();
    (polled, written && !queued)
}

/// Whether the present poll is one of `poll_inline`.
pub(super) fn is_inline() -> bool {
    SCOPE.get().is_some()
}

/// Notes that a request of the present poll was written to its end, or went to the connection's task.
pub(super) fn note_sent(to_its_end: bool) {
    if let Some(Scope { written, queued }) = SCOPE.get() {
        SCOPE.set(Some(Scope { written: written | to_its_end, queued: queued | !to_its_end }));
    }
}
