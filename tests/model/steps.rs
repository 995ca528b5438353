//! What a case is made of, and the names of its keys and tags.

use cachalot::model::tag::{Invalidation, Tag};
use proptest::collection::vec;
use proptest::prelude::*;
use std::ops::Range;

pub const KEYS: usize = 3;
pub const HANDLES: usize = 2;

/// A wide entry has 500 tags: its own, one that all entries share, and these two halves, each of which it shares with one
/// neighbour. More than a look-up asks for at once, and more in two entries than a delta tells at once.
const HALF: usize = 249;
pub const WIDE_TAGS: usize = (KEYS + 1) * HALF;
/// The longest run of tags that is cleared at once: more than one call of a clearing script takes.
const LONGEST_RUN: usize = 700;

#[derive(Clone, Debug)]
pub enum Step {
    /// Get; on a miss read the truth, to be stored later. `ticket`: by a read that carries its own guard.
    Read { handle: usize, key: usize, ticket: bool },
    /// Get all keys at once.
    ReadAll { handle: usize },
    /// Store the nth thing read and not stored yet, with times or without.
    Store { nth: prop::sample::Index, times: bool },
    /// Commit, then clear one key.
    Write { handle: usize, key: usize, how: ByKey },
    /// Commit, then clear by tags. `read`: all keys are read after it, in the same batch.
    Clear { handle: usize, selection: Selection, kind: Invalidation, read: bool },
    /// Commit, then clear by tags while all keys are read, over whichever connections.
    Together { clears: Vec<(usize, Selection, Invalidation)>, readers: Vec<usize>, clears_first: bool },
    /// Get and delete.
    Take { handle: usize, key: usize },
    /// List by one tag of a key.
    List { handle: usize, key: usize, tag: prop::sample::Index },
    /// The server forgets some of what it holds, entries and bookkeeping alike.
    Evict { some: u8 },
}

#[derive(Clone, Copy, Debug)]
pub enum ByKey {
    Clear,
    /// Spares entries with times, as stale ones.
    Expire,
}

/// What a clear by tags names.
#[derive(Clone, Debug)]
pub enum Selection {
    Own(usize),
    Shared,
    Root,
    Unrelated,
    /// One of those that wide entries have in common with their neighbours.
    Wide(usize),
    Run(Range<usize>),
}

/// Whether all entries of a case are wide.
#[derive(Clone, Copy, Debug)]
pub struct Entries {
    pub wide: bool,
}

pub fn case(entries: &'static [Entries]) -> impl Strategy<Value = (Entries, Vec<Step>)> {
    (prop::sample::select(entries), vec(step(), 1..60))
}

fn step() -> impl Strategy<Value = Step> {
    let handle = || 0..HANDLES;
    let key = || 0..KEYS;
    let index = any::<prop::sample::Index>;
    let by_key = prop::sample::select(vec![ByKey::Clear, ByKey::Expire]);
    let kind = || prop::sample::select(vec![Invalidation::Hard, Invalidation::Soft]);
    prop_oneof![
        6 => (handle(), key(), any::<bool>()).prop_map(|(handle, key, ticket)| Step::Read { handle, key, ticket }),
        2 => handle().prop_map(|handle| Step::ReadAll { handle }),
        5 => (index(), any::<bool>()).prop_map(|(nth, times)| Step::Store { nth, times }),
        1 => (handle(), key(), by_key).prop_map(|(handle, key, how)| Step::Write { handle, key, how }),
        4 => (handle(), selection(), kind(), any::<bool>())
            .prop_map(|(handle, selection, kind, read)| Step::Clear { handle, selection, kind, read }),
        2 => (vec((handle(), selection(), kind()), 1..3), vec(handle(), 1..3), any::<bool>())
            .prop_map(|(clears, readers, clears_first)| Step::Together { clears, readers, clears_first }),
        1 => (handle(), key()).prop_map(|(handle, key)| Step::Take { handle, key }),
        1 => (handle(), key(), index()).prop_map(|(handle, key, tag)| Step::List { handle, key, tag }),
        1 => any::<u8>().prop_map(|some| Step::Evict { some }),
    ]
}

fn selection() -> impl Strategy<Value = Selection> {
    prop_oneof![
        3 => (0..KEYS).prop_map(Selection::Own),
        1 => Just(Selection::Shared),
        2 => Just(Selection::Root),
        1 => Just(Selection::Unrelated),
        2 => (0..WIDE_TAGS).prop_map(Selection::Wide),
        1 => (0..WIDE_TAGS, 1..LONGEST_RUN)
            .prop_map(|(from, length)| Selection::Run(from..WIDE_TAGS.min(from + length))),
    ]
}

pub fn key_name(key: usize) -> String {
    format!("k{key}")
}

fn own_tag(key: usize) -> Tag {
    Tag::of(&format!("t{key}"))
}

pub fn shared_tag() -> Tag {
    Tag::of("shared")
}

pub fn unrelated_tag() -> Tag {
    Tag::of("unrelated")
}

pub fn wide_tag(number: usize) -> Tag {
    Tag::of(&format!("w{number}"))
}

impl Entries {
    fn wide_tags(self, key: usize) -> Range<usize> {
        if self.wide { key * HALF..(key + 2) * HALF } else { 0..0 }
    }

    /// The tags of an entry.
    pub fn tags(self, key: usize) -> Vec<Tag> {
        let mut tags = vec![own_tag(key), shared_tag()];
        tags.extend(self.wide_tags(key).map(wide_tag));
        tags
    }

    /// The keys whose entries carry any of the tags.
    pub fn concerned(self, selection: &Selection) -> Vec<usize> {
        let carries = |key: usize| {
            let own = self.wide_tags(key);
            match selection {
                Selection::Own(of) => *of == key,
                Selection::Shared | Selection::Root => true,
                Selection::Unrelated => false,
                Selection::Wide(tag) => own.contains(tag),
                Selection::Run(run) => own.start.max(run.start) < own.end.min(run.end),
            }
        };
        (0..KEYS).filter(|key| carries(*key)).collect()
    }
}

impl Selection {
    pub fn tags(&self) -> Vec<Tag> {
        match self {
            Selection::Own(key) => vec![own_tag(*key)],
            Selection::Shared => vec![shared_tag()],
            Selection::Root => vec![Tag::selected("*")],
            Selection::Unrelated => vec![unrelated_tag()],
            Selection::Wide(number) => vec![wide_tag(*number)],
            Selection::Run(run) => run.clone().map(wide_tag).collect(),
        }
    }
}
