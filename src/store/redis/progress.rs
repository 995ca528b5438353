//! How far a prefix was swept, as it stands on the server: processes hand it on. Pure.

use super::history::UNDER_WAY;
use crate::model::tag::Epoch;

/// In the server's microseconds, which numbers of epochs count too.
const LATE: u64 = UNDER_WAY.as_micros() as u64;

/// An index that has grown by so many and doubled since its last sweep is swept, though nothing was cleared: a server that evicts
/// entries leaves their members.
const GROWN: u64 = 1_000;

/// What a sweep sees when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    pub epoch: Epoch,
    /// The last clear of a tag.
    pub last: u64,
    /// Entries below it are dead.
    pub floor: u64,
    /// The server's clock.
    pub now: u64,
    /// Of the index.
    pub members: u64,
}

/// `<generation> <upto> <floor> <members>`, and while a sweep goes on, ` <upto> <floor> <cursor>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub generation: u64,
    /// Nothing is left that was cleared up to this number, or that is below this floor.
    pub upto: u64,
    pub floor: u64,
    /// Of the index, when it had been gone through.
    pub members: u64,
    pub sweep: Option<Sweep>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// What `upto` and `floor` become at its end.
    pub upto: u64,
    pub floor: u64,
    /// Where it is in the index.
    pub cursor: u64,
}

impl Progress {
    /// Anything else counts as nothing swept.
    pub fn of(text: &[u8]) -> Self {
        let mut words = std::str::from_utf8(text).unwrap_or_default().split(' ');
        let mut generation = || {
            let hex = words.next().filter(|hex| hex.len() == 16)?;
            u64::from_str_radix(hex, 16).ok()
        };
        let Some(generation) = generation() else { return Progress::default() };
        let numbers: Option<Vec<u64>> = words.map(|digits| digits.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[upto, floor, members]) => Progress { generation, upto, floor, members, sweep: None },
            Some(&[upto, floor, members, to, to_floor, cursor]) => {
                let sweep = Some(Sweep { upto: to, floor: to_floor, cursor });
                Progress { generation, upto, floor, members, sweep }
            }
            _ => Progress::default(),
        }
    }

    pub fn text(&self) -> String {
        let Progress { generation, upto, floor, members, sweep } = self;
        let mut text = format!("{generation:016x} {upto} {floor} {members}");
        if let Some(Sweep { upto, floor, cursor }) = sweep {
            text += &format!(" {upto} {floor} {cursor}");
        }
        text
    }

    /// What is to be swept now; a sweep that another process left goes on.
    pub fn due(mut self, log: &Log) -> Option<Progress> {
        if log.members == 0 {
            return None;
        }
        if self.generation != log.epoch.generation {
            self = Progress { generation: log.epoch.generation, ..Progress::default() };
        }
        // What was under way when its tag was cleared may have been stored since, and dead.
        let is_late = log.now >= log.last + LATE && self.upto < log.last + LATE;
        if self.sweep.is_none() {
            let has_grown = log.members >= 2 * self.members + GROWN;
            if log.last <= self.upto && log.floor <= self.floor && !is_late && !has_grown {
                return None;
            }
            let upto = log.epoch.n.max(log.now);
            self.sweep = Some(Sweep { upto, floor: log.floor, cursor: 0 });
        }
        Some(self)
    }

    /// In so many microseconds another sweep is due, if nothing else is cleared.
    pub fn again(&self, log: &Log) -> Option<u64> {
        (self.upto < log.last + LATE).then(|| (log.last + LATE).saturating_sub(log.now))
    }

    /// The index was gone through, and has so many members now. `is_whole`: everything in it could be judged.
    pub fn done(self, is_whole: bool, members: u64) -> Self {
        let (upto, floor) = match self.sweep {
            Some(sweep) if is_whole => (sweep.upto, sweep.floor),
            _ => (self.upto, self.floor),
        };
        Progress { upto, floor, members, sweep: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWEEP: Sweep = Sweep { upto: 70, floor: 30, cursor: 9 };
    const PROGRESS: Progress = Progress { generation: 255, upto: 50, floor: 20, members: 0, sweep: None };

    fn log(last: u64, floor: u64, now: u64) -> Log {
        Log { epoch: Epoch { generation: 255, n: last }, last, floor, now, members: 1 }
    }

    #[test]
    fn it_reads_what_it_wrote_and_nothing_else() {
        for sweep in [None, Some(SWEEP)] {
            let progress = Progress { sweep, ..PROGRESS };
            assert_eq!(Progress::of(progress.text().as_bytes()), progress);
        }
        for noise in
            ["", "x", "00000000000000ff 1", "00000000000000ff 1 2", "ff 1 2 3", "00000000000000ff -1 2 3"]
        {
            assert_eq!(Progress::of(noise.as_bytes()), Progress::default(), "{noise}");
        }
    }

    #[test]
    fn it_is_due_after_a_clear_a_new_floor_and_once_more_when_nothing_is_under_way_any_more() {
        let swept = Progress { upto: 100, floor: 20, ..PROGRESS };
        assert_eq!(swept.due(&log(100, 20, 100)), None);
        let upto = |log: Log| swept.due(&log).and_then(|progress| progress.sweep).map(|sweep| sweep.upto);
        assert_eq!(upto(log(101, 20, 90)), Some(101));
        assert_eq!(upto(log(90, 21, 110)), Some(110));
        assert_eq!(upto(log(90, 20, 89 + LATE)), None);
        assert_eq!(upto(log(90, 20, 90 + LATE)), Some(90 + LATE));
        assert_eq!(swept.again(&log(90, 20, 100)), Some(LATE - 10));
        let late = Progress { upto: 90 + LATE, ..swept };
        assert_eq!((late.due(&log(90, 20, 95 + LATE)), late.again(&log(90, 20, 95 + LATE))), (None, None));
        let grown =
            |members| Progress { members: 500, ..swept }.due(&Log { members, ..log(90, 20, 95) }).is_some();
        assert_eq!([500, 1_999, 2_000].map(grown), [false, false, true]);
        let another = Log { epoch: Epoch { generation: 1, n: 5 }, ..log(5, 5, 5) };
        assert_eq!(swept.due(&Log { members: 0, ..another }), None);
        assert_eq!(
            swept.due(&another).unwrap().done(true, 7),
            Progress { generation: 1, upto: 5, floor: 5, members: 7, sweep: None }
        );
    }

    #[test]
    fn a_sweep_that_was_left_goes_on_to_where_it_was_bound() {
        let left = Progress { sweep: Some(SWEEP), ..PROGRESS };
        let goes_on = left.due(&log(100, 40, 120)).unwrap();
        assert_eq!(goes_on, left);
        let done = goes_on.done(true, 7);
        assert_eq!(done, Progress { upto: 70, floor: 30, members: 7, ..PROGRESS });
        assert!(done.due(&log(100, 40, 120)).is_some());
        assert_eq!(goes_on.done(false, 7), Progress { members: 7, ..PROGRESS });
    }
}
