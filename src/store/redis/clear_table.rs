//! What one connection knows of the clear log (docs/internals/tags.md): which tags were cleared, and between which epochs it knows
//! all of them. Pure; replies are observed in the order of the connection, or the answers are wrong.
//!
//! The rules were checked by exhaustive search (tests/clear_log); every one of them is needed.

use crate::model::tag::{Clearance, Epoch, Invalidation, Tag};
use foldhash::HashMap;

/// Tags known at most, some 40 bytes each: 4 MB a connection. More forget all, and older entries are looked up again.
const MAX_TAGS: usize = 100_000;

/// A member of the log: a tag, and how it was cleared. The root's soft clear is a member, its hard one raises the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    pub tag: Tag,
    pub kind: Invalidation,
}

/// What is known of one tag, of each kind: the epoch of its last clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Known {
    hard: Score,
    soft: Score,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Score {
    /// Perhaps cleared before `known_from`.
    #[default]
    Unknown,
    /// Looked up: not in the log.
    Absent,
    At(u64),
}

/// The answer to a question for what was cleared after some epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    pub members: Vec<(Member, u64)>,
    pub floor: Option<u64>,
    /// The generations that the log names, each with its last advance.
    pub generations: Vec<(u64, u64)>,
    /// As long as it may be: more may be missing.
    pub is_cut: bool,
}

/// The answer to a question for the last clears of some members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// The log names the generation that was asked for.
    pub is_there: bool,
    pub floor: Option<u64>,
    pub scores: Vec<(Member, Option<u64>)>,
}

/// What an advance of the epoch did, as its script answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    pub epoch: Epoch,
    /// The number before; 0 = the generation was begun.
    pub before: u64,
    pub members: Vec<Member>,
}

/// What a read's reply allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Its entries can be judged.
    Complete,
    /// Clears came since: first their names must be asked for, after this number.
    Behind { after: u64 },
    /// Nothing can be said of its entries: they are misses, without an epoch.
    Unusable,
}

/// What is known of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Known(Clearance),
    /// These members must be looked up.
    Unknown(Vec<Member>),
}

/// In brackets, the short names that docs/internals/tags.md and the checker use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearTable {
    /// 0 = nothing is known yet (g).
    generation: u64,
    /// Every clear after this one and up to `known_to` is in the table, or at most at the floor (S0).
    known_from: u64,
    /// (S)
    known_to: u64,
    /// Entries below it are invalid (F).
    floor: u64,
    tags: HashMap<Tag, Known>,
    /// The greatest score in the table.
    highest: u64,
    max_tags: usize,
}

impl Default for ClearTable {
    fn default() -> Self {
        Self::with_room(MAX_TAGS)
    }
}

impl ClearTable {
    pub fn with_room(max_tags: usize) -> Self {
        ClearTable {
            generation: 0,
            known_from: 0,
            known_to: 0,
            floor: 0,
            tags: HashMap::default(),
            highest: 0,
            max_tags,
        }
    }

    /// The newest epoch up to which every clear is known.
    pub fn known_to(&self) -> Epoch {
        Epoch { generation: self.generation, n: self.known_to }
    }

    /// As on a new connection.
    pub fn forget(&mut self) {
        *self = Self::with_room(self.max_tags);
    }

    /// Takes over the whole log, read after this epoch on a new connection: then nothing ever has to be looked up. Nothing
    /// changes if it is not whole.
    pub fn start(&mut self, epoch: Epoch, log: &Delta) {
        let Some(newest) = log.newest(epoch.generation).filter(|n| *n >= epoch.n) else { return };
        let Some(floor) = log.floor else { return };
        self.restart(epoch);
        (self.known_from, self.known_to, self.floor) = (floor, newest, floor);
        log.members.iter().for_each(|(member, n)| self.raise(*member, *n));
        self.bound();
    }

    /// Observes the epoch of a read's reply.
    pub fn observe_epoch(&mut self, epoch: Epoch) -> Observed {
        if epoch == Epoch::NONE {
            self.forget();
            return Observed::Unusable;
        }
        if epoch.generation != self.generation {
            self.restart(epoch);
        } else if epoch.n < self.known_to {
            // Another server behind the same connection, with an older state.
            self.forget();
            return Observed::Unusable;
        } else if epoch.n > self.known_to {
            return Observed::Behind { after: self.known_to };
        }
        Observed::Complete
    }

    /// Observes what was cleared, as asked for after a reply of this epoch. False: the entries of that reply cannot be judged.
    pub fn observe_delta(&mut self, epoch: Epoch, delta: &Delta) -> bool {
        if epoch.generation != self.generation {
            return false;
        }
        let is_foreign = delta.generations.iter().any(|(generation, _)| *generation != self.generation);
        let mut newest = None;
        if !is_foreign && !delta.is_cut {
            delta.members.iter().for_each(|(member, n)| self.raise(*member, *n));
            self.floor = self.floor.max(delta.floor.unwrap_or(0));
            newest = delta.newest(self.generation).filter(|n| *n >= epoch.n);
        }
        match newest {
            Some(newest) => self.known_to = self.known_to.max(newest),
            None if epoch.n <= self.known_to => {}
            // The log was lost, or tells too much at once.
            None => {
                self.empty();
                (self.known_from, self.known_to) = (epoch.n, epoch.n);
            }
        }
        self.bound();
        true
    }

