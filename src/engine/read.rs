//! Reading: entries and epoch in one batch, then the records of their tags, then judgement.

use super::batch::How;
use super::{Engine, L1, Outcome, Reading, TICKET_PATIENCE, ticket};
use crate::backend::{Backend, Found, Guard, Kept, Lease, ReadReply, Seen};
use crate::clock::UnixMs;
use crate::codec::compression::decompress;
use crate::codec::envelope::{self, Codec, Header};
use crate::codec::text::Value;
use crate::error::{Code, Error, Result};
use crate::l1::{Slots, Stamp, UNHEARD_MS};
use crate::net::clock::{leave_caller, timeout_at};
use crate::tags::{self, Epoch, Validity};
use crate::ttl::Times;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// What a read made of one key.
pub(super) enum Judged {
    Live(Live),
    /// Nothing there, or nothing valid: then what was seen.
    Gone {
        lease: Option<Lease>,
        seen: Option<Bytes>,
    },
    Failed(Error),
}

pub(super) struct Live {
    pub kept: Kept,
    pub tags: Tags,
    pub seen: Seen,
    pub expires_at: UnixMs,
    pub times: Option<Times>,
    /// A miss for all who did not ask for it.
    pub stale: bool,
}

pub(super) enum Tags {
    Wire(Vec<String>),
    Memory(std::sync::Arc<crate::backend::LiveEntry>),
}

impl Tags {
    pub fn holds(&self, tag: &str) -> bool {
        match self {
            Tags::Wire(tags) => tags.iter().any(|t| t == tag),
            Tags::Memory(entry) => entry.tags.iter().any(|t| t.as_ref() == tag),
        }
    }
}

impl<B: Backend> Engine<B> {
    pub(super) async fn gets(&self, keys: &[String], how: How, now: UnixMs) -> Vec<Outcome> {
        let remember = matches!(how, How::Value { remember: true, .. });
        let l1 = self.l1.as_ref().filter(|_| how.stamps());
        // Before anything is sent: what changes from now on makes the stamp worthless.
        let mut stamps: Vec<Stamp> =
            l1.map_or_else(Vec::new, |l1| keys.iter().map(|key| l1.slots.stamp(key)).collect());
        let exact = self.backend.exact();
        let lease = match how {
            How::Ticket { .. } => Some(TICKET_PATIENCE),
            _ => remember.then_some(self.patience),
        };
        let (epoch, judged) = match self.in_time(self.look(keys, lease, now, &mut stamps)).await {
            Ok(looked) => looked,
            Err(error) => (Epoch::NONE, keys.iter().map(|_| Judged::Failed(error.clone())).collect()),
        };
        let clock = Instant::now();
        let mut out = Vec::with_capacity(keys.len());
        let mut stamps = stamps.into_iter();
        for (key, judged) in keys.iter().zip(judged) {
            let stamp = stamps.next();
            let (live, lease) = match judged {
                Judged::Live(live) => {
                    let lease = live.seen.lease();
                    (Some(live), lease)
                }
                Judged::Gone { lease, .. } => (None, lease),
                Judged::Failed(error) => {
                    self.stats.failed(&error);
                    if remember {
                        self.remember_failed(key, clock);
                    }
                    out.push(Outcome::Failed(error));
                    continue;
                }
            };
            let guard = Guard { epoch, lease };
            let fresh = live.as_ref().is_some_and(|live| !live.stale);
            let ends = live.as_ref().map_or(0, Live::fresh_until);
            let outcome = match (how, live) {
                (How::Presence, _) => Outcome::Is(fresh),
                (How::Ticket { times, .. }, live) => self.ticketed(live, guard, times),
                (How::Value { .. }, Some(live)) if fresh => self.unpack(live.kept),
                (How::Value { .. }, _) => Outcome::Miss,
            };
            let outcome = match (outcome, l1, stamp) {
                (Outcome::Hit(value), Some(l1), Some(stamp)) => l1.stamped(value, stamp, ends, now, exact),
                (outcome, ..) => outcome,
            };
            let hit = match &outcome {
                Outcome::Hit(_) | Outcome::Stamped(..) | Outcome::Is(true) => true,
                Outcome::Read(reading) => fresh && reading.value.is_some(),
                _ => false,
            };
            if hit {
                self.stats.hits.add(1);
            } else {
                self.stats.misses.add(1);
                if remember {
                    self.misses.remember(key, guard, clock);
                }
            }
            out.push(outcome);
        }
        out
    }

