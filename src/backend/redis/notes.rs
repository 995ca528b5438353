//! What is known of tags' records and indexes, so that not every set has to look after them.
//!
//! A record must outlive its entries, or they become misses; an index must shed what has expired. The script of a set
//! does both for the tags that it is told to: those of which nothing is known, those whose record or index would end
//! before the entry, and every tag once in a while. What is known may be wrong, since the server may evict a record and
//! a clear by another process may make it anew with a short life. Its entries then may become misses early, until a
//! tag's upkeep is due again; none is ever served that should not be.

use crate::ttl::Ttl;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Instant;

/// Sets of a tag after which it is looked after in any case. The work on its index then is done for all of them at once.
const DUE: u8 = 8;

/// Tags of which something is known; some 150 bytes each: 1.2 MB. More forget all: each is looked after once more.
const MAX_TAGS: usize = 8_192;

/// A moment that does not come.
const NEVER: u64 = u64::MAX;

struct Note {
    /// Until when its record lives, and its index; milliseconds by the clock of `Notes`.
    record: u64,
    index: u64,
    /// Sets since it was looked after.
    sets: u8,
}

pub(super) struct Notes {
    began: Instant,
    tags: Mutex<HashMap<String, Note>>,
}

impl Notes {
    pub fn new() -> Self {
        Notes { began: Instant::now(), tags: Mutex::default() }
    }

    /// Taken before a call is sent: what it answers holds from then on at least.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Counts this many sets of a tag, the longest-lived of this life. 0 = it need not be looked after; else the number
    /// of sets that have come together.
    pub fn due(&self, tag: &str, sets: u8, life: Ttl, now: u64) -> u8 {
        let until = match life {
            Ttl::Forever => NEVER,
            Ttl::Ms(ms) => now.saturating_add(ms),
        };
        let mut tags = self.tags.lock();
        let Some(note) = tags.get_mut(tag) else { return sets };
        note.sets = note.sets.saturating_add(sets);
        if note.sets < DUE && until <= note.record && until <= note.index {
            return 0;
        }
        std::mem::take(&mut note.sets)
    }

    /// What a call sent at `now` found: how long both live, in milliseconds (-1 = for ever, 0 = not looked at).
    pub fn learn(&self, tag: &str, record: i64, index: i64, now: u64) {
        let until = |left: i64| match left {
            -1 => Some(NEVER),
            left if left > 0 => Some(now.saturating_add(left as u64)),
            _ => None,
        };
        let mut tags = self.tags.lock();
        if let Some(note) = tags.get_mut(tag) {
            note.record = until(record).unwrap_or(note.record);
            note.index = until(index).unwrap_or(note.index);
        } else if let (Some(record), Some(index)) = (until(record), until(index)) {
            if tags.len() >= MAX_TAGS {
                tags.clear();
            }
            tags.insert(tag.to_owned(), Note { record, index, sets: 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Ttl = Ttl::Ms(60_000);

    #[test]
    fn a_tag_is_looked_after_when_it_is_new_and_at_every_eighth_set() {
        let notes = Notes::new();
        assert_eq!(notes.due("t", 3, MINUTE, 0), 3);
        notes.learn("t", 600_000, 600_000, 0);
        let due: Vec<u8> = (0..17).map(|_| notes.due("t", 1, MINUTE, 0)).collect();
        assert_eq!(due, [0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 8, 0]);
        assert_eq!(notes.due("t", 255, MINUTE, 0), 255);
    }

    #[test]
    fn a_tag_is_looked_after_where_an_entry_would_outlive_its_record_or_index() {
        let notes = Notes::new();
        for (record, index) in [(60_000, -1), (-1, 60_000)] {
            notes.learn("t", record, index, 1_000);
            assert_eq!(notes.due("t", 1, MINUTE, 1_000), 0);
            assert_eq!(notes.due("t", 1, MINUTE, 1_001), 2);
            assert_eq!(notes.due("t", 1, Ttl::Forever, 0), 1);
        }
        notes.learn("t", -1, -1, 0);
        assert_eq!(notes.due("t", 1, Ttl::Forever, 0), 0);
        // A record made anew, its index not looked at.
        notes.learn("t", 10, 0, 0);
        assert_eq!(notes.due("t", 1, MINUTE, 0), 2);
    }

    #[test]
    fn what_is_known_is_bounded_and_half_knowledge_is_none() {
        let notes = Notes::new();
        notes.learn("half", 10, 0, 0);
        assert_eq!(notes.due("half", 1, Ttl::Ms(1), 0), 1);
        for i in 0..3 * MAX_TAGS {
            notes.learn(&i.to_string(), -1, -1, 0);
        }
        assert!(notes.tags.lock().len() <= MAX_TAGS);
    }
}
