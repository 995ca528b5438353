//! The store itself: entries bounded by bytes, tag records beside the sets of their keys, and an order of
//! expiry. Everything happens under one lock, so each operation is atomic; each does a bounded amount of work.

use super::entries::{Entries, Held, Key, new_entries, weigh};
use super::locks::Locks;
use super::numbers::Numbers;
use super::tagged::Tags;
use crate::codec::envelope::EntryVersion;
use crate::error::{Code, Error, Result};
use crate::model::key::FENCE_BUCKETS;
use crate::model::tag::{Clearance, Epoch, Invalidation, Record, Tag, Validity, judge};
use crate::model::time::UnixMs;
use crate::model::ttl::{NEVER, Times};
use crate::model::version_table::VersionTable;
use crate::store::form::{InMemory, MemoryEntry, MemoryRead};
use crate::store::guard::Guard;
use crate::store::request::{Clear, Write, WriteOutcome};
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use xxhash_rust::xxh3::xxh3_64;

/// Work done behind each operation, so that what is dead does not pile up: some 100 µs of it at most, but for one entry of
/// thousands of tags. Its parts cost:
const MAINTENANCE: usize = 4_096;
/// an entry looked at, beside its tags if it is removed,
const LOOK: usize = 64;
/// and a member whose entry is gone.
const STEP: usize = 4;
/// Entries up to which freeing them is faster than starting a thread for it.
const FREED_HERE: usize = 1_000;

pub struct Contents {
    max_bytes: u64,
    epoch: Epoch,
    star: Record,
    /// Epoch of the last clear by key, per bucket of keys.
    fences: Box<[u64]>,
    entries: Entries,
    numbers: Numbers,
    tags: Tags,
    expiries: BTreeSet<(UnixMs, u32)>,
    pub locks: Locks,
    /// Entries kept so far.
    kept: u64,
    /// Of the handles that keep values in L1. Weak: they go with their handles.
    watchers: Vec<Weak<VersionTable>>,
}

impl Contents {
    pub fn new(max_bytes: u64) -> Self {
        let epoch = Epoch { generation: Epoch::draw_generation(), n: 1 };
        Contents {
            max_bytes,
            epoch,
            star: Record::at(epoch),
            fences: vec![0; FENCE_BUCKETS as usize].into(),
            entries: new_entries(max_bytes),
            numbers: Numbers::default(),
            tags: Tags::from(epoch.n),
            expiries: BTreeSet::new(),
            locks: Locks::default(),
            kept: 0,
            watchers: Vec::new(),
        }
    }

    /// From now on these counters are told of changes.
    pub fn watch(&mut self, slots: &Arc<VersionTable>) {
        self.watchers.retain(|watcher| watcher.strong_count() > 0);
        self.watchers.push(Arc::downgrade(slots));
    }

    fn tell(&self, change: impl Fn(&VersionTable)) {
        self.watchers.iter().filter_map(Weak::upgrade).for_each(|slots| change(&slots));
    }

