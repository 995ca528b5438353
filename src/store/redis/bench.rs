//! What benchmark/native reaches of this module, and nothing else may.

use super::command::Pipeline;
use super::protocol::{Reply, Resp};
use super::reply;
use super::state::State;
use crate::error::Result;
use crate::events;
use crate::model::key::Keyspace;
use crate::model::tag::Epoch;
use crate::net::protocol::Protocol;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// A connection's parser.
pub struct Replies(Resp);

impl Replies {
    pub fn new() -> Result<Self> {
        Ok(Replies(Resp::new(Arc::new(State::new(&Keyspace::new("p")?, events::silent(), None)))))
    }

    /// The next reply of an MGET of the epoch and entries, as a read takes it apart.
    pub fn entries(&mut self, buffer: &mut BytesMut) -> Option<(Epoch, Vec<Option<Bytes>>)> {
        let Reply::Strings(strings) = self.0.next(buffer).ok()?? else { return None };
        let mut strings = strings.into_iter();
        let epoch = reply::epoch_text(&strings.next()??);
        Some((epoch, strings.collect()))
    }
}

/// A command as it is sent.
pub fn command(parts: &[&[u8]]) -> Vec<u8> {
    Pipeline::one(parts).bytes
}
