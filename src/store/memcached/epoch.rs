//! Reading the epoch, and making one where there is none.

use super::commands::MetaGetFlags;
use super::core::{Core, Counter};
use crate::error::{Error, Result};
use crate::model::tag::Epoch;

impl Core {
    /// The epoch as it is, or is made, after this call began.
    pub async fn read_epoch(&self, was: Option<Counter>) -> Result<Epoch> {
        let mut was = was;
        // One turn reads, one creates, one more meets a counter lost in between.
        for _ in 0..3 {
            let mut batch = self.batch();
            if let Some(was) = &was {
                self.create_counter(&mut batch, was);
            }
            let slot = batch.get(&self.epoch, MetaGetFlags::VALUE);
            let reply = self.send(batch).await.take(slot)?;
            match self.counter(&reply) {
                Counter::At(epoch) => return Ok(epoch),
                other => was = Some(other),
            }
        }
        Err(Error::new(
            crate::error::Code::Server,
            format!(
                "memcached {}: the epoch cannot be kept; is the server out of memory?",
                self.nodes()[self.epoch.node].name
            ),
        ))
    }
}
