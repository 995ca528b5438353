//! Storing entries: a call of the script for each group of them, all calls in one request.

use super::Core;
use super::command::{Call, Pipeline, decimal};
use super::deadline::Deadline;
use super::groups::{Group, Tag, group};
use super::reply;
use crate::backend::asked::{Overtaken, UnderWay};
use crate::backend::line::Turn;
use crate::backend::{Body, Write, Written};
use crate::codec::envelope::{FIXED, restamp};
use crate::error::{Code, Error, Result};
use crate::key::bucket;
use crate::tags::Epoch;
use futures_util::FutureExt;
use redis::Value;

/// Flags of an entry in the script's arguments.
const AUTO: u8 = 1;
const GUARDED: u8 = 2;

pub(super) struct Slot {
    pub write: Write,
    pub epoch: Epoch,
    pub outcome: Option<Result<Written>>,
}

enum Answer {
    Stored,
    Stale,
    /// The server does not know the script.
    Forgotten,
}

impl Core {
    pub async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let deadline = self.deadline();
        let under_way = self.asked.sets(writes.iter().map(|write| write.key.as_str()));
        let turn = match self.settled(deadline).await {
            Ok(turn) => turn,
            Err(error) => return writes.iter().map(|_| Err(error.clone())).collect(),
        };
        let seen = self.server.seen();
        let mut slots: Vec<Slot> = writes
            .into_iter()
            .map(|write| {
                let epoch = write.guard.map_or(seen, |guard| guard.epoch);
                let mut slot = Slot { write, epoch, outcome: None };
                slot.outcome = slot.prepare().err().map(Err);
                slot
            })
            .collect();
        self.send_sets(&mut slots, Call::Sha, &[], turn, deadline).await;
        if slots.iter().any(|slot| slot.outcome.is_none()) {
            let cleared = give_way(&mut slots, &under_way);
            self.send_sets(&mut slots, Call::Text, &cleared, None, deadline).boxed().await;
        }
        let forgotten = || Err(Error::new(Code::Server, "Redis forgot a script it was given."));
        slots.into_iter().map(|slot| slot.outcome.unwrap_or_else(forgotten)).collect()
    }

    /// Those that have no outcome yet; of the ones that are `cleared` nothing is left.
    async fn send_sets(
        &self,
        slots: &mut [Slot],
        how: Call,
        cleared: &[usize],
        turn: Option<Turn<'_>>,
        deadline: Deadline,
    ) {
        let groups = group(slots);
        if groups.is_empty() && cleared.is_empty() {
            return;
        }
        let now = self.notes.now();
        let mut pipeline = Pipeline::default();
        pipeline.bytes.reserve(groups.iter().map(|group| group.bytes).sum());
        for group in &groups {
            self.put_group(&mut pipeline, group, how, now);
        }
        for at in cleared {
            pipeline.push(&[b"UNLINK", self.space.entry(&slots[*at].write.key).as_bytes()]);
        }
        let replies = self.send(pipeline);
        drop(turn);
        let answers = match deadline.bound(replies).await {
            Ok(mut replies) => {
                let removed = replies.split_off(groups.len().min(replies.len()));
                let removed = removed.iter().map(|reply| reply::integer(reply).map(|_| Answer::Stored));
                let mut answers = self.answers(&groups, replies, now);
                answers.extend(cleared.iter().copied().zip(removed));
                answers
            }
            Err(error) => {
                let sent = groups.iter().flat_map(|group| &group.entries).map(|entry| entry.at);
                sent.chain(cleared.iter().copied()).map(|at| (at, Err(error.clone()))).collect()
            }
        };
        for (at, answer) in answers {
            slots[at].outcome = match answer {
                Ok(Answer::Stored) => Some(Ok(Written::Stored(None))),
                Ok(Answer::Stale) => Some(Ok(Written::Stale)),
                Ok(Answer::Forgotten) => None,
                Err(error) => Some(Err(error)),
            };
        }
    }

    fn put_group(&self, pipeline: &mut Pipeline, group: &Group<'_>, how: Call, now: u64) {
        let Group { entries, heads, tags, .. } = group;
        let names = &self.names;
        let keys = 2 + 2 * tags.len() + entries.len();
        pipeline.call(&self.server.scripts.set, how, keys, 7 + 2 * heads.len() + entries.len());
        pipeline.arg(names.epoch.as_bytes());
        for tag in tags {
            pipeline.arg_of(&[names.record.as_bytes(), tag.name.as_bytes()]);
        }
        for tag in tags {
            pipeline.arg_of(&[names.index.as_bytes(), tag.name.as_bytes()]);
        }
        for entry in entries {
            pipeline.arg_of(&[names.entry.as_bytes(), entry.slot.write.key.as_bytes()]);
        }
        pipeline.arg(names.fences.as_bytes());
        pipeline.arg(format!("{:016x}", Epoch::draw_generation()).as_bytes());
        pipeline.number(entries.len() as u64);
        pipeline.number(heads.len() as u64);
        pipeline.number(names.entry.len() as u64 + 1);
        let mut bytes = Vec::with_capacity(3 * tags.len() + 8 * entries.len());
        for entry in entries {
            bytes.extend_from_slice(&[entry.slot.flags(), entry.head]);
        }
        pipeline.arg(&bytes);
        bytes.clear();
        for Tag { name, longest, entries } in tags {
            let sets = entries.len() as u8;
            let life = heads[usize::from(*longest) - 1].1;
            bytes.extend_from_slice(&[self.notes.due(name, sets, life, now), *longest, sets]);
            bytes.extend_from_slice(entries);
        }
        pipeline.arg(&bytes);
        for (epoch, life) in heads {
            let generation = format!("{:016x} ", epoch.generation);
            decimal(epoch.n, |n| pipeline.arg_of(&[generation.as_bytes(), n]));
            match life.redis_px() {
                Some(px) => pipeline.number(px),
                None => pipeline.arg(b""),
            }
        }
        bytes.clear();
        for entry in entries {
            bytes.extend_from_slice(&bucket(&entry.slot.write.key));
        }
        pipeline.arg(&bytes);
        for entry in entries {
            pipeline.arg(entry.body);
        }
    }

    fn answers(&self, groups: &[Group<'_>], replies: Vec<Value>, now: u64) -> Vec<(usize, Result<Answer>)> {
        let mut replies = replies.into_iter();
        let mut answers = Vec::new();
        for group in groups {
            match self.answer(group, replies.next().unwrap_or(Value::Nil), now) {
                Ok(found) => answers.extend(group.entries.iter().map(|entry| entry.at).zip(found)),
                Err(error) => {
                    answers.extend(group.entries.iter().map(|entry| (entry.at, Err(error.clone()))))
                }
            }
        }
        answers
    }

    /// What became of each entry of a group.
    fn answer(&self, group: &Group<'_>, reply: Value, now: u64) -> Result<Vec<Result<Answer>>> {
        let count = group.entries.len();
        if reply::forgot_script(&reply) {
            return Ok((0..count).map(|_| Ok(Answer::Forgotten)).collect());
        }
        let fields = reply::array(reply)?;
        let (Some(answers), Some(epoch)) = (fields.get(..count), fields.get(count).and_then(reply::text))
        else {
            return Err(Error::new(
                Code::Server,
                "Redis answered a script with something else; is a proxy in between?",
            ));
        };
        // Told only where it matters.
        let epoch = match epoch.split_once(' ') {
            Some((generation, n)) => reply::epoch_of(generation, n).unwrap_or(Epoch::NONE),
            None => Epoch::NONE,
        };
        self.server.saw(epoch);
        for told in fields[count + 1..].chunks_exact(4) {
            let number = |at: usize| reply::integer(&told[at]);
            let Some(tag) = usize::try_from(number(0)? - 1).ok().and_then(|at| group.tags.get(at)) else {
                continue;
            };
            self.notes.learn(tag.name, number(1)?, number(2)?, now);
            self.crowds.stored(tag.name, number(3)?);
        }
        let answers = answers.iter().map(|field| {
            Ok(match reply::integer(field)? {
                1 => Answer::Stored,
                _ => Answer::Stale,
            })
        });
        Ok(answers.collect())
    }
}

