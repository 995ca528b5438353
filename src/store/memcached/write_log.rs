//! What was asked for while sets are under way. Nothing on memcached can stamp an entry, so a set whose epoch has moved on is sent a second
//! time, behind what was asked for after it: by this log it gives way to that (docs/decisions/0014).

use crate::model::tag::Tag;
use parking_lot::Mutex;
use std::collections::VecDeque;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Names kept at most, 8 bytes each: what a store is asked for in some ten round trips at full load.
const MAX_NAMES: usize = 8_192;

/// Seeds that keep a key and a tag of one name apart.
const KEYS: u64 = 1;
const TAGS: u64 = 2;

#[derive(Default)]
pub struct WriteLog {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Batches of sets under way: without any, nothing is kept.
    under_way: usize,
    /// The number of the first name kept. Names are numbered in the order in which they were asked for.
    first: u64,
    names: VecDeque<u64>,
}

impl State {
    fn add(&mut self, name: u64) {
        if self.names.len() == MAX_NAMES {
            self.names.pop_front();
            self.first += 1;
        }
        self.names.push_back(name);
    }

    fn end(&self) -> u64 {
        self.first + self.names.len() as u64
    }
}

impl WriteLog {
    /// Sets of these keys are begun, and end when the answer is dropped.
    pub fn begin<'a>(&self, keys: impl Iterator<Item = &'a str>) -> WriteGuard<'_> {
        let mut state = self.state.lock();
        if state.under_way > 0 {
            keys.for_each(|key| state.add(of_key(key)));
        }
        state.under_way += 1;
        WriteGuard { of: self, since: state.end() }
    }

    /// These keys and tags are cleared, or changed in another way.
    pub fn note_clears<'a>(&self, keys: impl Iterator<Item = &'a str>, tags: impl Iterator<Item = Tag>) {
        let mut state = self.state.lock();
        if state.under_way > 0 {
            keys.for_each(|key| state.add(of_key(key)));
            tags.for_each(|tag| state.add(of_tag(tag)));
        }
    }
}

/// Sets that were begun.
pub struct WriteGuard<'a> {
    of: &'a WriteLog,
    since: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Superseded {
    No,
    /// The key itself was set or cleared.
    ByKey,
    /// A tag was cleared, or all: nothing is to be left of the key, nor what was there before.
    ByTag,
    /// More was asked for since than is kept.
    Unknown,
}

impl WriteGuard<'_> {
    /// What was asked for of this key, and of its tags and `*`, since they were begun.
    pub fn superseded(&self, key: &str, tags: &[Tag]) -> Superseded {
        let key = of_key(key);
        let mut tags: Vec<u64> = tags.iter().copied().chain([Tag::ROOT]).map(of_tag).collect();
        tags.sort_unstable();
        let state = self.of.state.lock();
        let later = || state.names.iter().skip(self.since.saturating_sub(state.first) as usize);
        if later().any(|name| *name == key) {
            Superseded::ByKey
        } else if self.since < state.first {
            Superseded::Unknown
        } else if later().any(|name| tags.binary_search(name).is_ok()) {
            Superseded::ByTag
        } else {
            Superseded::No
        }
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state.lock();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.first = state.end();
            state.names.clear();
        }
    }
}

fn of_key(key: &str) -> u64 {
    xxh3_64_with_seed(key.as_bytes(), KEYS)
}

fn of_tag(tag: Tag) -> u64 {
    xxh3_64_with_seed(&tag.0.to_le_bytes(), TAGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> impl Iterator<Item = &str> {
        std::iter::once(name)
    }

    fn tag(name: &str) -> impl Iterator<Item = Tag> {
        std::iter::once(Tag::selected(name))
    }

    fn none() -> impl Iterator<Item = &'static str> {
        std::iter::empty()
    }

    #[test]
    fn a_set_is_superseded_by_what_came_later_and_names_its_key_or_a_tag_of_it() {
        let tags = [Tag::of("t")];
        type Ask = fn(&WriteLog);
        let later: [(Ask, Superseded); 6] = [
            (|log| drop(log.begin(one("k"))), Superseded::ByKey),
            (|log| log.note_clears(one("k"), tag("t")), Superseded::ByKey),
            (|log| log.note_clears(none(), tag("t")), Superseded::ByTag),
            (|log| log.note_clears(none(), tag("*")), Superseded::ByTag),
            // A key and a tag of one name are two.
            (|log| log.note_clears(one("t"), tag("k")), Superseded::No),
            (|log| drop(log.begin(one("other"))), Superseded::No),
        ];
        for (later, expected) in later {
            let log = WriteLog::default();
            let before = log.begin(one("other"));
            log.note_clears(one("k"), tag("t"));
            let set = log.begin(one("k"));
            assert_eq!(set.superseded("k", &tags), Superseded::No, "what came before");
            later(&log);
            assert_eq!(set.superseded("k", &tags), expected);
            drop(before);
            assert_eq!(set.superseded("k", &tags), expected, "others that end");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_gone_with_the_last_set() {
        let log = WriteLog::default();
        log.note_clears(one("k"), std::iter::empty());
        assert!(log.state.lock().names.is_empty(), "no set is under way");
        let set = log.begin(one("k"));
        for at in 0..MAX_NAMES {
            log.note_clears(one(&at.to_string()), std::iter::empty());
        }
        assert_eq!(set.superseded("k", &[]), Superseded::No);
        let young = log.begin(one("young"));
        assert_eq!(set.superseded("k", &[]), Superseded::Unknown);
        assert_eq!(set.superseded("young", &[]), Superseded::ByKey);
        assert_eq!(young.superseded("k", &[]), Superseded::No);
        assert_eq!(log.state.lock().names.len(), MAX_NAMES);
        drop((set, young));
        assert!(log.state.lock().names.is_empty());
        let set = log.begin(one("k"));
        assert_eq!(set.superseded("k", &[]), Superseded::No);
        log.note_clears(one("k"), std::iter::empty());
        assert_eq!(set.superseded("k", &[]), Superseded::ByKey);
    }
}
