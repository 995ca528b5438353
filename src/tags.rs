//! Tags are epochs (docs/tags.md): validity of an entry, and the text in which bookkeeping is kept. No I/O.

use std::fmt;

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

/// Which field a clear raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// Every entry of the tag.
    All,
    /// Only entries whose own `autoInvalidate` is not false.
    Auto,
}

impl Record {
    pub fn at(epoch: Epoch) -> Self {
        Record { generation: epoch.generation, all: epoch.n, auto: epoch.n }
    }

    /// Raised, never lowered.
    pub fn raised(mut self, how: Raise, n: u64) -> Self {
        match how {
            Raise::All => self.all = self.all.max(n),
            Raise::Auto => self.auto = self.auto.max(n),
        }
        self
    }

    /// Whether this tag lets an entry of `epoch` live.
    pub fn allows(&self, epoch: Epoch, auto: bool) -> bool {
        self.generation == epoch.generation && epoch.n >= self.all && (!auto || epoch.n >= self.auto)
    }
}

/// Whether an entry is valid; `records` are those of all its tags, `*` included. A missing record means invalid:
/// evicted bookkeeping can cost a miss, never bring old data back.
pub fn valid<'a>(epoch: Epoch, auto: bool, records: impl IntoIterator<Item = Option<&'a Record>>) -> bool {
    epoch != Epoch::NONE && records.into_iter().all(|record| record.is_some_and(|r| r.allows(epoch, auto)))
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

    #[test]
    fn an_entry_lives_from_the_clear_it_has_seen() {
        let record = Record { generation: 7, all: 10, auto: 10 };
        assert!(valid(E, true, [Some(&record)]));
        assert!(!valid(E, true, [Some(&record.raised(Raise::All, 11))]));
        assert!(!valid(E, true, [Some(&record.raised(Raise::Auto, 11))]));
        assert!(valid(E, false, [Some(&record.raised(Raise::Auto, 11))]));
        assert!(!valid(E, false, [Some(&record), None]));
        assert!(!valid(E, false, [Some(&Record { generation: 8, ..record })]));
        assert!(!valid(Epoch::NONE, false, [Some(&Record { generation: 0, all: 0, auto: 0 })]));
    }

    #[test]
    fn a_clear_that_arrives_late_lowers_nothing() {
        let record = Record { generation: 7, all: 10, auto: 10 };
        assert_eq!(record.raised(Raise::All, 9), record);
    }
}
