//! The small numbers that the searched states are made of, and what they stand for in the production types.

use cachalot::model::tag::{Epoch, Invalidation, Tag};
use cachalot::store::redis::clear_table as production;

pub const KEYS: usize = 2;
pub const TAGS: usize = 2;
/// Two tags, each of two kinds, and the root's soft clear. A set of members is a mask of their places.
pub const MEMBERS: usize = 2 * TAGS + 1;
const ROOT_SOFT: usize = 2 * TAGS;

/// Of each member its last clear; 0 = it is not in the log.
pub type Scores = [u8; MEMBERS];

/// An epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Point {
    /// 0 = there is none.
    pub generation: u8,
    pub n: u8,
}

impl Point {
    pub const NONE: Point = Point { generation: 0, n: 0 };

    pub fn epoch(self) -> Epoch {
        Epoch { generation: u64::from(self.generation), n: u64::from(self.n) }
    }
}

/// How outdated a value is by the clears that have resolved since it was read from the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outdated {
    #[default]
    No,
    Soft,
    Hard,
}

/// What a call of the clearing script names.
#[derive(Clone, Copy, Debug)]
pub struct Clear {
    pub kind: Invalidation,
    pub tags: u8,
    pub root: bool,
    pub key: Option<u8>,
}

impl Clear {
    pub const fn hard(tags: u8) -> Self {
        Clear { kind: Invalidation::Hard, tags, root: false, key: None }
    }

    pub const fn soft(tags: u8) -> Self {
        Clear { kind: Invalidation::Soft, ..Clear::hard(tags) }
    }

    pub const fn root(kind: Invalidation) -> Self {
        Clear { kind, root: true, ..Clear::hard(0) }
    }

    pub const fn key(key: u8) -> Self {
        Clear { key: Some(key), ..Clear::hard(0) }
    }

    /// What it writes into the log, one by one.
    pub fn members(self) -> u8 {
        match self.kind {
            Invalidation::Hard => self.tags,
            Invalidation::Soft => self.tags << TAGS | u8::from(self.root) << ROOT_SOFT,
        }
    }

    pub fn raises_floor(self) -> bool {
        self.root && self.kind == Invalidation::Hard
    }
}

/// The members that an entry depends on.
pub fn members_of(tags: u8, auto: bool) -> u8 {
    tags | if auto { tags << TAGS | 1 << ROOT_SOFT } else { 0 }
}

pub fn places(members: u8) -> impl Iterator<Item = usize> {
    (0..MEMBERS).filter(move |place| members >> place & 1 == 1)
}

/// No tag of a caller has a number below 2.
pub fn tag(number: usize) -> Tag {
    Tag(2 + number as u64)
}

pub fn tags(mask: u8) -> impl Iterator<Item = Tag> {
    (0..TAGS).filter(move |number| mask >> number & 1 == 1).map(tag)
}

pub fn member(place: usize) -> production::Member {
    match place {
        ROOT_SOFT => production::Member { tag: Tag::ROOT, kind: Invalidation::Soft },
        _ if place < TAGS => production::Member { tag: tag(place), kind: Invalidation::Hard },
        _ => production::Member { tag: tag(place - TAGS), kind: Invalidation::Soft },
    }
}

pub fn mask_of(members: &[production::Member]) -> u8 {
    (0..MEMBERS).filter(|place| members.contains(&member(*place))).map(|place| 1 << place).sum()
}

/// What an advance of the epoch did, as the script answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Advance {
    pub to: Point,
    /// 0 = it began the generation.
    pub before: u8,
    pub members: u8,
    pub raises_floor: bool,
}

impl Advance {
    pub fn production(&self) -> production::Advance {
        let root = production::Member { tag: Tag::ROOT, kind: Invalidation::Hard };
        let members = places(self.members).map(member).chain(self.raises_floor.then_some(root));
        production::Advance {
            epoch: self.to.epoch(),
            before: u64::from(self.before),
            members: members.collect(),
        }
    }
}

/// What the log has after some number; each 0 where it is not among that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Delta {
    pub floor: u8,
    /// Of the member that names the generation.
    pub generation: u8,
    pub advance: u8,
    pub scores: Scores,
    pub is_cut: bool,
}

impl Delta {
    pub fn production(&self) -> production::Delta {
        let members = (0..MEMBERS).filter(|place| self.scores[*place] > 0);
        production::Delta {
            members: members.map(|place| (member(place), u64::from(self.scores[place]))).collect(),
            floor: (self.floor > 0).then_some(u64::from(self.floor)),
            generations: match self.generation {
                0 => Vec::new(),
                generation => vec![(u64::from(generation), u64::from(self.advance))],
            },
            is_cut: self.is_cut,
        }
    }
}

/// What was found of some members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LookUp {
    pub wanted: u8,
    /// The log names the generation that was asked for.
    pub is_there: bool,
    pub floor: u8,
    pub scores: Scores,
}

impl LookUp {
    pub fn production(&self) -> production::LookUp {
        let score = |place: usize| Some(u64::from(self.scores[place])).filter(|score| *score > 0);
        production::LookUp {
            is_there: self.is_there,
            floor: (self.floor > 0).then_some(u64::from(self.floor)),
            scores: places(self.wanted).map(|place| (member(place), score(place))).collect(),
        }
    }
}
