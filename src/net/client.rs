//! One supervised connection.
//!
//! Contract (what backends build on):
//! - `Client::open` returns at once and connects in the background; it reconnects with jittered backoff for as long as it
//!   lives, and reports `Connected`/`Disconnected` events once per change.
//! - `Client::send` enqueues when it is called, not when its future is polled: requests reach the wire in call order.
//! - Replies match requests by order alone. When a request's deadline passes unanswered, or bytes do not parse, the
//!   connection is dropped with everything in flight on it: a late reply can never be taken for another's.
//! - Never connected yet, or just lost: requests wait (bounded) for the first attempt within their deadline. After a
//!   failed attempt the circuit is open: requests fail at once until an attempt succeeds.
//! - After a silence, such as that of a frozen process, a request is not written to a server that has hung up: it waits
//!   for the next connection. Time in which the process was frozen does not count as `connectTimeout`.

use super::dialer::Target;
use super::direct::shared_socket::{DirectWrite, SharedSocket};
use super::handshake::Server;
use super::poll_scope;
use super::protocol::Protocol;
use super::request::{Inbox, Message, Pending, ReplyObserver, Request, Shared};
use super::supervisor::Supervisor;
use super::timeout::timeout_at;
use crate::config::Timeouts;
use crate::error::{Error, Result};
use crate::events::Events;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// A handle on the connection; clones are handles on the same one. The last one to go lets the connection finish what is
/// in flight and end.
pub struct Client<S: Server> {
    messages: mpsc::UnboundedSender<Message<Reply<S>>>,
    shared: Arc<Shared>,
    shared_socket: Arc<SharedSocket<Reply<S>>>,
    ended: watch::Receiver<()>,
    runtime: Handle,
}

pub type Reply<S> = <<S as Server>::Protocol as Protocol>::Reply;

/// How much later than its deadline a request's own clock ends it: the watchdog, which knows more, is to come first.
const SLACK: Duration = Duration::from_millis(10);

/// A bound for durations from a configuration, so that adding one to the clock cannot overflow.
const YEAR_MS: u64 = 365 * 24 * 3_600_000;

impl<S: Server> Client<S> {
    pub fn open(
        server: Arc<S>,
        target: impl Into<Target>,
        timeouts: Timeouts,
        events: Events,
        runtime: &Handle,
    ) -> Self {
        let (messages, inbox) = mpsc::unbounded_channel();
        let (ending, ended) = watch::channel(());
        let target = target.into();
        let shared = Arc::new(Shared::new(target.endpoint.to_string(), timeouts.command_ms.min(YEAR_MS)));
        let shared_socket = Arc::new(SharedSocket::new());
        let supervisor = Supervisor {
            server,
            target,
            connect: Duration::from_millis(timeouts.connect_ms.min(YEAR_MS)),
            keepalive: Duration::from_millis(timeouts.keepalive_ms.min(YEAR_MS)),
            events,
            shared: shared.clone(),
            shared_socket: shared_socket.clone(),
            inbox: Inbox::new(inbox),
            _ended: ending,
        };
        runtime.spawn(supervisor.run());
        Client { messages, shared, shared_socket, ended, runtime: runtime.clone() }
    }

