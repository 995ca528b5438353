//! Reading: entries and epoch in one batch, then the records of their tags, then judgement.

use super::{Engine, Outcome};
use crate::backend::{Backend, Found, Guard, Kept, Lease, ReadReply};
use crate::clock::UnixMs;
use crate::codec::compression::decompress;
use crate::codec::envelope::{self, Header};
use crate::codec::text::Value;
use crate::error::{Code, Error, Result};
use crate::tags::{self, Epoch};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

/// Entries read at a time for a list by tags.
const LIST_CHUNK: usize = 64;

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
    /// `None` in process memory.
    pub seen: Option<(Bytes, Option<Lease>)>,
    pub expires_at: UnixMs,
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
    pub(super) async fn gets(&self, keys: &[String], remember: bool, now: UnixMs) -> Vec<Outcome> {
        let (epoch, judged) = match self.in_time(self.look(keys, remember, now)).await {
            Ok(looked) => looked,
            Err(error) => (Epoch::NONE, keys.iter().map(|_| Judged::Failed(error.clone())).collect()),
        };
        let clock = Instant::now();
        let mut out = Vec::with_capacity(keys.len());
        for (key, judged) in keys.iter().zip(judged) {
            let (outcome, lease) = match judged {
                Judged::Live(live) => (self.unpack(live), None),
                Judged::Gone { lease, .. } => (Outcome::Miss, lease),
                Judged::Failed(error) => {
                    self.stats.failed(&error);
                    // The caller takes it for a miss: its set is born invalid.
                    if remember {
                        self.misses.remember(key, Guard { epoch: Epoch::NONE, lease: None }, clock);
                    }
                    out.push(Outcome::Failed(error));
                    continue;
                }
            };
            if matches!(outcome, Outcome::Hit(_)) {
                self.stats.hits.add(1);
            } else {
                self.stats.misses.add(1);
                if remember {
                    self.misses.remember(key, Guard { epoch, lease }, clock);
                }
            }
            out.push(outcome);
        }
        out
    }

    /// The live entries that carry any of the tags, each once.
    pub(super) async fn get_tags(&self, wanted: &[String], now: UnixMs) -> Outcome {
        match self.in_time(self.list(wanted, now)).await.and_then(|listed| listed) {
            Ok(values) => Outcome::List(values),
            Err(error) => {
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
        }
    }

    /// Each step of a read has the backend's deadline; so has the whole.
    async fn in_time<T>(&self, read: impl Future<Output = T>) -> Result<T> {
        let Some(deadline) = self.deadline else { return Ok(read.await) };
        tokio::time::timeout(deadline, read).await.map_err(|_| {
            Error::timeout(format!(
                "The server did not answer all of a read within {} ms (commandTimeout); raise it if the server is that far away.",
                deadline.as_millis()
            ))
        })
    }

    async fn list(&self, wanted: &[String], now: UnixMs) -> Result<Vec<Value>> {
        let mut seen = HashSet::new();
        let mut values = Vec::new();
        for tag in wanted.iter().collect::<BTreeSet<_>>() {
            let mut cursor = Some(0);
            let (mut live, mut dead) = (0, 0);
            while let Some(at) = cursor {
                let page = self.backend.members(tag, at, now).await?;
                cursor = page.next;
                let fresh: Vec<String> =
                    page.keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
                for keys in fresh.chunks(LIST_CHUNK) {
                    for judged in self.look(keys, false, now).await.1 {
                        match judged {
                            Judged::Live(entry) if tag == crate::key::STAR || entry.tags.holds(tag) => {
                                live += 1;
                                if let Outcome::Hit(value) = self.unpack(entry) {
                                    values.push(value);
                                }
                            }
                            Judged::Live(_) | Judged::Gone { .. } => dead += 1,
                            Judged::Failed(error) => return Err(error),
                        }
                    }
                }
            }
            if dead > live
                && let Some(reclaimer) = &self.reclaimer
            {
                reclaimer.sweep(tag);
            }
        }
        Ok(values)
    }

    /// Reads and judges; the epoch is the one read with the entries.
    pub(super) async fn look(&self, keys: &[String], lease: bool, now: UnixMs) -> (Epoch, Vec<Judged>) {
        match self.backend.read(keys, now, lease).await {
            Err(error) => (Epoch::NONE, keys.iter().map(|_| Judged::Failed(error.clone())).collect()),
            Ok(reply) => {
                let epoch = reply.epoch;
                (epoch, self.judge(keys, reply, now).await)
            }
        }
    }

    async fn judge(&self, keys: &[String], reply: ReadReply, now: UnixMs) -> Vec<Judged> {
        let mut opened: Vec<Opened> = Vec::with_capacity(keys.len());
        for (key, found) in keys.iter().zip(reply.found) {
            opened.push(match found {
                Err(error) => Opened::Judged(Judged::Failed(error)),
                Ok(Found::Absent(lease)) => Opened::Judged(Judged::Gone { lease, seen: None }),
                Ok(Found::Live(entry)) => Opened::Judged(Judged::Live(Live {
                    kept: entry.value.clone(),
                    expires_at: entry.expires_at,
                    tags: Tags::Memory(entry),
                    seen: None,
                })),
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
        let records = if names.is_empty() { Ok(Vec::new()) } else { self.backend.records(&names).await };
        let (records, unknown) = match records {
            Ok(records) => (records, None),
            Err(error) => (vec![None; names.len()], Some(error)),
        };
        let records: HashMap<String, _> = names.into_iter().map(str::to_owned).zip(records).collect();
        let verdict = |candidate: Candidate| {
            let Candidate { header, payload, bytes, lease } = candidate;
            if let (Some(error), false) = (&unknown, header.tags.is_empty()) {
                return Judged::Failed(error.clone());
            }
            let of_tags = header.tags.iter().map(|tag| records.get(tag).and_then(Option::as_ref));
            if !tags::valid(header.epoch, header.auto, std::iter::once(reply.star.as_ref()).chain(of_tags)) {
                self.stats.invalidated.add(1);
                return Judged::Gone { lease, seen: Some(bytes) };
            }
            Judged::Live(Live {
                kept: Kept::Packed {
                    codec: header.codec,
                    payload,
                    raw_len: header.raw_len,
                    binary: header.binary,
                },
                tags: Tags::Wire(header.tags),
                seen: Some((bytes, lease)),
                expires_at: header.expires_at,
            })
        };
        let judged = opened.into_iter().map(|one| match one {
            Opened::Judged(judged) => judged,
            Opened::Sound(candidate) => verdict(candidate),
        });
        judged.collect()
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

    fn unpack(&self, live: Live) -> Outcome {
        let value = match live.kept {
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

/// A sound envelope whose tags are not judged yet.
struct Candidate {
    header: Header,
    payload: Bytes,
    bytes: Bytes,
    lease: Option<Lease>,
}
