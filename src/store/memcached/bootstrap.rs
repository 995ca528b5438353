//! The first sets of a process. Before the epoch is known nothing can be stored that a reader would take, nor before the
//! record of `*` is there: both are seen to first, and whatever is asked for meanwhile waits in line behind.

use super::commands::MetaGetFlags;
use super::core::{Core, Counter};
use super::records::{Needed, record_state};
use super::write_log::WriteGuard;
use crate::error::Result;
use crate::model::tag::Epoch;
use crate::model::time::UnixMs;
use crate::model::ttl::Ttl;
use crate::store::fifo_gate::run_with;
use crate::store::form::Wire;
use crate::store::request::{Write, WriteOutcome};

impl Core {
    pub async fn write_first(
        &self,
        writes: Vec<Write<Wire>>,
        under_way: &WriteGuard<'_>,
        now: UnixMs,
    ) -> Result<Vec<Result<WriteOutcome>>> {
        let permit = self.gate.acquire().await;
        if self.last_epoch() == Epoch::NONE {
            let life = writes.iter().map(|write| write.ttl).reduce(Ttl::max);
            self.learn(life.unwrap_or(Ttl::Forever)).await?;
        }
        Ok(run_with(Some(permit), self.write_all(writes, under_way, now)).await)
    }

    /// One round trip, unless the prefix is new to the server. `life`: the longest of the entries.
    async fn learn(&self, life: Ttl) -> Result<()> {
        let mut batch = self.batch();
        let epoch = batch.get(&self.epoch, MetaGetFlags::VALUE);
        let star = batch.get(&self.star, MetaGetFlags::VALUE_TTL);
        let mut replies = self.send(batch).await;
        let epoch = match self.epoch_from(&mut replies, epoch)? {
            Counter::At(epoch) => epoch,
            other => self.read_epoch(Some(other)).await?,
        };
        if let Ok(reply) = replies.take(star) {
            let needed = Needed { place: self.star.clone(), held: record_state(&reply), entry: life };
            // Should it fail, the sets look after it themselves, and say so.
            self.settle(vec![needed], epoch).await;
        }
        Ok(())
    }
}
