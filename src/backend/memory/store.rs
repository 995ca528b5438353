//! The store itself: entries bounded by bytes, tag records beside the sets of their keys, and an order of
//! expiry. Everything happens under one lock, so each operation is atomic; each does a bounded amount of work.

use super::entries::{Entries, Key, Weight, new_entries};
use super::graves::Graves;
use super::locks::Locks;
use crate::backend::{Body, Clear, Invalidation, LiveEntry, Write, Written};
use crate::clock::UnixMs;
use crate::error::{Code, Error, Result};
use crate::key::FENCE_BUCKETS;
use crate::l1::Slots;
use crate::tags::{Clearance, Epoch, Record, Tag, Validity, judge};
use crate::ttl::{NEVER, Times};
use foldhash::{HashMap, HashSet};
use quick_cache::Weighter;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};
use xxhash_rust::xxh3::xxh3_64;

/// Records kept of tags without entries, so that a clear is known to sets still under way. Beyond it the oldest merge
/// into `floor`, at worst one wasted set of a new tag.
const IDLE_TAGS: usize = 16_384;
/// Dead entries removed behind each operation: with as many at most added by one, what is dead cannot pile up.
const MAINTENANCE: usize = 64;
/// Entries up to which freeing them is faster than starting a thread for it.
const FREED_HERE: usize = 1_000;

struct Tagged {
    record: Record,
    keys: HashSet<Key>,
    /// Waits in `idle`.
    queued: bool,
}

pub struct Store {
    max_bytes: u64,
    epoch: Epoch,
    star: Record,
    /// Epoch of the last clear by key, per bucket of keys.
    fences: Box<[u64]>,
    /// No tag without a record was cleared after this.
    floor: u64,
    entries: Entries,
    tags: HashMap<Tag, Tagged>,
    idle: VecDeque<Tag>,
    expiries: BTreeSet<(UnixMs, Key)>,
    graves: Graves,
    pub locks: Locks,
    /// Of the handles that keep values in L1. Weak: they go with their handles.
    watchers: Vec<Weak<Slots>>,
}

impl Store {
    pub fn new(max_bytes: u64) -> Self {
        let epoch = Epoch { generation: Epoch::draw_generation(), n: 1 };
        Store {
            max_bytes,
            epoch,
            star: Record::at(epoch),
            fences: vec![0; FENCE_BUCKETS as usize].into(),
            floor: epoch.n,
            entries: new_entries(max_bytes),
            tags: HashMap::default(),
            idle: VecDeque::new(),
            expiries: BTreeSet::new(),
            graves: Graves::default(),
            locks: Locks::default(),
            watchers: Vec::new(),
        }
    }

    /// From now on these counters are told of changes.
    pub fn watch(&mut self, slots: &Arc<Slots>) {
        self.watchers.retain(|watcher| watcher.strong_count() > 0);
        self.watchers.push(Arc::downgrade(slots));
    }

    fn tell(&self, change: impl Fn(&Slots)) {
        self.watchers.iter().filter_map(Weak::upgrade).for_each(|slots| change(&slots));
    }

    fn tell_key(&self, key: &str) {
        if !self.watchers.is_empty() {
            let slot = Slots::of_key(key.as_bytes());
            self.tell(|slots| slots.key_changed(slot));
        }
    }

    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn sizes(&self) -> (usize, u64, usize) {
        let members = self.tags.values().map(|tag| tag.keys.len()).sum::<usize>() + self.graves.len();
        (self.entries.len(), self.entries.weight(), members)
    }

    /// An entry that lives, and whether it is stale.
    pub fn get(&mut self, key: &str, now: UnixMs) -> Option<(Arc<LiveEntry>, bool)> {
        let entry = self.entries.get(key)?;
        match self.judge(entry, now) {
            Validity::Invalid => {
                self.remove(key);
                None
            }
            verdict => Some((entry.clone(), verdict == Validity::Stale)),
        }
    }

