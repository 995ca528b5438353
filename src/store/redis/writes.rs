//! Storing entries: a call of the script for each group of them, all calls in one request. Nothing is done for tags: they stand
//! in the entry, and what is cleared of them stands in the log.

use super::command::{Call, Pipeline, decimal, generation_text};
use super::core::Core;
use super::deadline::Deadline;
use super::longest_life::Announcement;
use super::reply;
use crate::codec::envelope::EntryVersion;
use crate::error::{Code, Error, Result};
use crate::model::key::bucket;
use crate::model::tag::{Clearance, Epoch};
use crate::model::ttl::Ttl;
use crate::store::fifo_gate::Permit;
use crate::store::form::Wire;
use crate::store::request::{Write, WriteOutcome};
use redis::Value;
use std::time::Instant;

/// Flags of an entry in the script's arguments.
const GUARDED: u64 = 1;
const INDEXED: u64 = 2;

/// Bounds of one call, which nobody else's command interrupts: a fraction of a millisecond of the server's time. One entry
/// passes whatever its size.
const ENTRIES: usize = 32;
const BYTES: usize = 256 * 1024;
/// What an entry's arguments take beside its key and bytes: about this much.
const OVERHEAD: usize = 128;

/// An entry without tags that ends within this time is not entered into the index: the server removes it by itself, soon
/// enough. (A clear of everything, or of a namespace, leaves it until then.)
const SOON: u64 = 24 * 3_600_000;

/// As many are left to the next count; more are removed behind.
const FEW_EXPIRED: i64 = 64;

struct Slot {
    write: Write<Wire>,
    epoch: Epoch,
    outcome: Option<Result<WriteOutcome>>,
}

enum Answer {
    Stored,
    Stale,
    /// The server does not know the script.
    Forgotten,
}

impl Core {
    pub async fn write(&self, writes: Vec<Write<Wire>>) -> Vec<Result<WriteOutcome>> {
        let deadline = self.deadline();
        let permit = match self.wait_for_deferred(deadline).await {
            Ok(permit) => permit,
            Err(error) => return writes.iter().map(|_| Err(error.clone())).collect(),
        };
        let (mut slots, connection_id): (Vec<Slot>, u64) = {
            let clears = self.server.state.clears.lock();
            let history = self.server.state.history.lock();
            let present = clears.known_to();
            let now = Instant::now();
            let slot = |write: Write<Wire>| {
                let epoch = write.guard.map_or(present, |guard| guard.epoch);
                let mut slot = Slot { write, epoch, outcome: None };
                slot.prepare();
                if let Some(guard) = slot.write.guard {
                    let cleared =
                        clears.has_cleared(guard.epoch, slot.write.auto, slot.write.tags.iter().copied());
                    // An entry with times that an automatic invalidation overtook is stored: it is a stale one.
                    let is_dead = !history.accepts(guard.lease, now)
                        || cleared == Clearance::Hard
                        || cleared == Clearance::Soft && slot.write.times.is_none();
                    if is_dead {
                        slot.outcome.get_or_insert(Ok(WriteOutcome::Stale));
                    }
                }
                slot
            };
            (writes.into_iter().map(slot).collect(), history.connection_id())
        };
        // Another connection may lead to a history in which what was read before the set is outdated.
        let is_guarded = |slot: &Slot| slot.outcome.is_none() && slot.write.guard.is_some();
        let over = slots.iter().any(is_guarded).then_some(connection_id);
        self.send_sets(&mut slots, over, permit, deadline).await;
        let lost = || {
            Err(Error::new(
                Code::Server,
                "Redis answered fewer sets than it was sent; is a proxy in between?",
            ))
        };
        slots.into_iter().map(|slot| slot.outcome.unwrap_or_else(lost)).collect()
    }

