//! What a miss leaves for the set that follows it (docs/internals/tags.md): the epoch of the read, so that data read before a
//! clear is born invalid. Bounded, and it never forgets within its time: what does not fit merges into buckets that
//! keep the oldest.

use crate::config::MissMemoryConfig;
use crate::model::tag::Epoch;
use crate::store::guard::{Guard, Lease};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

/// Runs of outstanding misses of one key, past which misses share one if they came within so small a part of the time for
/// which they are remembered. Each still answers for one set; those that share go by the oldest of them, which can only
/// waste a set, and is forgotten in time whatever comes later. So a key has some twice as many runs at most.
const APART: usize = 16;
const PARTS: u32 = 16;
/// Buckets for the misses of a full table; 1,024 of 32 bytes. More keys a bucket only make their guards older.
const BUCKETS: usize = 1024;

#[derive(Clone, Copy)]
struct Seen {
    guard: Guard,
    at: Instant,
    /// The read failed: the set that is refused for it ends it.
    failed: bool,
}

impl Seen {
    /// A miss of the same epoch that came later has a lease that ends later.
    fn is_after(self, other: Seen) -> bool {
        self.guard.is_later_than(other.guard)
            || (self.guard.is_comparable_to(other.guard)
                && self.guard.epoch == other.guard.epoch
                && self.at > other.at)
    }
}

struct OfKey {
    waiting: Outstanding,
    used: Option<Seen>,
    repeated: Option<Repeated>,
    /// Misses of this key from before are among the merged, if anywhere.
    since: Instant,
}

/// Misses that no set has answered, in the order in which they came.
#[derive(Clone, Default)]
struct Outstanding(VecDeque<Run>);

/// Consecutive sets of one value.
struct Repeated {
    content: u64,
    sets: usize,
    /// The misses that these sets may follow: those outstanding at the first of them, and all since.
    misses: Outstanding,
}

/// Misses of one key that go by one guard.
#[derive(Clone, Copy)]
struct Run {
    guard: Guard,
    failed: bool,
    count: usize,
    first: Instant,
    last: Instant,
}

/// What a bucket keeps of the misses that found the table full.
#[derive(Clone, Copy)]
struct Merged {
    oldest: Epoch,
    first: Instant,
    last: Instant,
}

/// Two generations of keys: a key touched moves to the young one, and the old one is dropped as a whole when all in it
/// has run out. So nothing is scanned.
struct Table {
    young: HashMap<Box<str>, OfKey>,
    old: HashMap<Box<str>, OfKey>,
    turned: Instant,
    merged: Vec<Option<Merged>>,
}

pub struct MissMemory {
    table: Mutex<Table>,
    keep: Duration,
    max: usize,
}

impl MissMemory {
    pub fn new(config: MissMemoryConfig) -> Self {
        MissMemory {
            table: Mutex::new(Table {
                young: HashMap::new(),
                old: HashMap::new(),
                turned: Instant::now(),
                merged: vec![None; BUCKETS],
            }),
            keep: Duration::from_millis(config.ms),
            max: config.max,
        }
    }

    /// Whether misses guard the sets after them.
    pub fn is_on(&self) -> bool {
        self.keep > Duration::ZERO
    }

    pub fn remember(&self, key: &str, guard: Guard, now: Instant) {
        self.add(key, Seen { guard, at: now, failed: guard.epoch == Epoch::NONE }, now);
    }

    /// A read that failed, and the epoch that was last seen before its caller asks its own source.
    pub fn remember_failed(&self, key: &str, epoch: Epoch, now: Instant) {
        self.add(key, Seen { guard: Guard::at(epoch), at: now, failed: true }, now);
    }

