//! Storing entries: a call of the script for each group of them, all calls in one request. Nothing is done for tags: they stand
//! in the entry, and what is cleared of them stands in the log.

use super::Core;
use super::command::{Call, Pipeline, decimal};
use super::deadline::Deadline;
use super::reply;
use crate::codec::envelope::EntryVersion;
use crate::error::{Code, Error, Result};
use crate::model::key::bucket;
use crate::model::tag::{Clearance, Epoch};
use crate::model::ttl::Ttl;
use crate::store::asked::{Overtaken, UnderWay};
use crate::store::fifo_gate::Turn;
use crate::store::form::Wire;
use crate::store::request::{Write, WriteOutcome};
use futures_util::FutureExt;
use parking_lot::Mutex;
use redis::Value;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

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

/// A life in use is announced again after this time: what the server evicted or lost is there again then.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Calls after which the expired members of the index are counted.
const COUNT_EVERY: u32 = 8;
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

/// What this process has told the server of how long entries live, which says how long the log must keep a clear.
#[derive(Default)]
pub(super) struct Lives {
    told: Mutex<Option<Told>>,
    calls: AtomicU32,
}

#[derive(Clone, Copy)]
struct Told {
    /// In milliseconds.
    life: u64,
    at: Instant,
    /// The connection over which it was told: another one may lead to another server, or an empty one.
    connection_id: u64,
}

impl Lives {
    /// Whether a life must be announced: it is longer than what was told, or that is some time ago (the server may have lost it).
    fn announces(&self, life: u64, connection_id: u64) -> bool {
        let told = self.told.lock();
        !told.is_some_and(|told| {
            told.connection_id == connection_id && told.life >= life && told.at.elapsed() < TELL_EVERY
        })
    }

    /// The server has acknowledged it.
    fn told(&self, told: Told) {
        let mut known = self.told.lock();
        let is_shorter = known.is_some_and(|known| {
            known.connection_id == told.connection_id
                && known.at.elapsed() < TELL_EVERY
                && known.life > told.life
        });
        if !is_shorter {
            *known = Some(told);
        }
    }

    fn counts(&self) -> bool {
        self.calls.fetch_add(1, Relaxed).is_multiple_of(COUNT_EVERY)
    }
}

impl Core {
    pub async fn write(&self, writes: Vec<Write<Wire>>) -> Vec<Result<WriteOutcome>> {
        let deadline = self.deadline();
        let under_way = self.asked.sets(writes.iter().map(|write| write.key.as_str()));
        let turn = match self.settled(deadline).await {
            Ok(turn) => turn,
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
        self.send_sets(&mut slots, Call::Sha, &[], over, turn, deadline).await;
        if slots.iter().any(|slot| slot.outcome.is_none()) {
            let cleared = give_way(&mut slots, &under_way);
            self.send_sets(&mut slots, Call::Text, &cleared, over, None, deadline).boxed().await;
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
        over: Option<u64>,
        turn: Option<Turn<'_>>,
        deadline: Deadline,
    ) {
        let mut groups = groups(slots);
        if groups.is_empty() && cleared.is_empty() {
            return;
        }
        let mut pipeline = Pipeline::default();
        pipeline.bytes.reserve(groups.iter().map(|group| group.bytes).sum());
        let connection_id = self.link.connection_id();
        for group in &mut groups {
            group.announces = self.put_group(&mut pipeline, slots, group, how, connection_id);
        }
        for at in cleared {
            pipeline.push(&[b"UNLINK", self.space.entry(&slots[*at].write.key).as_bytes()]);
        }
        let replies = self.send_on(over, pipeline);
        drop(turn);
        let answers = match deadline.bound(replies).await {
            Ok(mut replies) => {
                let removed = replies.split_off(groups.len().min(replies.len()));
                let removed = removed.iter().map(|reply| reply::integer(reply).map(|_| Answer::Stored));
                let mut answers = self.answers(&groups, replies);
                answers.extend(cleared.iter().copied().zip(removed));
                answers
            }
            Err(error) => {
                let sent = groups.iter().flat_map(|group| &group.entries).copied();
                sent.chain(cleared.iter().copied()).map(|at| (at, Err(error.clone()))).collect()
            }
        };
        for (at, answer) in answers {
            slots[at].outcome = match answer {
                Ok(Answer::Stored) => Some(Ok(WriteOutcome::Stored(None))),
                Ok(Answer::Stale) => Some(Ok(WriteOutcome::Stale)),
                Ok(Answer::Forgotten) => None,
                Err(error) => Some(Err(error)),
            };
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
    ) -> Option<Told> {
        let names = &self.names;
        let entries = || group.entries.iter().map(|at| &slots[*at]);
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
        let announced = Some(longest).filter(|life| self.lives.announces(*life, connection_id));
        match announced {
            Some(ms) => pipeline.number(ms),
            None => pipeline.arg(b""),
        }
        pipeline.arg(if is_indexed && self.lives.counts() { b"1" } else { b"0" });
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
        announced.map(|life| Told { life, at: Instant::now(), connection_id })
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
            self.lives.told(told);
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
    announces: Option<Told>,
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

/// 16 hex digits, as the server keeps it.
pub(super) fn generation_text(generation: u64) -> [u8; 16] {
    let digits = b"0123456789abcdef";
    std::array::from_fn(|at| digits[(generation >> (60 - 4 * at)) as usize & 15])
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

/// What is sent again must not end on top of what was asked for after it. Answers those that a clear has overtaken.
fn give_way(slots: &mut [Slot], under_way: &UnderWay<'_>) -> Vec<usize> {
    let mut cleared = Vec::new();
    for at in 0..slots.len() {
        let (before, after) = slots.split_at_mut(at + 1);
        let Slot { write, outcome, .. } = &mut before[at];
        if outcome.is_some() {
            continue;
        }
        let stored = |other: &Slot| matches!(other.outcome, Some(Ok(WriteOutcome::Stored(_))));
        if after.iter().any(|other| other.write.key == write.key && stored(other)) {
            *outcome = Some(Ok(WriteOutcome::Stored(None)));
            continue;
        }
        *outcome = match under_way.overtaken(&write.key, &write.tags) {
            Overtaken::No => None,
            Overtaken::Replaced => Some(Ok(WriteOutcome::Stored(None))),
            // Unless its removal fails.
            Overtaken::Cleared => {
                cleared.push(at);
                Some(Ok(WriteOutcome::Stored(None)))
            }
            Overtaken::Perhaps => Some(Ok(WriteOutcome::Stale)),
        };
    }
    cleared
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

    #[test]
    fn a_life_is_announced_until_it_was_told_over_the_present_connection() {
        let lives = Lives::default();
        let told = |life| lives.told(Told { life, at: Instant::now(), connection_id: 1 });
        assert!(lives.announces(50, 1) && lives.announces(50, 1));
        told(50);
        assert!(!lives.announces(50, 1) && !lives.announces(1, 1));
        assert!(lives.announces(60, 1) && lives.announces(1, 2));
        told(60);
        told(50);
        assert!(!lives.announces(60, 1), "answers may come in any order");
        *lives.told.lock() =
            Some(Told { life: 60, at: Instant::now().checked_sub(TELL_EVERY).unwrap(), connection_id: 1 });
        assert!(lives.announces(1, 1));
    }

    #[test]
    fn a_generation_is_written_as_the_scripts_read_it() {
        for generation in [1, 0xfedc_ba98_7654_3210, u64::MAX] {
            assert_eq!(generation_text(generation), format!("{generation:016x}").as_bytes());
        }
    }
}