    /// Observes what was looked up for a reply of this epoch. False: the entries of that reply cannot be judged.
    pub fn observe_look_up(&mut self, epoch: Epoch, found: &LookUp) -> bool {
        if !found.is_there || epoch.generation != self.generation {
            return false;
        }
        self.floor = self.floor.max(found.floor.unwrap_or(0));
        for (member, score) in &found.scores {
            match score {
                Some(n) => self.raise(*member, *n),
                None => {
                    let known = self.known(*member);
                    *known = Score::Absent.max(*known);
                }
            }
        }
        true
    }

    /// Observes an advance of the epoch by a clear of this process over this connection.
    pub fn observe_advance(&mut self, advance: &Advance) {
        let Advance { epoch, before, members } = advance;
        if self.generation == 0 {
            return;
        }
        if epoch.generation != self.generation {
            return self.forget();
        }
        // What is older is known, or came out of order: it must not make a tag known whose later clears are not.
        if epoch.n <= self.known_to {
            return;
        }
        for member in members {
            match member {
                Member { tag: Tag::ROOT, kind: Invalidation::Hard } => self.floor = self.floor.max(epoch.n),
                member => self.raise(*member, epoch.n),
            }
        }
        if *before == self.known_to {
            self.known_to = epoch.n;
        }
        self.bound();
    }

    /// Keeps the table small; called when what was just learned has been used.
    pub fn bound(&mut self) {
        if self.tags.len() > self.max_tags {
            self.empty();
            self.known_from = self.known_to;
        }
    }

    /// Judges an entry of a reply that was observed.
    pub fn judge(&self, epoch: Epoch, auto: bool, tags: impl Iterator<Item = Tag>) -> Verdict {
        if epoch.generation != self.generation || epoch == Epoch::NONE || epoch.n < self.floor {
            return Verdict::Known(Clearance::Hard);
        }
        if self.is_untouched(epoch) {
            return Verdict::Known(Clearance::None);
        }
        let is_young = epoch.n >= self.known_from;
        let mut clearance = Clearance::None;
        let mut unknown = Vec::new();
        let mut soft = |tag: Tag, score: Score| match score {
            Score::At(n) if n > epoch.n => clearance = Clearance::Soft,
            Score::Unknown if !is_young => unknown.push(Member { tag, kind: Invalidation::Soft }),
            _ => {}
        };
        if auto {
            soft(Tag::ROOT, self.score(Tag::ROOT).soft);
        }
        let mut hard_unknown = Vec::new();
        for tag in tags {
            let known = self.score(tag);
            match known.hard {
                Score::At(n) if n > epoch.n => return Verdict::Known(Clearance::Hard),
                Score::Unknown if !is_young => {
                    hard_unknown.push(Member { tag, kind: Invalidation::Hard });
                }
                _ => {}
            }
            if auto {
                soft(tag, known.soft);
            }
        }
        unknown.append(&mut hard_unknown);
        if unknown.is_empty() { Verdict::Known(clearance) } else { Verdict::Unknown(unknown) }
    }

    /// Whether no clear that is known can concern an entry of this epoch, and all that came since it are known.
    pub fn is_untouched(&self, epoch: Epoch) -> bool {
        epoch.generation == self.generation && epoch.n >= self.floor.max(self.known_from).max(self.highest)
    }

    /// Whether an entry of this epoch is known to be worth nothing already. One of another generation may be of a newer one.
    pub fn has_cleared(&self, epoch: Epoch, auto: bool, tags: impl Iterator<Item = Tag>) -> Clearance {
        if epoch == Epoch::NONE || epoch.generation != self.generation {
            return Clearance::None;
        }
        match self.judge(epoch, auto, tags) {
            Verdict::Known(clearance) => clearance,
            Verdict::Unknown(_) => Clearance::None,
        }
    }

    fn restart(&mut self, epoch: Epoch) {
        self.forget();
        self.generation = epoch.generation;
        (self.known_from, self.known_to) = (epoch.n, epoch.n);
    }

    fn empty(&mut self) {
        self.tags.clear();
        self.highest = 0;
    }

    fn score(&self, tag: Tag) -> Known {
        self.tags.get(&tag).copied().unwrap_or_default()
    }

    fn known(&mut self, member: Member) -> &mut Score {
        let known = self.tags.entry(member.tag).or_default();
        match member.kind {
            Invalidation::Hard => &mut known.hard,
            Invalidation::Soft => &mut known.soft,
        }
    }

    fn raise(&mut self, member: Member, n: u64) {
        let known = self.known(member);
        *known = Score::At(n).max(*known);
        self.highest = self.highest.max(n);
    }
}

impl Delta {
    /// Whether it is whole, and names no other generation.
    pub fn is_of(&self, generation: u64) -> bool {
        !self.is_cut && self.generations.iter().all(|(named, _)| *named == generation)
    }

    /// The last advance of this generation, if the delta is whole and of no other.
    fn newest(&self, generation: u64) -> Option<u64> {
        match self.generations.as_slice() {
            [(named, n)] if *named == generation && !self.is_cut => Some(*n),
            _ => None,
        }
    }
}
