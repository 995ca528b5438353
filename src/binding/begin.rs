//! Begins a batch on the JavaScript thread: what is sent for it is then on the wire before anything else happens, and the
//! runtime's thread is first woken by the reply.

use crate::net::clock::{Began, begin};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::Handle;

/// A batch that waits for its first reply outside the runtime.
struct Parked {
    state: Mutex<State>,
    runtime: Handle,
}

enum State {
    /// Under its first poll.
    Beginning,
    Waiting(BoxFuture<'static, ()>),
    /// With the runtime, or finished.
    Gone,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Gone);
        if let State::Waiting(work) = before {
            self.runtime.spawn(work);
        }
    }
}

/// Polls the work once, here; what is left of it goes on in the runtime: when its reply comes if all it asked was sent,
/// else at once. A panic ends it, as it would end a task.
pub fn begin_here(work: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
    let mut work = AssertUnwindSafe(work).catch_unwind().map(|_| ()).boxed();
    let parked = Arc::new(Parked { state: Mutex::new(State::Beginning), runtime: runtime.clone() });
    let waker = Waker::from(parked.clone());
    let (polled, began) = {
        let _runtime = runtime.enter();
        begin(work.as_mut(), &mut Context::from_waker(&waker))
    };
    if let Poll::Ready(()) = polled {
        return;
    }
    park(&parked, work, began);
}

fn park(parked: &Parked, work: BoxFuture<'static, ()>, began: Began) {
    let mut state = parked.state.lock();
    let woken = matches!(*state, State::Gone);
    if began == Began::Sent && !woken {
        *state = State::Waiting(work);
    } else {
        *state = State::Gone;
        drop(state);
        parked.runtime.spawn(work);
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
        begin_here(
            async move {
                tokio::task::yield_now().await;
                tell.send(tokio::runtime::Handle::try_current().is_ok()).unwrap();
            },
            runtime.handle(),
        );
        assert!(runtime.block_on(told).unwrap());
    }

    #[test]
    fn what_is_parked_goes_on_in_the_runtime_when_it_is_woken_also_if_that_was_early() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for early in [false, true] {
            let parked =
                Arc::new(Parked { state: Mutex::new(State::Beginning), runtime: runtime.handle().clone() });
            let (tell, told) = oneshot::channel();
            let work = async move { tell.send(()).unwrap() }.boxed();
            if early {
                parked.clone().wake();
                assert!(matches!(*parked.state.lock(), State::Gone));
                park(&parked, work, Began::Sent);
            } else {
                park(&parked, work, Began::Sent);
                assert!(matches!(*parked.state.lock(), State::Waiting(_)));
                parked.wake();
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
        begin_here(
            async move {
                let _flag = flag;
                panic!("a defect");
            },
            runtime.handle(),
        );
        assert!(dropped.load(SeqCst));
    }
}
