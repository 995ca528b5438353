//! Entries of any number of tags, clears of any number of names, and what they take of memory.

use crate::{HELD, Store, set};
use cachalot::engine::{Input, Op, Outcome};
use cachalot::model::tag::{Invalidation, Tag};
use cachalot::model::ttl::{Times, Ttl};
use std::time::Duration;

fn many(from: usize, count: usize) -> Vec<Tag> {
    (from..from + count).map(|i| Tag::of(&format!("variant_{i}"))).collect()
}

fn set_tagged(key: &str, bytes: usize, tags: Vec<Tag>, ttl: Ttl) -> Op {
    let value = Input::Text(vec![b'x'; bytes]);
    Op::Set { key: key.into(), value, tags, ttl: Some(ttl), auto: true, ticket: None, times: None }
}

fn clear_of(tags: Vec<Tag>, invalidation: Invalidation) -> Op {
    Op::Clear { key: None, tags, invalidation }
}

/// `maxBytes` bounds what the store takes of memory, whatever its entries are like, and little of it is wasted.
#[test]
fn what_an_entry_weighs_is_what_it_takes() {
    type Tags = fn(usize) -> Vec<Tag>;
    let kinds: [(&str, usize, Tags, Ttl); 8] = [
        ("small", 20, |_| vec![], Ttl::Forever),
        ("small, with an end", 20, |_| vec![], Ttl::Ms(60_000)),
        ("1 KB", 1_000, |_| vec![], Ttl::Forever),
        ("a tag of its own", 100, |i| many(i, 1), Ttl::Forever),
        ("450 tags of its own", 1_000, |i| many(i * 450, 450), Ttl::Forever),
        ("450 tags that all have", 1_000, |_| many(0, 450), Ttl::Forever),
        ("450 tags that 15 share", 1_000, |i| many(i * 30, 450), Ttl::Forever),
        ("450 tags that 2 share", 1_000, |i| many(i * 225, 450), Ttl::Forever),
    ];
    for (kind, bytes, tags, ttl) in kinds {
        let before = HELD.get();
        let store = Store::open("t", r#"{"type":"memory","maxBytes":4000000}"#);
        let mut set = 0;
        let mut fill = |enough: &dyn Fn(usize, u64) -> bool| {
            while !enough(set, store.sizes().1) {
                store.run(vec![set_tagged(&format!("product:{set:08}"), bytes, tags(set), ttl)]);
                set += 1;
            }
            let (taken, weight) = ((HELD.get() - before) as f64, store.sizes().1 as f64);
            assert!((0.5..1.1).contains(&(taken / weight)), "{kind}: {taken} bytes weigh {weight}");
            set
        };
        let first = fill(&|_, weight| weight > 3_900_000);
        // And once others have taken the place of all.
        fill(&|set, _| set == 2 * first);
    }
}

#[test]
fn an_entry_of_ten_thousand_tags_lives_until_any_of_them_is_cleared() {
    let store = Store::new();
    let tags = many(0, 10_000);
    for cleared in [0, 4_711, 9_999] {
        store.run(vec![
            set_tagged("k", 1, tags.clone(), Ttl::Forever),
            set("other", "2", &["o"], Ttl::Forever, true),
        ]);
        store.run(vec![clear_of(many(10_000, 1), Invalidation::Hard)]);
        for tag in [0, 9_999] {
            let list = store.run(vec![Op::GetTags { tags: many(tag, 1) }]).remove(0);
            assert!(matches!(&list, Outcome::List(values) if values.len() == 1), "{list:?}");
        }
        assert_eq!(store.sizes().2, 10_001);
        store.run(vec![clear_of(many(cleared, 1), Invalidation::Soft)]);
        assert_eq!((store.get("k"), store.get("other").as_deref()), (None, Some("2")), "{cleared}");
        assert_eq!(store.sizes().2, 1);
    }
}

#[test]
fn a_clear_of_25_000_names_with_repeats_ends_what_it_names_and_its_work_is_spread() {
    let store = Store::open("t", r#"{"type":"memory","maxBytes":1000000000}"#);
    let key = |at: usize| format!("k{at}");
    for at in 0..400 {
        store.run(vec![set_tagged(&key(at), 1, many(at * 50, 450), Ttl::Forever)]);
    }
    // Up to the tags of k300, each twice, and some that nobody has.
    let tags = [many(0, 15_001), many(0, 8_000), many(90_000, 1_999)].concat();
    assert_eq!(tags.len(), 25_000);
    store.run(vec![clear_of(tags, Invalidation::Hard)]);
    let left = store.sizes().0;
    assert!((380..400).contains(&left), "{left} are left");
    for at in 0..400 {
        assert_eq!(store.get(&key(at)).is_some(), at > 300, "k{at}");
    }
    assert_eq!(store.sizes().0, 99);
    for _ in 0..5_000 {
        store.get("nothing");
    }
    assert_eq!(store.sizes().2, 99 * 450, "nothing waits any more");
}

/// Tags whose entries wait to be looked at again are not idle.
#[test]
fn an_automatic_clear_of_any_number_of_tags_leaves_stale_what_has_times() {
    let store = Store::open("t", r#"{"type":"memory","maxBytes":1000000000}"#);
    let times = Some(Times { created: 1, fresh_until: u64::MAX, cost: 1 });
    for at in 0..50 {
        let Op::Set { key, value, tags, ttl, auto, .. } =
            set_tagged(&format!("k{at}"), 1, many(at * 450, 450), Ttl::Forever)
        else {
            panic!()
        };
        store.run(vec![Op::Set { key, value, tags, ttl, auto, ticket: None, times }]);
    }
    store.run(vec![
        clear_of(many(0, 22_500), Invalidation::Soft),
        clear_of(many(50_000, 20_000), Invalidation::Hard),
    ]);
    for at in 0..50 {
        let read = store.run(vec![Op::Read { key: format!("k{at}"), times: true, stamp: false }]).remove(0);
        assert!(
            matches!(&read, Outcome::Read(read) if read.stale && read.value.is_some()),
            "k{at}: {read:?}"
        );
    }
}

/// Handles of one store on several threads: readers set what they miss, and whatever a clear has ended stays ended.
#[test]
fn racing_with_hundreds_of_tags_that_overlap_shows_no_old_data() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    const KEYS: usize = 3;
    // A version that was cleared before, and the present one.
    let truth: [(AtomicU64, AtomicU64); KEYS] = Default::default();
    let ended = AtomicBool::new(false);
    let (hits, clears) = (AtomicU64::new(0), AtomicU64::new(0));
    let open = || Store::open("t", r#"{"type":"memory","name":"race"}"#);
    let tags = |key: usize| many(key * 100, 500);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let store = open();
                for turn in 0.. {
                    if ended.load(SeqCst) {
                        return;
                    }
                    let key = turn % KEYS;
                    let name = format!("k{key}");
                    let cleared = truth[key].0.load(SeqCst);
                    if let Some(value) = store.get(&name) {
                        assert!(
                            value.parse::<u64>().unwrap() >= cleared,
                            "{name} is {value}, {cleared} was cleared"
                        );
                        hits.fetch_add(1, SeqCst);
                        continue;
                    }
                    let value = Input::Text(truth[key].1.load(SeqCst).to_string().into());
                    if turn % 7 == 0 {
                        std::thread::yield_now();
                    }
                    let (tags, ttl) = (tags(key), Some(Ttl::Forever));
                    store.run(vec![Op::Set {
                        key: name,
                        value,
                        tags,
                        ttl,
                        auto: true,
                        ticket: None,
                        times: None,
                    }]);
                }
            });
        }
        let clearers: Vec<_> = (0..KEYS)
            .map(|key| {
                let (truth, clears) = (&truth, &clears);
                scope.spawn(move || {
                    let store = open();
                    for version in 1..=150 {
                        truth[key].1.store(version, SeqCst);
                        // One that the next key has too, or one of its own, or hundreds.
                        let some = match version % 3 {
                            0 => tags(key).split_off(499),
                            1 => tags(key)[..1].to_vec(),
                            _ => tags(key),
                        };
                        let raise = if version % 2 == 0 { Invalidation::Hard } else { Invalidation::Soft };
                        store.run(vec![clear_of(some, raise)]);
                        truth[key].0.store(version, SeqCst);
                        clears.fetch_add(1, SeqCst);
                        std::thread::sleep(Duration::from_millis(5));
                    }
                })
            })
            .collect();
        clearers.into_iter().for_each(|clearer| clearer.join().unwrap());
        ended.store(true, SeqCst);
    });
    assert!(hits.load(SeqCst) > 200 && clears.load(SeqCst) == 450, "{hits:?} hits");
}
