//! Entries with times: fresh, stale, and what is made of the stale ones.

use crate::bed::{Bed, Caller, EVER, Set, tagged};
use crate::redis_server::ask;
use cachalot::engine::Outcome;
use cachalot::model::key::Keyspace;
use cachalot::model::tag::Invalidation;
use cachalot::model::time;
use cachalot::model::ttl::{Times, Ttl};
use std::time::{Duration, Instant};

#[tokio::test]
async fn an_automatic_invalidation_makes_stale_what_any_other_clear_ends() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        let own = Set { auto: false, ..tagged(&["t"]).times(EVER) };
        for (key, set) in [("soft", tagged(&["t"]).times(EVER)), ("own", own), ("hard", tagged(&["t"]))] {
            assert!(a.set(key, key, set).await);
        }
        for tags in [&["t"], &["*"]] {
            b.clear(None, tags, Invalidation::Soft).await;
            assert_eq!((a.get("soft").await, a.has("soft").await), (None, false), "{}", bed.name);
            assert_eq!(a.get("own").await.as_deref(), Some("own"));
            assert_eq!(a.list("t").await, ["own"], "{}", bed.name);
            let soft = a.read("soft").await;
            assert_eq!((soft.value.as_deref(), soft.stale, soft.times), (Some("soft"), true, Some(EVER)));
            assert_eq!(a.read("hard").await.value, None);
            assert!(a.set("soft", "soft", tagged(&["t"]).times(EVER).after(soft.ticket.unwrap())).await);
            assert_eq!(b.get("soft").await.as_deref(), Some("soft"), "{}", bed.name);
        }
        b.clear(None, &["t"], Invalidation::Soft).await;
        b.clear(None, &["t"], Invalidation::Hard).await;
        for key in ["soft", "own", "hard"] {
            assert_eq!(a.read(key).await.value, None, "{} {key}", bed.name);
        }
        assert!(a.engine.stats().stale > 0);
    }
}

#[tokio::test]
async fn freshness_goes_by_the_callers_clock_and_expiry_stays() {
    for bed in Bed::all() {
        let store = bed.open();
        let now = time::now();
        let times = Times { created: now, fresh_until: now + 10_000, cost: 1 };
        assert!(store.set("k", "v", tagged(&["t"]).times(times)).await);
        let at = async |ms: u64| store.read_at(now + ms, "k").await;
        let before = at(9_999).await;
        assert_eq!((before.stale, before.times), (false, Some(times)));
        assert!(before.ticket.is_some(), "for a refresh ahead of time");
        let after = at(10_000).await;
        assert_eq!((after.value.as_deref(), after.stale), (Some("v"), true), "{}", bed.name);
        if bed.name != "redis" {
            // Redis expires by its own clock alone.
            assert_eq!(at(70_000).await.value, None, "{}", bed.name);
        }
    }
}

#[tokio::test]
async fn a_set_that_an_automatic_invalidation_overtook_is_stored_as_a_stale_one() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        // Its bookkeeping is there already: what is missing is made at a set, which refuses what is older.
        assert!(a.set("k", "v", tagged(&["t"])).await);
        a.clear(Some("k"), &[], Invalidation::Hard).await;
        let ticket = a.missed("k").await;
        b.clear(None, &["t"], Invalidation::Soft).await;
        assert!(a.set("k", "soft", tagged(&["t"]).times(EVER).after(ticket)).await, "{}", bed.name);
        let read = b.read("k").await;
        assert_eq!((read.value.as_deref(), read.stale), (Some("soft"), true), "{}", bed.name);
        assert!(a.set("k", "bare", tagged(&["t"]).times(EVER)).await);
        assert_eq!(b.get("k").await.as_deref(), Some("bare"), "{}: a bare set is of now", bed.name);
        b.clear(None, &["t"], Invalidation::Hard).await;
        a.set("k", "soft", tagged(&["t"]).times(EVER).after(ticket)).await;
        assert_eq!(b.read("k").await.value, None, "{}", bed.name);
    }
}

#[tokio::test]
async fn a_ticket_is_of_its_own_read_and_of_no_other() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        let early = a.missed("k").await;
        assert_eq!(a.get("k").await, None);
        b.clear(Some("k"), &[], Invalidation::Hard).await;
        let late = a.missed("k").await;
        assert!(early.epoch.generation == late.epoch.generation && early.epoch.n <= late.epoch.n);
        assert!(!a.set("k", "early", tagged(&[]).after(early)).await, "{}", bed.name);
        assert!(a.set("k", "late", tagged(&[]).after(late)).await, "{}", bed.name);
        assert_eq!(b.get("k").await.as_deref(), Some("late"));
        // The get's miss is still there for a set of its own, and is older than the clear.
        assert!(!a.set("k", "early", tagged(&[])).await, "{}", bed.name);
        assert_eq!(b.get("k").await.as_deref(), Some("late"));
    }
}

