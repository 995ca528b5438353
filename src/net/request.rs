//! A request on its way, and the count of them all.

use crate::error::{Code, Error, Result};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Requests in flight on one link. One request is a chunk of a batch, so this is some 100,000 operations: far more than
/// a server answers within the default second, hence all of them would only wait to time out.
pub const MAX_REQUESTS: usize = 16_384;

/// Bytes of requests in flight on one link, past which no more are taken. One more may be as large as a value may be,
/// so that a largest value passes; so a link holds at most twice this.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What handles and the link's task share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The server, as errors name it.
    pub(super) server: String,
    pub(super) command_ms: u64,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    pub(super) connection_id: AtomicU64,
    pub(super) closed: AtomicBool,
    is_open: AtomicBool,
    circuit: Mutex<Option<Error>>,
}

impl Shared {
    pub(super) fn new(server: String, command_ms: u64) -> Self {
        Shared {
            server,
            command_ms,
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            connection_id: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
            circuit: Mutex::new(None),
        }
    }

    /// A failed attempt opens the circuit with its error; a connection closes it.
    pub(super) fn set_circuit(&self, error: Option<Error>) {
        self.is_open.store(error.is_some(), Ordering::Release);
        *self.circuit.lock() = error;
    }

    /// Why requests fail at once, if they do.
    pub(super) fn circuit(&self) -> Option<Error> {
        if !self.is_open.load(Ordering::Acquire) {
            return None;
        }
        self.circuit.lock().clone()
    }

    /// Returns a permit, or the error of a full queue.
    pub(super) fn permit(self: &Arc<Self>, bytes: usize) -> Result<RequestPermit> {
        let requests = self.requests.fetch_add(1, Ordering::Relaxed);
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let permit = RequestPermit { shared: self.clone(), bytes };
        if requests < MAX_REQUESTS && before < MAX_BYTES {
            return Ok(permit);
        }
        Err(Error::new(
            Code::Busy,
            format!(
                "{requests} requests of {before} bytes are already in flight to {}; at most {MAX_REQUESTS} requests \
                 or {MAX_BYTES} bytes are taken. Ask for less at once.",
                self.server
            ),
        ))
    }

    pub(super) fn overdue(&self) -> Error {
        Error::timeout(format!(
            "{} did not answer within {} ms (commandTimeout).",
            self.server, self.command_ms
        ))
    }
}

/// One counted request, for as long as this lives.
#[derive(Debug)]
pub(super) struct RequestPermit {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.shared.requests.fetch_sub(1, Ordering::Relaxed);
        self.shared.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A request not yet written.
#[derive(Debug)]
pub(super) struct Request<R> {
    pub(super) bytes: Vec<u8>,
    /// The only connection it may travel over.
    pub(super) over: Option<u64>,
    pub(super) pending: Pending<R>,
}

/// Replies awaited.
pub(super) struct Pending<R> {
    missing: usize,
    replies: Vec<R>,
    pub(super) deadline: Instant,
    answer: oneshot::Sender<Result<Vec<R>>>,
    observe: Option<ReplyObserver<R>>,
    permit: RequestPermit,
}

/// Looks at, or replaces, a request's replies in the order of the connection, whose number it is told: before any later reply
/// is parsed, and before the caller hears of them. An error ends the connection, and the request with it.
pub type ReplyObserver<R> = Box<dyn FnOnce(u64, &mut Vec<R>) -> Result<()> + Send>;

impl<R> std::fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("missing", &self.missing).field("deadline", &self.deadline).finish()
    }
}

impl<R> Pending<R> {
    pub(super) fn new(
        replies: usize,
        deadline: Instant,
        answer: oneshot::Sender<Result<Vec<R>>>,
        permit: RequestPermit,
    ) -> Self {
        Pending { missing: replies, replies: Vec::new(), deadline, answer, observe: None, permit }
    }

    pub(super) fn observed_by(mut self, observe: Option<ReplyObserver<R>>) -> Self {
        self.observe = observe;
        self
    }

    /// Takes a reply; whether it was the last.
    pub(super) fn take(&mut self, reply: R) -> bool {
        if self.replies.capacity() == 0 {
            self.replies.reserve_exact(self.missing);
        }
        self.replies.push(reply);
        self.missing -= 1;
        self.missing == 0
    }

    pub(super) fn expects_none(&self) -> bool {
        self.missing == 0
    }

