//! What a connection must know of a server's language, without I/O: tested by feeding it bytes in any chunking.

use crate::error::{Error, Result};
use bytes::BytesMut;

/// The longest unparsed reply. The largest value is 64 MiB (`maxValueBytes`); a quarter more is room for its envelope
/// and the protocol's framing. Bytes that declare more and more, or never end, cannot grow memory past it.
pub const MAX_REPLY: usize = 80 * 1024 * 1024;

/// Finds replies in bytes.
pub trait Protocol: Send + 'static {
    type Reply: Send + 'static;

    /// Takes the next whole reply off the front; `None` = more bytes are needed. Pushes are handled inside, in order.
    /// An error means the bytes make no sense, and ends the connection.
    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Reply>>;

    /// Told once, before the handshake: the number that `Client::connection_id` will have while this connection serves. A
    /// protocol whose replies are only worth something on the same connection (leases) stamps them with it.
    fn serves(&mut self, _incarnation: u64) {}
}

pub(super) fn endless(server: &str) -> Error {
    Error::connection(format!(
        "{server} sent a reply of more than {MAX_REPLY} bytes; is it the right kind of server?"
    ))
}
