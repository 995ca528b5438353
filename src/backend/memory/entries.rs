//! The entries, bounded by what they weigh (quick_cache).

use crate::backend::{Kept, LiveEntry};
use quick_cache::unsync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};
use std::sync::Arc;

/// What an entry costs beside its key, value and tags: the slot, two shared headers, its place in the order of expiry.
const ENTRY_OVERHEAD: u64 = 264;
/// A membership in a tag's set.
const MEMBER_OVERHEAD: u64 = 48;
/// What a slot is expected to hold, to size the table at the start; it grows by itself.
const EXPECTED_ENTRY: u64 = 4096;

pub type Key = Arc<str>;
pub type Entries = Cache<Key, Arc<LiveEntry>, Weight, DefaultHashBuilder, Evicted>;

#[derive(Clone)]
pub struct Weight;

impl Weighter<Key, Arc<LiveEntry>> for Weight {
    fn weight(&self, key: &Key, entry: &Arc<LiveEntry>) -> u64 {
        let value = match &entry.value {
            Kept::Plain(value) => value.len(),
            Kept::Packed { payload, .. } => payload.len(),
        };
        (key.len() + value) as u64 + ENTRY_OVERHEAD + entry.tags.len() as u64 * MEMBER_OVERHEAD
    }
}

/// Hands evicted entries back, so that the indexes forget them too.
#[derive(Clone)]
pub struct Evicted;

impl Lifecycle<Key, Arc<LiveEntry>> for Evicted {
    type RequestState = Vec<(Key, Arc<LiveEntry>)>;

    fn on_evict(&self, state: &mut Self::RequestState, key: Key, entry: Arc<LiveEntry>) {
        state.push((key, entry));
    }
}

pub fn new_entries(max_bytes: u64) -> Entries {
    let expected = (max_bytes / EXPECTED_ENTRY).clamp(16, 65_536) as usize;
    Cache::with(expected, max_bytes, Weight, DefaultHashBuilder::default(), Evicted)
}