/// A factory that outlives its lease, or runs in two processes at once.
#[tokio::test]
async fn a_set_with_a_ticket_replaces_what_its_read_found_and_nothing_that_was_set_since() {
    for bed in Bed::all() {
        let (a, b, name) = (bed.open(), bed.open(), bed.name);
        let early = a.missed("k").await;
        assert!(b.set("k", "new", tagged(&["t"])).await);
        assert!(!a.set("k", "early", tagged(&["t"]).after(early)).await, "{name}");
        // Nor in one batch with it, nor after a clear of something else.
        let [first, second] = [a.missed("two").await, b.missed("two").await];
        let [op, other] = [(first, "first"), (second, "second")]
            .map(|(ticket, value)| tagged(&[]).after(ticket).op("two", value));
        let outcomes: Vec<_> = a.run(vec![op, other]).await;
        assert!(matches!(outcomes[..], [Outcome::Is(true), Outcome::Is(false)]), "{name}: {outcomes:?}");
        b.clear(None, &["unrelated"], Invalidation::Hard).await;
        assert!(!b.set("two", "late", tagged(&[]).after(second)).await, "{name}");
        assert_eq!(
            [a.get("k").await.as_deref(), a.get("two").await.as_deref()],
            [Some("new"), Some("first")]
        );
        // What it found it replaces, once.
        let [seen, again] = [a.read("k").await.ticket.unwrap(), b.read("k").await.ticket.unwrap()];
        assert!(a.set("k", "newer", tagged(&["t"]).after(seen)).await, "{name}");
        for (caller, ticket) in [(&a, seen), (&b, again)] {
            assert!(!caller.set("k", "twice", tagged(&["t"]).after(ticket)).await, "{name}");
        }
        assert_eq!(b.get("k").await.as_deref(), Some("newer"), "{name}");
        // Also what a clear of a tag made invalid.
        a.clear(None, &["t"], Invalidation::Hard).await;
        let ticket = b.missed("k").await;
        assert!(b.set("k", "after", tagged(&["t"]).after(ticket)).await, "{name}");
        assert_eq!(a.get("k").await.as_deref(), Some("after"), "{name}");
    }
}

#[tokio::test]
async fn a_set_with_a_ticket_replaces_what_is_no_entry_and_what_has_expired() {
    for bed in Bed::all().into_iter().filter(|bed| bed.memcached.is_empty()) {
        let (store, name) = (bed.open(), bed.name);
        assert!(store.set("k", "short", Set { ttl: Ttl::Ms(60), ..tagged(&[]) }).await);
        let ticket = store.read("k").await.ticket.unwrap();
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert!(store.set("k", "long", tagged(&[]).after(ticket)).await, "{name}");
    }
    let bed = Bed::redis(true);
    let (store, mut raw) = (bed.open(), bed.redis.as_ref().unwrap().raw());
    let key = Keyspace::new("p").unwrap().entry("k");
    let noise = "noise, of more bytes than an entry begins with, and then some";
    for found in ["short", noise] {
        ask::<()>(&mut raw, &["SET", &key, found]);
        let ticket = store.missed("k").await;
        assert!(store.set("k", "v", tagged(&[]).after(ticket)).await, "{found}");
        assert_eq!(store.get("k").await.as_deref(), Some("v"));
    }
    ask::<i64>(&mut raw, &["DEL", &key]);
    ask::<i64>(&mut raw, &["RPUSH", &key, noise]);
    let ticket = store.missed("k").await;
    assert!(store.set("k", "v", tagged(&[]).after(ticket)).await, "a list");
}

#[tokio::test]
async fn a_set_with_a_ticket_makes_no_remembered_miss_newer() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        assert_eq!(a.get("k").await, None);
        assert!(a.set("k", "first", tagged(&[])).await);
        b.clear(Some("k"), &[], Invalidation::Hard).await;
        let ticket = a.missed("k").await;
        assert!(a.set("k", "new", tagged(&[]).after(ticket)).await);
        // Of another caller who shared that get.
        assert!(!a.set("k", "old", tagged(&[])).await, "{}", bed.name);
        assert_eq!(b.get("k").await.as_deref(), Some("new"), "{}", bed.name);
    }
}

