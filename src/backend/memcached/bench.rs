//! What benchmark/native reaches of this module, and nothing else may.

use super::protocol::Meta;
use crate::net::link::Protocol;
use bytes::{Bytes, BytesMut};

/// A connection's parser.
pub struct Replies(Meta);

impl Replies {
    pub fn new(max_value: usize) -> Self {
        Replies(Meta::new(max_value))
    }

    /// The value of the next reply.
    pub fn value(&mut self, buffer: &mut BytesMut) -> Option<Bytes> {
        self.0.next(buffer).ok()??.value
    }
}
