//! Storing and clearing.

use super::batch::{How, SetOp};
use super::{Engine, Outcome, Packed};
use crate::codec::envelope::{self, Codec, Header};
use crate::codec::text::Value;
use crate::error::{Code, Error, Result};
use crate::model::tag::{Epoch, Invalidation, Tag};
use crate::model::time::UnixMs;
use crate::store::{Backend, Body, Clear, Guard, Kept, Write, Written};
use bytes::Bytes;
use futures_util::future::join;
use std::collections::BTreeSet;
use std::time::Instant;

impl<B: Backend> Engine<B> {
    pub(super) async fn sets(&self, sets: Vec<SetOp>, now: UnixMs) -> Vec<Outcome> {
        let clock = Instant::now();
        let mut out: Vec<Option<Outcome>> = Vec::with_capacity(sets.len());
        let mut writes = Vec::with_capacity(sets.len());
        let mut guards = Vec::with_capacity(sets.len());
        let ticketed = sets.iter().filter(|set| B::WIRE && set.ticket.is_some());
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
        let written = if writes.is_empty() { Vec::new() } else { self.backend.write(writes, now).await };
        drop(counted);
        let mut wrote = written.into_iter().zip(guards).map(|(written, (key, guard, ticketed))| {
            self.wrote((!ticketed).then_some(&*key), guard, written)
        });
        let out =
            out.into_iter().map(|done| done.or_else(|| wrote.next()).unwrap_or(Outcome::Done)).collect();
        if let Some(reclaimer) = &self.reclaimer {
            self.backend.crowded(now).into_iter().for_each(|index| reclaimer.sweep_now(index));
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
        let clear = Clear { keys: vec![key], tags: Vec::new(), raise: Invalidation::Hard };
        if let Err(failed) = self.backend.clear(clear, now).await {
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
        let indexes = self.reclaimer.as_ref().map(|reclaimer| {
            let all: BTreeSet<Tag> = clear.tags.iter().copied().flat_map(B::indexes).collect();
            (reclaimer, all)
        });
        let done = self.backend.clear(clear, now).await;
        match &done {
            Ok(()) => {
                self.stats.clears.add(1);
                if let Some((reclaimer, all)) = indexes {
                    all.into_iter().for_each(|index| reclaimer.sweep(index));
                }
            }
            Err(error) => self.stats.failed(error),
        }
        done
    }

    /// Of each key whether it was there: asked and cleared in this order. What was there is of no use if it is there
    /// still, nor is a failure to ask if it is gone. `keys`: none twice.
    pub(super) async fn removes(&self, keys: Vec<String>, now: UnixMs) -> Vec<Outcome> {
        let asked = self.gets(&keys, How::Presence, now);
        let (asked, cleared) = join(asked, self.backend.remove(keys.clone(), now)).await;
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

    fn prepare(&self, set: SetOp, guard: Option<Guard>, now: UnixMs) -> Result<Write> {
        let SetOp { key, value, mut tags, ttl, auto, ticket: _, times } = set;
        tags.sort_unstable();
        tags.dedup();
        // `split` kept longer ones away than a u32 counts.
        let Packed { codec, payload, raw_len, binary } = value.packed(&self.compression)?;
        self.stats.bytes_in.add(u64::from(raw_len));
        let body = if B::WIRE {
            let header = Header {
                codec,
                auto,
                binary,
                epoch: guard.map_or(Epoch::NONE, |guard| guard.epoch),
                expires_at: ttl.expires_at(now),
                raw_len,
                tags: tags.clone(),
                key: self.backend.hashes(&key).then(|| key.clone()),
                times,
            };
            let entry = envelope::encode(&header, &payload)?;
            self.stats.bytes_stored.add(entry.len() as u64);
            Body::Wire(entry)
        } else {
            self.stats.bytes_stored.add(payload.len() as u64);
            let payload = Bytes::from(payload);
            Body::Live(match codec {
                Codec::None => Kept::Plain(Value::from_payload(payload, binary)?),
                codec => Kept::Packed { codec, payload, raw_len, binary },
            })
        };
        Ok(Write { key, tags, auto, ttl, times, guard, body })
    }

    /// `remembered`: the key, where the guard came of the memory of misses.
    fn wrote(&self, remembered: Option<&str>, guard: Option<Guard>, written: Result<Written>) -> Outcome {
        match written {
            Ok(Written::Stored(lease)) => {
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
            Ok(Written::Stale) => {
                if let (Some(guard), Some(key)) = (guard, remembered) {
                    self.misses.refused(key, guard);
                }
                // Refused for want of an epoch (the get before it failed), no clear was in the way.
                if guard.is_none_or(|guard| guard.epoch != Epoch::NONE) {
                    self.stats.stale_sets.add(1);
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
