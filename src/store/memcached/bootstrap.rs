//! The first sets of a process. Before the epoch is known nothing can be stored that a reader would take, nor before the
//! record of `*` is there: both are seen to first, and whatever is asked for meanwhile waits in line behind.

use super::batch::Want;
use super::records::{Needed, held};
use super::store::{Counter, Store};
use crate::error::Result;
use crate::model::tag::Epoch;
use crate::model::time::UnixMs;
use crate::model::ttl::Ttl;
use crate::store::asked::UnderWay;
use crate::store::fifo_gate::run_with;
use crate::store::form::Wire;
use crate::store::request::{Write, WriteOutcome};

impl Store {
    pub async fn write_first(
        &self,
        writes: Vec<Write<Wire>>,
        under_way: &UnderWay<'_>,
        now: UnixMs,
    ) -> Result<Vec<Result<WriteOutcome>>> {
        let turn = self.line.turn().await;
        if self.seen() == Epoch::NONE {
            let life = writes.iter().map(|write| write.ttl).reduce(Ttl::max);
            self.learn(life.unwrap_or(Ttl::Forever)).await?;
        }
        Ok(run_with(Some(turn), self.write_all(writes, under_way, now)).await)
    }

    /// One round trip, unless the prefix is new to the server. `life`: the longest of the entries.
    async fn learn(&self, life: Ttl) -> Result<()> {
        let mut batch = self.batch();
        let epoch = batch.get(&self.epoch, Want::VALUE);
        let star = batch.get(&self.star, Want::VALUE_TTL);
        let mut replies = batch.send().await;
        let epoch = match self.epoch_from(&mut replies, epoch)? {
            Counter::At(epoch) => epoch,
            other => self.read_epoch(Some(other)).await?,
        };
        if let Ok(reply) = replies.take(star) {
            let needed = Needed { place: self.star.clone(), held: held(&reply), entry: life };
            // Should it fail, the sets look after it themselves, and say so.
            self.settle(vec![needed], epoch).await;
        }
        Ok(())
    }
}
