//! Begins a batch on the JavaScript thread: what is sent for it is then on the wire before anything else happens. The
//! reply is read by the runtime's thread, or by this one (`read_inline`), which then goes on with the batch itself.

use crate::net::direct::reader::{DirectReader, ReadOutcome};
use crate::net::poll_scope::{PollOutcome, poll_inline, take_claimed};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::Handle;

/// Connections whose replies the thread has claimed: it must wait for them, or give them back.
pub type Claimed = Vec<Arc<dyn DirectReader>>;

/// A batch that waits for a reply outside the runtime.
struct InlineTask {
    state: Mutex<State>,
    runtime: Handle,
}

enum State {
    /// Under a poll.
    Polling,
    Waiting(BoxFuture<'static, ()>),
    /// With the runtime, or finished.
    Gone,
}

thread_local! {
    /// Batches woken by what this thread reads, while it does.
    static LOCAL_RUN_QUEUE: RefCell<Option<Vec<Arc<InlineTask>>>> = const { RefCell::new(None) };
}

/// Whatever happens, what was woken goes on.
struct Reader;

impl Reader {
    fn claim() -> Self {
        LOCAL_RUN_QUEUE.set(Some(Vec::new()));
        Reader
    }

    fn woken(&self) -> Vec<Arc<InlineTask>> {
        LOCAL_RUN_QUEUE.take().unwrap_or_default()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for task in self.woken() {
            task.spawn_on_runtime();
        }
    }
}

impl Wake for InlineTask {
    fn wake(self: Arc<Self>) {
        let elsewhere = LOCAL_RUN_QUEUE.with_borrow_mut(|woken| match woken {
            Some(woken) => {
                woken.push(self);
                None
            }
            None => Some(self),
        });
        if let Some(task) = elsewhere {
            task.spawn_on_runtime();
        }
    }
}

impl InlineTask {
    fn spawn_on_runtime(&self) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Gone);
        if let State::Waiting(work) = before {
            self.runtime.spawn(work);
        }
    }

    /// What waits here, to be polled by this thread.
    fn take(&self) -> Option<BoxFuture<'static, ()>> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Gone) {
            State::Waiting(work) => {
                *state = State::Polling;
                Some(work)
            }
            State::Polling | State::Gone => None,
        }
    }
}

/// Polls the work once, here; what is left of it goes on when its reply comes if all it asked was sent, else in the
/// runtime at once. A panic ends it, as it would end a task.
///
/// `reads`: this thread can wait for replies. What it claims is added to `claimed`.
pub fn run_inline(
    work: impl Future<Output = ()> + Send + 'static,
    runtime: &Handle,
    reads: bool,
    claimed: &mut Claimed,
) {
    let work = AssertUnwindSafe(work).catch_unwind().map(|_| ()).boxed();
    let task = Arc::new(InlineTask { state: Mutex::new(State::Polling), runtime: runtime.clone() });
    poll_task(&task, work, reads, claimed);
}

/// Reads what has come, and goes on with what was waiting for that, on the thread that took it on.
pub fn read_inline(connection: &dyn DirectReader, claimed: &mut Claimed) -> ReadOutcome {
    let reader = Reader::claim();
    let came = connection.read();
    let mut left = false;
    for task in reader.woken() {
        if let Some(work) = task.take() {
            left |= poll_task(&task, work, true, claimed) == PollOutcome::Left;
        }
    }
    if left {
        // It would have been with the runtime sooner had that read the reply; the next ones may be like it.
        connection.release(true);
        return ReadOutcome::Task;
    }
    came
}

fn poll_task(
    task: &Arc<InlineTask>,
    mut work: BoxFuture<'static, ()>,
    reads: bool,
    claimed: &mut Claimed,
) -> PollOutcome {
    let waker = Waker::from(task.clone());
    let (polled, began) = {
        let _runtime = task.runtime.enter();
        poll_inline(work.as_mut(), &mut Context::from_waker(&waker), reads)
    };
    claimed.append(&mut take_claimed());
    match polled {
        Poll::Ready(()) => *task.state.lock() = State::Gone,
        Poll::Pending => park(task, work, began),
    }
    began
}

