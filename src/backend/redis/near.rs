//! Tag records kept beside the connection that tracks them.
//!
//! Exact, because the server's push about a record precedes any reply to a command that came after the clear was
//! answered, on the same connection: what is held when a reply has arrived is as new as the reply. A record enters
//! only if no push came for its shard since its read was sent; the push may have been about the very change that the
//! read just missed.

use crate::key::Keyspace;
use crate::l1::Slots;
use crate::tags::Record;
use foldhash::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use xxhash_rust::xxh3::xxh3_64;

/// Shards: a push about one record keeps at most a sixteenth of the reads under way from entering theirs.
const SHARDS: usize = 16;

/// Records held at most, about 150 bytes each: 5 MB. A catalogue of some ten thousand products, a tag each, fits.
const MAX_RECORDS: usize = 32_768;

/// Half of a shard's share: a shard holds two generations of at most this many.
const HALF: usize = MAX_RECORDS / SHARDS / 2;

#[derive(Default)]
struct Shard {
    young: HashMap<String, Record>,
    /// What was young before; what is used again moves back, the rest goes with the next turn.
    old: HashMap<String, Record>,
    pushes: u64,
}

impl Shard {
    fn get(&mut self, tag: &str) -> Option<Record> {
        if let Some(record) = self.young.get(tag) {
            return Some(*record);
        }
        let (tag, record) = self.old.remove_entry(tag)?;
        self.insert(tag, record);
        Some(record)
    }

    fn insert(&mut self, tag: String, record: Record) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&tag);
        self.young.insert(tag, record);
    }
}

pub(super) struct Near {
    /// What the server's name of a record begins with.
    prefix: Vec<u8>,
    tracked: AtomicBool,
    shards: [Mutex<Shard>; SHARDS],
    /// What is told of entries, too: the counters, and what the server's name of an entry begins with.
    l1: Option<(Arc<Slots>, Vec<u8>)>,
}

/// Tags to read, by their place in what was asked for, each with its shard's count of pushes when it was looked up.
pub(super) type Missing = Vec<(usize, u64)>;

pub(super) struct Looked {
    pub records: Vec<Option<Record>>,
    pub missing: Missing,
}

impl Near {
    pub fn new(space: &Keyspace, l1: Option<Arc<Slots>>) -> Self {
        Near {
            prefix: space.record_prefix().into_bytes(),
            tracked: AtomicBool::new(false),
            shards: Default::default(),
            l1: l1.map(|slots| (slots, space.entry_prefix().into_bytes())),
        }
    }

    /// What the server is to tell of.
    pub fn prefixes(&self) -> Vec<&[u8]> {
        let entries = self.l1.as_ref().map(|(_, prefix)| prefix.as_slice());
        std::iter::once(self.prefix.as_slice()).chain(entries).collect()
    }

    pub fn slots(&self) -> Option<&Arc<Slots>> {
        self.l1.as_ref().map(|(slots, _)| slots)
    }

    pub fn tracked(&self) -> bool {
        self.tracked.load(SeqCst)
    }

    fn shard(&self, tag: &[u8]) -> &Mutex<Shard> {
        &self.shards[xxh3_64(tag) as usize % SHARDS]
    }

    /// The present connection tells of changes from now on.
    pub fn track(&self) {
        self.tracked.store(true, SeqCst);
    }

    /// No connection does: nothing held is true any more, and nothing read before may enter.
    pub fn untrack(&self) {
        self.tracked.store(false, SeqCst);
        self.drop_all();
    }

