//! What callers and the connection's task share: the requests in flight, and, while nothing else is under way, the socket
//! itself. A request for an idle connection is then written by the caller's own thread, and the task's thread is woken by
//! nothing but the reply; once some of them followed each other, not even by that, if the caller's thread reads it.

use super::super::poll_scope;
use super::super::request::Pending;
use super::super::stream::Stream;
use super::super::timeout::IDLE_AFTER;
use super::direct_socket::{DirectSocket, Sent};
use super::reader::{self, DirectReader};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// So long after it was last heard a connection that a caller's thread reads is asked whether the server hung up, before
/// anything is written to it: that thread may have been too busy to notice.
const LIVENESS_CHECK_AFTER: Duration = Duration::from_millis(1);

/// The longest request that goes this way: what the socket's buffer takes at once, in the usual case.
const MAX_DIRECT_WRITE: usize = 4 * 1024;

/// So many requests in a row must have been written by callers before one of their threads reads: to change over costs more
/// than a wake does.
const DIRECT_READ_THRESHOLD: i32 = 4;

/// And so many after a reply that was not a small one: two threads work on it, which costs more than it saves.
const DIRECT_READ_BACKOFF: i32 = -100;

pub(in crate::net) struct SharedSocket<R> {
    state: Mutex<State<R>>,
}

pub(in crate::net) struct State<R> {
    /// Another handle on the connection's socket; `None` = no connection is up.
    socket: Option<Arc<DirectSocket>>,
    connection_id: u64,
    reader: Option<Arc<dyn DirectReader>>,
    /// A caller's thread waits for the socket to become readable, and the task leaves it alone.
    is_read_by_caller: bool,
    /// Then: how the task is told that it must read again.
    task: Option<Waker>,
    /// Requests in a row that were written by callers.
    direct: i32,
    pub(in crate::net) in_flight: VecDeque<Pending<R>>,
    /// Requests that went by way of the task, and how many of them it has written to their end. While they differ,
    /// whatever comes must go behind them.
    queued: u64,
    written: u64,
    /// When the connection was last seen to work.
    heard: Instant,
    /// A caller saw that it works no longer, or it was heard after a silence. The task must check it before it writes.
    needs_check: bool,
    /// The task's watchdog will go off before any deadline of what is added now.
    watched: bool,
}

/// What became of a request that asked to be written at once.
pub(in crate::net) enum DirectWrite<R> {
    /// Written. `needs_task`: the task must be woken, to set its watchdog or to read again.
    Sent { needs_task: bool },
    /// Part of it: the rest must be written next, by the task.
    Partial { connection_id: u64, rest: Vec<u8> },
    /// Nothing was sent: it goes by way of the task.
    Refused { bytes: Vec<u8>, pending: Pending<R> },
}

impl<R> SharedSocket<R> {
    pub fn new() -> Self {
        let state = State {
            socket: None,
            connection_id: 0,
            reader: None,
            is_read_by_caller: false,
            task: None,
            direct: 0,
            in_flight: VecDeque::new(),
            queued: 0,
            written: 0,
            heard: Instant::now(),
            needs_check: false,
            watched: false,
        };
        SharedSocket { state: Mutex::new(state) }
    }

    pub fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock()
    }
}

impl<R> State<R> {
    /// A connection serves from now on.
    pub fn open(&mut self, stream: &Stream, reader: Arc<dyn DirectReader>) {
        let socket = stream.socket().try_clone().ok();
        self.socket = socket.map(|socket| Arc::new(DirectSocket::new(socket, stream.tls.clone())));
        self.connection_id = reader.connection_id();
        self.reader = Some(reader);
        self.is_read_by_caller = false;
        self.direct = 0;
        self.heard = Instant::now();
        self.needs_check = false;
        self.watched = false;
    }

    /// The connection serves no longer. The caller fails what was in flight.
    pub fn close(&mut self) -> VecDeque<Pending<R>> {
        // Who waits for it still holds it: it hears of the end now, and so does the server.
        if let Some(socket) = self.socket.take() {
            if Arc::strong_count(&socket) > 1 {
                socket.shutdown();
            }
            drop(socket);
            reader::closed();
        }
        self.reader = None;
        self.is_read_by_caller = false;
        self.task = None;
        std::mem::take(&mut self.in_flight)
    }

    pub fn is_idle(&self) -> bool {
        self.socket.is_some()
            && self.in_flight.is_empty()
            && self.queued == self.written
            && !self.has_been_idle()
    }

    pub fn has_been_idle(&self) -> bool {
        self.needs_check || self.heard.elapsed() >= IDLE_AFTER
    }

    /// Notes that a reply was read. After a silence that proves little: it may have come before the server hung up.
    pub fn heard(&mut self) {
        let now = Instant::now();
        self.needs_check |= now.duration_since(self.heard) >= IDLE_AFTER;
        self.heard = now;
    }

    /// Notes that everything buffered was read and the server had not hung up.
    pub fn checked(&mut self) {
        self.heard = Instant::now();
        self.needs_check = false;
    }

