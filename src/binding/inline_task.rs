//! Starts a batch on the JavaScript thread: what it sends is on the wire before anything else happens. The reply is read by the
//! runtime's thread, which goes on with the batch.

use crate::net::poll_scope::poll_inline;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::Handle;

/// A batch that waits for a reply outside the runtime.
struct InlineTask {
    state: Mutex<State>,
    runtime: Handle,
}

enum State {
    Polling,
    Waiting(BoxFuture<'static, ()>),
    /// With the runtime, or finished.
    Gone,
}

impl Wake for InlineTask {
    fn wake(self: Arc<Self>) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Gone);
        if let State::Waiting(work) = before {
            self.runtime.spawn(work);
        }
    }
}

/// Polls the work once, here. What is left of it goes on in the runtime: when its reply comes, if all it asked was sent, or at once.
/// A panic ends it, as it would end a task.
pub fn run_inline(work: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
    let mut work = AssertUnwindSafe(work).catch_unwind().map(|_| ()).boxed();
    let task = Arc::new(InlineTask { state: Mutex::new(State::Polling), runtime: runtime.clone() });
    let waker = Waker::from(task.clone());
    let (polled, is_sent) = {
        let _runtime = runtime.enter();
        poll_inline(work.as_mut(), &mut Context::from_waker(&waker))
    };
    match polled {
        Poll::Ready(()) => *task.state.lock() = State::Gone,
        Poll::Pending => park(&task, work, is_sent),
    }
}

fn park(task: &InlineTask, work: BoxFuture<'static, ()>, is_sent: bool) {
    let mut state = task.state.lock();
    let is_woken = matches!(*state, State::Gone);
    if is_sent && !is_woken {
        *state = State::Waiting(work);
    } else {
        *state = State::Gone;
        drop(state);
        task.runtime.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use tokio::sync::oneshot;

    #[test]
    fn what_sends_nothing_goes_on_in_the_runtime_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (tell, told) = oneshot::channel();
        let work = async move {
            tokio::task::yield_now().await;
            tell.send(tokio::runtime::Handle::try_current().is_ok()).unwrap();
        };
        run_inline(work, runtime.handle());
        assert!(runtime.block_on(told).unwrap());
    }

    #[test]
    fn what_is_parked_goes_on_in_the_runtime_when_it_is_woken_also_if_that_was_early() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for early in [false, true] {
            let task =
                Arc::new(InlineTask { state: Mutex::new(State::Polling), runtime: runtime.handle().clone() });
            let (tell, told) = oneshot::channel();
            let work = async move { tell.send(()).unwrap() }.boxed();
            if early {
                task.clone().wake();
                assert!(matches!(*task.state.lock(), State::Gone));
                park(&task, work, true);
            } else {
                park(&task, work, true);
                assert!(matches!(*task.state.lock(), State::Waiting(_)));
                task.wake();
            }
            runtime.block_on(told).unwrap();
        }
    }

    #[test]
    fn a_panic_ends_the_work_and_nothing_else() {
        struct Flag(Arc<AtomicBool>);
        impl Drop for Flag {
            fn drop(&mut self) {
                self.0.store(true, SeqCst);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = Flag(dropped.clone());
        let work = async move {
            let _flag = flag;
            panic!("a defect");
        };
        run_inline(work, runtime.handle());
        assert!(dropped.load(SeqCst));
    }
}
