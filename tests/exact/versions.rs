//! Taking and expiring: exactly the version that was read, by exactly one.

use crate::bed::{Bed, Caller, EVER, MINUTE, Set, tagged, text};
use crate::redis_server::ask;
use cachalot::engine::{Op, Outcome};
use cachalot::model::tag::Invalidation;
use cachalot::model::time;
use cachalot::model::ttl::{Times, Ttl};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_takers_exactly_one_has_the_value() {
    for bed in Bed::all() {
        let callers = [bed.open(), bed.open(), bed.open()];
        for round in 0..30 {
            let value = round.to_string();
            assert!(callers[0].set("k", &value, tagged(&["t"])).await);
            let takers = (0..12).map(|at| {
                let caller = callers[at % 3].clone();
                tokio::spawn(async move { caller.take("k").await })
            });
            let had: Vec<_> = join_all(takers).await.into_iter().filter_map(Result::unwrap).collect();
            assert_eq!(had, [value], "{}", bed.name);
            assert_eq!(callers[1].get("k").await, None, "{}", bed.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_that_is_set_is_taken_once_or_replaced() {
    for bed in Bed::all() {
        let (setter, a, b) = (bed.open(), bed.open(), bed.open());
        let ended = Arc::new(AtomicBool::new(false));
        let taker = |caller: Caller| {
            let ended = ended.clone();
            tokio::spawn(async move {
                let mut had = Vec::new();
                loop {
                    // Once more after the last set, so that it is taken too.
                    let last = ended.load(SeqCst);
                    // Sets that come too fast make it give up, having removed nothing.
                    if let Outcome::Hit(value) = caller.one(Op::Take { key: "k".into() }).await {
                        had.extend(text(Outcome::Hit(value)));
                    }
                    if last {
                        return had;
                    }
                    tokio::task::yield_now().await;
                }
            })
        };
        let takers = [taker(a), taker(b)];
        for n in 0..500 {
            setter.set("k", &n.to_string(), tagged(&[])).await;
            tokio::task::yield_now().await;
        }
        ended.store(true, SeqCst);
        let mut had: Vec<String> = join_all(takers).await.into_iter().flat_map(Result::unwrap).collect();
        let all = had.len();
        had.sort();
        had.dedup();
        assert_eq!(had.len(), all, "{}: taken twice", bed.name);
        assert!(all > 0 && !setter.has("k").await, "{}", bed.name);
    }
}

#[tokio::test]
async fn a_set_under_way_when_its_key_was_taken_is_refused() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        let miss = a.missed("k").await;
        // Of another miss, so of another line on memcached.
        assert!(b.set("k", "1", tagged(&[])).await);
        let fresh = a.read("k").await.ticket.unwrap();
        assert_eq!(b.take("k").await.as_deref(), Some("1"));
        for ticket in [miss, fresh] {
            assert!(!a.set("k", "old", tagged(&[]).after(ticket)).await, "{}", bed.name);
        }
        assert_eq!((b.has("k").await, b.take("k").await), (false, None), "{}", bed.name);
        // By the memory of misses too.
        assert_eq!(a.get("k").await, None);
        assert!(b.set("k", "2", tagged(&[])).await);
        assert_eq!(b.take("k").await.as_deref(), Some("2"));
        assert!(!a.set("k", "old", tagged(&[])).await, "{}", bed.name);
        assert_eq!(b.get("k").await, None, "{}", bed.name);
    }
}

#[tokio::test]
async fn a_take_that_finds_nothing_ends_the_sets_under_way_too() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        for (what, dead) in [("absent", false), ("cleared", true)] {
            let key = what.to_owned();
            if dead {
                assert!(a.set(&key, "v", tagged(&["t"])).await);
                a.clear(None, &["t"], Invalidation::Hard).await;
            }
            let miss = a.missed(&key).await;
            assert_eq!(b.take(&key).await, None);
            assert!(!a.set(&key, "old", tagged(&[]).after(miss)).await, "{} {what}", bed.name);
            assert_eq!(a.get(&key).await, None);
            assert_eq!(b.take(&key).await, None);
            assert!(!a.set(&key, "old", tagged(&[])).await, "{} {what}: by the memory of misses", bed.name);
            assert_eq!(a.get(&key).await, None, "{} {what}", bed.name);
            let later = a.missed(&key).await;
            assert!(a.set(&key, "new", tagged(&[]).after(later)).await, "{} {what}", bed.name);
            assert_eq!(b.take(&key).await.as_deref(), Some("new"));
        }
    }
}

#[tokio::test]
async fn what_is_stale_is_not_taken_and_gone_all_the_same() {
    for bed in Bed::all() {
        let store = bed.open();
        assert!(store.set("k", "v", tagged(&["t"]).times(EVER)).await);
        store.clear(None, &["t"], Invalidation::Soft).await;
        assert_eq!(store.take("k").await, None);
        assert_eq!(store.read("k").await.value, None, "{}", bed.name);
    }
}

