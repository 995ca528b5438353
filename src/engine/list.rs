//! Lists: the entries of tags, and the keys of a prefix.

use super::op::Outcome;
use super::read::{Keyed, Lookup};
use super::state::Engine;
use crate::codec::text::Value;
use crate::error::{Code, Error, Result};
use crate::model::tag::Tag;
use crate::model::time::UnixMs;
use crate::store::request::Page;
use crate::store::traits::Store;
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

impl<S: Store> Engine<S> {
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
        for index in wanted.iter().copied().flat_map(S::indexes_of).collect::<BTreeSet<_>>() {
            let mut cursor = Some(0);
            let (mut live, mut dead) = (0, 0);
            while let Some(at) = cursor {
                let page = self.store.members(index, wanted, at, now).await?;
                cursor = page.next;
                let fresh: Vec<String> =
                    page.keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
                for keys in fresh.chunks(read_at_once(index, LIST_CHUNK)) {
                    for Keyed { lookup, .. } in self.lookup(keys, None, now, &mut []).await {
                        let entry = match lookup {
                            Lookup::Live(entry) => entry,
                            Lookup::Gone { .. } => {
                                dead += 1;
                                continue;
                            }
                            Lookup::Failed(error) => return Err(error),
                        };
                        let tags = entry.tags.as_ref();
                        if index == Tag::ROOT || S::is_listed(index, tags) {
                            live += 1;
                        } else {
                            dead += 1;
                        }
                        if !entry.stale
                            && wanted.iter().any(|tag| *tag == Tag::ROOT || tags.binary_search(tag).is_ok())
                            && let Outcome::Hit(value) = self.unpack(entry.value)
                        {
                            values.push(value);
                        }
                    }
                }
            }
            if dead > live
                && let Some(sweeps) = &self.sweeps
            {
                sweeps.sweep(index);
            }
        }
        Ok(values)
    }

    /// One page of the keys that begin with this text. What has ended may be among them, and a key more than once.
    pub(super) async fn keys(&self, prefix: &str, cursor: u64, now: UnixMs) -> Outcome {
        match self.store.keys(prefix, cursor, now).await {
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
