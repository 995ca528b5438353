//! Lists: the entries of tags, and the keys of a prefix.

use super::read::Judged;
use super::{Engine, Outcome};
use crate::codec::text::Value;
use crate::error::{Code, Error, Result};
use crate::model::tag::Tag;
use crate::model::time::UnixMs;
use crate::store::{Backend, Page};
use std::collections::{BTreeSet, HashSet};

/// Entries read at a time for a list by tags.
const LIST_CHUNK: usize = 64;
/// And of many tags, each of whose records is read with them.
const WIDE_CHUNK: usize = 16;

/// Beyond it a number of JavaScript is not exact.
const MAX_CURSOR: u64 = 1 << 53;

/// Members of an index whose entries are read at a time.
pub(super) fn read_at_once(index: Tag, most: usize) -> usize {
    if index == Tag::WIDE { WIDE_CHUNK } else { most }
}

impl<B: Backend> Engine<B> {
    /// The live entries that carry any of the tags, each once.
    pub(super) async fn get_tags(&self, wanted: &[Tag], now: UnixMs) -> Outcome {
        match self.in_time(self.list(wanted, now)).await.and_then(|listed| listed) {
            Ok(values) => Outcome::List(values),
            Err(error) => {
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
        }
    }

    async fn list(&self, wanted: &[Tag], now: UnixMs) -> Result<Vec<Value>> {
        let mut seen = HashSet::new();
        let mut values = Vec::new();
        // Each once: tags may share one.
        for index in wanted.iter().copied().flat_map(B::indexes).collect::<BTreeSet<_>>() {
            let mut cursor = Some(0);
            let (mut live, mut dead) = (0, 0);
            while let Some(at) = cursor {
                let page = self.backend.members(index, wanted, at, now).await?;
                cursor = page.next;
                let fresh: Vec<String> =
                    page.keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
                for keys in fresh.chunks(read_at_once(index, LIST_CHUNK)) {
                    for judged in self.look(keys, None, now, &mut []).await.1 {
                        let entry = match judged {
                            Judged::Live(entry) => entry,
                            Judged::Gone { .. } => {
                                dead += 1;
                                continue;
                            }
                            Judged::Failed(error) => return Err(error),
                        };
                        if index == Tag::ROOT || B::lists(index, entry.tags.all()) {
                            live += 1;
                        } else {
                            dead += 1;
                        }
                        if !entry.stale
                            && wanted.iter().any(|tag| entry.tags.holds(*tag))
                            && let Outcome::Hit(value) = self.unpack(entry.kept)
                        {
                            values.push(value);
                        }
                    }
                }
            }
            if dead > live
                && let Some(reclaimer) = &self.reclaimer
            {
                reclaimer.sweep(index);
            }
        }
        Ok(values)
    }

    /// One page of the keys that begin with this text. What has ended may be among them, and a key more than once.
    pub(super) async fn keys(&self, prefix: &str, cursor: u64, now: UnixMs) -> Outcome {
        match self.backend.keys(prefix, cursor, now).await {
            Ok(Page { next: Some(MAX_CURSOR..), .. }) => {
                let error = Error::new(
                    Code::Unsupported,
                    "The server numbers its pages of keys beyond 2^53; listing keys is for a standalone server.",
                );
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
            Ok(page) => Outcome::Keys(page),
            Err(error) => {
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
        }
    }
}