    /// Sends those that have no outcome yet.
    async fn send_sets(
        &self,
        slots: &mut [Slot],
        over: Option<u64>,
        permit: Option<Permit<'_>>,
        deadline: Deadline,
    ) {
        let mut groups = groups(slots);
        if groups.is_empty() {
            return;
        }
        let mut pipeline = Pipeline::default();
        pipeline.bytes.reserve(groups.iter().map(|group| group.bytes).sum());
        let connection_id = self.client.connection_id();
        // What the first call tells the server by its text, it knows for the others.
        let mut how = self.server.set_script.call(connection_id);
        for group in &mut groups {
            group.announces = self.put_group(&mut pipeline, slots, group, how, connection_id);
            how = Call::Sha;
        }
        let replies = self.send_on(over, pipeline);
        drop(permit);
        let answers = match deadline.bound(replies).await {
            Ok(replies) => self.answers(&groups, replies),
            Err(error) => {
                let sent = groups.iter().flat_map(|group| &group.entries).copied();
                sent.map(|at| (at, Err(error.clone()))).collect()
            }
        };
        let mut forgotten = 0;
        for (at, answer) in answers {
            let Some(slot) = slots.get_mut(at) else { continue };
            slot.outcome = Some(answer.map(|answer| match answer {
                Answer::Stored => WriteOutcome::Stored(None),
                Answer::Stale => WriteOutcome::Stale,
                Answer::Forgotten => {
                    forgotten += 1;
                    WriteOutcome::Stale
                }
            }));
        }
        if forgotten > 0 {
            self.server.forgot_set_script(forgotten, connection_id);
        }
    }

    /// Answers the life that is announced with it, if one is.
    fn put_group(
        &self,
        pipeline: &mut Pipeline,
        slots: &[Slot],
        group: &Group,
        how: Call,
        connection_id: u64,
    ) -> Option<Announcement> {
        let names = &self.names;
        let entries = || group.entries.iter().filter_map(|at| slots.get(*at));
        // Entries that never end are members of the index, which says so.
        let longest = entries().filter_map(|slot| slot.write.ttl.redis_px()).max().unwrap_or(0);
        let is_indexed = entries().any(Slot::is_indexed);
        pipeline.call(&self.server.scripts.set, how, 5 + group.entries.len(), 5 + 5 * group.entries.len());
        for name in [&names.epoch, &names.log, &names.fences, &names.index, &names.longest] {
            pipeline.arg(name.as_bytes());
        }
        for slot in entries() {
            pipeline.arg_of(&[names.entry.as_bytes(), slot.write.key.as_bytes()]);
        }
        pipeline.arg(&generation_text(Epoch::draw_generation()));
        pipeline.number(group.entries.len() as u64);
        pipeline.number(names.entry.len() as u64 + 1);
        let announced = Some(longest).filter(|life| self.longest_life.announces(*life, connection_id));
        match announced {
            Some(ms) => pipeline.number(ms),
            None => pipeline.arg(b""),
        }
        pipeline.arg(if is_indexed && self.longest_life.counts() { b"1" } else { b"0" });
        for slot in entries() {
            let generation = generation_text(slot.epoch.generation);
            decimal(slot.epoch.n, |n| pipeline.arg_of(&[&generation, b" ", n]));
            let guarded = if slot.write.guard.is_some() { GUARDED } else { 0 };
            pipeline.number(guarded | if slot.is_indexed() { INDEXED } else { 0 });
            match slot.write.ttl.redis_px() {
                Some(px) => pipeline.number(px),
                None => pipeline.arg(b""),
            }
            match slot.write.guard.and_then(|guard| guard.found) {
                Some(EntryVersion(found)) => pipeline.arg_of(&[&bucket(&slot.write.key), &found]),
                None => pipeline.arg(&bucket(&slot.write.key)),
            }
            pipeline.arg(&slot.write.body);
        }
        announced.map(|life| Announcement { life, at: Instant::now(), connection_id })
    }

