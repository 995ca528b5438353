//! What callers and the connection's task share: the requests in flight, and, while nothing else is under way, the socket
//! itself. A request for an idle connection is then written by the caller's own thread, and the task's thread is woken by
//! nothing but the reply.

use super::request::Pending;
use super::stream::Stream;
use super::timeout::IDLE_AFTER;
use parking_lot::{Mutex, MutexGuard};
use socket2::Socket;
use std::collections::VecDeque;
use std::time::Instant;

/// A connection that is broken answers with an error. Elsewhere than on Linux the socket itself was told so.
const NO_SIGNAL: i32 = if cfg!(target_os = "linux") { 0x4000 } else { 0 };

/// The longest request that goes this way: what the socket's buffer takes at once, in the usual case.
const MAX_DIRECT_WRITE: usize = 4 * 1024;

pub(super) struct SharedSocket<R> {
    state: Mutex<State<R>>,
}

pub(super) struct State<R> {
    /// Another handle on the connection's socket; `None` = no connection is up, or its bytes need more than writing.
    socket: Option<Socket>,
    connection_id: u64,
    pub(super) in_flight: VecDeque<Pending<R>>,
    /// Requests that went by way of the task, and how many of them it has written to their end. While they differ,
    /// whatever comes must go behind them.
    queued: u64,
    written: u64,
    /// When the connection was last seen to work.
    last_heard: Instant,
    /// A caller saw that it works no longer, or it was heard after a silence. The task must check it before it writes.
    needs_check: bool,
    /// The task's watchdog will go off before any deadline of what is added now.
    is_watched: bool,
}

/// What became of a request that asked to be written at once.
pub(super) enum DirectWrite<R> {
    /// Written. `needs_task`: the task must be woken, to set its watchdog.
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
            in_flight: VecDeque::new(),
            queued: 0,
            written: 0,
            last_heard: Instant::now(),
            needs_check: false,
            is_watched: false,
        };
        SharedSocket { state: Mutex::new(state) }
    }

    pub fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock()
    }
}

impl<R> State<R> {
    /// A connection serves from now on.
    pub fn open(&mut self, stream: &Stream, connection_id: u64) {
        self.socket = stream.duplicate().ok();
        self.connection_id = connection_id;
        self.last_heard = Instant::now();
        self.needs_check = false;
        self.is_watched = false;
    }

    /// The connection serves no longer. The caller fails what was in flight.
    pub fn close(&mut self) -> VecDeque<Pending<R>> {
        self.socket = None;
        std::mem::take(&mut self.in_flight)
    }

    pub fn is_idle(&self) -> bool {
        self.socket.is_some()
            && self.in_flight.is_empty()
            && self.queued == self.written
            && !self.has_been_idle()
    }

    pub fn has_been_idle(&self) -> bool {
        self.needs_check || self.last_heard.elapsed() >= IDLE_AFTER
    }

    /// Notes that a reply was read. After a silence that proves little: it may have come before the server hung up.
    pub fn note_reply(&mut self) {
        let now = Instant::now();
        self.needs_check |= now.duration_since(self.last_heard) >= IDLE_AFTER;
        self.last_heard = now;
    }

    /// Notes that everything buffered was read and the server had not hung up.
    pub fn note_checked(&mut self) {
        self.last_heard = Instant::now();
        self.needs_check = false;
    }

    /// Must be called in the order in which the requests are sent to the task, under the same lock.
    pub fn queue(&mut self) {
        self.queued += 1;
    }

    /// The task has written all of the first so many requests.
    pub fn note_written(&mut self, requests: u64) {
        self.written = requests;
    }

    pub fn set_watched(&mut self, is_watched: bool) {
        self.is_watched = is_watched;
    }

    pub fn send(&mut self, bytes: Vec<u8>, over: Option<u64>, pending: Pending<R>) -> DirectWrite<R> {
        let fits = bytes.len() <= MAX_DIRECT_WRITE
            && over.is_none_or(|connection_id| connection_id == self.connection_id);
        if !fits || pending.expects_none() || !self.is_idle() {
            return DirectWrite::Refused { bytes, pending };
        }
        let Some(socket) = &self.socket else { return DirectWrite::Refused { bytes, pending } };
        match socket.send_with_flags(&bytes, NO_SIGNAL) {
            // The task cannot take the reply before the lock is given back.
            Ok(sent) if sent == bytes.len() => {
                self.in_flight.push_back(pending);
                let is_watched = std::mem::replace(&mut self.is_watched, true);
                DirectWrite::Sent { needs_task: !is_watched }
            }
            Ok(sent) if sent > 0 => {
                self.in_flight.push_back(pending);
                DirectWrite::Partial {
                    connection_id: self.connection_id,
                    rest: bytes.get(sent..).unwrap_or_default().to_vec(),
                }
            }
            // Full, or broken: the task finds out which.
            Ok(_) | Err(_) => DirectWrite::Refused { bytes, pending },
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::net::request::Shared;
    use std::sync::Arc;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_full_socket_takes_part_of_a_request_or_none_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_far, _) = listener.accept().await.unwrap();
        let shared = Arc::new(Shared::new("toy".into(), 5_000));
        let shared_socket = SharedSocket::<()>::new();
        let mut state = shared_socket.lock();
        state.open(&Stream::Tcp(near), 1);
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
