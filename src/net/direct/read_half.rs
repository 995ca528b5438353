//! The read side of a connection: what has come in, and the protocol's state. Whoever holds it reads, parses and answers,
//! in the order of the bytes: the connection's task, or, while a request that a caller wrote itself is awaited, that
//! caller's thread, which then need not be woken by another.

use super::super::protocol::{MAX_REPLY, Protocol, endless};
use super::super::request::Shared;
use super::super::tls::session::Session;
use super::direct_socket::{DirectSocket, receive};
use super::reader::{DirectReader, ReadOutcome};
use super::shared_socket::SharedSocket;
use crate::error::{Error, Result};
use bytes::BytesMut;
use parking_lot::{Mutex, MutexGuard};
use socket2::Socket;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a caller's thread reads in one go; what is larger is the task's to read, and so is the work on it.
const MAX_DIRECT_READ: usize = 8 * 1024;

/// More than a system buffers for one socket (Linux: 6 MiB by default). A server that has sent more than this while it was
/// read is still connected.
const MAX_BUFFERED: usize = 8 * 1024 * 1024;

/// Room offered to the task's reads: some hundred small replies.
pub(in crate::net) const READ: usize = 16 * 1024;

/// While a reply is larger than the buffer the room grows with it up to here, so that a value of 64 MiB takes dozens of
/// reads and not thousands.
pub(in crate::net) const READ_LARGEST: usize = 1024 * 1024;

/// A read buffer grown past this by a large reply is let go after it.
pub(in crate::net) const KEPT: usize = 256 * 1024;

pub(in crate::net) struct ReadHalf<P: Protocol> {
    state: Mutex<ReadState<P>>,
    connection_id: u64,
    shared: Arc<Shared>,
    shared_socket: Arc<SharedSocket<P::Reply>>,
}

pub(in crate::net) struct ReadState<P> {
    pub(in crate::net) protocol: P,
    pub(in crate::net) input: BytesMut,
    /// Whether it ever answered a request: only then its loss is a first one.
    pub(in crate::net) has_answered: bool,
    /// What a caller's thread read made no sense.
    broken: Option<Error>,
    /// The connection serves no longer.
    is_over: bool,
}

impl<P: Protocol> ReadHalf<P> {
    pub(in crate::net) fn new(
        protocol: P,
        input: BytesMut,
        connection_id: u64,
        shared: Arc<Shared>,
        shared_socket: Arc<SharedSocket<P::Reply>>,
    ) -> Self {
        let state = ReadState { protocol, input, has_answered: false, broken: None, is_over: false };
        ReadHalf { state: Mutex::new(state), connection_id, shared, shared_socket }
    }