    pub fn set(&mut self, write: Write, now: UnixMs) -> Result<Written> {
        let Body::Live(value) = write.body else {
            return Err(Error::new(Code::Internal, "An envelope was given to the memory store."));
        };
        self.tell_key(&write.key);
        let epoch = write.guard.map_or(self.epoch, |guard| guard.epoch);
        if epoch.generation != self.epoch.generation || self.fences[bucket(&write.key)] > epoch.n {
            return Ok(Written::Stale);
        }
        let tags: Box<[Tag]> = write.tags.into();
        for tag in &tags {
            self.know(*tag);
        }
        // One that is stale from the beginning is still better than none to who can do with it.
        if self.validity(epoch, write.auto, write.times.as_ref(), &tags, now) == Validity::Invalid {
            return Ok(Written::Stale);
        }
        let key: Key = self.remove(&write.key).unwrap_or_else(|| write.key.as_str().into());
        let expires_at = write.ttl.expires_at(now);
        let entry =
            Arc::new(LiveEntry { value, epoch, auto: write.auto, tags, expires_at, times: write.times });
        let weight = Weight.weight(&key, &entry);
        if weight > self.max_bytes {
            return Err(Error::new(
                Code::TooLarge,
                format!(
                    "The value of \"{key}\" weighs {weight} bytes, the memory store holds {}; raise maxBytes or store less.",
                    self.max_bytes
                ),
            ));
        }
        for tag in &entry.tags {
            if let Some(tag) = self.tags.get_mut(tag) {
                tag.keys.insert(key.clone());
            }
        }
        if expires_at != NEVER {
            self.expiries.insert((expires_at, key.clone()));
        }
        self.insert(key, entry);
        Ok(Written::Stored(None))
    }

    pub fn clear(&mut self, clear: &Clear) {
        self.epoch.n += 1;
        let n = self.epoch.n;
        for key in &clear.keys {
            self.remove(key);
            self.tell_key(key);
            self.fences[bucket(key)] = n;
        }
        for tag in &clear.tags {
            let slot = Slots::of_tag(*tag);
            self.tell(|slots| slots.tag_changed(slot));
            if *tag == Tag::ROOT {
                self.star = self.star.raised(clear.raise, n);
                if clear.raise == Invalidation::Hard {
                    self.drop_all();
                }
                continue;
            }
            self.know(*tag);
            if let Some(tagged) = self.tags.get_mut(tag) {
                tagged.record = tagged.record.raised(clear.raise, n);
                self.graves.add(*tag, std::mem::take(&mut tagged.keys));
            }
            self.rest(*tag);
        }
    }

    pub fn swap(&mut self, key: &str, seen: &Arc<LiveEntry>, times: Option<Times>) -> bool {
        if !self.entries.peek(key).is_some_and(|entry| Arc::ptr_eq(entry, seen)) {
            return false;
        }
        self.raise_fence(key);
        let Some(times) = times else {
            self.remove(key);
            return true;
        };
        // Of the same weight, under the same tags, until the same end.
        if let Some((key, was)) = self.entries.remove(key) {
            let entry = Arc::new(LiveEntry {
                value: was.value.clone(),
                epoch: was.epoch,
                auto: was.auto,
                tags: was.tags.clone(),
                expires_at: was.expires_at,
                times: Some(times),
            });
            self.insert(key, entry);
        }
        true
    }

    /// Refuses the sets under way of a key that has no entry; false if it has one.
    pub fn end_sets(&mut self, key: &str, now: UnixMs) -> bool {
        if self.get(key, now).is_some() {
            return false;
        }
        self.raise_fence(key);
        true
    }

    fn raise_fence(&mut self, key: &str) {
        self.epoch.n += 1;
        self.fences[bucket(key)] = self.epoch.n;
        self.tell_key(key);
    }

    fn insert(&mut self, key: Key, entry: Arc<LiveEntry>) {
        let mut evicted = Vec::new();
        self.entries.insert_with_lifecycle(key, entry, &mut evicted);
        for (key, entry) in evicted {
            self.unlink(&key, &entry);
        }
    }

    /// Keys of entries that have not expired.
    pub fn keys(&self, prefix: &str, now: UnixMs) -> Vec<String> {
        let alive =
            self.entries.iter().filter(|(key, entry)| entry.expires_at > now && key.starts_with(prefix));
        alive.map(|(key, _)| key.to_string()).collect()
    }

    /// Keys of the live entries of a tag; for `*`, of all.
    pub fn members(&mut self, tag: Tag, now: UnixMs) -> Vec<String> {
        if tag == Tag::ROOT {
            return self.keys("", now);
        }
        for key in self.graves.take(tag) {
            self.exhume(&key, now);
        }
        self.tags.get(&tag).map_or_else(Vec::new, |tag| tag.keys.iter().map(|key| key.to_string()).collect())
    }

