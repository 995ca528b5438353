//! Records of tags: how a missing one comes into being.
//!
//! Add it marked pending, then read the epoch, then swap the record for that epoch, by compare-and-swap. Between the
//! add and the swap a clear finds the pending record and deletes it, so a record can never come into being with an
//! epoch older than a clear that has ended. A record that another process left pending is helped the same way.
//!
//! All records that a set needs go through these steps together: two round trips for thousands of them.

use super::commands::{MetaGetFlags, MetaSetFlags, Replies, Version, seconds};
use super::core::{Core, Counter};
use super::protocol::{Outcome, Reply};
use crate::error::Result;
use crate::model::tag::{Epoch, Record};
use crate::model::ttl::Ttl;
use crate::net::cluster::router::Location;
use crate::net::cluster::scatter::Slot;

/// A record before its epoch is known. No text of `tags::Record` reads like it.
const PENDING: &[u8] = b"?";

/// What a record outlives its entries by: twice their life and this, so that sets of one tag touch it rarely.
const SPARE_MS: u64 = 60_000;

/// Turns after which making a record is given up and the set was in vain: each lost turn is a clear of the same tag
/// between two round trips, or an eviction of a record just written.
const MAX_TURNS: usize = 16;

/// What a read of a record's key says.
#[derive(Clone, Copy, Debug)]
pub enum RecordState {
    Missing,
    /// Another process was faster: it is to be looked at again.
    Unknown,
    Pending(Version, Ttl),
    Value(Record, Version, Ttl),
    /// Bytes that are no record.
    Foreign(Version),
}

/// A record that a set needs, as its batch found it.
pub struct Needed {
    pub place: Location,
    pub held: RecordState,
    /// The longest life of the entries that need it.
    pub entry: Ttl,
}

pub fn record_state(reply: &Reply) -> RecordState {
    let (Some(version), Some(text)) = (Version::of(reply), reply.value.as_deref()) else {
        return RecordState::Missing;
    };
    if text == PENDING {
        return RecordState::Pending(version, reply.remaining());
    }
    match Record::parse(text) {
        Some(record) => RecordState::Value(record, version, reply.remaining()),
        None => RecordState::Foreign(version),
    }
}

/// Of bookkeeping that entries of this life need.
pub fn outliving(entry: Ttl) -> Ttl {
    match entry {
        Ttl::Forever => Ttl::Forever,
        Ttl::Ms(ms) => Ttl::Ms(ms.saturating_mul(2).saturating_add(SPARE_MS)),
    }
}

/// Whether something with this life left goes before entries of that life.
pub fn too_short(left: Ttl, entry: Ttl) -> bool {
    match (left, entry) {
        (Ttl::Forever, _) => false,
        (Ttl::Ms(_), Ttl::Forever) => true,
        // A second apart is rounding.
        (Ttl::Ms(left), Ttl::Ms(entry)) => left.saturating_add(1000) < entry,
    }
}

impl Core {
    /// Sees to it that these records exist and live long enough. `epoch` is what the set's batch read.
    pub async fn settle(&self, mut needed: Vec<Needed>, mut epoch: Epoch) -> Vec<Result<()>> {
        let mut results: Vec<Result<()>> = needed.iter().map(|_| Ok(())).collect();
        self.lengthen(&needed, epoch);
        let mut open: Vec<usize> =
            (0..needed.len()).filter(|at| !settled(&needed[*at].held, epoch)).collect();
        for _ in 0..MAX_TURNS {
            if open.is_empty() {
                break;
            }
            let turn = self.turn(&mut needed, &open, &mut epoch, &mut results).await;
            if let Err(error) = turn {
                for at in open.drain(..) {
                    results[at] = Err(error.clone());
                }
            }
            open.retain(|at| results[*at].is_ok() && !settled(&needed[*at].held, epoch));
        }
        results
    }

    /// Touches records that would go before the entry does, which is rare: they live twice as long and more.
    fn lengthen(&self, needed: &[Needed], epoch: Epoch) {
        let mut batch = self.batch();
        for need in needed {
            if let RecordState::Value(record, _, left) = need.held
                && record.generation == epoch.generation
                && too_short(left, need.entry)
            {
                batch.get(
                    &need.place,
                    MetaGetFlags { touch: Some(seconds(outliving(need.entry))), ..MetaGetFlags::default() },
                );
            }
        }
        if !batch.is_empty() {
            self.runtime.spawn(self.send_now(batch));
        }
    }

