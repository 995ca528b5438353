//! Channels between processes: publishing, and subscriptions, which every new connection takes up again.
//!
//! A subscription lives on the store's own connection, which RESP3 allows. The server confirms it by a push, and refuses
//! it by an error: whichever comes is the command's one reply (`Resp`), so that replies keep matching requests by order.

use super::command::Pipeline;
use super::core::Core;
use super::protocol::Reply;
use super::reply;
use super::subscriptions::unable;
use crate::error::Result;
use redis::Value;
use std::sync::atomic::Ordering::Relaxed;

impl Core {
    pub async fn publish(&self, channel: &str, payload: &str) -> Result<()> {
        let deadline = self.deadline();
        // After the clears that an outage kept back: what is told of has happened.
        let permit = self.wait_for_deferred(deadline).await?;
        let name = format!("{}{channel}", self.server.state.channels.prefix);
        let pipeline = Pipeline::one(&[b"PUBLISH", name.as_bytes(), payload.as_bytes()]);
        let reply = self.send(pipeline);
        drop(permit);
        reply::integer(&reply::only(deadline.bound(reply).await?)).map(|_| ())
    }

    /// Resolves when the server has confirmed it. Fails for an outage: then it is wanted all the same, and made with the
    /// next connection. Fails for good where the server refuses it.
    pub async fn subscribe(&self, channel: &str) -> Result<()> {
        let channels = &self.server.state.channels;
        channels.want(channel)?;
        let subscribed = self.confirmed(channel).await;
        if let Err(error) = &subscribed
            && !error.code.is_outage()
        {
            channels.wanted.lock().remove(channel);
        }
        subscribed
    }

    async fn confirmed(&self, channel: &str) -> Result<()> {
        let deadline = self.deadline();
        // A RESP2 connection would become one for messages alone: first one must be there and known.
        deadline.bound(self.send(Pipeline::one(&[b"PING"]))).await?;
        let over = self.client.connection_id();
        let channels = &self.server.state.channels;
        if !channels.able.load(Relaxed) {
            return Err(unable());
        }
        let pipeline = channels.command(b"SUBSCRIBE", channel);
        let sent = self.client.send_on(over, pipeline.bytes, pipeline.replies);
        acknowledged(deadline.bound(sent).await?)
    }

    pub async fn unsubscribe(&self, channel: &str) -> Result<()> {
        let channels = &self.server.state.channels;
        // Without a connection there is nothing to end, and none that comes takes it up.
        if !channels.wanted.lock().remove(channel) || !channels.able.load(Relaxed) {
            return Ok(());
        }
        let over = self.client.connection_id();
        let pipeline = channels.command(b"UNSUBSCRIBE", channel);
        let sent = self.client.send_on(over, pipeline.bytes, pipeline.replies);
        acknowledged(self.deadline().bound(sent).await?)
    }
}

fn acknowledged(mut replies: Vec<Reply>) -> Result<()> {
    match replies.pop() {
        Some(Reply::Other(Value::ServerError(error))) => Err(reply::failure(&error)),
        _ => Ok(()),
    }
}
