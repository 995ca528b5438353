//! What all operations of a store share: its connection, the server behind it, and the state of background work.

use super::activity::Activity;
use super::command::Pipeline;
use super::deadline::Deadline;
use super::deferred::Deferred;
use super::handshake::RedisServer;
use super::longest_life::LongestLife;
use super::names::Names;
use super::protocol::Reply;
use super::sentinel::Sentinels;
use super::sweeper::Sweeper;
use crate::error::Result;
use crate::model::key::Keyspace;
use crate::net::client::Client;
use crate::stats::Stats;
use crate::store::fifo_gate::FifoGate;
use futures_util::FutureExt;
use futures_util::future::Either;
use redis::Value;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Notify;

/// A store's connection, and what its operations share.
pub struct Core {
    pub client: Client<RedisServer>,
    pub server: Arc<RedisServer>,
    /// Who tells where it is.
    pub sentinels: Option<Arc<Sentinels>>,
    pub space: Keyspace,
    pub names: Names,
    pub deferred: Deferred,
    /// Where requests wait for deferred clears.
    pub gate: FifoGate,
    pub longest_life: LongestLife,
    pub sweeper: Sweeper,
    pub activity: Activity,
    pub stats: Arc<Stats>,
    /// Wakes the background tasks: a connection is there, or clears are deferred.
    pub wake: Arc<Notify>,
    pub command_ms: u64,
}

impl Core {
    pub fn deadline(&self) -> Deadline {
        Deadline::after(self.command_ms)
    }

    /// Enqueued when called, not when polled.
    pub fn send(&self, pipeline: Pipeline) -> impl Future<Output = Result<Vec<Value>>> + Send + 'static {
        self.send_on(None, pipeline)
    }

    /// As `send`, but over the connection of that number or none.
    pub fn send_on(
        &self,
        over: Option<u64>,
        pipeline: Pipeline,
    ) -> impl Future<Output = Result<Vec<Value>>> + Send + 'static {
        let Pipeline { bytes, replies } = pipeline;
        let replies = match over {
            Some(connection_id) => Either::Left(self.client.send_on(connection_id, bytes, replies)),
            None => Either::Right(self.client.send(bytes, replies)),
        };
        replies.map(|replies| Ok(replies?.into_iter().map(Reply::into_value).collect()))
    }

    /// As `send`; `observe` sees the replies in the order of the connection.
    pub fn send_observed<F: FnOnce(&[Value]) + Send + 'static>(
        &self,
        pipeline: Pipeline,
        observe: F,
    ) -> impl Future<Output = Result<Vec<Value>>> + Send + 'static + use<F> {
        let observe = Box::new(move |_, replies: &mut Vec<Reply>| {
            let values: Vec<Value> = std::mem::take(replies).into_iter().map(Reply::into_value).collect();
            observe(&values);
            replies.extend(values.into_iter().map(Reply::Other));
            Ok(())
        });
        let replies = self.client.send_observed(None, pipeline.bytes, pipeline.replies, observe);
        replies.map(|replies| Ok(replies?.into_iter().map(Reply::into_value).collect()))
    }
}