    fn add(&self, key: &str, seen: Seen, now: Instant) {
        if !self.is_on() {
            return;
        }
        let guard = seen.guard;
        let table = &mut *self.table.lock();
        table.turn(now, self.keep);
        let full = table.young.len() + table.old.len() >= self.max;
        let Some(of_key) = table.touch(key, (!full).then_some(now)) else {
            let merged = match table.merged(key, now, self.keep) {
                Some(kept) => Merged { oldest: kept.oldest.oldest(guard.epoch), last: now, ..kept },
                None => Merged { oldest: guard.epoch, first: now, last: now },
            };
            table.merged[bucket(key)] = Some(merged);
            return;
        };
        of_key.forget(now, self.keep);
        if let Some(repeated) = &mut of_key.repeated {
            repeated.misses.push(seen, self.keep);
        }
        of_key.waiting.push(seen, self.keep);
    }

    /// The guard of a set: the oldest outstanding miss of its key; if none is outstanding, the one taken last; `None` if
    /// the set follows no miss. `content`: a hash of all that is stored, asked for only where misses differ.
    ///
    /// Which miss a set belongs to is not known. So it goes by the oldest and ends the *newest*: then, as long as each
    /// miss is followed by one set at most, in whatever order, a miss at least as old as a set's own is always still
    /// there (docs/decisions/0005). Ending the oldest let a slow reader's set go by a quick one's later miss.
    ///
    /// A miss that no set follows would hold back every set until it is forgotten. The n-th set of one value goes by the
    /// n-th oldest miss instead: of n sets that follow n misses one read that value after a miss at least as late.
    pub fn take(&self, key: &str, content: impl FnOnce() -> u64, now: Instant) -> Option<Guard> {
        if !self.is_on() {
            return None;
        }
        let table = &mut *self.table.lock();
        table.turn(now, self.keep);
        let merged = table.merged(key, now, self.keep);
        if let Some(of_key) = table.touch(key, None) {
            of_key.forget(now, self.keep);
            of_key.take(content, now);
            if let Some(seen) = of_key.used {
                return Some(match merged {
                    // The set may follow a miss of this key that was merged before the table had room for it.
                    Some(merged) if merged.first <= of_key.since => {
                        Guard::at(merged.oldest.oldest(seen.guard.epoch))
                    }
                    _ => seen.guard,
                });
            }
        }
        merged.map(|merged| Guard::at(merged.oldest))
    }

    /// A guarded set was refused. If that was for a read that failed, the miss is used up: the next set stands for itself.
    pub fn refused(&self, key: &str, guard: Guard) {
        let table = &mut *self.table.lock();
        if let Some(of_key) = table.touch(key, None)
            && of_key.used.is_some_and(|used| used.failed && used.guard == guard)
        {
            of_key.used = None;
        }
    }

    /// A guarded set was stored: the next one after the same miss goes by what was stored.
    pub fn renew(&self, key: &str, guard: Guard, lease: Lease) {
        let table = &mut *self.table.lock();
        if let Some(of_key) = table.touch(key, None)
            && let Some(used) = &mut of_key.used
            // Not the lease: of two sets in one batch the second goes by what the first one stored.
            && used.guard.epoch == guard.epoch
        {
            used.guard.lease = Some(lease);
        }
    }
}

impl Table {
    fn turn(&mut self, now: Instant, keep: Duration) {
        if now.duration_since(self.turned) >= keep {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
    }

    /// `create`: from when on, if it is not there.
    fn touch(&mut self, key: &str, create: Option<Instant>) -> Option<&mut OfKey> {
        if !self.young.contains_key(key) {
            let of_key = match (self.old.remove(key), create) {
                (Some(of_key), _) => of_key,
                (None, Some(since)) => {
                    OfKey { waiting: Outstanding::default(), used: None, repeated: None, since }
                }
                (None, None) => return None,
            };
            self.young.insert(key.into(), of_key);
        }
        self.young.get_mut(key)
    }

    fn merged(&self, key: &str, now: Instant, keep: Duration) -> Option<Merged> {
        self.merged[bucket(key)].filter(|merged| now.duration_since(merged.last) < keep)
    }
}

impl OfKey {
    /// Ends a miss for a set, and leaves in `used` what the set goes by.
    fn take(&mut self, content: impl FnOnce() -> u64, now: Instant) {
        let Some(oldest) = self.waiting.oldest() else { return };
        let differ = self.repeated.is_some() || self.waiting.0.len() > 1;
        let repeated = differ.then(|| self.repeat(content())).flatten();
        let taken = repeated.filter(|seen| seen.is_after(oldest)).unwrap_or(oldest);
        self.waiting.end_newest();
        self.used = Some(Seen { at: now, ..taken });
    }

