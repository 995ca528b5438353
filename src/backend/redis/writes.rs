//! Storing entries: a call of the script for each group of them, all calls in one request.

use super::Core;
use super::command::{Call, Pipeline, decimal};
use super::groups::{Group, Tag, group};
use super::reply;
use crate::backend::{Body, Write, Written};
use crate::codec::envelope::{FIXED, restamp};
use crate::error::{Code, Error, Result};
use crate::key::bucket;
use crate::tags::Epoch;
use redis::Value;

/// An unguarded set that a clear of its own tags overtakes is stamped anew and sent again, this often at most: it
/// takes a clear within each round trip to get so far.
const ROUNDS: usize = 5;

/// Flags of an entry in the script's arguments.
const AUTO: u8 = 1;
const GUARDED: u8 = 2;

pub(super) struct Slot {
    pub write: Write,
    pub epoch: Epoch,
    pub how: Call,
    pub outcome: Option<Result<Written>>,
}

enum Answer {
    Stored,
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
            for slot in slots.iter_mut().filter(|slot| slot.outcome.is_none()) {
                if let Err(error) = slot.prepare() {
                    slot.outcome = Some(Err(error));
                }
            }
            let groups = group(&slots);
            if groups.is_empty() {
                break;
            }
            let now = self.notes.now();
            let mut pipeline = Pipeline::default();
            pipeline.bytes.reserve(groups.iter().map(|group| group.bytes).sum());
            for group in &groups {
                self.put_group(&mut pipeline, group, now);
            }
            let answers = match deadline.bound(self.send(pipeline)).await {
                Ok(replies) => self.answers(&groups, replies, now),
                Err(error) => groups
                    .iter()
                    .flat_map(|group| &group.entries)
                    .map(|entry| (entry.at, Err(error.clone())))
                    .collect(),
            };
            take_answers(&mut slots, answers);
        }
        slots.into_iter().map(|slot| slot.outcome.unwrap_or(Ok(Written::Stale))).collect()
    }

    fn put_group(&self, pipeline: &mut Pipeline, group: &Group<'_>, now: u64) {
        let Group { entries, heads, tags, how, .. } = group;
        let names = &self.names;
        let keys = 2 + 2 * tags.len() + entries.len();
        pipeline.call(&self.server.scripts.set, *how, keys, 7 + 2 * heads.len() + entries.len());
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
            // With no epoch it can only be refused: the call then serves to begin one, and to make the records.
            pipeline.arg(if entry.slot.epoch == Epoch::NONE { b"" } else { entry.body });
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
                2 => Answer::Older(epoch),
                _ => Answer::Stale,
            })
        });
        Ok(answers.collect())
    }
}

impl Slot {
    /// Gives an entry that no miss guards the epoch that it goes by in this round.
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
        // guards it: it is stamped anew instead, and fresh.
        let softly = times.is_some() && guard.is_some();
        let auto = if *auto && !softly { AUTO } else { 0 };
        auto | if guard.is_some() { GUARDED } else { 0 }
    }
}

fn take_answers(slots: &mut [Slot], answers: Vec<(usize, Result<Answer>)>) {
    for (at, answer) in answers {
        let slot = &mut slots[at];
        match answer {
            Ok(Answer::Stored) => slot.outcome = Some(Ok(Written::Stored(None))),
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
