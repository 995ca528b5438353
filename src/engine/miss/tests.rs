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
    assert_eq!(memory.take("k", differs(), now), Some(guard(1)), "the first reader may be the slower one");
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
    assert_eq!(memory.take("k", || 7, now), Some(guard(2)), "one of the two read it after the second miss");
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
            assert!(memory.table.lock().young.get("k").is_some_and(|of_key| of_key.waiting.0.len() <= bound));
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
    assert_eq!(memory.take("k", differs(), now), Some(guard(2)), "the one that failed is still outstanding");
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
    assert_eq!(memory.take("k", differs(), at(25_001)), Some(guard(7)), "nothing merged is left to follow");
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
