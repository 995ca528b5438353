//! The read side of a connection: what has come in, and the protocol's state. Whoever holds it reads, parses and answers,
//! in the order of the bytes: the connection's task, or, while a request that a caller wrote itself is awaited, that
//! caller's thread, which then need not be woken by another.

use super::super::protocol::{MAX_REPLY, Protocol, endless};
use super::super::request::Shared;
use super::reader::{Came, Reads};
use super::shared_socket::Lane;
use crate::error::{Error, Result};
use bytes::BytesMut;
use parking_lot::{Mutex, MutexGuard};
use socket2::Socket;
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a caller's thread reads in one go; what is larger is the task's to read, and so is the work on it.
const LITTLE: usize = 8 * 1024;

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

pub(in crate::net) struct Reading<P: Protocol> {
    side: Mutex<Side<P>>,
    incarnation: u64,
    shared: Arc<Shared>,
    lane: Arc<Lane<P::Reply>>,
}

pub(in crate::net) struct Side<P> {
    pub(in crate::net) protocol: P,
    pub(in crate::net) input: BytesMut,
    /// Whether it ever answered a request: only then its loss is a first one.
    pub(in crate::net) has_answered: bool,
    /// What a caller's thread read made no sense.
    broken: Option<Error>,
    /// The connection serves no longer.
    is_over: bool,
}

impl<P: Protocol> Reading<P> {
    pub(in crate::net) fn new(
        protocol: P,
        input: BytesMut,
        incarnation: u64,
        shared: Arc<Shared>,
        lane: Arc<Lane<P::Reply>>,
    ) -> Self {
        let side = Side { protocol, input, has_answered: false, broken: None, is_over: false };
        Reading { side: Mutex::new(side), incarnation, shared, lane }
    }

    pub(in crate::net) fn lock(&self) -> MutexGuard<'_, Side<P>> {
        self.side.lock()
    }

    /// Nothing is read from now on, nor being read: what its end makes untrue stays so.
    pub(in crate::net) fn end(&self) {
        self.side.lock().is_over = true;
    }

    /// What a caller's thread read made sense.
    pub(in crate::net) fn check(&self, side: &Side<P>) -> Result<()> {
        side.broken.clone().map_or(Ok(()), Err)
    }

    /// Reads and delivers everything that the system has buffered, whether or not the runtime knows of it. An error means
    /// that the connection has ended. To peek is not enough: unread pushes hide that the server hung up behind them.
    pub(in crate::net) fn catch_up(&self, socket: &Socket) -> Result<()> {
        let mut side = self.lock();
        self.check(&side)?;
        let mut bytes = [0; LITTLE];
        let mut sum = 0;
        while sum < MAX_BUFFERED {
            let mut socket = socket;
            match socket.read(&mut bytes) {
                Ok(0) => return Err(self.lost("the server hung up")),
                Ok(read) => {
                    sum += read;
                    side.input.extend_from_slice(&bytes[..read]);
                    self.parse(&mut side)?;
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(self.lost(why)),
            }
        }
        self.lane.lock().checked();
        Ok(())
    }

    /// Takes in what has been read; whether it held a reply.
    pub(in crate::net) fn parse(&self, side: &mut Side<P>) -> Result<bool> {
        let parsed = catch_unwind(AssertUnwindSafe(|| self.deliver(side)));
        let delivered = match parsed {
            Ok(delivered) => delivered?,
            Err(_) => return Err(self.lost("reading its replies failed by a defect of ours")),
        };
        let input = &mut side.input;
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
    fn deliver(&self, side: &mut Side<P>) -> Result<bool> {
        let mut delivered = false;
        loop {
            let reply = match side.protocol.next(&mut side.input) {
                Ok(Some(reply)) => reply,
                Ok(None) => return Ok(delivered),
                Err(why) => return Err(self.unfit(side, &why)),
            };
            let mut lane = self.lane.lock();
            lane.heard();
            let Some(front) = lane.in_flight.front_mut() else {
                drop(lane);
                return Err(self.lost("it sent a reply that nothing was waiting for"));
            };
            delivered = true;
            if front.take(reply) {
                side.has_answered = true;
                let answered = lane.in_flight.pop_front();
                drop(lane);
                let Some(mut answered) = answered else { continue };
                if let Err(why) = answered.observe(self.incarnation) {
                    let why = self.unfit(side, &why);
                    answered.fail(why.clone());
                    return Err(why);
                }
                answered.answer();
            }
        }
    }

    fn leave(&self, shy: bool) -> Came {
        let task = self.lane.lock().give_back(self.incarnation, shy);
        if let Some(task) = task {
            task.wake();
        }
        Came::Task
    }

    /// A server whose answers end the connection has not proved that it works by them.
    fn unfit(&self, side: &mut Side<P>, why: &Error) -> Error {
        side.has_answered = false;
        self.lost(why.message.trim_end_matches('.'))
    }

    pub(in crate::net) fn lost(&self, why: impl std::fmt::Display) -> Error {
        Error::connection(format!("The connection to {} was lost: {why}.", self.shared.server))
    }
}

impl<P: Protocol> Reads for Reading<P> {
    fn incarnation(&self) -> u64 {
        self.incarnation
    }

    fn socket(&self) -> Option<Arc<Socket>> {
        self.lane.lock().socket_of(self.incarnation).cloned()
    }

    fn read(&self) -> Came {
        let socket = {
            let lane = self.lane.lock();
            let Some(socket) = lane.socket_of(self.incarnation) else { return Came::Closed };
            if !lane.is_with_caller() {
                return Came::Task;
            }
            socket.clone()
        };
        // The task has it, and so reads.
        let Some(mut side) = self.side.try_lock() else { return Came::Nothing };
        if side.is_over {
            return Came::Closed;
        }
        let mut bytes = [0; LITTLE];
        let read = match (&*socket).read(&mut bytes) {
            Ok(read) if read > 0 => read,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Came::Nothing;
            }
            // The task finds that it is at its end, and says so.
            Ok(_) | Err(_) => {
                drop(side);
                return self.leave(false);
            }
        };
        side.input.extend_from_slice(&bytes[..read]);
        let parsed = self.parse(&mut side);
        let had_replies = matches!(parsed, Ok(true));
        let is_left = read == LITTLE || !side.input.is_empty();
        side.broken = parsed.err();
        drop(side);
        if had_replies && !is_left {
            return Came::Replies;
        }
        self.leave(is_left)
    }

    fn give_back(&self, shy: bool) {
        self.leave(shy);
    }
}