    fn answers(&self, groups: &[Group], replies: Vec<Value>) -> Vec<(usize, Result<Answer>)> {
        let mut replies = replies.into_iter();
        let mut answers = Vec::new();
        for group in groups {
            match self.answer(group, replies.next().unwrap_or(Value::Nil)) {
                Ok(found) => answers.extend(group.entries.iter().copied().zip(found)),
                Err(error) => answers.extend(group.entries.iter().map(|at| (*at, Err(error.clone())))),
            }
        }
        answers
    }

    /// What became of each entry of a group.
    fn answer(&self, group: &Group, reply: Value) -> Result<Vec<Result<Answer>>> {
        let count = group.entries.len();
        if reply::forgot_script(&reply) {
            return Ok((0..count).map(|_| Ok(Answer::Forgotten)).collect());
        }
        let fields = reply::array(reply)?;
        let (Some(answers), Some(expired)) = (fields.get(..count), fields.get(count)) else {
            return Err(Error::new(
                Code::Server,
                "Redis answered a script with something else; is a proxy in between?",
            ));
        };
        if let Some(told) = group.announces {
            self.longest_life.acknowledged(told);
        }
        if reply::integer(expired)? > FEW_EXPIRED {
            self.sweeper.shed();
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

/// What one call stores: places among all that are written.
struct Group {
    entries: Vec<usize>,
    bytes: usize,
    announces: Option<Announcement>,
}

/// Those that have no outcome yet, in their order, in as few calls as their bounds allow.
fn groups(slots: &[Slot]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, slot) in slots.iter().enumerate().filter(|(_, slot)| slot.outcome.is_none()) {
        let bytes = 2 * OVERHEAD + slot.write.key.len() + slot.write.body.len();
        match groups.last_mut() {
            Some(last) if last.entries.len() < ENTRIES && last.bytes + bytes <= BYTES => {
                last.entries.push(at);
                last.bytes += bytes;
            }
            _ => groups.push(Group { entries: vec![at], bytes, announces: None }),
        }
    }
    groups
}

impl Slot {
    /// Gives an entry that no miss guards the epoch that is known; should it be too old, the script gives it another.
    fn prepare(&mut self) {
        if self.write.guard.is_none() {
            self.write.body.restamp(self.epoch);
        }
    }

    fn is_indexed(&self) -> bool {
        let Write { tags, ttl, .. } = &self.write;
        tags.iter().any(|tag| !tag.is_namespace()) || !matches!(ttl, Ttl::Ms(ms) if *ms <= SOON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::envelope::Codec;
    use crate::codec::value::Packed;
    use crate::store::form::{Attributes, EntryForm};

    const ATTRIBUTES: Attributes<'static> =
        Attributes { tags: &[], auto: true, epoch: Epoch::NONE, expires_at: 1, times: None, key: None };

    fn value(bytes: usize) -> Packed {
        Packed { codec: Codec::None, payload: vec![0; bytes], raw_len: bytes as u32, binary: true }
    }

    fn slot(key: &str, bytes: usize) -> Slot {
        let write = Write {
            key: key.to_owned(),
            tags: Vec::new(),
            auto: true,
            ttl: Ttl::Ms(1),
            times: None,
            guard: None,
            body: Wire::encode(value(bytes), ATTRIBUTES).unwrap(),
        };
        Slot { write, epoch: Epoch::NONE, outcome: None }
    }

    fn shape(slots: &[Slot]) -> Vec<usize> {
        groups(slots).iter().map(|group| group.entries.len()).collect()
    }

    #[test]
    fn a_call_is_bounded_by_entries_and_bytes() {
        let small: Vec<_> = (0..70).map(|i| slot(&i.to_string(), 100)).collect();
        assert_eq!(shape(&small), [32, 32, 6]);
        let large: Vec<_> = (0..5).map(|i| slot(&i.to_string(), 100_000)).collect();
        assert_eq!(shape(&large), [2, 2, 1]);
        let mut huge = [slot("a", 1), slot("b", 2 * BYTES), slot("c", 1), slot("d", 1)];
        huge[2].outcome = Some(Ok(WriteOutcome::Stale));
        assert_eq!(shape(&huge), [1, 1, 1]);
    }
}