fn park(task: &InlineTask, work: BoxFuture<'static, ()>, began: PollOutcome) {
    let mut state = task.state.lock();
    let woken = matches!(*state, State::Gone);
    if began == PollOutcome::Sent && !woken {
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
    use crate::net::direct::direct_socket::DirectSocket;
    use crate::net::poll_scope::leave_caller_thread;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use tokio::sync::oneshot;

    #[test]
    fn what_sends_nothing_goes_on_in_the_runtime_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (tell, told) = oneshot::channel();
        run_inline(
            async move {
                tokio::task::yield_now().await;
                tell.send(tokio::runtime::Handle::try_current().is_ok()).unwrap();
            },
            runtime.handle(),
            false,
            &mut Claimed::new(),
        );
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
                park(&task, work, PollOutcome::Sent);
            } else {
                park(&task, work, PollOutcome::Sent);
                assert!(matches!(*task.state.lock(), State::Waiting(_)));
                task.wake();
            }
            runtime.block_on(told).unwrap();
        }
    }

    /// A connection whose reply is there, and whether it was given back.
    struct Replied(Mutex<Option<oneshot::Sender<()>>>, AtomicBool);

    fn with_reply(reply: oneshot::Sender<()>) -> Replied {
        Replied(Mutex::new(Some(reply)), AtomicBool::new(false))
    }

    impl DirectReader for Replied {
        fn connection_id(&self) -> u64 {
            1
        }

        fn socket(&self) -> Option<Arc<DirectSocket>> {
            None
        }

        fn read(&self) -> ReadOutcome {
            self.0.lock().take().unwrap().send(()).unwrap();
            ReadOutcome::Replies
        }

        fn release(&self, back_off: bool) {
            self.1.store(back_off, SeqCst);
        }
    }

    #[test]
    fn what_this_thread_reads_goes_on_here_and_then_elsewhere_if_it_must() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for is_last in [true, false] {
            let (reply, replied) = oneshot::channel();
            let (tell, mut told) = oneshot::channel();
            let (more, another) = oneshot::channel();
            let mut work = async move {
                replied.await.unwrap();
                if !is_last {
                    another.await.unwrap();
                }
                tell.send(()).unwrap();
            }
            .boxed();
            let task =
                Arc::new(InlineTask { state: Mutex::new(State::Polling), runtime: runtime.handle().clone() });
            let waker = Waker::from(task.clone());
            assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            park(&task, work, PollOutcome::Sent);
            assert_eq!(read_inline(&with_reply(reply), &mut Claimed::new()), ReadOutcome::Replies);
            assert!(matches!(*task.state.lock(), State::Gone));
            assert_eq!(told.try_recv().is_ok(), is_last);
            if !is_last {
                more.send(()).unwrap();
                runtime.block_on(told).unwrap();
            }
        }
        assert!(LOCAL_RUN_QUEUE.take().is_none());
    }

    #[test]
    fn what_is_too_much_for_this_thread_goes_on_in_the_runtime_and_so_do_the_next_replies() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (reply, awaited) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let mut work = async move {
            awaited.await.unwrap();
            leave_caller_thread().await;
            tell.send(std::thread::current().id()).unwrap();
        }
        .boxed();
        let task =
            Arc::new(InlineTask { state: Mutex::new(State::Polling), runtime: runtime.handle().clone() });
        let waker = Waker::from(task.clone());
        assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        park(&task, work, PollOutcome::Sent);
        let connection = with_reply(reply);
        assert_eq!(read_inline(&connection, &mut Claimed::new()), ReadOutcome::Task);
        assert!(connection.1.load(SeqCst));
        let elsewhere = std::thread::spawn(move || runtime.block_on(told).unwrap());
        assert_ne!(elsewhere.join().unwrap(), std::thread::current().id());
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
        run_inline(
            async move {
                let _flag = flag;
                panic!("a defect");
            },
            runtime.handle(),
            false,
            &mut Claimed::new(),
        );
        assert!(dropped.load(SeqCst));
    }
}
