//! Storing entries: one call of the script for each, all in one request.

use super::Core;
use super::command::{Call, Pipeline};
use super::reply;
use crate::backend::{Body, Write, Written};
use crate::codec::envelope::{FIXED, restamp};
use crate::error::{Code, Error, Result};
use crate::tags::Epoch;
use redis::Value;

/// An unguarded set that a clear of its own tags overtakes is stamped anew and sent again, this often at most: it
/// takes a clear within each round trip to get so far.
const ROUNDS: usize = 5;

struct Slot {
    write: Write,
    epoch: Epoch,
    how: Call,
    outcome: Option<Result<Written>>,
}

enum Answer {
    Stored(Vec<i64>),
    Stale,
    /// Too old, but its caller did not say how old it is.
    Older(Epoch),
    /// The server does not know the script.
    Forgotten,
}

impl Core {
    pub async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let deadline = self.deadline();
        if let Err(error) = self.settled(deadline).await {
            return writes.iter().map(|_| Err(error.clone())).collect();
        }
        let seen = self.server.seen();
        let mut slots: Vec<Slot> = writes
            .into_iter()
            .map(|write| {
                let epoch = write.guard.map_or(seen, |guard| guard.epoch);
                Slot { write, epoch, how: Call::Sha, outcome: None }
            })
            .collect();
        for _ in 0..ROUNDS {
            let mut pipeline = Pipeline::default();
            for slot in slots.iter_mut().filter(|slot| slot.outcome.is_none()) {
                if let Err(error) = self.put_set(&mut pipeline, slot) {
                    slot.outcome = Some(Err(error));
                }
            }
            if pipeline.replies == 0 {
                break;
            }
            match deadline.bound(self.send(pipeline)).await {
                Ok(replies) => self.take_answers(&mut slots, replies),
                Err(error) => {
                    for slot in slots.iter_mut().filter(|slot| slot.outcome.is_none()) {
                        slot.outcome = Some(Err(error.clone()));
                    }
                }
            }
        }
        slots.into_iter().map(|slot| slot.outcome.unwrap_or(Ok(Written::Stale))).collect()
    }

    fn take_answers(&self, slots: &mut [Slot], replies: Vec<Value>) {
        let mut replies = replies.into_iter();
        for slot in slots.iter_mut().filter(|slot| slot.outcome.is_none()) {
            match self.answer(replies.next().unwrap_or(Value::Nil)) {
                Ok(Answer::Stored(sizes)) => {
                    self.crowds.stored(&slot.write.tags, &sizes);
                    slot.outcome = Some(Ok(Written::Stored(None)));
                }
                Ok(Answer::Stale) => slot.outcome = Some(Ok(Written::Stale)),
                Ok(Answer::Older(epoch)) => slot.epoch = epoch,
                Ok(Answer::Forgotten) if slot.how == Call::Sha => slot.how = Call::Text,
                Ok(Answer::Forgotten) => {
                    slot.outcome = Some(Err(Error::new(Code::Server, "Redis forgot a script it was given.")))
                }
                Err(error) => slot.outcome = Some(Err(error)),
            }
        }
        // What is sent again must not end on top of a later set of its key.
        for at in 0..slots.len() {
            if slots[at].outcome.is_none() {
                let (before, after) = slots.split_at_mut(at + 1);
                let slot = &mut before[at];
                let stored = |other: &Slot| matches!(other.outcome, Some(Ok(Written::Stored(_))));
                if after.iter().any(|other| other.write.key == slot.write.key && stored(other)) {
                    slot.outcome = Some(Ok(Written::Stored(None)));
                }
            }
        }
    }

    fn answer(&self, reply: Value) -> Result<Answer> {
        if reply::forgot_script(&reply) {
            return Ok(Answer::Forgotten);
        }
        let fields = reply::array(reply)?;
        let kind = fields.first().map_or(Ok(-1), reply::integer)?;
        if kind == 1 {
            return Ok(Answer::Stored(fields[1..].iter().map(reply::integer).collect::<Result<_>>()?));
        }
        let Some(epoch) = reply::epoch(fields.get(1), fields.get(2)) else {
            return Err(Error::new(Code::Server, "Redis answered a set with an array that is not ours."));
        };
        self.server.saw(epoch);
        Ok(if kind == 2 { Answer::Older(epoch) } else { Answer::Stale })
    }

    fn put_set(&self, pipeline: &mut Pipeline, slot: &mut Slot) -> Result<()> {
        let Slot { write, epoch, how, .. } = slot;
        let Body::Wire(body) = &mut write.body else {
            return Err(Error::new(Code::Internal, "A value of process memory was given to Redis."));
        };
        if body.len() < FIXED {
            return Err(Error::new(Code::Internal, "A value without an envelope was given to Redis."));
        }
        if write.guard.is_none() {
            restamp(body, *epoch);
        }
        let space = &self.space;
        pipeline.call(&self.server.scripts.set, *how, 3 + 2 * write.tags.len(), 8);
        pipeline.arg(space.epoch().as_bytes());
        pipeline.arg(space.entry(&write.key).as_bytes());
        pipeline.arg(space.fence(&write.key).as_bytes());
        for tag in &write.tags {
            pipeline.arg(space.record(tag).as_bytes());
            pipeline.arg(space.index(tag).as_bytes());
        }
        pipeline.arg(format!("{:016x}", Epoch::draw_generation()).as_bytes());
        pipeline.arg(format!("{:016x}", epoch.generation).as_bytes());
        pipeline.arg(epoch.n.to_string().as_bytes());
        pipeline.arg(if write.auto { b"1" } else { b"0" });
        pipeline.arg(if write.guard.is_some() { b"1" } else { b"0" });
        pipeline.arg(write.ttl.redis_px().map(|px| px.to_string()).unwrap_or_default().as_bytes());
        pipeline.arg(write.key.as_bytes());
        // With no epoch it can only be refused: the call then serves to begin one, and to make the records.
        pipeline.arg(if *epoch == Epoch::NONE { b"" } else { body });
        Ok(())
    }
}
