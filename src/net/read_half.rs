//! The replies of a connection: what has come in, and the protocol's state. Replies are delivered in the order of their bytes.

use super::protocol::{MAX_REPLY, Protocol, endless};
use super::request::Shared;
use super::shared_socket::SharedSocket;
use crate::error::{Error, Result};
use bytes::BytesMut;
use socket2::Socket;
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What is read at a time to catch up.
const CHUNK: usize = 8 * 1024;

/// More than a system buffers for one socket (Linux: 6 MiB by default). A server that has sent more than this while it was
/// read is still connected.
const MAX_BUFFERED: usize = 8 * 1024 * 1024;

/// Room offered to a read: some hundred small replies.
const READ: usize = 16 * 1024;

/// While a reply is larger than the buffer the room grows with it up to here, so that a value of 64 MiB takes dozens of
/// reads and not thousands.
pub(super) const READ_LARGEST: usize = 1024 * 1024;

/// A read buffer grown past this by a large reply is let go after it.
pub(super) const KEPT: usize = 256 * 1024;

pub(super) struct ReadHalf<P: Protocol> {
    protocol: P,
    pub(super) input: BytesMut,
    /// Whether it ever answered a request: only then its loss is a first one.
    pub(super) has_answered: bool,
    connection_id: u64,
    shared: Arc<Shared>,
    shared_socket: Arc<SharedSocket<P::Reply>>,
}

impl<P: Protocol> ReadHalf<P> {
    pub(super) fn new(
        protocol: P,
        input: BytesMut,
        connection_id: u64,
        shared: Arc<Shared>,
        shared_socket: Arc<SharedSocket<P::Reply>>,
    ) -> Self {
        ReadHalf { protocol, input, has_answered: false, connection_id, shared, shared_socket }
    }

    /// The input, with room for the next read.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        let input = &mut self.input;
        if input.capacity() - input.len() < READ / 4 {
            input.reserve(input.len().clamp(READ, READ_LARGEST));
        }
        input
    }

    /// Reads and delivers everything that the system has buffered, whether or not the runtime knows of it. An error means
    /// that the connection has ended. To peek is not enough: unread pushes hide that the server hung up behind them.
    pub(super) fn catch_up(&mut self, socket: &Socket) -> Result<()> {
        let mut bytes = [0; CHUNK];
        let mut sum = 0;
        while sum < MAX_BUFFERED {
            let mut socket = socket;
            match socket.read(&mut bytes) {
                Ok(0) => return Err(self.lost("the server hung up")),
                Ok(read) => {
                    sum += read;
                    self.input.extend_from_slice(bytes.get(..read).unwrap_or(&bytes));
                    self.parse()?;
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(self.lost(why)),
            }
        }
        self.shared_socket.lock().note_checked();
        Ok(())
    }

    /// Takes in what has been read.
    pub(super) fn parse(&mut self) -> Result<()> {
        let parsed = catch_unwind(AssertUnwindSafe(|| self.deliver()));
        let has_delivered = match parsed {
            Ok(delivered) => delivered?,
            Err(_) => return Err(self.lost("reading its replies failed by a defect of ours")),
        };
        let input = &mut self.input;
        if input.len() > MAX_REPLY {
            return Err(endless(&self.shared.server));
        }
        if has_delivered && input.capacity() > KEPT && input.len() <= READ {
            let mut fresh = BytesMut::with_capacity(READ);
            fresh.extend_from_slice(input);
            *input = fresh;
        }
        Ok(())
    }

    /// Hands out every whole reply; returns whether there was one.
    fn deliver(&mut self) -> Result<bool> {
        let mut has_delivered = false;
        loop {
            let reply = match self.protocol.next(&mut self.input) {
                Ok(Some(reply)) => reply,
                Ok(None) => return Ok(has_delivered),
                Err(why) => return Err(self.unfit(&why)),
            };
            let mut shared_socket = self.shared_socket.lock();
            shared_socket.note_reply();
            let Some(front) = shared_socket.in_flight.front_mut() else {
                drop(shared_socket);
                return Err(self.lost("it sent a reply that nothing was waiting for"));
            };
            has_delivered = true;
            if front.take(reply) {
                let answered = shared_socket.in_flight.pop_front();
                drop(shared_socket);
                self.has_answered = true;
                let Some(mut answered) = answered else { continue };
                if let Err(why) = answered.observe(self.connection_id) {
                    let why = self.unfit(&why);
                    answered.fail(why.clone());
                    return Err(why);
                }
                answered.answer();
            }
        }
    }

    /// A server whose answers end the connection has not proved that it works by them.
    fn unfit(&mut self, why: &Error) -> Error {
        self.has_answered = false;
        self.lost(why.message.trim_end_matches('.'))
    }

    pub(super) fn lost(&self, why: impl std::fmt::Display) -> Error {
        Error::connection(format!("The connection to {} was lost: {why}.", self.shared.server))
    }
}