impl Slot {
    /// Gives an entry that no miss guards the epoch that it goes by. Should that be too old, the script gives it another.
    fn prepare(&mut self) -> Result<()> {
        let Body::Wire(body) = &mut self.write.body else {
            return Err(Error::new(Code::Internal, "A value of process memory was given to Redis."));
        };
        if body.len() < FIXED {
            return Err(Error::new(Code::Internal, "A value without an envelope was given to Redis."));
        }
        if self.write.guard.is_none() {
            restamp(body, self.epoch);
        }
        Ok(())
    }

    fn flags(&self) -> u8 {
        let Write { auto, times, guard, .. } = &self.write;
        // An entry with times that an automatic invalidation overtook is stored as a stale one. Not where nothing
        // guards it: the script stamps it anew instead, and it is fresh.
        let softly = times.is_some() && guard.is_some();
        let auto = if *auto && !softly { AUTO } else { 0 };
        auto | if guard.is_some() { GUARDED } else { 0 }
    }
}

/// What is sent again must not end on top of what was asked for after it. Answers those that a clear has overtaken.
fn give_way(slots: &mut [Slot], under_way: &UnderWay<'_>) -> Vec<usize> {
    let mut cleared = Vec::new();
    for at in 0..slots.len() {
        let (before, after) = slots.split_at_mut(at + 1);
        let Slot { write, outcome, .. } = &mut before[at];
        if outcome.is_some() {
            continue;
        }
        let stored = |other: &Slot| matches!(other.outcome, Some(Ok(Written::Stored(_))));
        if after.iter().any(|other| other.write.key == write.key && stored(other)) {
            *outcome = Some(Ok(Written::Stored(None)));
            continue;
        }
        *outcome = match under_way.overtaken(&write.key, &write.tags) {
            Overtaken::No => None,
            Overtaken::Replaced => Some(Ok(Written::Stored(None))),
            // Unless its removal fails.
            Overtaken::Cleared => {
                cleared.push(at);
                Some(Ok(Written::Stored(None)))
            }
            Overtaken::Perhaps => Some(Ok(Written::Stale)),
        };
    }
    cleared
}
