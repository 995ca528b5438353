//! Tags are epochs (docs/tags.md): validity of an entry, and the text in which bookkeeping is kept. No I/O.

use crate::clock::UnixMs;
use crate::ttl::Times;
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

    /// What this tag makes of an entry of `epoch`.
    fn judges(&self, epoch: Epoch, auto: bool, soft: bool) -> Validity {
        if self.generation != epoch.generation || epoch.n < self.all {
            return Validity::Invalid;
        }
        match auto && epoch.n < self.auto {
            false => Validity::Valid,
            true if soft => Validity::Stale,
            true => Validity::Invalid,
        }
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

/// Judges an entry; `records` are those of all its tags, `*` included. A missing record means invalid: evicted
/// bookkeeping can cost a miss, never bring old data back. An automatic invalidation makes an entry that has times
/// stale only; without times it ends it (docs/decisions/0006).
pub fn judge<'a>(
    epoch: Epoch,
    auto: bool,
    times: Option<&Times>,
    now: UnixMs,
    records: impl IntoIterator<Item = Option<&'a Record>>,
) -> Validity {
    let aged = match times {
        _ if epoch == Epoch::NONE => return Validity::Invalid,
        Some(times) if times.fresh_until <= now => Validity::Stale,
        _ => Validity::Valid,
    };
    let of = |record: Option<&Record>| {
        record.map_or(Validity::Invalid, |record| record.judges(epoch, auto, times.is_some()))
    };
    records.into_iter().map(of).fold(aged, Validity::max)
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

    fn valid<'a>(epoch: Epoch, auto: bool, records: impl IntoIterator<Item = Option<&'a Record>>) -> bool {
        judge(epoch, auto, None, 0, records) == Validity::Valid
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
    fn an_entry_with_times_grows_stale_where_another_ends() {
        let record = Record { generation: 7, all: 10, auto: 10 };
        let (auto, all) = (record.raised(Raise::Auto, 11), record.raised(Raise::All, 11));
        let times = Times { created: 0, fresh_until: 100, cost: 0 };
        let of = |auto, now, records: &[Option<&Record>]| {
            judge(E, auto, Some(&times), now, records.iter().copied())
        };
        assert_eq!(of(true, 99, &[Some(&record)]), Validity::Valid);
        assert_eq!(of(true, 100, &[Some(&record)]), Validity::Stale);
        assert_eq!(of(true, 99, &[Some(&auto)]), Validity::Stale);
        assert_eq!(of(false, 99, &[Some(&auto)]), Validity::Valid);
        for none_allows in [[Some(&auto), Some(&all)], [Some(&all), Some(&auto)], [Some(&auto), None]] {
            assert_eq!(of(true, 100, &none_allows), Validity::Invalid);
        }
        let ever = Times { fresh_until: crate::ttl::NEVER, ..times };
        assert_eq!(judge(E, true, Some(&ever), u64::MAX - 1, [Some(&record)]), Validity::Valid);
        assert_eq!(judge(Epoch::NONE, true, Some(&ever), 0, []), Validity::Invalid);
    }

    #[test]
    fn a_clear_that_arrives_late_lowers_nothing() {
        let record = Record { generation: 7, all: 10, auto: 10 };
        assert_eq!(record.raised(Raise::All, 9), record);
    }
}