#[tokio::test]
async fn expire_keeps_the_entry_and_refuses_the_sets_under_way() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        let now = time::now();
        let times = Times { created: now, fresh_until: now + 50_000, cost: 5 };
        let set = || tagged(&["t"]).times(times);
        assert!(a.set("k", "old", set()).await);
        // Read as stale ahead of its time, to have a ticket of this very version.
        let ahead = a.read_at(now + 50_000, "k").await.ticket.unwrap();
        b.expire("k").await;
        let stale = b.read("k").await;
        assert_eq!((stale.value.as_deref(), stale.stale), (Some("old"), true), "{}", bed.name);
        let left = stale.times.unwrap();
        assert_eq!((left.created, left.cost), (now, 5));
        assert!(a.read_at(now - 5_000, "k").await.stale, "{}: also by a clock that is behind", bed.name);
        assert_eq!((a.get("k").await, a.list("t").await), (None, vec![]));
        assert!(!a.set("k", "slow", set().after(ahead)).await, "{}", bed.name);
        assert_eq!(b.read("k").await.value.as_deref(), Some("old"), "{}", bed.name);
        assert!(b.set("k", "new", set().after(stale.ticket.unwrap())).await, "{}", bed.name);
        assert_eq!((a.get("k").await.as_deref(), a.list("t").await.len()), (Some("new"), 1));
        assert!(
            !a.set("k", "slow", set().after(ahead)).await,
            "{}: nor does it replace a newer one",
            bed.name
        );
        assert_eq!(b.get("k").await.as_deref(), Some("new"), "{}", bed.name);
    }
}

#[tokio::test]
async fn expire_of_what_is_stale_refuses_the_sets_under_way_too() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        let aged = Times { fresh_until: 1, ..EVER };
        assert!(a.set("k", "old", tagged(&[]).times(aged)).await);
        let under_way = a.read("k").await.ticket.unwrap();
        b.expire("k").await;
        let stale = b.read("k").await;
        assert!(stale.stale, "{}", bed.name);
        assert!(!a.set("k", "slow", tagged(&[]).after(under_way)).await, "{}", bed.name);
        assert!(b.set("k", "new", tagged(&[]).after(stale.ticket.unwrap())).await, "{}", bed.name);
    }
}

#[tokio::test]
async fn expire_without_times_is_a_clear_of_the_key() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        let miss = a.missed("k").await;
        b.expire("k").await;
        assert!(!a.set("k", "old", tagged(&[]).after(miss)).await, "{}: nothing was there", bed.name);
        assert!(a.set("k", "v", tagged(&[])).await);
        b.expire("k").await;
        assert_eq!(a.read("k").await.value, None, "{}", bed.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expire_among_many_sets_ends() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        let setting = tokio::spawn(async move {
            for n in 0..400 {
                a.set("k", &n.to_string(), tagged(&["t"]).times(EVER)).await;
            }
        });
        while !setting.is_finished() {
            b.expire("k").await;
        }
        setting.await.unwrap();
        b.expire("k").await;
        assert_eq!((b.get("k").await, b.has("k").await), (None, false), "{}", bed.name);
    }
}

#[tokio::test]
async fn an_expired_entry_keeps_its_end() {
    let redis = Bed::redis(true);
    let memcached = Bed::memcached(1);
    for bed in [&redis, &memcached] {
        let store = bed.open();
        for (key, ttl) in [("minute", MINUTE), ("ever", Ttl::Forever)] {
            assert!(store.set(key, "v", Set { ttl, ..tagged(&["t"]).times(EVER) }).await);
            store.expire(key).await;
            assert!(store.read(key).await.stale);
        }
    }
    let mut raw = redis.redis.as_ref().unwrap().raw();
    let left: i64 = ask(&mut raw, &["PTTL", "p::minute"]);
    assert!((58_000..=60_000).contains(&left), "{left}");
    assert_eq!(ask::<i64>(&mut raw, &["PTTL", "p::ever"]), -1);
    let mut raw = memcached.memcached[0].raw();
    assert!((58..=62).contains(&raw.life("p::minute").unwrap()));
    assert_eq!(raw.life("p::ever"), Some(-1));
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_told_again() {
    let bed = Bed::redis(true);
    let store = bed.open();
    let mut raw = bed.redis.as_ref().unwrap().raw();
    for key in ["a", "b"] {
        assert!(store.set(key, "v", tagged(&[]).times(EVER)).await);
    }
    ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
    store.expire("a").await;
    ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
    assert_eq!((store.read("a").await.stale, store.take("b").await.as_deref()), (true, Some("v")));
}

#[tokio::test]
async fn a_full_server_can_still_expire_and_give_away() {
    let bed = Bed::redis(true);
    let store = bed.open();
    for key in ["a", "b"] {
        assert!(store.set(key, "v", tagged(&[]).times(EVER)).await);
    }
    let mut raw = bed.redis.as_ref().unwrap().raw();
    ask::<()>(&mut raw, &["CONFIG", "SET", "maxmemory", "1"]);
    store.expire("a").await;
    assert_eq!((store.get("a").await, store.take("b").await.as_deref()), (None, Some("v")));
}

#[tokio::test]
async fn memory_keeps_its_books_over_swaps() {
    let bed = Bed::memory();
    let store = bed.open();
    for n in 0..50 {
        let set = Set { ttl: Ttl::Ms(1_000), ..tagged(&["t"]).times(EVER) };
        store.set(&format!("k{n}"), "v", set).await;
        store.expire(&format!("k{n}")).await;
    }
    let cachalot::engine::AnyEngine::Memory(engine) = &store.engine else { panic!("a memory store") };
    let (entries, _, members) = engine.store().sizes();
    assert_eq!((entries, members), (50, 50));
    let later = time::now() + 2_000;
    store.run_at(later, vec![crate::bed::get("other")]).await;
    assert_eq!(engine.store().sizes(), (0, 0, 0), "expired by the order of expiry");
}
