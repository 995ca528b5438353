//! What a miss leaves for the set that follows it (docs/internals/tags.md): the epoch of the read, so that data read before a
//! clear is born invalid. Bounded, and it never forgets within its time: what does not fit merges into buckets that
//! keep the oldest.

use crate::backend::{Guard, Lease};
use crate::config::MissMemoryConfig;
use crate::tags::Epoch;
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
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    fn guard(n: u64) -> Guard {
        Guard::at(Epoch { generation: 1, n })
    }

    /// Every set of its own content.
    fn differs() -> impl FnOnce() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        || NEXT.fetch_add(1, Relaxed)
    }

    fn memory(max: usize) -> MissMemory {
        MissMemory::new(MissMemoryConfig { ms: 10_000, max })
    }

    #[test]
    fn sets_in_any_order_go_by_the_oldest_miss() {
        let (memory, now) = (memory(10), Instant::now());
        memory.remember("k", guard(1), now);
        memory.remember("k", guard(2), now);
        assert_eq!(memory.take("k", differs(), now), Some(guard(1)));
        assert_eq!(
            memory.take("k", differs(), now),
            Some(guard(1)),
            "the first reader may be the slower one"
        );
        assert_eq!(memory.take("k", differs(), now), Some(guard(1)), "callers who shared one get");
        memory.remember("k", guard(3), now);
        assert_eq!(memory.take("k", differs(), now), Some(guard(3)), "both were answered");
        assert_eq!(memory.take("other", differs(), now), None);
    }

    proptest::proptest! {
        /// Any number of misses, each followed by one set at most, in any order; also many more misses than sets. What a
        /// reader stores depends on the moment of its miss; what changed is another value, and what did not the same.
        #[test]
        fn no_value_goes_by_a_miss_later_than_all_that_read_it(
            misses in 3..10u8,
            same in 1..5u64,
            order in proptest::collection::vec((0..10u8, proptest::prelude::any::<proptest::sample::Index>()), 1..400),
        ) {
            let (memory, now) = (memory(10), Instant::now());
            let (mut next, mut unset, mut latest) = (1u64, Vec::new(), HashMap::new());
            for (turn, which) in order {
                if turn < misses || unset.is_empty() {
                    memory.remember("k", guard(next), now);
                    unset.push(next);
                    next += 1;
                } else {
                    let own = unset.remove(which.index(unset.len()));
                    let content = own / same;
                    // A value is as fresh as the latest miss whose reader has shown it to be what the source holds.
                    let shown = latest.entry(content).or_insert(own);
                    *shown = own.max(*shown);
                    let taken = memory.take("k", || content, now).map(|guard| guard.epoch.n);
                    proptest::prop_assert!(taken.is_some_and(|n| n <= *shown), "{taken:?} for {own}");
                }
            }
        }
    }

    #[test]
    fn a_value_is_stored_by_the_second_set_although_a_miss_was_followed_by_none() {
        let (memory, now) = (memory(10), Instant::now());
        let mut next = 0;
        let mut miss = || {
            next += 1;
            memory.remember("k", guard(next), now);
        };
        // Its request failed; then the key was cleared.
        miss();
        miss();
        assert_eq!(memory.take("k", || 7, now), Some(guard(1)), "perhaps of the first reader");
        miss();
        assert_eq!(
            memory.take("k", || 7, now),
            Some(guard(2)),
            "one of the two read it after the second miss"
        );
        miss();
        assert_eq!(memory.take("k", || 8, now), Some(guard(1)), "another value");
    }

    #[test]
    fn what_came_before_a_clear_is_forgotten_in_time_whatever_comes_later() {
        let start = Instant::now();
        // Polled by one caller while others clear other keys never, now and then, or all the time.
        for clears_every in [u64::MAX, 10, 1] {
            let memory = memory(10);
            let at = |ms| start + Duration::from_millis(ms);
            let epoch = |ms: u64| 1 + ms / 50 / clears_every;
            for ms in (0..40_000).step_by(50) {
                // The key is cleared at 20,000.
                memory.remember("k", guard(epoch(ms) + if ms < 20_000 { 0 } else { 1_000 }), at(ms));
                let bound = 2 * APART + 2;
                assert!(
                    memory.table.lock().young.get("k").is_some_and(|of_key| of_key.waiting.0.len() <= bound)
                );
            }
            for _ in 0..2 {
                let taken = memory.take("k", differs(), at(39_960)).unwrap().epoch.n;
                assert!(taken >= 1_000 + epoch(29_000), "{taken} with a clear every {clears_every}");
            }
        }
    }

    #[test]
    fn a_refused_set_ends_the_miss_of_a_read_that_failed_and_no_other() {
        let (memory, now) = (memory(10), Instant::now());
        memory.remember_failed("k", Epoch::NONE, now);
        memory.remember_failed("k", Epoch::NONE, now);
        for _ in 0..2 {
            let guard = memory.take("k", differs(), now).unwrap();
            assert_eq!(guard.epoch, Epoch::NONE, "each reader may have old data");
            memory.refused("k", guard);
        }
        assert_eq!(memory.take("k", differs(), now), None);
        memory.remember("k", guard(1), now);
        for _ in 0..2 {
            assert_eq!(memory.take("k", differs(), now), Some(guard(1)), "callers who shared one get");
            memory.refused("k", guard(1));
        }
        memory.remember_failed("k", guard(2).epoch, now);
        memory.remember("k", guard(3), now);
        assert_eq!(memory.take("k", differs(), now), Some(guard(2)));
        memory.refused("k", guard(2));
        assert_eq!(
            memory.take("k", differs(), now),
            Some(guard(2)),
            "the one that failed is still outstanding"
        );
    }

    #[test]
    fn a_miss_is_remembered_for_its_time_even_while_the_generations_turn() {
        let (memory, start) = (memory(10), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        memory.remember("k", guard(1), at(9_000));
        memory.remember("other", guard(1), at(10_500));
        assert_eq!(memory.take("k", differs(), at(18_999)), Some(guard(1)));
        assert_eq!(memory.take("k", differs(), at(28_998)), Some(guard(1)), "used up at 18,999");
        assert_eq!(memory.take("k", differs(), at(29_000)), None);
    }

    #[test]
    fn a_full_table_forgets_nothing_and_stays_bounded() {
        let (memory, now) = (memory(100), Instant::now());
        for i in 0..10_000u64 {
            memory.remember(&format!("k{i}"), guard(i + 1), now);
        }
        for i in 0..10_000u64 {
            let taken = memory.take(&format!("k{i}"), differs(), now).map(|g| g.epoch.n);
            assert!(taken.is_some_and(|n| n <= i + 1), "k{i}: {taken:?}");
        }
        let table = memory.table.lock();
        assert!(table.young.len() + table.old.len() <= 100);
    }

    #[test]
    fn a_key_that_finds_room_after_a_miss_was_merged_goes_by_the_older() {
        let (memory, start) = (memory(1), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        memory.remember("other", guard(1), start);
        assert_eq!(memory.take("k", differs(), at(10_000)), None);
        memory.remember("k", guard(2), at(15_000));
        // Two turns have made room.
        memory.remember("k", guard(7), at(20_000));
        assert_eq!(memory.table.lock().young.len(), 1);
        assert_eq!(
            memory.take("k", differs(), at(20_001)),
            Some(guard(2)),
            "the first reader may be the slower one"
        );
        assert_eq!(
            memory.take("k", differs(), at(25_001)),
            Some(guard(7)),
            "nothing merged is left to follow"
        );
    }

    #[test]
    fn merged_misses_of_two_generations_guard_as_the_oldest() {
        let (memory, now) = (memory(0), Instant::now());
        memory.remember("k", guard(5), now);
        memory.remember("k", Guard::at(Epoch { generation: 2, n: 9 }), now);
        assert_eq!(memory.take("k", differs(), now), Some(Guard::at(Epoch::NONE)));
    }

    #[test]
    fn of_misses_that_cannot_be_compared_the_first_to_come_is_the_oldest() {
        let (memory, now) = (memory(9), Instant::now());
        let of = |n, link| Guard { lease: Some(Lease { cas: 0, line: 0, link }), ..guard(n) };
        // A failover to a server whose number is lower.
        memory.remember("k", of(5, 1), now);
        memory.remember("k", of(3, 2), now);
        assert_eq!(memory.take("k", differs(), now), Some(of(5, 1)));
        assert_eq!(memory.take("k", differs(), now), Some(of(5, 1)));
        memory.remember("k2", of(5, 1), now);
        memory.remember("k2", of(3, 1), now);
        assert_eq!(memory.take("k2", differs(), now), Some(of(3, 1)));
    }
}