    /// The caller takes a get that failed for a miss. What was cleared before it nobody knows, and since the epoch that
    /// was last seen it shows when the set comes.
    pub(super) fn remember_failed(&self, key: &str, clock: Instant) {
        self.misses.remember_failed(key, self.backend.last_epoch(), clock);
    }

    fn ticketed(&self, live: Option<Live>, guard: Guard, wanted: bool) -> Outcome {
        let reading = |value: Option<Value>, stale, times| {
            Outcome::Read(Box::new(Reading { value, ticket: ticket::write(guard), stale, times }))
        };
        let Some(Live { kept, stale, times, .. }) = live else { return reading(None, false, None) };
        match self.unpack(kept) {
            Outcome::Hit(value) if !stale && !wanted => Outcome::Hit(value),
            Outcome::Hit(value) => reading(Some(value), stale, times),
            Outcome::Miss => reading(None, false, None),
            failed => failed,
        }
    }

    /// Each step of a read has the backend's deadline; so has the whole.
    pub(super) async fn in_time<T>(&self, read: impl Future<Output = T>) -> Result<T> {
        let Some(deadline) = self.deadline else { return Ok(read.await) };
        timeout_at(tokio::time::Instant::now() + deadline, read).await.map_err(|_| {
            Error::timeout(format!(
                "The server did not answer all of a read within {} ms (commandTimeout); raise it if the server is that far away.",
                deadline.as_millis()
            ))
        })
    }

    /// Reads and judges; the epoch is the one read with the entries. `stamps`: of the keys, or none.
    pub(super) async fn look(
        &self,
        keys: &[String],
        lease: Option<Duration>,
        now: UnixMs,
        stamps: &mut [Stamp],
    ) -> (Epoch, Vec<Judged>) {
        match self.backend.read(keys, now, lease).await {
            Err(error) => (Epoch::NONE, keys.iter().map(|_| Judged::Failed(error.clone())).collect()),
            Ok(reply) => {
                let epoch = reply.epoch;
                let judged = self.judge(keys, reply, now, stamps).await;
                if judged.iter().any(Judged::is_compressed) {
                    leave_caller().await;
                }
                (epoch, judged)
            }
        }
    }

    async fn judge(
        &self,
        keys: &[String],
        reply: ReadReply,
        now: UnixMs,
        stamps: &mut [Stamp],
    ) -> Vec<Judged> {
        let mut opened: Vec<Opened> = Vec::with_capacity(keys.len());
        for (key, found) in keys.iter().zip(reply.found) {
            opened.push(match found {
                Err(error) => Opened::Judged(Judged::Failed(error)),
                Ok(Found::Absent(lease)) => Opened::Judged(Judged::Gone { lease, seen: None }),
                Ok(Found::Live(entry, stale)) => {
                    self.stats.stale.add(stale.into());
                    Opened::Judged(Judged::Live(Live {
                        kept: entry.value.clone(),
                        expires_at: entry.expires_at,
                        times: entry.times,
                        tags: Tags::Memory(entry.clone()),
                        seen: Seen::Live(entry),
                        stale,
                    }))
                }
                Ok(Found::Wire(bytes, lease)) => self.open_envelope(key, bytes, lease, now),
            });
        }
        let mut names: Vec<&str> = Vec::new();
        for one in &opened {
            if let Opened::Sound(candidate) = one {
                names.extend(candidate.header.tags.iter().map(String::as_str));
            }
        }
        names.sort_unstable();
        names.dedup();
        if let Some(slots) = self.slots() {
            opened.iter().zip(stamps).for_each(|(one, stamp)| one.stamp(slots, stamp));
        }
        let records = if names.is_empty() { Ok(Vec::new()) } else { self.backend.records(&names).await };
        let (records, unknown) = match records {
            Ok(records) => (records, None),
            Err(error) => (vec![None; names.len()], Some(error)),
        };
        let record =
            |tag: &String| names.binary_search(&tag.as_str()).ok().and_then(|at| records.get(at)?.as_ref());
        let validity = |header: &Header| {
            let records = std::iter::once(reply.star.as_ref()).chain(header.tags.iter().map(record));
            tags::judge(header.epoch, header.auto, header.times.as_ref(), now, records)
        };
        // All of them first: the names that the records go by are the entries' own.
        let verdicts: Vec<_> = opened
            .iter()
            .map(|one| match one {
                Opened::Sound(candidate) => validity(&candidate.header),
                Opened::Judged(_) => Validity::Valid,
            })
            .collect();
        let judged = |candidate: Candidate, verdict| {
            let Candidate { header, payload, bytes, lease } = candidate;
            if let (Some(error), false) = (&unknown, header.tags.is_empty()) {
                return Judged::Failed(error.clone());
            }
            match verdict {
                Validity::Valid => {}
                Validity::Stale => self.stats.stale.add(1),
                Validity::Invalid => {
                    self.stats.invalidated.add(1);
                    return Judged::Gone { lease, seen: Some(bytes) };
                }
            }
            Judged::Live(Live {
                kept: Kept::Packed {
                    codec: header.codec,
                    payload,
                    raw_len: header.raw_len,
                    binary: header.binary,
                },
                tags: Tags::Wire(header.tags),
                seen: Seen::Wire(bytes, lease),
                expires_at: header.expires_at,
                times: header.times,
                stale: verdict == Validity::Stale,
            })
        };
        opened
            .into_iter()
            .zip(verdicts)
            .map(|(one, verdict)| match one {
                Opened::Judged(judged) => judged,
                Opened::Sound(candidate) => judged(candidate, verdict),
            })
            .collect()
    }

