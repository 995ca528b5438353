//! What callers and the connection's task share: the requests in flight, and, while nothing else is under way, the socket
//! itself. A request for an idle connection is then written by the caller's own thread, and the task's thread is woken by
//! nothing but the reply; once some of them followed each other, not even by that, if the caller's thread reads it.

use super::super::poll_scope;
use super::super::request::Pending;
use super::super::stream::Stream;
use super::super::timeout::SILENCE;
use super::reader::{self, Reads};
use super::registration::hung_up;
use parking_lot::{Mutex, MutexGuard};
use socket2::Socket;
use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// So long after it was last heard a connection that a caller's thread reads is asked whether the server hung up, before
/// anything is written to it: that thread may have been too busy to notice.
const QUIET: Duration = Duration::from_millis(1);

/// A connection that is broken answers with an error. Elsewhere than on Linux the socket itself was told so.
const NO_SIGNAL: i32 = if cfg!(target_os = "linux") { 0x4000 } else { 0 };

/// The longest request that goes this way: what the socket's buffer takes at once, in the usual case.
const MOST: usize = 4 * 1024;

/// So many requests in a row must have been written by callers before one of their threads reads: to change over costs more
/// than a wake does.
const PROVEN: i32 = 4;

/// And so many after a reply that was not a small one: two threads work on it, which costs more than it saves.
const SHY: i32 = -100;

pub(in crate::net) struct Lane<R> {
    state: Mutex<State<R>>,
}

pub(in crate::net) struct State<R> {
    /// Another handle on the connection's socket; `None` = no connection is up, or its bytes need more than writing.
    socket: Option<Arc<Socket>>,
    incarnation: u64,
    reader: Option<Arc<dyn Reads>>,
    /// A caller's thread waits for the socket to become readable, and the task leaves it alone.
    is_with_caller: bool,
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
    is_doubted: bool,
    /// The task's watchdog will go off before any deadline of what is added now.
    watched: bool,
}

/// What became of a request that asked to be written at once.
pub(in crate::net) enum Direct<R> {
    /// Written. `needs_task`: the task must be woken, to set its watchdog or to read again.
    Sent { needs_task: bool },
    /// Part of it: the rest must be written next, by the task.
    Began { incarnation: u64, rest: Vec<u8> },
    /// Nothing was sent: it goes by way of the task.
    Refused { bytes: Vec<u8>, pending: Pending<R> },
}

impl<R> Lane<R> {
    pub fn new() -> Self {
        let state = State {
            socket: None,
            incarnation: 0,
            reader: None,
            is_with_caller: false,
            task: None,
            direct: 0,
            in_flight: VecDeque::new(),
            queued: 0,
            written: 0,
            heard: Instant::now(),
            is_doubted: false,
            watched: false,
        };
        Lane { state: Mutex::new(state) }
    }

    pub fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock()
    }
}

impl<R> State<R> {
    /// A connection serves from now on.
    pub fn open(&mut self, stream: &Stream, reader: Arc<dyn Reads>) {
        self.socket = stream.duplicate().ok().map(Arc::new);
        self.incarnation = reader.incarnation();
        self.reader = Some(reader);
        self.is_with_caller = false;
        self.direct = 0;
        self.heard = Instant::now();
        self.is_doubted = false;
        self.watched = false;
    }

    /// It does no longer. What was in flight is its caller's to fail.
    pub fn close(&mut self) -> VecDeque<Pending<R>> {
        // Who waits for it still holds it: it hears of the end now, and so does the server.
        if let Some(socket) = self.socket.take() {
            if Arc::strong_count(&socket) > 1 {
                let _ = socket.shutdown(Shutdown::Both);
            }
            drop(socket);
            reader::closed();
        }
        self.reader = None;
        self.is_with_caller = false;
        self.task = None;
        std::mem::take(&mut self.in_flight)
    }

    pub fn is_idle(&self) -> bool {
        self.socket.is_some() && self.in_flight.is_empty() && self.queued == self.written && !self.is_silent()
    }

    pub fn is_silent(&self) -> bool {
        self.is_doubted || self.heard.elapsed() >= SILENCE
    }

    /// Notes that a reply was read. After a silence that proves little: it may have come before the server hung up.
    pub fn heard(&mut self) {
        let now = Instant::now();
        self.is_doubted |= now.duration_since(self.heard) >= SILENCE;
        self.heard = now;
    }

    /// Notes that everything buffered was read and the server had not hung up.
    pub fn checked(&mut self) {
        self.heard = Instant::now();
        self.is_doubted = false;
    }