#[tokio::test]
async fn reads_and_questions_remember_no_miss() {
    for bed in Bed::all() {
        let store = bed.open();
        store.missed("k").await;
        store.has("k").await;
        store.clear(Some("k"), &[], Invalidation::Hard).await;
        assert!(store.set("k", "bare", tagged(&[])).await, "{}", bed.name);
        assert_eq!(store.engine.stats().unguarded_sets, 1, "{}", bed.name);
    }
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !so().await {
        assert!(Instant::now() < end, "never so: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn fill(store: &Caller, kind: &str, set: &Set) {
    for i in 0..25 {
        assert!(store.set(&format!("{kind}{i}"), kind, set.clone()).await);
    }
}

#[tokio::test]
async fn what_is_stale_is_not_reclaimed() {
    for bed in Bed::all() {
        let store = bed.open();
        fill(&store, "soft", &tagged(&["t"]).times(EVER)).await;
        let aged = Times { fresh_until: 1, ..EVER };
        fill(&store, "aged", &tagged(&["t"]).times(aged)).await;
        fill(&store, "hard", &tagged(&["t"])).await;
        store.clear(None, &["t"], Invalidation::Soft).await;
        if bed.name == "memory" {
            for _ in 0..10 {
                store.get("other").await;
            }
        } else {
            until("the hard ones are reclaimed", async || store.engine.stats().reclaimed == 25).await;
        }
        for i in 0..25 {
            for kind in ["soft", "aged"] {
                let read = store.read(&format!("{kind}{i}")).await;
                assert_eq!((read.value.as_deref(), read.stale), (Some(kind), true), "{} {kind}{i}", bed.name);
            }
        }
        // Still members of their tag: a clear of all finds them.
        store.clear(None, &["t"], Invalidation::Hard).await;
        if bed.name != "memory" {
            until("all are reclaimed", async || store.engine.stats().reclaimed == 75).await;
        }
        assert_eq!(store.read("soft3").await.value, None);
    }
}

#[tokio::test]
async fn a_sweep_goes_by_the_clock_that_the_caller_goes_by() {
    // A test in 2020, say. The entries live a minute of its time, and long enough of the server's.
    const THEN: u64 = 1_600_000_000_000;
    for bed in [Bed::memcached(1), Bed::redis(true)] {
        let store = bed.open();
        let set = |key: &str, auto| Set { auto, ..tagged(&["t"]) }.op(key, "v");
        store.run_at(THEN, (0..20).map(|i| set(&format!("own{i}"), false)).collect()).await;
        store.run_at(THEN, (0..20).map(|i| set(&format!("auto{i}"), true)).collect()).await;
        store.run_at(THEN + 1, vec![crate::bed::clear(None, &["t"], Invalidation::Soft)]).await;
        until("the automatic ones are reclaimed", async || store.engine.stats().reclaimed >= 20).await;
        for i in 0..20 {
            assert_eq!(store.read_at(THEN + 2, &format!("own{i}")).await.value.as_deref(), Some("v"));
        }
        assert_eq!(store.engine.stats().reclaimed, 20, "{} {:?}", bed.name, store.engine.stats());
    }
}

#[tokio::test]
async fn a_stub_waits_for_its_set_as_long_as_that_may_take() {
    let bed = Bed::memcached(1);
    let store = bed.open();
    let life = |key: &str| bed.memcached[0].raw().life(&format!("p::{key}")).unwrap_or(0);
    assert_eq!(store.get("plain").await, None);
    assert!((28..=31).contains(&life("plain")), "{}", life("plain"));
    store.missed("ticket").await;
    assert!((298..=301).contains(&life("ticket")), "{}", life("ticket"));
    store.has("none").await;
    assert_eq!(life("none"), 0, "a question leaves nothing");
    // A read that finds the stub of a plain get has as long as any other.
    let ticket = store.missed("plain").await;
    until("the stub is given its life", async || life("plain") > 290).await;
    assert!(store.set("plain", "v", tagged(&[]).after(ticket)).await, "its number is as it was");
    assert!((58..=63).contains(&life("plain")), "{}", life("plain"));
    let patient = bed.with(r#","missMemory":{"ms":90000}"#);
    assert_eq!(patient.get("long").await, None);
    assert!((89..=92).contains(&life("long")), "{}", life("long"));
    // Never the life of an entry.
    assert!(store.set("entry", "v", Set { ttl: Ttl::Ms(5_000), ..tagged(&[]) }).await);
    store.read("entry").await;
    store.get("entry").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(life("entry") <= 7, "{}", life("entry"));
}
