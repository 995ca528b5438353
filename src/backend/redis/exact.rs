//! What changes exactly one thing: a version of an entry, or a lock.

use super::Core;
use super::command::{Call, Pipeline};
use super::reply;
use crate::backend::Seen;
use crate::codec::envelope::{FIXED, retime};
use crate::error::{Code, Error, Result};
use crate::key::bucket;
use crate::tags::Epoch;
use crate::ttl::Times;
use bytes::Bytes;
use redis::Value;

impl Core {
    pub async fn swap(&self, key: &str, seen: &Seen, times: Option<Times>) -> Result<bool> {
        let bytes = match (seen, times) {
            (Seen::Wire(bytes, _), _) => bytes,
            // To the script, where no entry is, is one without bytes.
            (Seen::Nothing(_), None) => &Bytes::new(),
            (Seen::Nothing(_), Some(_)) => return Ok(false),
            (Seen::Live(_), _) => {
                return Err(Error::new(Code::Internal, "An entry of process memory was given to Redis."));
            }
        };
        self.asked.clears(std::iter::once(key), std::iter::empty());
        let entry = times.map_or(Ok(Vec::new()), |times| retime(bytes, times).map(|(entry, _)| entry))?;
        let head = &bytes[..bytes.len().min(FIXED)];
        let call = |how| {
            let mut pipeline = Pipeline::default();
            pipeline.call(&self.server.scripts.swap, how, 3, 4);
            pipeline.arg(self.space.epoch().as_bytes());
            pipeline.arg(self.space.fences().as_bytes());
            pipeline.arg(self.space.entry(key).as_bytes());
            pipeline.arg(format!("{:016x}", Epoch::draw_generation()).as_bytes());
            pipeline.arg(&bucket(key));
            pipeline.arg(head);
            pipeline.arg(&entry);
            pipeline
        };
        let deadline = self.deadline();
        let mut reply = reply::only(deadline.bound(self.send(call(Call::Sha))).await?);
        if reply::forgot_script(&reply) {
            reply = reply::only(deadline.bound(self.send(call(Call::Text))).await?);
        }
        let fields = reply::array(reply)?;
        if let Some(epoch) = reply::epoch(fields.get(1), fields.get(2)) {
            self.server.saw(epoch);
        }
        Ok(reply::integer(fields.first().unwrap_or(&Value::Nil))? == 1)
    }

    /// `ms`: for how long; `None` = to give it back. Whether it is (or may be) the owner's.
    ///
    /// Sent as text, which is short, and not by name: a server that has forgotten the name would have the lock taken
    /// only after the read that follows it in its batch, which is to see what the last owner stored.
    pub async fn lock(&self, key: &str, owner: &str, ms: Option<u64>) -> Result<bool> {
        let deadline = self.deadline();
        // Like the read and the set beside it, so that they keep their order.
        let turn = self.settled(deadline).await?;
        let mut pipeline = Pipeline::default();
        pipeline.call(&self.server.scripts.lock, Call::Text, 1, 2);
        pipeline.arg(self.space.lock(key).as_bytes());
        pipeline.arg(owner.as_bytes());
        pipeline.arg(ms.map(|ms| ms.to_string()).unwrap_or_default().as_bytes());
        let reply = self.send(pipeline);
        drop(turn);
        let reply = reply::only(deadline.bound(reply).await?);
        Ok(reply::integer(&reply)? == 1)
    }
}