    /// Must be called in the order in which the requests are sent to the task, under the same lock.
    pub fn queue(&mut self) {
        self.queued += 1;
        self.direct = self.direct.min(0);
        self.is_with_caller = false;
    }

    /// The connection's socket, while it is that of this number.
    pub fn socket_of(&self, incarnation: u64) -> Option<&Arc<Socket>> {
        self.socket.as_ref().filter(|_| self.incarnation == incarnation)
    }

    pub fn is_with_caller(&self) -> bool {
        self.is_with_caller
    }

    /// Whether the task need not read. It is woken when it must again.
    pub fn leaves_to_caller(&mut self, context: &Context<'_>) -> bool {
        if self.is_with_caller && !self.task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            self.task = Some(context.waker().clone());
        }
        self.is_with_caller
    }

    /// The task reads from now on; whether it did not before.
    pub fn take_back(&mut self) -> bool {
        std::mem::replace(&mut self.is_with_caller, false)
    }

    /// `take_back` by the caller. The task to be woken, once the lock is given back.
    pub fn give_back(&mut self, incarnation: u64, shy: bool) -> Option<Waker> {
        if self.incarnation != incarnation || !self.take_back() {
            return None;
        }
        self.direct = if shy { SHY } else { 0 };
        self.task.take()
    }

    /// The task has written all of the first so many requests.
    pub fn wrote(&mut self, requests: u64) {
        self.written = requests;
    }

    pub fn watched(&mut self, is_watched: bool) {
        self.watched = is_watched;
    }

    pub fn send(&mut self, bytes: Vec<u8>, over: Option<u64>, pending: Pending<R>) -> Direct<R> {
        let fits = bytes.len() <= MOST && over.is_none_or(|incarnation| incarnation == self.incarnation);
        if !fits || pending.expects_none() || !self.is_idle() {
            return Direct::Refused { bytes, pending };
        }
        let Some(socket) = &self.socket else { return Direct::Refused { bytes, pending } };
        if self.is_with_caller && self.heard.elapsed() >= QUIET && hung_up(socket) {
            self.is_doubted = true;
            return Direct::Refused { bytes, pending };
        }
        match socket.send_with_flags(&bytes, NO_SIGNAL) {
            // The task cannot take the reply before the lock is given back.
            Ok(sent) if sent == bytes.len() => {
                self.in_flight.push_back(pending);
                self.direct = self.direct.saturating_add(1);
                let reads =
                    self.direct > PROVEN && self.reader.as_ref().is_some_and(poll_scope::leave_reading);
                // A thread of the runtime's wrote it, which reads nothing itself.
                let is_taken_back = std::mem::replace(&mut self.is_with_caller, reads) && !reads;
                let is_watched = std::mem::replace(&mut self.watched, true);
                Direct::Sent { needs_task: is_taken_back || !is_watched }
            }
            Ok(sent) if sent > 0 => {
                self.in_flight.push_back(pending);
                Direct::Began { incarnation: self.incarnation, rest: bytes[sent..].to_vec() }
            }
            // Full, or broken: the task finds out which.
            Ok(_) | Err(_) => Direct::Refused { bytes, pending },
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::net::direct::reader::Came;
    use crate::net::request::Shared;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;

    struct Nobody;

    impl Reads for Nobody {
        fn incarnation(&self) -> u64 {
            1
        }

        fn socket(&self) -> Option<Arc<Socket>> {
            None
        }

        fn read(&self) -> Came {
            Came::Task
        }

        fn give_back(&self, _shy: bool) {}
    }

    #[tokio::test]
    async fn a_full_socket_takes_part_of_a_request_or_none_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_far, _) = listener.accept().await.unwrap();
        let shared = Arc::new(Shared::new("toy".into(), 5_000));
        let lane = Lane::<()>::new();
        let mut state = lane.lock();
        state.open(&Stream::Tcp(near), Arc::new(Nobody));
        loop {
            let (answer, _awaited) = oneshot::channel();
            let deadline = tokio::time::Instant::now();
            let pending = Pending::new(1, deadline, answer, shared.place(1).unwrap());
            match state.send(vec![7; MOST], None, pending) {
                // As if it were answered, so that the next may go this way.
                Direct::Sent { .. } => assert_eq!(std::mem::take(&mut state.in_flight).len(), 1),
                Direct::Began { incarnation: 1, rest } => {
                    assert!((1..MOST).contains(&rest.len()));
                    assert_eq!(state.in_flight.len(), 1);
                    break;
                }
                Direct::Began { .. } => panic!("another connection's"),
                Direct::Refused { bytes, .. } => {
                    assert_eq!((bytes.len(), state.in_flight.len()), (MOST, 0));
                    break;
                }
            }
        }
    }
}