    /// Counts a set of this content. Returns the miss that one like it followed at the earliest.
    fn repeat(&mut self, content: u64) -> Option<Seen> {
        match &mut self.repeated {
            Some(repeated) if repeated.content == content => repeated.sets += 1,
            _ => self.repeated = Some(Repeated { content, sets: 1, misses: self.waiting.clone() }),
        }
        self.repeated.as_ref().and_then(|repeated| repeated.misses.nth_oldest(repeated.sets))
    }

    fn forget(&mut self, now: Instant, keep: Duration) {
        self.waiting.forget(now, keep);
        // As a whole: the sets that were counted may have followed the misses that are forgotten.
        if self.repeated.as_mut().is_some_and(|repeated| repeated.misses.forget(now, keep)) {
            self.repeated = None;
        }
        if self.used.is_some_and(|seen| now.duration_since(seen.at) >= keep) {
            self.used = None;
        }
    }
}

impl Outstanding {
    fn push(&mut self, seen: Seen, keep: Duration) {
        let is_full = self.0.len() >= APART;
        match self.0.back_mut() {
            Some(run) if run.is_of(seen) => run.add(seen),
            Some(run) if is_full && seen.at.duration_since(run.first) < keep / PARTS => {
                if run.guard.is_later_than(seen.guard) {
                    run.guard = seen.guard;
                }
                run.add(seen);
            }
            _ => self.0.push_back(Run::of(seen)),
        }
    }

    /// Least by epoch; of equals the first to come, whose lease is the first to end. Misses of two generations, or of two
    /// connections or histories: the first to come, which is of the older one.
    fn oldest(&self) -> Option<Seen> {
        let older = |oldest: Run, run: Run| if oldest.guard.is_later_than(run.guard) { run } else { oldest };
        self.0.iter().copied().reduce(older).map(Run::seen)
    }

    /// The n-th least by epoch, from 1; none where some have no order.
    fn nth_oldest(&self, n: usize) -> Option<Seen> {
        let mut runs: Vec<Run> = self.0.iter().copied().collect();
        if runs.windows(2).any(|two| !two[0].guard.is_comparable_to(two[1].guard)) {
            return None;
        }
        runs.sort_by_key(|run| run.guard.epoch.n);
        let mut count = 0;
        let nth = runs.into_iter().find(|run| {
            count += run.count;
            count >= n
        });
        nth.map(Run::seen)
    }

    fn end_newest(&mut self) {
        match self.0.back_mut() {
            Some(run) if run.count > 1 => run.count -= 1,
            _ => {
                self.0.pop_back();
            }
        }
    }

    /// Whether any was forgotten.
    fn forget(&mut self, now: Instant, keep: Duration) -> bool {
        let before = self.0.len();
        self.0.retain(|run| now.duration_since(run.last) < keep);
        self.0.len() < before
    }
}

impl Run {
    fn of(seen: Seen) -> Self {
        let Seen { guard, at, failed } = seen;
        Run { guard, failed, count: 1, first: at, last: at }
    }

    fn seen(self) -> Seen {
        Seen { guard: self.guard, at: self.first, failed: self.failed }
    }

    fn is_of(&self, seen: Seen) -> bool {
        self.guard == seen.guard && self.failed == seen.failed
    }

    fn add(&mut self, seen: Seen) {
        self.count += 1;
        self.last = seen.at;
    }
}

fn bucket(key: &str) -> usize {
    (xxh3_64(key.as_bytes()) % BUCKETS as u64) as usize
}

#[cfg(test)]
mod tests;