    pub(in crate::net) fn lock(&self) -> MutexGuard<'_, ReadState<P>> {
        self.state.lock()
    }

    /// Nothing is read from now on, nor being read: what its end makes untrue stays so.
    pub(in crate::net) fn end(&self) {
        self.state.lock().is_over = true;
    }

    /// What a caller's thread read made sense.
    pub(in crate::net) fn check(&self, state: &ReadState<P>) -> Result<()> {
        state.broken.clone().map_or(Ok(()), Err)
    }

    /// Reads and delivers everything that the system has buffered, whether or not the runtime knows of it. An error means
    /// that the connection has ended. To peek is not enough: unread pushes hide that the server hung up behind them.
    pub(in crate::net) fn catch_up(&self, socket: &Socket, tls: Option<&Session>) -> Result<()> {
        let mut state = self.lock();
        self.check(&state)?;
        let mut bytes = [0; MAX_DIRECT_READ];
        let mut sum = 0;
        while sum < MAX_BUFFERED {
            match receive(socket, tls, &mut bytes, &mut state.input) {
                Ok(0) => return Err(self.lost("the server hung up")),
                Ok(read) => {
                    sum += read;
                    self.parse(&mut state)?;
                    if tls.is_some_and(Session::is_over) {
                        return Err(self.lost("the server hung up"));
                    }
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(self.lost(why)),
            }
        }
        self.shared_socket.lock().checked();
        Ok(())
    }

    /// Takes in what has been read; whether it held a reply.
    pub(in crate::net) fn parse(&self, state: &mut ReadState<P>) -> Result<bool> {
        let parsed = catch_unwind(AssertUnwindSafe(|| self.deliver(state)));
        let delivered = match parsed {
            Ok(delivered) => delivered?,
            Err(_) => return Err(self.lost("read_half its replies failed by a defect of ours")),
        };
        let input = &mut state.input;
        if input.len() > MAX_REPLY {
            return Err(endless(&self.shared.server));
        }
        if delivered && input.capacity() > KEPT && input.len() <= READ {
            let mut fresh = BytesMut::with_capacity(READ);
            fresh.extend_from_slice(input);
            *input = fresh;
        }
        Ok(delivered)
    }

    /// Hands out every whole reply; whether there was one.
    fn deliver(&self, state: &mut ReadState<P>) -> Result<bool> {
        let mut delivered = false;
        loop {
            let reply = match state.protocol.next(&mut state.input) {
                Ok(Some(reply)) => reply,
                Ok(None) => return Ok(delivered),
                Err(why) => return Err(self.unfit(state, &why)),
            };
            let mut shared_socket = self.shared_socket.lock();
            shared_socket.heard();
            let Some(front) = shared_socket.in_flight.front_mut() else {
                drop(shared_socket);
                return Err(self.lost("it sent a reply that nothing was waiting for"));
            };
            delivered = true;
            if front.take(reply) {
                state.has_answered = true;
                let answered = shared_socket.in_flight.pop_front();
                drop(shared_socket);
                let Some(mut answered) = answered else { continue };
                if let Err(why) = answered.observe(self.connection_id) {
                    let why = self.unfit(state, &why);
                    answered.fail(why.clone());
                    return Err(why);
                }
                answered.answer();
            }
        }
    }

    fn leave(&self, back_off: bool) -> ReadOutcome {
        let task = self.shared_socket.lock().release(self.connection_id, back_off);
        if let Some(task) = task {
            task.wake();
        }
        ReadOutcome::Task
    }

    /// A server whose answers end the connection has not proved that it works by them.
    fn unfit(&self, state: &mut ReadState<P>, why: &Error) -> Error {
        state.has_answered = false;
        self.lost(why.message.trim_end_matches('.'))
    }

    pub(in crate::net) fn lost(&self, why: impl std::fmt::Display) -> Error {
        Error::connection(format!("The connection to {} was lost: {why}.", self.shared.server))
    }
}

impl<P: Protocol> DirectReader for ReadHalf<P> {
    fn connection_id(&self) -> u64 {
        self.connection_id
    }

    fn socket(&self) -> Option<Arc<DirectSocket>> {
        self.shared_socket.lock().socket_of(self.connection_id).cloned()
    }

    fn read(&self) -> ReadOutcome {
        let socket = {
            let shared_socket = self.shared_socket.lock();
            let Some(socket) = shared_socket.socket_of(self.connection_id) else {
                return ReadOutcome::Closed;
            };
            if !shared_socket.is_read_by_caller() {
                return ReadOutcome::Task;
            }
            socket.clone()
        };
        // The task has it, and so reads.
        let Some(mut state) = self.state.try_lock() else { return ReadOutcome::Nothing };
        if state.is_over {
            return ReadOutcome::Closed;
        }
        let mut bytes = [0; MAX_DIRECT_READ];
        let read = match socket.receive(&mut bytes, &mut state.input) {
            Ok(read) if read > 0 => read,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return ReadOutcome::Nothing;
            }
            // The task finds that it is at its end, and says so. What TLS refused it would not find again.
            ended => {
                state.broken =
                    ended.err().filter(|why| why.kind() == ErrorKind::InvalidData).map(|why| self.lost(why));
                drop(state);
                return self.leave(false);
            }
        };
        let parsed = self.parse(&mut state);
        let had_replies = matches!(parsed, Ok(true));
        let is_left = read == MAX_DIRECT_READ || !state.input.is_empty() || socket.needs_task();
        state.broken = parsed.err();
        drop(state);
        if had_replies && !is_left {
            return ReadOutcome::Replies;
        }
        self.leave(is_left)
    }

    fn release(&self, back_off: bool) {
        self.leave(back_off);
    }
}
