//! Tags are epochs (docs/internals/tags.md): validity of an entry, and the text in which bookkeeping is kept. No I/O.

use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// A tag as stores know it: a 64-bit hash of its name, in entries, clears and bookkeeping alike. Two names of one hash are
/// cleared together, which costs a miss; neither is ever cleared too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u64);

/// What the implicit tags of namespaces begin with, as js/cache/namespaces.ts makes them.
const NAMESPACE: &str = "!ns:";

impl Tag {
    /// The tag that every entry carries: clearing it clears everything. No name hashes to it.
    pub const ROOT: Tag = Tag(0);

    /// The index that entries of many tags share, where each tag has one of its own. No name hashes to it.
    pub const WIDE: Tag = Tag(1);

    /// The lowest bit tells an implicit tag from one that a caller gave.
    pub fn of(name: &str) -> Tag {
        Tag(xxh3_64(name.as_bytes()).max(2) & !1 | u64::from(name.starts_with(NAMESPACE)))
    }

    /// What a caller means who clears or lists this name: `*` is everything.
    pub fn selected(name: &str) -> Tag {
        if name == "*" { Tag::ROOT } else { Tag::of(name) }
    }

    /// An entry carries it for a namespace of its key: it can be cleared, and nobody lists by it.
    pub fn is_namespace(self) -> bool {
        self.0 & 1 == 1
    }
}

/// 16 hex digits: its name in keys of bookkeeping.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A point in one generation of a prefix's bookkeeping. `NONE` is older than everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// Drawn at random when the counter is created; entries and records of another generation are invalid.
    pub generation: u64,
    pub n: u64,
}

impl Epoch {
    /// What is remembered where no epoch could be read: an entry stamped with it is born invalid.
    pub const NONE: Epoch = Epoch { generation: 0, n: 0 };

    /// The one that is valid for less: of two generations neither can be trusted.
    pub fn oldest(self, other: Epoch) -> Epoch {
        if self.generation != other.generation {
            return Epoch::NONE;
        }
        if self.n <= other.n { self } else { other }
    }

    /// Within one generation.
    pub fn is_later_than(self, other: Epoch) -> bool {
        self.generation == other.generation && self.n > other.n
    }

    /// A new generation; never 0.
    pub fn draw_generation() -> u64 {
        rand::random::<u64>().max(1)
    }
}

/// A tag's record: the epochs of its last clear and of its last automatic invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub generation: u64,
    pub all: u64,
    pub auto: u64,
}

/// How a clear by tag ends entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invalidation {
    /// Every entry of the tag.
    Hard,
    /// An automatic invalidation: only entries whose own `autoInvalidate` is not false; those with times become stale.
    Soft,
}

impl Record {
    pub fn at(epoch: Epoch) -> Self {
        Record { generation: epoch.generation, all: epoch.n, auto: epoch.n }
    }

    /// Raised, never lowered.
    pub fn raised(mut self, how: Invalidation, n: u64) -> Self {
        match how {
            Invalidation::Hard => self.all = self.all.max(n),
            Invalidation::Soft => self.auto = self.auto.max(n),
        }
        self
    }

    /// What this tag makes of an entry of `epoch`.
    pub fn clears(&self, epoch: Epoch, auto: bool) -> Clearance {
        if self.generation != epoch.generation || epoch.n < self.all {
            return Clearance::Hard;
        }
        if auto && epoch.n < self.auto { Clearance::Soft } else { Clearance::None }
    }
}

/// What clears since its epoch make of an entry; of several the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clearance {
    None,
    /// An automatic invalidation, for an entry that heeds them.
    Soft,
    Hard,
}

impl Clearance {
    /// Of an entry whose tags have these records, the root's among them. A missing record clears: evicted bookkeeping can
    /// cost a miss, never bring old data back.
    pub fn by_records<'a>(
        epoch: Epoch,
        auto: bool,
        records: impl IntoIterator<Item = Option<&'a Record>>,
    ) -> Clearance {
        if epoch == Epoch::NONE {
            return Clearance::Hard;
        }
        let of =
            |record: Option<&Record>| record.map_or(Clearance::Hard, |record| record.clears(epoch, auto));
        records.into_iter().map(of).max().unwrap_or(Clearance::None)
    }
}

/// What may be done with an entry; of several verdicts the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Validity {
    Valid,
    /// Kept for readers that can do with it; a miss for all others.
    Stale,
    /// Never served again.
    Invalid,
}