    pub fn drop_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.pushes += 1;
            shard.young.clear();
            shard.old.clear();
        }
        if let Some((slots, _)) = &self.l1 {
            slots.all_changed();
        }
    }

    /// A push about the record, or the entry, of this store key.
    pub fn invalidate(&self, key: &[u8]) {
        let Some(tag) = key.strip_prefix(&self.prefix[..]) else {
            if let Some((slots, prefix)) = &self.l1
                && let Some(key) = key.strip_prefix(&prefix[..])
            {
                slots.key_changed(Slots::of_key(key));
            }
            return;
        };
        let mut shard = self.shard(tag).lock();
        shard.pushes += 1;
        if let Ok(name) = std::str::from_utf8(tag) {
            shard.young.remove(name);
            shard.old.remove(name);
        }
        drop(shard);
        // After the record is gone: a reader, which may be on another thread, takes the counter before it looks here. So
        // it has the old counter, or no record.
        if let Some((slots, _)) = &self.l1 {
            slots.tag_changed(Slots::of_tag(tag));
        }
    }

    /// What is held of these tags. Must come before the read of the missing ones is sent.
    pub fn look(&self, tags: &[&str]) -> Looked {
        let mut looked = Looked { records: Vec::with_capacity(tags.len()), missing: Vec::new() };
        for (at, tag) in tags.iter().enumerate() {
            let mut shard = self.shard(tag.as_bytes()).lock();
            let record = shard.get(tag);
            if record.is_none() {
                looked.missing.push((at, shard.pushes));
            }
            looked.records.push(record);
        }
        looked
    }

    /// Enters what was read of the missing tags. An absent record is not kept: its entry is about to be set.
    pub fn keep(&self, tags: &[&str], missing: &Missing, found: &[Option<Record>]) {
        for ((at, pushes), record) in missing.iter().zip(found) {
            let (Some(tag), Some(record)) = (tags.get(*at), record) else { continue };
            let mut shard = self.shard(tag.as_bytes()).lock();
            // Under the lock: a connection lost meanwhile has counted as a push.
            if shard.pushes == *pushes && self.tracked.load(SeqCst) {
                shard.insert((*tag).to_owned(), *record);
            }
        }
    }

    /// The tags whose records are held.
    pub fn held(&self) -> Vec<String> {
        let mut tags = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            tags.extend(shard.young.keys().chain(shard.old.keys()).cloned());
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: Record = Record { generation: 1, all: 2, auto: 3 };

    fn near() -> Near {
        let near = Near::new(&Keyspace::new("p").unwrap(), None);
        near.track();
        near
    }

    fn read(near: &Near, tag: &str, between: impl FnOnce()) -> bool {
        let looked = near.look(&[tag]);
        between();
        near.keep(&[tag], &looked.missing, &[Some(R)]);
        near.look(&[tag]).records[0].is_some()
    }

    #[test]
    fn a_record_enters_only_if_no_push_came_since_its_read_was_sent() {
        let near = near();
        assert!(!read(&near, "a", || near.invalidate(b"p!t:a")));
        assert!(read(&near, "a", || near.invalidate(b"other!t:a")));
        near.invalidate(b"p!t:a");
        assert!(near.look(&["a"]).records[0].is_none());
    }

    #[test]
    fn nothing_outlives_the_connection_that_tracked_it() {
        let near = near();
        assert!(read(&near, "a", || ()));
        near.untrack();
        assert!(near.look(&["a"]).records[0].is_none());
        assert!(!read(&near, "a", || ()), "not tracked: nothing is kept");
        near.untrack();
        near.track();
        assert!(
            !read(&near, "a", || {
                near.untrack();
                near.track()
            }),
            "read over the connection before"
        );
    }

    #[test]
    fn a_push_is_counted_for_what_is_kept_in_javascript() {
        let slots = Slots::new(true);
        let near = Near::new(&Keyspace::new("p").unwrap(), Some(slots.clone()));
        assert_eq!(near.prefixes(), [&b"p!t:"[..], b"p:"]);
        // Its key, its tag, all.
        let moved = |what: &dyn Fn()| {
            let of = |key: &str| {
                let mut stamp = slots.stamp(key);
                stamp.tags(&slots, (key == "tagged").then_some("t").into_iter());
                stamp.units(0, false)[..2].to_vec()
            };
            let before = [of("k"), of("tagged"), of("other")];
            what();
            let after = [of("k"), of("tagged"), of("other")];
            [0, 1, 2].map(|at| before[at] != after[at])
        };
        assert_eq!(moved(&|| near.invalidate(b"p:k")), [true, false, false]);
        assert_eq!(moved(&|| near.invalidate(b"p!t:t")), [false, true, false]);
        assert_eq!(moved(&|| near.invalidate(b"p!t:*")), [true, true, true]);
        for foreign in [&b"p2:k"[..], b"p!e", b"p!l:k", b"x", b""] {
            assert_eq!(moved(&|| near.invalidate(foreign)), [false, false, false]);
        }
        assert_eq!(moved(&|| near.drop_all()), [true, true, true]);
        assert_eq!(moved(&|| near.untrack()), [true, true, true]);
        assert_eq!(Near::new(&Keyspace::new("p").unwrap(), None).prefixes(), [&b"p!t:"[..]]);
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let near = near();
        assert!(read(&near, "hot", || ()));
        for i in 0..3 * MAX_RECORDS {
            read(&near, &format!("t{i}"), || ());
            assert!(near.look(&["hot"]).records[0].is_some());
        }
        assert!(near.held().len() <= MAX_RECORDS);
    }
}
