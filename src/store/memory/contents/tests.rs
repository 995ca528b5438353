//! The store's books agree with its entries after whatever was done.

use super::*;
use crate::codec::text::Value;
use crate::codec::value::StoredValue;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Set { key: u8, tags: Vec<u8>, ttl: Option<u8>, old: bool, times: bool },
    Clear { key: Option<u8>, tags: Vec<u8>, soft: bool },
    Get(u8),
    Swap(u8),
    List(u8),
    Later(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let tags = || proptest::collection::vec(0u8..8, 0..8);
    prop_oneof![
        6 => (0u8..10, tags(), proptest::option::of(1u8..50), any::<bool>(), any::<bool>())
            .prop_map(|(key, tags, ttl, old, times)| Step::Set { key, tags, ttl, old, times }),
        3 => (proptest::option::of(0u8..10), tags(), any::<bool>())
            .prop_map(|(key, tags, soft)| Step::Clear { key, tags, soft }),
        2 => (0u8..10).prop_map(Step::Get),
        1 => (0u8..10).prop_map(Step::Swap),
        1 => (0u8..8).prop_map(Step::List),
        1 => (0u8..30).prop_map(Step::Later),
    ]
}

fn tags_of(names: &[u8]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = names.iter().map(|name| Tag(u64::from(*name) * 2 + 2)).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// What is wrong with the books, if anything is.
fn check(store: &Contents) {
    let (mut users, mut carried) = (BTreeMap::<Tag, u32>::new(), 0);
    let (mut ends, mut count) = (0, 0);
    for (key, held) in store.entries.iter() {
        assert_eq!(store.numbers.key(held.number), Some(key));
        count += 1;
        if held.entry.expires_at != NEVER {
            assert!(store.expiries.contains(&(held.entry.expires_at, held.number)));
            ends += 1;
        }
        for tag in &held.entry.tags {
            *users.entry(*tag).or_default() += 1;
            carried += 1;
        }
    }
    assert_eq!((store.expiries.len(), store.numbers.len()), (ends, count));
    assert!(store.tags.len() >= carried, "a membership is lost");
    for name in 0..8 {
        let tag = tags_of(&[name])[0];
        assert_eq!(store.tags.users(tag), users.get(&tag).copied().unwrap_or(0));
    }
}

/// Of each tag the keys of the entries that live and carry it.
fn carriers(store: &Contents, tag: Tag, now: UnixMs) -> Vec<String> {
    let alive = store.entries.iter().filter(|(_, held)| {
        held.entry.tags.contains(&tag) && store.judge(&held.entry, now) != Validity::Invalid
    });
    let mut keys: Vec<_> = alive.map(|(key, _)| key.to_string()).collect();
    keys.sort();
    keys
}

fn run(store: &mut Contents, step: Step, now: &mut UnixMs, first: Epoch) {
    match step {
        Step::Set { key, tags, ttl, old, times } => {
            let guard = Some(Guard::at(if old { first } else { store.epoch() }));
            let write = Write {
                key: format!("k{key}"),
                tags: tags_of(&tags),
                auto: key % 2 == 0,
                ttl: ttl.map_or(crate::model::ttl::Ttl::Forever, |ms| crate::model::ttl::Ttl::Ms(ms.into())),
                times: times.then_some(Times { created: 0, fresh_until: NEVER, cost: 0 }),
                guard,
                body: StoredValue::Plain(Value::Latin1(vec![b'x'; key.into()].into())),
            };
            store.set(write, *now).unwrap();
        }
        Step::Clear { key, tags, soft } => store.clear(&Clear {
            keys: key.map(|key| format!("k{key}")).into_iter().collect(),
            tags: tags_of(&tags),
            invalidation: if soft { Invalidation::Soft } else { Invalidation::Hard },
        }),
        Step::Get(key) => drop(store.get(&format!("k{key}"), *now)),
        Step::Swap(key) => {
            let key = format!("k{key}");
            if let Some(MemoryRead { entry: seen, .. }) = store.get(&key, *now) {
                assert!(store.swap(&key, &seen, Some(Times { created: 0, fresh_until: 0, cost: 0 })));
            }
        }
        Step::List(name) => {
            let tag = tags_of(&[name])[0];
            let expected = carriers(store, tag, *now);
            let mut listed = store.members(tag, *now);
            listed.retain(|key| store.get(key, *now).is_some());
            listed.sort();
            assert_eq!(listed, expected);
        }
        Step::Later(ms) => *now += UnixMs::from(ms),
    }
}

proptest! {
    #[test]
    fn the_books_agree_with_the_entries(steps in proptest::collection::vec(step(), 0..120), small: bool) {
        // A small one evicts.
        let mut store = Contents::new(if small { 3_000 } else { 1_000_000 });
        let (mut now, first) = (1_000, store.epoch());
        for step in steps {
            run(&mut store, step, &mut now, first);
            check(&store);
        }
        for _ in 0..50 {
            store.maintain(now);
        }
        check(&store);
        // Nothing waits any more, and nothing dead is left that was found dead by its tags or its end.
        let carried: usize = store.entries.iter().map(|(_, held)| held.entry.tags.len()).sum();
        prop_assert_eq!(store.tags.len(), carried);
        prop_assert!(store.entries.iter().all(|(_, held)| store.judge(&held.entry, now) != Validity::Invalid || held.entry.tags.is_empty()));
    }
}
