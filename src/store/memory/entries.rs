//! The entries, bounded by what they weigh (quick_cache).

use crate::model::ttl::NEVER;
use crate::store::form::MemoryEntry;
use quick_cache::unsync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};
use std::sync::Arc;

/// What an entry costs beside its key, value and tags: its slot (and that of one which is remembered to have been there), two
/// shared headers, its number. Measured as all here, in the states in which it is most (tests/memory.rs).
const ENTRY_OVERHEAD: u64 = 320;
/// One that ends: its place in the order of expiry.
const EXPIRY_OVERHEAD: u64 = 48;
/// What a tag that any entry carries costs: its place in a table, shared by those that carry it.
const TAG_OVERHEAD: u64 = 96;
/// What an entry costs in the set of each of its tags, with the tag in the entry itself.
const MEMBER_OVERHEAD: u64 = 20;
/// Weights are kept in units of so many bytes, so that they need not be longer.
const UNIT: u64 = 16;
/// What a slot is expected to hold, to size the table at the start; it grows by itself.
const EXPECTED_ENTRY: u64 = 4096;

pub type Key = Arc<str>;
pub type Entries = Cache<Key, Held, Weight, DefaultHashBuilder, Evicted>;

#[derive(Clone)]
pub struct Held {
    pub entry: Arc<MemoryEntry>,
    /// In the sets of its tags, and in the order of expiry.
    pub number: u32,
    units: u32,
}

impl Held {
    /// `weight` as it is when it is stored: what others share with it since makes it no lighter.
    pub fn new(entry: Arc<MemoryEntry>, number: u32, weight: u64) -> Self {
        Held { entry, number, units: u32::try_from(weight.div_ceil(UNIT)).unwrap_or(u32::MAX) }
    }

    /// Another entry of the same weight in its place.
    pub fn with(self, entry: Arc<MemoryEntry>) -> Self {
        Held { entry, ..self }
    }
}

/// Bytes that an entry takes. `users`: of each of its tags, how many entries carry it, this one among them.
pub fn weigh(key: &str, entry: &MemoryEntry, users: impl Iterator<Item = u32>) -> u64 {
    let tags: u64 = users.map(|users| MEMBER_OVERHEAD + TAG_OVERHEAD / u64::from(users.max(1))).sum();
    let expiry = if entry.expires_at == NEVER { 0 } else { EXPIRY_OVERHEAD };
    (key.len() + entry.value.len()) as u64 + ENTRY_OVERHEAD + expiry + tags
}

#[derive(Clone)]
pub struct Weight;

impl Weighter<Key, Held> for Weight {
    fn weight(&self, _key: &Key, held: &Held) -> u64 {
        u64::from(held.units) * UNIT
    }
}

/// Hands evicted entries back, so that the indexes forget them too.
#[derive(Clone)]
pub struct Evicted;

impl Lifecycle<Key, Held> for Evicted {
    type RequestState = Vec<Held>;

    fn on_evict(&self, state: &mut Self::RequestState, _key: Key, held: Held) {
        state.push(held);
    }
}

pub fn new_entries(max_bytes: u64) -> Entries {
    let expected = (max_bytes / EXPECTED_ENTRY).clamp(16, 65_536) as usize;
    Cache::with(expected, max_bytes, Weight, DefaultHashBuilder::default(), Evicted)
}
