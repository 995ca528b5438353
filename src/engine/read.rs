//! Reading: the store judges entries by their tags; here they are decoded and judged by their age.

use super::batch::How;
use super::{Engine, L1, Outcome, Reading, TICKET_PATIENCE, ticket};
use crate::codec::compression::decompress;
use crate::codec::envelope::EntryVersion;
use crate::codec::envelope::{self, Codec};
use crate::codec::split;
use crate::codec::text::Value;
use crate::error::{Code, Error, Result};
use crate::model::tag::{self, Epoch, Tag, Validity};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use crate::model::version_table::{Slots, Stamp, UNHEARD_MS};
use crate::net::poll_scope::{leave_caller, timeout_at};
use crate::store::{Backend, Found, Guard, Kept, Lease, Seen};
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
    Wire(Vec<Tag>),
    Memory(std::sync::Arc<crate::store::LiveEntry>),
}

impl Tags {
    /// Sorted.
    pub fn all(&self) -> &[Tag] {
        match self {
            Tags::Wire(tags) => tags,
            Tags::Memory(entry) => &entry.tags,
        }
    }

    pub fn holds(&self, tag: Tag) -> bool {
        tag == Tag::ROOT || self.all().binary_search(&tag).is_ok()
    }
}

impl<B: Backend> Engine<B> {
    pub(super) async fn gets(&self, keys: &[String], how: How, now: UnixMs) -> Vec<Outcome> {
        let remember = self.misses.is_on() && matches!(how, How::Value { remember: true, .. });
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
            let version = judged.version();
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
            let guard = Guard { lease, ..Guard::at(epoch) };
            let fresh = live.as_ref().is_some_and(|live| !live.stale);
            let ends = live.as_ref().map_or(0, Live::fresh_until);
            let outcome = match (how, live) {
                (How::Presence, _) => Outcome::Is(fresh),
                (How::Ticket { times, .. }, live) => {
                    self.ticketed(live, Guard { found: Some(version), ..guard }, times)
                }
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
                let found = keys.iter().zip(reply.found);
                let judged: Vec<_> = found.map(|(key, found)| self.judge(key, found, now)).collect();
                if let Some(slots) = self.slots() {
                    judged.iter().zip(stamps).for_each(|(judged, stamp)| judged.stamp(slots, stamp));
                }
                if judged.iter().any(Judged::is_compressed) {
                    leave_caller().await;
                }
                (reply.epoch, judged)
            }
        }
    }

    fn judge(&self, key: &str, found: Result<Found>, now: UnixMs) -> Judged {
        let (bytes, lease, clearance) = match found {
            Err(error) => return Judged::Failed(error),
            Ok(Found::Absent(lease)) => return Judged::Gone { lease, seen: None },
            Ok(Found::Live(entry, stale)) => {
                self.stats.stale.add(stale.into());
                return Judged::Live(Live {
                    kept: entry.value.clone(),
                    expires_at: entry.expires_at,
                    times: entry.times,
                    tags: Tags::Memory(entry.clone()),
                    seen: Seen::Live(entry),
                    stale,
                });
            }
            Ok(Found::Wire(bytes, lease, clearance)) => (bytes, lease, clearance),
        };
        // A part of it is gone: evicted, or of a set that was not finished.
        if split::rest_of(&bytes).is_some() {
            return Judged::Gone { lease, seen: Some(bytes) };
        }
        let (header, payload) = match envelope::decode(&bytes, self.max_value) {
            Ok(decoded) => decoded,
            Err(error) => {
                self.count_corrupt(&error);
                return Judged::Gone { lease, seen: Some(bytes) };
            }
        };
        // Another key with the same hash.
        if header.key.as_ref().is_some_and(|k| k != key) {
            return Judged::Gone { lease, seen: None };
        }
        if B::COARSE_EXPIRY && header.expires_at <= now {
            self.stats.expired.add(1);
            return Judged::Gone { lease, seen: Some(bytes) };
        }
        let validity = tag::judge(clearance, header.times.as_ref(), now);
        match validity {
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
            stale: validity == Validity::Stale,
        })
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

impl Judged {
    fn stamp(&self, slots: &Slots, stamp: &mut Stamp) {
        match self {
            Judged::Live(live) => stamp.tags(slots, live.tags.all().iter().copied()),
            Judged::Gone { .. } | Judged::Failed(_) => {}
        }
    }

    fn version(&self) -> EntryVersion {
        match self {
            Judged::Live(Live { seen: Seen::Live(entry), .. }) => EntryVersion::numbered(entry.number),
            Judged::Live(Live { seen: Seen::Wire(bytes, _), .. })
            | Judged::Gone { seen: Some(bytes), .. } => envelope::version_of(bytes),
            Judged::Live(_) | Judged::Gone { .. } | Judged::Failed(_) => EntryVersion::NONE,
        }
    }

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
        // Tags are judged in the read, before their counters were looked at: one may have been cleared in between.
        if self.slots.tags_changed(&stamp) {
            return Outcome::Hit(value);
        }
        let bound = self.ttl_ms.or((!exact).then_some(UNHEARD_MS));
        let ends = bound.map_or(ends, |ms| ends.min(now.saturating_add(ms)));
        let wide = matches!(value, Value::Utf16(_));
        Outcome::Stamped(value, stamp.units(ends, wide))
    }
}