/// Judges an entry by its clears and its age. An automatic invalidation makes an entry that has times stale only; without
/// times it ends it (docs/decisions/0006).
pub fn judge(clearance: Clearance, times: Option<&Times>, now: UnixMs) -> Validity {
    match (clearance, times) {
        (Clearance::Hard, _) | (Clearance::Soft, None) => Validity::Invalid,
        (Clearance::Soft, Some(_)) => Validity::Stale,
        (Clearance::None, Some(times)) if times.fresh_until <= now => Validity::Stale,
        (Clearance::None, _) => Validity::Valid,
    }
}

/// `<generation, 16 hex digits> <all> <auto>`
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} {} {}", self.generation, self.all, self.auto)
    }
}

impl Record {
    /// `None` for anything else, which then counts as missing.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        let record = Record {
            generation: u64::from_str_radix(words.next()?, 16).ok()?,
            all: words.next()?.parse().ok()?,
            auto: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_survives_its_text(generation: u64, all: u64, auto: u64) {
            let record = Record { generation, all, auto };
            prop_assert_eq!(Record::parse(record.to_string().as_bytes()), Some(record));
        }

        #[test]
        fn noise_is_no_record(noise in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(record) = Record::parse(&noise) {
                prop_assert_eq!(Record::parse(record.to_string().as_bytes()), Some(record));
            }
        }
    }

    const E: Epoch = Epoch { generation: 7, n: 10 };

    fn cleared(auto: bool, records: &[Option<&Record>]) -> Clearance {
        Clearance::by_records(E, auto, records.iter().copied())
    }

    #[test]
    fn an_entry_lives_from_the_clear_it_has_seen() {
        let record = Record { generation: 7, all: 10, auto: 10 };
        let (hard, soft) = (record.raised(Invalidation::Hard, 11), record.raised(Invalidation::Soft, 11));
        assert_eq!(cleared(true, &[Some(&record)]), Clearance::None);
        assert_eq!(cleared(true, &[Some(&hard)]), Clearance::Hard);
        assert_eq!(cleared(true, &[Some(&soft), Some(&record)]), Clearance::Soft);
        assert_eq!(cleared(false, &[Some(&soft)]), Clearance::None);
        assert_eq!(cleared(true, &[Some(&soft), Some(&hard)]), Clearance::Hard);
        assert_eq!(cleared(false, &[Some(&record), None]), Clearance::Hard);
        assert_eq!(cleared(false, &[Some(&Record { generation: 8, ..record })]), Clearance::Hard);
        let none = Record { generation: 0, all: 0, auto: 0 };
        assert_eq!(Clearance::by_records(Epoch::NONE, false, [Some(&none)]), Clearance::Hard);
        assert_eq!(Clearance::by_records(Epoch::NONE, false, []), Clearance::Hard);
    }

    #[test]
    fn an_entry_with_times_grows_stale_where_another_ends() {
        let times = Times { created: 0, fresh_until: 100, cost: 0 };
        let ever = Times { fresh_until: crate::model::ttl::NEVER, ..times };
        for (clearance, now, with_times, without) in [
            (Clearance::None, 99, Validity::Valid, Validity::Valid),
            (Clearance::None, 100, Validity::Stale, Validity::Valid),
            (Clearance::Soft, 99, Validity::Stale, Validity::Invalid),
            (Clearance::Hard, 99, Validity::Invalid, Validity::Invalid),
        ] {
            assert_eq!(judge(clearance, Some(&times), now), with_times, "{clearance:?} at {now}");
            assert_eq!(judge(clearance, None, now), without, "{clearance:?} at {now}");
        }
        assert_eq!(judge(Clearance::None, Some(&ever), u64::MAX - 1), Validity::Valid);
    }

    #[test]
    fn a_clear_that_arrives_late_lowers_nothing() {
        let record = Record { generation: 7, all: 10, auto: 10 };
        assert_eq!(record.raised(Invalidation::Hard, 9), record);
    }

    #[test]
    fn no_name_is_the_root() {
        assert_eq!(Tag::selected("*"), Tag::ROOT);
        assert_ne!(Tag::of("*"), Tag::ROOT);
        assert!(Tag::of("!ns:a").is_namespace() && !Tag::of("ns:a").is_namespace());
        assert_ne!(Tag::selected("a"), Tag::of("b"));
    }
}
