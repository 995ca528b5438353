//! What a new connection makes up for before it serves: clears that a failover, or a restart from a snapshot, may have lost.

use super::clear_log;
use super::clear_table::Delta;
use super::clears::{NAMES_A_CALL, advance};
use super::command::{Call, Pipeline};
use super::handshake::{RedisServer, ask};
use super::history::{Again, Before, Identity};
use super::protocol::Resp;
use super::reply;
use crate::error::{Code, Result};
use crate::model::tag::{Epoch, Invalidation, Tag};
use crate::net::handshake::Handshake;
use redis::Value;

impl RedisServer {
    /// Compares the server's history with that of the last connection, and clears again what it may have forgotten. Answers the
    /// epoch and the log as they are then. An error fails the attempt, and the next one makes all of it again.
    pub(super) async fn make_up(
        &self,
        handshake: &mut Handshake<Resp>,
        identity: Option<Identity>,
        epoch: Epoch,
        log: Option<Delta>,
    ) -> Result<(Epoch, Option<Delta>)> {
        let before = self.state.history.lock().before(identity, epoch);
        let (again, warning) = match before {
            Before::Nothing => return Ok((epoch, log)),
            Before::ClearAll => (
                Again { everything: true, ..Again::default() },
                Some(
                    "The server came back with an older state than it had (a snapshot, or a replica that lagged behind). \
                     The whole cache was cleared, since clears may be among what it forgot.",
                ),
            ),
            Before::ClearAgain(again) => {
                let warning = again.everything.then_some(
                    "The server is another than before, or began anew (a failover, or a restart). The whole cache was cleared: \
                     everything had been cleared within the last 10 minutes, or too much to know it by name, and the server \
                     may have forgotten that.",
                );
                (again, warning)
            }
        };
        let mut pipeline = Pipeline::default();
        self.put_again(&mut pipeline, &again);
        clear_log::put_delta(&mut pipeline, self.log_name(), None);
        let mut replies = ask(handshake, pipeline).await?;
        let log = clear_log::delta(replies.pop().unwrap_or(Value::Nil))?;
        let (mut cleared, mut began) = (epoch, false);
        for reply in replies {
            if let Value::ServerError(error) = &reply {
                return Err(reply::failure(error));
            }
            let advance = advance(&reply, Vec::new());
            let advance = advance.ok_or_else(|| reply::unexpected("the epoch of a clear", &reply))?;
            began |= advance.before == 0 || cleared.generation != advance.epoch.generation;
            cleared = advance.epoch;
        }
        self.state.history.lock().cleared_again(cleared, began || again.everything);
        if let Some(warning) = warning {
            self.warn(Code::Server, warning.into());
        }
        Ok((cleared, Some(log)))
    }

    fn put_again(&self, pipeline: &mut Pipeline, again: &Again) {
        // The server knows the script's name after the first call.
        let mut how = [Call::Text].into_iter().chain(std::iter::repeat(Call::Sha));
        let mut put = |keys: &[String], tags: &[Tag], root, kind| {
            self.put_clear(pipeline, how.next().unwrap_or(Call::Text), keys, tags, root, kind);
        };
        if again.everything {
            return put(&[], &[], true, Invalidation::Hard);
        }
        again.keys.chunks(NAMES_A_CALL).for_each(|keys| put(keys, &[], false, Invalidation::Hard));
        again.hard.chunks(NAMES_A_CALL).for_each(|tags| put(&[], tags, false, Invalidation::Hard));
        // The root stands first: no tag's hash is less.
        let (root, soft) = match again.soft.split_first() {
            Some((&Tag::ROOT, soft)) => (true, soft),
            _ => (false, &again.soft[..]),
        };
        if root {
            put(&[], &[], true, Invalidation::Soft);
        }
        soft.chunks(NAMES_A_CALL).for_each(|tags| put(&[], tags, false, Invalidation::Soft));
    }
}