    /// Enqueues now; resolves with exactly `replies` replies, or fails within `commandTimeout`.
    pub fn send(
        &self,
        bytes: Vec<u8>,
        replies: usize,
    ) -> impl Future<Output = Result<Vec<Reply<S>>>> + Send + 'static + use<S> {
        self.enqueue(bytes, replies, None, None)
    }

    /// As `send`, or as `send_on` with a connection's number; `observe` looks at the replies in the order of the connection, and
    /// may end it by an error.
    pub fn send_observed(
        &self,
        over: Option<u64>,
        bytes: Vec<u8>,
        replies: usize,
        observe: ReplyObserver<Reply<S>>,
    ) -> impl Future<Output = Result<Vec<Reply<S>>>> + Send + 'static + use<S> {
        self.enqueue(bytes, replies, over, Some(observe))
    }

    /// As `send`, but over the connection of that number or none: once another has taken its place it fails with
    /// `CACHALOT_CONNECTION`, nothing sent. For requests that name a version (CAS): a restarted server numbers anew.
    pub fn send_on(
        &self,
        connection_id: u64,
        bytes: Vec<u8>,
        replies: usize,
    ) -> impl Future<Output = Result<Vec<Reply<S>>>> + Send + 'static + use<S> {
        self.enqueue(bytes, replies, Some(connection_id), None)
    }

    fn enqueue(
        &self,
        bytes: Vec<u8>,
        replies: usize,
        over: Option<u64>,
        observe: Option<ReplyObserver<Reply<S>>>,
    ) -> impl Future<Output = Result<Vec<Reply<S>>>> + Send + 'static + use<S> {
        let admitted = self.admit(bytes, replies, over, observe);
        let shared = self.shared.clone();
        let runtime = self.runtime.clone();
        async move {
            let (deadline, awaited) = admitted?;
            let mut bounded = pin!(timeout_at(deadline + SLACK, awaited));
            let answer = poll_fn(|context| {
                // The timer belongs to the link's runtime, wherever the future is polled.
                let _runtime = runtime.enter();
                bounded.as_mut().poll(context)
            });
            match answer.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(ended(&shared)),
                Err(_) => Err(shared.overdue()),
            }
        }
    }

    fn admit(
        &self,
        bytes: Vec<u8>,
        replies: usize,
        over: Option<u64>,
        observe: Option<ReplyObserver<Reply<S>>>,
    ) -> Result<(Instant, Awaited<S>)> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        if let Some(why) = self.shared.circuit() {
            return Err(why);
        }
        let permit = self.shared.permit(bytes.len())?;
        let deadline = Instant::now() + Duration::from_millis(self.shared.command_ms);
        let (answer, awaited) = oneshot::channel();
        let pending = Pending::new(replies, deadline, answer, permit).observed_by(observe);
        // Under one lock, so that what is written here and what goes by way of the task keep their order; it wakes the task,
        // and nobody else.
        let mut shared_socket = self.shared_socket.lock();
        let message = match shared_socket.send(bytes, over, pending) {
            DirectWrite::Sent { needs_task: false } => None,
            DirectWrite::Sent { needs_task: true } => Some(Message::Watch),
            DirectWrite::Partial { connection_id, rest } => {
                Some(Message::Rest { connection_id, bytes: rest })
            }
            DirectWrite::Refused { bytes, pending } => {
                Some(Message::Request(Request { bytes, over, pending }))
            }
        };
        poll_scope::note_sent(matches!(message, None | Some(Message::Watch)));
        if let Some(message) = message {
            if !matches!(message, Message::Watch) {
                shared_socket.queue();
            }
            self.messages.send(message).map_err(|_| ended(&self.shared))?;
        }
        Ok((deadline, awaited))
    }

    /// Whether a request would be written by the thread that sends it: nothing else is under way.
    pub fn is_idle(&self) -> bool {
        self.shared_socket.lock().is_idle()
    }

    /// Number of the present connection, new at every connect; 0 while there is none.
    pub fn connection_id(&self) -> u64 {
        self.shared.connection_id.load(Ordering::Acquire)
    }

    /// Why there is no connection, if there is none.
    pub fn outage(&self) -> Option<Error> {
        let server = &self.shared.server;
        let lost = || {
            Error::connection(format!(
                "There is no connection to {server} now; it is made by itself, try again then."
            ))
        };
        (self.connection_id() == 0).then(|| self.shared.circuit().unwrap_or_else(lost))
    }

    /// Answers what is in flight (within the deadlines), then closes; later requests fail with `CACHALOT_CLOSED`.
    pub async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        let _ = self.messages.send(Message::Close);
        // An error is what is waited for: the task is gone, and with it the sending half.
        while self.ended.clone().changed().await.is_ok() {}
    }
}

impl<S: Server> Clone for Client<S> {
    fn clone(&self) -> Self {
        Client {
            messages: self.messages.clone(),
            shared: self.shared.clone(),
            shared_socket: self.shared_socket.clone(),
            ended: self.ended.clone(),
            runtime: self.runtime.clone(),
        }
    }
}

type Awaited<S> = oneshot::Receiver<Result<Vec<Reply<S>>>>;

/// The link's task is no more.
fn ended(shared: &Shared) -> Error {
    if shared.closed.load(Ordering::Acquire) {
        return Error::closed();
    }
    Error::connection(format!("The connection to {} ended with its runtime.", shared.server))
}