    fn open_envelope(&self, key: &str, bytes: Bytes, lease: Option<Lease>, now: UnixMs) -> Opened {
        match envelope::decode(&bytes, self.max_value) {
            Err(error) => {
                self.count_corrupt(&error);
                Opened::Judged(Judged::Gone { lease, seen: Some(bytes) })
            }
            // Another key with the same hash.
            Ok((header, _)) if header.key.as_ref().is_some_and(|k| k != key) => {
                Opened::Judged(Judged::Gone { lease, seen: None })
            }
            Ok((header, _)) if B::COARSE_EXPIRY && header.expires_at <= now => {
                self.stats.expired.add(1);
                Opened::Judged(Judged::Gone { lease, seen: Some(bytes) })
            }
            Ok((header, payload)) => Opened::Sound(Candidate { header, payload, bytes, lease }),
        }
    }

    pub(super) fn unpack(&self, kept: Kept) -> Outcome {
        let value = match kept {
            Kept::Plain(value) => Ok(value),
            Kept::Packed { codec, payload, raw_len, binary } => {
                decompress(codec, payload, raw_len as usize).and_then(|raw| Value::from_payload(raw, binary))
            }
        };
        match value {
            Ok(value) => Outcome::Hit(value),
            Err(error) if error.code == Code::Corrupt => {
                self.count_corrupt(&error);
                Outcome::Miss
            }
            Err(error) => Outcome::Failed(error),
        }
    }
}

/// What a read found, as far as it can be judged without the records of tags.
enum Opened {
    Judged(Judged),
    Sound(Candidate),
}

impl Opened {
    fn stamp(&self, slots: &Slots, stamp: &mut Stamp) {
        match self {
            Opened::Sound(candidate) => stamp.tags(slots, candidate.header.tags.iter().map(String::as_str)),
            Opened::Judged(Judged::Live(Live { tags: Tags::Memory(entry), .. })) => {
                stamp.tags(slots, entry.tags.iter().map(|tag| tag.as_ref()));
            }
            Opened::Judged(_) => {}
        }
    }
}

impl Judged {
    /// What is small on the wire may be large.
    fn is_compressed(&self) -> bool {
        let Judged::Live(live) = self else { return false };
        matches!(&live.kept, Kept::Packed { codec, .. } if *codec != Codec::None)
    }
}

impl Live {
    /// Until when a plain get is given it.
    fn fresh_until(&self) -> UnixMs {
        self.times.map_or(self.expires_at, |times| times.fresh_until.min(self.expires_at))
    }
}

impl L1 {
    /// A value with what it takes to keep it, unless it can no longer be kept. `exact`: when the read was sent, every
    /// change by anyone was told.
    fn stamped(&self, value: Value, stamp: Stamp, ends: UnixMs, now: UnixMs, exact: bool) -> Outcome {
        // Process memory judges tags as it reads, before their counters were looked at: a worker thread may have
        // cleared one in between.
        if self.judges_in_reading && self.slots.tags_changed(&stamp) {
            return Outcome::Hit(value);
        }
        let bound = self.ttl_ms.or((!exact).then_some(UNHEARD_MS));
        let ends = bound.map_or(ends, |ms| ends.min(now.saturating_add(ms)));
        let wide = matches!(value, Value::Utf16(_));
        Outcome::Stamped(value, stamp.units(ends, wide))
    }
}

/// A sound envelope whose tags are not judged yet.
struct Candidate {
    header: Header,
    payload: Bytes,
    bytes: Bytes,
    lease: Option<Lease>,
}
