//! Storing and clearing.

use super::op::{Input, Outcome};
use super::read::ReadMode;
use super::state::Engine;
use crate::error::{Code, Error, Result};
use crate::model::tag::{Epoch, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::{Times, Ttl};
use crate::store::form::{Attributes, EntryForm};
use crate::store::guard::Guard;
use crate::store::request::{Clear, Write, WriteOutcome};
use crate::store::traits::Store;
use futures_util::future::join;
use std::collections::BTreeSet;
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

pub(super) struct SetOp {
    pub key: String,
    pub value: Input,
    pub tags: Vec<Tag>,
    pub ttl: Ttl,
    pub auto: bool,
    pub ticket: Option<Guard>,
    pub times: Option<Times>,
}

impl SetOp {
    /// A hash of what is stored: the value, its tags in any order, and what clears spare it.
    pub fn content(&self) -> u64 {
        let mut hash = Xxh3Default::new();
        match &self.value {
            Input::Text(bytes) | Input::Binary(bytes) => hash.update(bytes),
            Input::Wide(units) => {
                let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_ne_bytes()).collect();
                hash.update(&bytes);
            }
            Input::Packed(packed) => hash.update(&packed.payload),
            Input::Lost => {}
        }
        let tags = self.tags.iter().fold(0u64, |sum, tag| sum.wrapping_add(tag.0));
        hash.update(&tags.to_ne_bytes());
        hash.update(&[u8::from(self.auto)]);
        hash.digest()
    }
}

impl<S: Store> Engine<S> {
    pub(super) async fn sets(&self, sets: Vec<SetOp>, now: UnixMs) -> Vec<Outcome> {
        let clock = Instant::now();
        let mut out: Vec<Option<Outcome>> = Vec::with_capacity(sets.len());
        let mut writes = Vec::with_capacity(sets.len());
        let mut guards = Vec::with_capacity(sets.len());
        let ticketed = sets.iter().filter(|set| S::Form::IS_REMOTE && set.ticket.is_some());
        let counted = self.unacknowledged.begin(ticketed.map(|set| set.key.clone()).collect());
        for set in sets {
            let ticketed = set.ticket.is_some();
            let guard = set.ticket.or_else(|| self.misses.take(&set.key, || set.content(), clock));
            let key = set.key.clone();
            match self.prepare(set, guard, now) {
                Ok(write) => {
                    guards.push((key, guard, ticketed));
                    writes.push(write);
                    out.push(None);
                }
                Err(error) => {
                    self.stats.failed(&error);
                    out.push(Some(Outcome::Failed(error)));
                }
            }
        }
        let written = if writes.is_empty() { Vec::new() } else { self.store.write(writes, now).await };
        drop(counted);
        let mut wrote = written.into_iter().zip(guards).map(|(written, (key, guard, ticketed))| {
            self.wrote((!ticketed).then_some(&*key), guard, written)
        });
        let out =
            out.into_iter().map(|done| done.or_else(|| wrote.next()).unwrap_or(Outcome::Done)).collect();
        if let Some(sweeps) = &self.sweeps {
            self.store.oversized_indexes(now).into_iter().for_each(|index| sweeps.sweep_now(index));
        }
        out
    }

    /// A value over the cap: an error, and no older value left behind.
    pub(super) async fn refuse(&self, key: String, len: usize, now: UnixMs) -> Error {
        let error = Error::new(
            Code::TooLarge,
            format!(
                "The value of \"{key}\" has {len} bytes, at most {} are stored (maxValueBytes); store less, or raise it.",
                self.max_value
            ),
        );
        self.stats.failed(&error);
        let clear = Clear::of_keys(vec![key]);
        if let Err(failed) = self.store.clear(clear, now).await {
            self.stats.failed(&failed);
        }
        error
    }

    pub(super) async fn clear(&self, clear: Clear, now: UnixMs) -> Result<()> {
        let mut clear = clear;
        clear.tags.sort_unstable();
        clear.tags.dedup();
        if clear.keys.is_empty() && clear.tags.is_empty() {
            return Ok(());
        }
        let indexes = self.sweeps.as_ref().map(|sweeps| {
            let all: BTreeSet<Tag> = clear.tags.iter().copied().flat_map(S::indexes_of).collect();
            (sweeps, all)
        });
        let done = self.store.clear(clear, now).await;
        match &done {
            Ok(()) => {
                self.stats.clears.add(1);
                if let Some((sweeps, all)) = indexes {
                    all.into_iter().for_each(|index| sweeps.sweep(index));
                }
            }
            Err(error) => self.stats.failed(error),
        }
        done
    }

    /// Of each key whether it was there: asked and cleared in this order. What was there is of no use if it is there
    /// still, nor is a failure to ask if it is gone. `keys`: none twice.
    pub(super) async fn removes(&self, keys: Vec<String>, now: UnixMs) -> Vec<Outcome> {
        let asked = self.gets(&keys, ReadMode::Presence, now);
        let (asked, cleared) = join(asked, self.store.remove(keys.clone(), now)).await;
        let ended = asked.into_iter().zip(cleared).map(|(asked, cleared)| match cleared {
            Ok(()) => {
                self.stats.clears.add(1);
                Outcome::Is(matches!(asked, Outcome::Is(true)))
            }
            Err(error) => {
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
        });
        ended.collect()
    }

    fn prepare(&self, set: SetOp, guard: Option<Guard>, now: UnixMs) -> Result<Write<S::Form>> {
        let SetOp { key, value, mut tags, ttl, auto, ticket: _, times } = set;
        tags.sort_unstable();
        tags.dedup();
        // `split` kept longer ones away than a u32 counts.
        let packed = value.packed(&self.compression)?;
        self.stats.bytes_in.add(u64::from(packed.raw_len));
        let body = S::Form::encode(
            packed,
            Attributes {
                tags: &tags,
                auto,
                epoch: guard.map_or(Epoch::NONE, |guard| guard.epoch),
                expires_at: ttl.expires_at(now),
                times,
                key: self.store.hashes_key(&key).then_some(key.as_str()),
            },
        )?;
        self.stats.bytes_stored.add(S::Form::stored_bytes(&body) as u64);
        Ok(Write { key, tags, auto, ttl, times, guard, body })
    }

    /// `remembered`: the key, where the guard came of the memory of misses.
    fn wrote(
        &self,
        remembered: Option<&str>,
        guard: Option<Guard>,
        written: Result<WriteOutcome>,
    ) -> Outcome {
        match written {
            Ok(WriteOutcome::Stored(lease)) => {
                self.stats.sets.add(1);
                match guard {
                    None => self.stats.unguarded_sets.add(1),
                    Some(guard) => {
                        if let (Some(lease), Some(key)) = (lease, remembered) {
                            self.misses.renew(key, guard, lease);
                        }
                    }
                }
                Outcome::Is(true)
            }
            Ok(WriteOutcome::Stale) => {
                if let (Some(guard), Some(key)) = (guard, remembered) {
                    self.misses.refused(key, guard);
                }
                // Refused for want of an epoch (the get before it failed), no clear was in the way.
                if guard.is_none_or(|guard| guard.epoch != Epoch::NONE) {
                    self.stats.rejected_writes.add(1);
                }
                Outcome::Is(false)
            }
            Err(error) => {
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
        }
    }
}