    fn tell_key(&self, key: &str) {
        if !self.watchers.is_empty() {
            let slot = VersionTable::of_key(key.as_bytes());
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
        (self.entries.len(), self.entries.weight(), self.tags.len())
    }

    /// Returns an entry that lives.
    pub fn get(&mut self, key: &str, now: UnixMs) -> Option<MemoryRead> {
        let entry = &self.entries.get(key)?.entry;
        match self.judge(entry, now) {
            Validity::Invalid => {
                self.remove(key);
                None
            }
            verdict => Some(MemoryRead { entry: entry.clone(), is_stale: verdict == Validity::Stale }),
        }
    }

    pub fn set(&mut self, write: Write<InMemory>, now: UnixMs) -> Result<WriteOutcome> {
        self.tell_key(&write.key);
        let epoch = write.guard.map_or(self.epoch, |guard| guard.epoch);
        if epoch.generation != self.epoch.generation || self.fence_of(&write.key) > epoch.n {
            return Ok(WriteOutcome::Stale);
        }
        // One that is stale from the beginning is still better than none to who can do with it.
        if self.validity(epoch, write.auto, write.times.as_ref(), &write.tags, now) == Validity::Invalid {
            return Ok(WriteOutcome::Stale);
        }
        if write.guard.is_some_and(|guard| self.is_replaced(&write.key, guard, now)) {
            return Ok(WriteOutcome::Stale);
        }
        let expires_at = write.ttl.expires_at(now);
        let number = self.count();
        let (auto, times) = (write.auto, write.times);
        let entry = MemoryEntry {
            value: write.body,
            epoch,
            auto,
            tags: write.tags.into(),
            expires_at,
            times,
            number,
        };
        let (key, number) = self.take_place(&write.key, &entry.tags);
        let weight = weigh(&key, &entry, entry.tags.iter().map(|tag| self.tags.users(*tag)));
        if weight > self.max_bytes {
            let error = format!(
                "The value of \"{key}\" weighs {weight} bytes with its {} tags, the memory store holds {}; raise maxBytes or store less.",
                entry.tags.len(),
                self.max_bytes
            );
            self.unlink_tags(number, &entry.tags);
            return Err(Error::new(Code::TooLarge, error));
        }
        if expires_at != NEVER {
            self.expiries.insert((expires_at, number));
        }
        self.insert(key, Held::new(entry.into(), number, weight));
        Ok(WriteOutcome::Stored(None))
    }

    fn count(&mut self) -> u64 {
        self.kept += 1;
        self.kept
    }

    /// Whether another entry is there than the read found for which this is stored.
    fn is_replaced(&mut self, key: &str, guard: Guard, now: UnixMs) -> bool {
        let Some(found) = guard.found else { return false };
        self.get(key, now).is_some_and(|read| EntryVersion::numbered(read.entry.number) != found)
    }

    /// Takes the entry of this key out, if there is one, and enters its number, or a new one, into the sets of these tags.
    fn take_place(&mut self, key: &str, tags: &[Tag]) -> (Key, u32) {
        let Some((key, was)) = self.entries.remove(key) else {
            let key: Key = key.into();
            let number = self.numbers.add(key.clone());
            tags.iter().for_each(|tag| self.tags.join(*tag, number));
            return (key, number);
        };
        self.forget_expiry(&was);
        // In most sets, if not in all, it is already. Both are sorted.
        let added = tags.iter().filter(|tag| was.entry.tags.binary_search(tag).is_err());
        added.for_each(|tag| self.tags.join(*tag, was.number));
        let dropped = was.entry.tags.iter().filter(|tag| tags.binary_search(tag).is_err());
        dropped.for_each(|tag| self.tags.leave(*tag, was.number));
        (key, was.number)
    }

    pub fn clear(&mut self, clear: &Clear) {
        self.epoch.n += 1;
        let n = self.epoch.n;
        for key in &clear.keys {
            self.remove(key);
            self.tell_key(key);
            self.set_fence(key, n);
        }
        for tag in &clear.tags {
            let slot = VersionTable::of_tag(*tag);
            self.tell(|slots| slots.tag_changed(slot));
            if *tag == Tag::ROOT {
                self.star = self.star.raised(clear.invalidation, n);
                if clear.invalidation == Invalidation::Hard {
                    self.drop_all();
                }
                continue;
            }
            self.tags.clear(*tag, clear.invalidation, n);
        }
    }

    pub fn swap(&mut self, key: &str, seen: &Arc<MemoryEntry>, times: Option<Times>) -> bool {
        if !self.entries.peek(key).is_some_and(|held| Arc::ptr_eq(&held.entry, seen)) {
            return false;
        }
        self.raise_fence(key);
        let Some(times) = times else {
            self.remove(key);
            return true;
        };
        let number = self.count();
        // Of the same weight, under the same tags, until the same end.
        if let Some((key, held)) = self.entries.remove(key) {
            let was = &held.entry;
            let entry = Arc::new(MemoryEntry {
                value: was.value.clone(),
                epoch: was.epoch,
                auto: was.auto,
                tags: was.tags.clone(),
                expires_at: was.expires_at,
                times: Some(times),
                number,
            });
            self.insert(key, held.with(entry));
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

    fn fence_of(&self, key: &str) -> u64 {
        self.fences.get(bucket(key)).copied().unwrap_or(u64::MAX)
    }

    fn set_fence(&mut self, key: &str, n: u64) {
        if let Some(fence) = self.fences.get_mut(bucket(key)) {
            *fence = n;
        }
    }

    fn raise_fence(&mut self, key: &str) {
        self.epoch.n += 1;
        self.set_fence(key, self.epoch.n);
        self.tell_key(key);
    }

    fn insert(&mut self, key: Key, held: Held) {
        let mut evicted = Vec::new();
        self.entries.insert_with_lifecycle(key, held, &mut evicted);
        evicted.iter().for_each(|held| self.unlink(held));
    }

    /// Keys of entries that have not expired.
    pub fn keys(&self, prefix: &str, now: UnixMs) -> Vec<String> {
        let alive =
            self.entries.iter().filter(|(key, held)| held.entry.expires_at > now && key.starts_with(prefix));
        alive.map(|(key, _)| key.to_string()).collect()
    }

    /// Keys of the live entries of a tag; for `*`, of all.
    pub fn members(&mut self, tag: Tag, now: UnixMs) -> Vec<String> {
        if tag == Tag::ROOT {
            return self.keys("", now);
        }
        for number in self.tags.take_waiting(tag) {
            self.look_again(tag, number, now);
        }
        let keys = self.tags.members(tag).filter_map(|number| self.numbers.key(number));
        keys.map(|key| key.to_string()).collect()
    }

    /// A bounded amount of tidying.
    pub fn maintain(&mut self, now: UnixMs) {
        let mut work = 0;
        while work < MAINTENANCE
            && let Some((at, number)) = self.expiries.first().copied()
            && at <= now
        {
            work += LOOK + self.remove_number(number);
            self.expiries.remove(&(at, number));
        }
        while work < MAINTENANCE
            && let Some((tag, number)) = self.tags.next_waiting()
        {
            work += self.look_again(tag, number, now);
        }
        self.tags.forget();
    }

    /// Looks again at an entry of a tag that was cleared: removes it, or enters it into the tag's set again. Its other tags
    /// are not its matter here: what they end is looked at for their sake. Answers what it took.
    fn look_again(&mut self, tag: Tag, number: u32, now: UnixMs) -> usize {
        let Some(key) = self.numbers.key(number) else { return STEP };
        let Some(Held { entry, .. }) = self.entries.peek(key) else { return STEP };
        if entry.tags.binary_search(&tag).is_err() {
            return STEP;
        }
        let record = self.tags.record(self.epoch.generation, tag);
        let clearance = Clearance::by_records(entry.epoch, entry.auto, [Some(&self.star), Some(&record)]);
        if entry.expires_at <= now || judge(clearance, entry.times.as_ref(), now) == Validity::Invalid {
            return LOOK + self.remove_number(number);
        }
        self.tags.rejoin(tag, number);
        LOOK
    }

    /// One that has expired is as good as invalid.
    fn judge(&self, entry: &MemoryEntry, now: UnixMs) -> Validity {
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
        let by_star = Clearance::by_records(epoch, auto, [Some(&self.star)]);
        judge(by_star.max(self.tags.clearance(epoch, auto, tags)), times, now)
    }

    /// Answers how many tags it had.
    fn remove_number(&mut self, number: u32) -> usize {
        self.numbers.key(number).cloned().map_or(0, |key| self.remove(&key))
    }

    fn remove(&mut self, key: &str) -> usize {
        let Some((_, held)) = self.entries.remove(key) else { return 0 };
        self.unlink(&held);
        held.entry.tags.len()
    }

    fn unlink(&mut self, held: &Held) {
        self.forget_expiry(held);
        self.unlink_tags(held.number, &held.entry.tags);
    }

    fn forget_expiry(&mut self, held: &Held) {
        if held.entry.expires_at != NEVER {
            self.expiries.remove(&(held.entry.expires_at, held.number));
        }
    }

    fn unlink_tags(&mut self, number: u32, tags: &[Tag]) {
        tags.iter().for_each(|tag| self.tags.leave(*tag, number));
        self.numbers.remove(number);
    }

    /// All entries at once, whatever their number: freed on a thread of its own, since freeing a million takes time.
    fn drop_all(&mut self) {
        let entries = std::mem::replace(&mut self.entries, new_entries(self.max_bytes));
        let expiries = std::mem::take(&mut self.expiries);
        let numbers = std::mem::take(&mut self.numbers);
        // Every record that is gone was at most at the present epoch.
        let tags = std::mem::replace(&mut self.tags, Tags::from(self.epoch.n));
        if entries.len() < FREED_HERE {
            return;
        }
        // Without a thread they are freed here, which is only slower.
        let _ = std::thread::Builder::new()
            .name("cachalot-free".into())
            .spawn(move || drop((entries, expiries, numbers, tags)));
    }
}

fn bucket(key: &str) -> usize {
    (xxh3_64(key.as_bytes()) % FENCE_BUCKETS) as usize
}

#[cfg(test)]
mod tests;