    /// Has the replies observed, once they are all there. `connection_id`: the number of the connection that brought them.
    pub(super) fn observe(&mut self, connection_id: u64) -> Result<()> {
        match self.observe.take() {
            Some(observe) => observe(connection_id, &mut self.replies),
            None => Ok(()),
        }
    }

    pub(super) fn answer(mut self) {
        let replies = std::mem::take(&mut self.replies);
        self.end(Ok(replies));
    }

    pub(super) fn fail(self, error: Error) {
        self.end(Err(error));
    }

    /// The permit is free before anyone hears of the answer, and may ask again.
    fn end(self, answered: Result<Vec<R>>) {
        drop(self.permit);
        // Nobody listening any more is no concern of the connection's.
        let _ = self.answer.send(answered);
    }
}

pub(super) enum Message<R> {
    Request(Request<R>),
    /// What is left of a request that was begun on the connection of that number, and is in flight there.
    Rest {
        connection_id: u64,
        bytes: Vec<u8>,
    },
    /// A request is in flight that no watchdog is set for, or whose reply no caller's thread reads.
    Watch,
    /// Nothing follows.
    Close,
}

/// What a message asks of the connection.
pub(super) enum Outbound<R> {
    Request(Request<R>),
    Rest { connection_id: u64, bytes: Vec<u8> },
}

/// The task's end of the queue, and what waits there for a connection.
pub(super) struct Inbox<R> {
    pub(super) messages: mpsc::UnboundedReceiver<Message<R>>,
    pub(super) waiting: VecDeque<Request<R>>,
    /// Messages so far that bring bytes to write.
    pub(super) taken: u64,
    /// No further request will come: closed, or every handle is gone.
    pub(super) is_over: bool,
}

impl<R> Inbox<R> {
    pub(super) fn new(messages: mpsc::UnboundedReceiver<Message<R>>) -> Self {
        Inbox { messages, waiting: VecDeque::new(), taken: 0, is_over: false }
    }

    /// What is in a message; `None` from the channel means that every handle is gone and all is read.
    pub(super) fn open(&mut self, message: Option<Message<R>>) -> Option<Outbound<R>> {
        match message {
            Some(Message::Request(request)) => {
                self.taken += 1;
                return Some(Outbound::Request(request));
            }
            Some(Message::Rest { connection_id, bytes }) => {
                self.taken += 1;
                return Some(Outbound::Rest { connection_id, bytes });
            }
            Some(Message::Watch) => {}
            // What was sent before the close still comes out; then `None`.
            Some(Message::Close) => self.messages.close(),
            None => self.is_over = true,
        }
        None
    }

    /// Keeps a request for the connection being made, and lets go of those that waited too long, whose futures have
    /// ended by their own clocks.
    pub(super) fn wait(&mut self, request: Request<R>, error: impl Fn() -> Error) {
        let now = Instant::now();
        while self.waiting.front().is_some_and(|first| first.pending.deadline <= now) {
            if let Some(first) = self.waiting.pop_front() {
                first.pending.fail(error());
            }
        }
        // No connection is up, so the one it names is gone.
        match request.over {
            None => self.waiting.push_back(request),
            Some(_) => request.pending.fail(gone()),
        }
    }

    /// Fails everything that waits.
    pub(super) fn fail_waiting(&mut self, error: &Error) {
        for request in self.waiting.drain(..) {
            request.pending.fail(error.clone());
        }
    }
}

/// A request bound to a connection that is no more.
pub(super) fn gone() -> Error {
    Error::connection("The connection that this request was bound to is gone; nothing was sent.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Wake};

    /// Notes how many requests are counted when it is woken.
    struct Counting {
        shared: Arc<Shared>,
        seen: AtomicUsize,
    }

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.seen.store(self.shared.requests.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }

    #[test]
    fn a_place_is_free_before_anyone_hears_of_the_answer() {
        let shared = Arc::new(Shared::new("s".into(), 1_000));
        for fails in [false, true] {
            let (answer, answered) = oneshot::channel();
            let pending: Pending<u8> =
                Pending::new(0, Instant::now(), answer, shared.permit(MAX_BYTES).expect("room"));
            let listener = Arc::new(Counting { shared: shared.clone(), seen: AtomicUsize::new(usize::MAX) });
            let waker = listener.clone().into();
            let mut answered = pin!(answered);
            assert!(answered.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            if fails {
                pending.fail(gone())
            } else {
                pending.answer()
            }
            assert_eq!(listener.seen.load(Ordering::SeqCst), 0);
        }
    }
}
