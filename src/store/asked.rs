//! What was asked for while sets are under way. A set that must be sent a second time (the server has lost its scripts, or
//! its epoch) comes behind what was asked for after it, and gives way to it.

use crate::model::tag::Tag;
use parking_lot::Mutex;
use std::collections::VecDeque;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Names kept at most, 8 bytes each: what a store is asked for in some ten round trips at full load.
const MOST: usize = 8_192;

/// Seeds that keep a key and a tag of one name apart.
const KEYS: u64 = 1;
const TAGS: u64 = 2;

#[derive(Default)]
pub struct Asked {
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
        if self.names.len() == MOST {
            self.names.pop_front();
            self.first += 1;
        }
        self.names.push_back(name);
    }

    fn end(&self) -> u64 {
        self.first + self.names.len() as u64
    }
}

impl Asked {
    /// Sets of these keys are begun, and end when the answer is dropped.
    pub fn sets<'a>(&self, keys: impl Iterator<Item = &'a str>) -> UnderWay<'_> {
        let mut state = self.state.lock();
        if state.under_way > 0 {
            keys.for_each(|key| state.add(of_key(key)));
        }
        state.under_way += 1;
        UnderWay { of: self, since: state.end() }
    }

    /// These keys and tags are cleared, or changed in another way.
    pub fn clears<'a>(&self, keys: impl Iterator<Item = &'a str>, tags: impl Iterator<Item = Tag>) {
        let mut state = self.state.lock();
        if state.under_way > 0 {
            keys.for_each(|key| state.add(of_key(key)));
            tags.for_each(|tag| state.add(of_tag(tag)));
        }
    }
}

/// Sets that were begun.
pub struct UnderWay<'a> {
    of: &'a Asked,
    since: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overtaken {
    No,
    /// The key itself was set or cleared.
    Replaced,
    /// A tag was cleared, or all: nothing is to be left of the key, nor what was there before.
    Cleared,
    /// More was asked for since than is kept.
    Perhaps,
}

impl UnderWay<'_> {
    /// What was asked for of this key, and of its tags and `*`, since they were begun.
    pub fn overtaken(&self, key: &str, tags: &[Tag]) -> Overtaken {
        let key = of_key(key);
        let mut tags: Vec<u64> = tags.iter().copied().chain([Tag::ROOT]).map(of_tag).collect();
        tags.sort_unstable();
        let state = self.of.state.lock();
        let later = || state.names.iter().skip(self.since.saturating_sub(state.first) as usize);
        if later().any(|name| *name == key) {
            Overtaken::Replaced
        } else if self.since < state.first {
            Overtaken::Perhaps
        } else if later().any(|name| tags.binary_search(name).is_ok()) {
            Overtaken::Cleared
        } else {
            Overtaken::No
        }
    }
}

impl Drop for UnderWay<'_> {
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
    fn a_set_is_overtaken_by_what_came_later_and_names_its_key_or_a_tag_of_it() {
        let tags = [Tag::of("t")];
        type Ask = fn(&Asked);
        let later: [(Ask, Overtaken); 6] = [
            (|asked| drop(asked.sets(one("k"))), Overtaken::Replaced),
            (|asked| asked.clears(one("k"), tag("t")), Overtaken::Replaced),
            (|asked| asked.clears(none(), tag("t")), Overtaken::Cleared),
            (|asked| asked.clears(none(), tag("*")), Overtaken::Cleared),
            // A key and a tag of one name are two.
            (|asked| asked.clears(one("t"), tag("k")), Overtaken::No),
            (|asked| drop(asked.sets(one("other"))), Overtaken::No),
        ];
        for (later, expected) in later {
            let asked = Asked::default();
            let before = asked.sets(one("other"));
            asked.clears(one("k"), tag("t"));
            let set = asked.sets(one("k"));
            assert_eq!(set.overtaken("k", &tags), Overtaken::No, "what came before");
            later(&asked);
            assert_eq!(set.overtaken("k", &tags), expected);
            drop(before);
            assert_eq!(set.overtaken("k", &tags), expected, "others that end");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_gone_with_the_last_set() {
        let asked = Asked::default();
        asked.clears(one("k"), std::iter::empty());
        assert!(asked.state.lock().names.is_empty(), "no set is under way");
        let set = asked.sets(one("k"));
        for at in 0..MOST {
            asked.clears(one(&at.to_string()), std::iter::empty());
        }
        assert_eq!(set.overtaken("k", &[]), Overtaken::No);
        let young = asked.sets(one("young"));
        assert_eq!(set.overtaken("k", &[]), Overtaken::Perhaps);
        assert_eq!(set.overtaken("young", &[]), Overtaken::Replaced);
        assert_eq!(young.overtaken("k", &[]), Overtaken::No);
        assert_eq!(asked.state.lock().names.len(), MOST);
        drop((set, young));
        assert!(asked.state.lock().names.is_empty());
        let set = asked.sets(one("k"));
        assert_eq!(set.overtaken("k", &[]), Overtaken::No);
        asked.clears(one("k"), std::iter::empty());
        assert_eq!(set.overtaken("k", &[]), Overtaken::Replaced);
    }
}