    async fn turn(
        &self,
        needed: &mut [Needed],
        open: &[usize],
        epoch: &mut Epoch,
        results: &mut [Result<()>],
    ) -> Result<()> {
        // Where none is, add one that is pending.
        let mut batch = self.batch();
        let (mut added, mut looked) = (Vec::new(), Vec::new());
        for &at in open {
            let Needed { place, held, entry } = &needed[at];
            match held {
                RecordState::Pending(..) => continue,
                RecordState::Unknown => {
                    looked.push((at, batch.get(place, MetaGetFlags::VALUE_TTL)));
                    continue;
                }
                RecordState::Value(_, version, _) | RecordState::Foreign(version) => {
                    batch.delete_version(place, *version);
                }
                RecordState::Missing => {}
            }
            let put = MetaSetFlags { flags: 0, life: seconds(outliving(*entry)) };
            added.push((at, batch.add(place, PENDING, put)));
        }
        // The epoch must be read after a record was added or found pending. A server does a connection's commands in order,
        // so on the epoch's own server the same batch will do.
        let mut places = added.iter().chain(&looked).map(|(at, _)| needed[*at].place.node);
        let read = places.all(|server| server == self.epoch.node);
        let read = read.then(|| batch.get(&self.epoch, MetaGetFlags::VALUE));
        let mut replies = self.send(batch).await;
        for (at, slot) in added {
            match replies.take(slot) {
                Ok(reply) => match reply.outcome {
                    Outcome::Failed(_) | Outcome::Rejected(_) => results[at] = Err(reply.unexpected()),
                    _ => {
                        let added = Version::of(&reply).filter(|_| reply.done());
                        let life = outliving(needed[at].entry);
                        needed[at].held =
                            added.map_or(RecordState::Unknown, |version| RecordState::Pending(version, life));
                    }
                },
                Err(error) => results[at] = Err(error),
            }
        }
        take_looks(needed, looked, &mut replies, results);
        *epoch = match read.map(|slot| self.epoch_from(&mut replies, slot)).transpose()? {
            Some(Counter::At(epoch)) => epoch,
            // Making one anew is fine: whatever was stamped before is of another generation.
            other => self.read_epoch(other).await?,
        };
        self.swap(needed, open, *epoch, results).await;
        Ok(())
    }

    /// Swaps what is pending for a record at this epoch, and looks where another was faster.
    async fn swap(&self, needed: &mut [Needed], open: &[usize], epoch: Epoch, results: &mut [Result<()>]) {
        let mut batch = self.batch();
        let (mut swaps, mut looked) = (Vec::new(), Vec::new());
        let record = Record::at(epoch);
        let text = record.to_string();
        for &at in open {
            let Needed { place, held, entry } = &needed[at];
            match held {
                RecordState::Pending(version, left) => {
                    let life = left.max(outliving(*entry));
                    let put = MetaSetFlags { flags: 0, life: seconds(life) };
                    swaps.push((at, batch.replace(place, *version, text.as_bytes(), put), life));
                }
                RecordState::Unknown => looked.push((at, batch.get(place, MetaGetFlags::VALUE_TTL))),
                _ => {}
            }
        }
        if batch.is_empty() {
            return;
        }
        let mut replies = self.send(batch).await;
        for (at, slot, life) in swaps {
            match replies.take(slot) {
                Ok(reply) => match (&reply.outcome, Version::of(&reply)) {
                    // Ours, even if a clear has taken it away again since: then the entry is rightly invalid.
                    (Outcome::Done, Some(version)) => {
                        needed[at].held = RecordState::Value(record, version, life)
                    }
                    (Outcome::NotFound, _) => needed[at].held = RecordState::Missing,
                    (Outcome::Failed(_) | Outcome::Rejected(_), _) => results[at] = Err(reply.unexpected()),
                    _ => needed[at].held = RecordState::Unknown,
                },
                Err(error) => results[at] = Err(error),
            }
        }
        take_looks(needed, looked, &mut replies, results);
    }
}

fn take_looks(
    needed: &mut [Needed],
    looked: Vec<(usize, Slot)>,
    replies: &mut Replies,
    results: &mut [Result<()>],
) {
    for (at, slot) in looked {
        match replies.take(slot) {
            Ok(reply) => needed[at].held = record_state(&reply),
            Err(error) => results[at] = Err(error),
        }
    }
}

fn settled(held: &RecordState, epoch: Epoch) -> bool {
    matches!(held, RecordState::Value(record, ..) if record.generation == epoch.generation)
}