    /// Must be called in the order in which the requests are sent to the task, under the same lock.
    pub fn queue(&mut self) {
        self.queued += 1;
        self.direct = self.direct.min(0);
        self.is_read_by_caller = false;
    }

    /// The connection's socket, while it is that of this number.
    pub fn socket_of(&self, connection_id: u64) -> Option<&Arc<DirectSocket>> {
        self.socket.as_ref().filter(|_| self.connection_id == connection_id)
    }

    pub fn is_read_by_caller(&self) -> bool {
        self.is_read_by_caller
    }

    /// Whether the task need not read. It is woken when it must again.
    pub fn is_left_to_caller(&mut self, context: &Context<'_>) -> bool {
        if self.is_read_by_caller && !self.task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            self.task = Some(context.waker().clone());
        }
        self.is_read_by_caller
    }

    /// The task reads from now on; whether it did not before.
    pub fn reclaim(&mut self) -> bool {
        std::mem::replace(&mut self.is_read_by_caller, false)
    }

    /// `reclaim` by the caller. The task to be woken, once the lock is given back.
    pub fn release(&mut self, connection_id: u64, back_off: bool) -> Option<Waker> {
        if self.connection_id != connection_id || !self.reclaim() {
            return None;
        }
        self.direct = if back_off { DIRECT_READ_BACKOFF } else { 0 };
        self.task.take()
    }

    /// The task has written all of the first so many requests.
    pub fn wrote(&mut self, requests: u64) {
        self.written = requests;
    }

    pub fn watched(&mut self, is_watched: bool) {
        self.watched = is_watched;
    }

    pub fn send(&mut self, bytes: Vec<u8>, over: Option<u64>, pending: Pending<R>) -> DirectWrite<R> {
        let fits = bytes.len() <= MAX_DIRECT_WRITE
            && over.is_none_or(|connection_id| connection_id == self.connection_id);
        if !fits || pending.expects_none() || !self.is_idle() {
            return DirectWrite::Refused { bytes, pending };
        }
        let Some(socket) = &self.socket else { return DirectWrite::Refused { bytes, pending } };
        if self.is_read_by_caller && self.heard.elapsed() >= LIVENESS_CHECK_AFTER && socket.hung_up() {
            self.needs_check = true;
            return DirectWrite::Refused { bytes, pending };
        }
        match socket.send(&bytes) {
            // The task cannot take the reply before the lock is given back.
            Sent::All => {
                self.in_flight.push_back(pending);
                self.direct = self.direct.saturating_add(1);
                let reads = self.direct > DIRECT_READ_THRESHOLD
                    && self.reader.as_ref().is_some_and(poll_scope::claim);
                // A thread of the runtime's wrote it, which reads nothing itself.
                let is_reclaimed = std::mem::replace(&mut self.is_read_by_caller, reads) && !reads;
                let is_watched = std::mem::replace(&mut self.watched, true);
                DirectWrite::Sent { needs_task: is_reclaimed || !is_watched }
            }
            Sent::Part(rest) => {
                self.in_flight.push_back(pending);
                DirectWrite::Partial { connection_id: self.connection_id, rest }
            }
            Sent::Nothing => DirectWrite::Refused { bytes, pending },
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::net::direct::reader::ReadOutcome;
    use crate::net::request::Shared;
    use crate::net::transport::Transport;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;

    struct Nobody;

    impl DirectReader for Nobody {
        fn connection_id(&self) -> u64 {
            1
        }

        fn socket(&self) -> Option<Arc<DirectSocket>> {
            None
        }

        fn read(&self) -> ReadOutcome {
            ReadOutcome::Task
        }

        fn release(&self, _shy: bool) {}
    }

    #[tokio::test]
    async fn a_full_socket_takes_part_of_a_request_or_none_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_far, _) = listener.accept().await.unwrap();
        let shared = Arc::new(Shared::new("toy".into(), 5_000));
        let shared_socket = SharedSocket::<()>::new();
        let mut state = shared_socket.lock();
        state.open(&Stream::plain(Transport::Tcp(near)), Arc::new(Nobody));
        loop {
            let (answer, _awaited) = oneshot::channel();
            let deadline = tokio::time::Instant::now();
            let pending = Pending::new(1, deadline, answer, shared.permit(1).unwrap());
            match state.send(vec![7; MAX_DIRECT_WRITE], None, pending) {
                // As if it were answered, so that the next may go this way.
                DirectWrite::Sent { .. } => assert_eq!(std::mem::take(&mut state.in_flight).len(), 1),
                DirectWrite::Partial { connection_id: 1, rest } => {
                    assert!((1..MAX_DIRECT_WRITE).contains(&rest.len()));
                    assert_eq!(state.in_flight.len(), 1);
                    break;
                }
                DirectWrite::Partial { .. } => panic!("another connection's"),
                DirectWrite::Refused { bytes, .. } => {
                    assert_eq!((bytes.len(), state.in_flight.len()), (MAX_DIRECT_WRITE, 0));
                    break;
                }
            }
        }
    }
}
