//! What benchmark/native reaches of this module, and nothing else may.

use super::channels::Channels;
use super::command::Pipeline;
use super::near::Near;
use super::protocol::{Reply, Resp};
use super::reply;
use crate::error::Result;
use crate::events;
use crate::key::Keyspace;
use crate::net::link::Protocol;
use crate::tags::{Epoch, Record};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// A connection's parser, and the near cache that it feeds.
pub struct Replies {
    resp: Resp,
    near: Arc<Near>,
}

impl Replies {
    /// With these records held.
    pub fn new(tags: &[&str], record: Record) -> Result<Self> {
        let near = Arc::new(Near::new(&Keyspace::new("p")?, None));
        near.track();
        let looked = near.look(tags);
        near.keep(tags, &looked.missing, &vec![Some(record); tags.len()]);
        let channels = Arc::new(Channels::new("p!c:".into(), events::silent()));
        Ok(Replies { resp: Resp::new(near.clone(), channels), near })
    }

    /// The next reply of an MGET of the epoch and entries, as a read takes it apart.
    pub fn entries(&mut self, buffer: &mut BytesMut) -> Option<(Epoch, Option<Record>, Vec<Option<Bytes>>)> {
        let Reply::Strings(strings) = self.resp.next(buffer).ok()?? else { return None };
        let mut strings = strings.into_iter();
        let (epoch, star) = reply::epoch_and_star(&strings.next()??);
        Some((epoch, star, strings.collect()))
    }

    /// What the near cache holds of these tags.
    pub fn look(&self, tags: &[&str]) -> Vec<Option<Record>> {
        self.near.look(tags).records
    }

    /// A push about this tag, and its record read anew.
    pub fn change(&self, tag: &str, record: Record) {
        self.near.invalidate(format!("p!t:{tag}").as_bytes());
        let looked = self.near.look(&[tag]);
        self.near.keep(&[tag], &looked.missing, &[Some(record)]);
    }
}

/// A command as it is sent.
pub fn command(parts: &[&[u8]]) -> Vec<u8> {
    Pipeline::one(parts).bytes
}