    /// A bounded amount of tidying.
    pub fn maintain(&mut self, now: UnixMs) {
        for _ in 0..MAINTENANCE {
            match self.expiries.first() {
                Some((at, key)) if *at <= now => {
                    let key = key.clone();
                    self.remove(&key);
                }
                _ => break,
            }
        }
        for _ in 0..MAINTENANCE {
            let Some(key) = self.graves.next() else { break };
            self.exhume(&key, now);
        }
        while self.idle.len() > IDLE_TAGS {
            let Some(name) = self.idle.pop_front() else { break };
            if let Some(tag) = self.tags.get_mut(&name) {
                tag.queued = false;
                if tag.keys.is_empty() {
                    self.floor = self.floor.max(tag.record.all).max(tag.record.auto);
                    self.tags.remove(&name);
                }
            }
        }
    }

    /// Looks again at an entry whose tag was cleared: removes it, or enters it into its tags' sets again.
    fn exhume(&mut self, key: &Key, now: UnixMs) {
        let Some(entry) = self.entries.peek(key).cloned() else { return };
        if self.judge(&entry, now) == Validity::Invalid {
            self.remove(key);
            return;
        }
        for tag in &entry.tags {
            if let Some(tag) = self.tags.get_mut(tag) {
                tag.keys.insert(key.clone());
            }
        }
    }

    /// One that has expired is as good as invalid.
    fn judge(&self, entry: &LiveEntry, now: UnixMs) -> Validity {
        if entry.expires_at <= now {
            return Validity::Invalid;
        }
        self.validity(entry.epoch, entry.auto, entry.times.as_ref(), &entry.tags, now)
    }

    fn validity(
        &self,
        epoch: Epoch,
        auto: bool,
        times: Option<&Times>,
        tags: &[Tag],
        now: UnixMs,
    ) -> Validity {
        let records = tags.iter().map(|tag| self.tags.get(tag).map(|tag| &tag.record));
        let all = std::iter::once(Some(&self.star)).chain(records);
        judge(Clearance::by_records(epoch, auto, all), times, now)
    }

    /// Makes a tag's record if it has none, as of the last clear that it may have missed.
    fn know(&mut self, tag: Tag) {
        if !self.tags.contains_key(&tag) {
            let record = Record::at(Epoch { n: self.floor, ..self.epoch });
            self.tags.insert(tag, Tagged { record, keys: HashSet::default(), queued: false });
            self.rest(tag);
        }
    }

    /// Queues a tag for removal, which happens if it is without entries when its turn comes.
    fn rest(&mut self, tag: Tag) {
        if let Some(tagged) = self.tags.get_mut(&tag)
            && !tagged.queued
            && tagged.keys.is_empty()
        {
            tagged.queued = true;
            self.idle.push_back(tag);
        }
    }

    fn remove(&mut self, key: &str) -> Option<Key> {
        let (key, entry) = self.entries.remove(key)?;
        self.unlink(&key, &entry);
        Some(key)
    }

    fn unlink(&mut self, key: &Key, entry: &LiveEntry) {
        if entry.expires_at != NEVER {
            self.expiries.remove(&(entry.expires_at, key.clone()));
        }
        for tag in &entry.tags {
            if let Some(tagged) = self.tags.get_mut(tag) {
                tagged.keys.remove(key);
            }
            self.rest(*tag);
        }
    }

    /// All entries at once, whatever their number: freed on a thread of its own, since freeing a million takes time.
    fn drop_all(&mut self) {
        let entries = std::mem::replace(&mut self.entries, new_entries(self.max_bytes));
        let expiries = std::mem::take(&mut self.expiries);
        let graves = std::mem::take(&mut self.graves);
        let tags = std::mem::take(&mut self.tags);
        self.idle.clear();
        // Every record that is gone was at most at the present epoch.
        self.floor = self.epoch.n;
        if entries.len() < FREED_HERE {
            return;
        }
        // Without a thread they are freed here, which is only slower.
        let _ = std::thread::Builder::new()
            .name("cachalot-free".into())
            .spawn(move || drop((entries, expiries, graves, tags)));
    }
}

fn bucket(key: &str) -> usize {
    (xxh3_64(key.as_bytes()) % FENCE_BUCKETS) as usize
}
