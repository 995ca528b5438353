//! Bookkeeping that is lost, short-lived, or not ours.

use crate::server::{Server, ask};
use crate::store::{Store, by_tags, config, minutes, space, tagged};
use cachalot::backend::{Backend, Written};
use cachalot::config::RedisConfig;
use cachalot::key::bucket;
use cachalot::tags::Raise;
use cachalot::ttl::Ttl;
use rand::Rng;

#[tokio::test(flavor = "multi_thread")]
async fn an_evicted_record_costs_a_miss_and_nothing_more() {
    let server = Server::start();
    let mut raw = server.raw();
    for store in Store::both(&server) {
        store.put("k", "old", &["t"]).await;
        store.put("other", "v", &["u"]).await;
        assert_eq!(store.get("k").await.as_deref(), Some("old"));
        store.clear_tags(&["t"]).await;
        ask::<()>(&mut raw, &["DEL", &space().record("t")]);
        assert_eq!(store.get("k").await, None);
        // The record comes back with the next set, and does not bring the cleared entry back with it.
        store.put("k2", "new", &["t"]).await;
        assert_eq!(store.get("k").await, None);
        assert_eq!(store.get("k2").await.as_deref(), Some("new"));
        assert_eq!(store.get("other").await.as_deref(), Some("v"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_fence_lets_nothing_in_that_it_would_have_kept_out() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.put("k", "old", &[]).await;
    let miss = store.miss().await;
    store.clear_key("k").await;
    ask::<()>(&mut raw, &["DEL", &space().fences()]);
    assert_eq!(store.set("k", "late", tagged(&[]).after(miss)).await.unwrap(), Written::Stale);
    let miss = store.miss().await;
    let fresh = store.set("k", "new", tagged(&[]).after(miss)).await.unwrap();
    assert_eq!(fresh, Written::Stored(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_of_one_key_refuses_no_set_of_another_bucket() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let miss = store.miss().await;
    store.clear_key("cleared").await;
    for i in 0..200 {
        let key = format!("k{i}");
        let shares = bucket(&key) == bucket("cleared");
        let written = store.set(&key, "v", tagged(&[]).after(miss)).await.unwrap();
        assert_eq!(written == Written::Stored(None), !shares, "{key}");
    }
    assert_eq!(store.set("cleared", "late", tagged(&[]).after(miss)).await.unwrap(), Written::Stale);
    // They end a day after the last clear, and one set that is older than that is enough to have them again.
    assert!((86_000_000..=86_400_000).contains(&ask::<i64>(&mut raw, &["PTTL", &space().fences()])));
    ask::<()>(&mut raw, &["PEXPIRE", &space().fences(), "1000"]);
    store.clear_key("cleared").await;
    assert!(ask::<i64>(&mut raw, &["PTTL", &space().fences()]) > 86_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_noise_in_one_fence_is_no_way_past_it() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let field = String::from_utf8(bucket("k").to_vec()).unwrap();
    for noise in ["", "x", "-1", "0x10", "1e15", "nan", " 1", "99999999999999999999"] {
        let miss = store.miss().await;
        store.clear_key("k").await;
        ask::<()>(&mut raw, &["HSET", &space().fences(), &field, noise]);
        assert_eq!(store.set("k", "late", tagged(&[]).after(miss)).await.unwrap(), Written::Stale);
        let miss = store.miss().await;
        let fresh = store.set("k", "new", tagged(&[]).after(miss)).await.unwrap();
        assert_eq!(fresh, Written::Stored(None), "{noise:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_a_clear_brings_back_forgets_no_other_kind_of_clear() {
    let server = Server::start();
    let mut raw = server.raw();
    for store in Store::both(&server) {
        for (first, second, set) in
            [(Raise::All, Raise::Auto, tagged(&["t"]).manual()), (Raise::Auto, Raise::All, tagged(&["t"]))]
        {
            store.set("k", "old", set).await.unwrap();
            store.clear(by_tags(&["t"], first)).await.unwrap();
            ask::<()>(&mut raw, &["DEL", &space().record("t")]);
            store.clear(by_tags(&["t"], second)).await.unwrap();
            assert_eq!(store.get("k").await, None, "{first:?}, then {second:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_epoch_makes_everything_invalid_and_then_recovers() {
    let server = Server::start();
    let mut raw = server.raw();
    for store in Store::both(&server) {
        store.put("k", "old", &["t"]).await;
        let miss = store.miss().await;
        ask::<()>(&mut raw, &["DEL", &space().epoch()]);
        assert_eq!(store.get("k").await, None);
        assert_eq!(store.set("k", "v", tagged(&["t"]).after(miss)).await.unwrap(), Written::Stale);
        assert_eq!(store.get("k").await, None);
        let miss = store.miss().await;
        let fresh = store.set("k", "new", tagged(&["t"]).after(miss)).await.unwrap();
        assert_eq!(fresh, Written::Stored(None));
        assert_eq!(store.get("k").await.as_deref(), Some("new"));
        ask::<()>(&mut raw, &["DEL", &space().epoch()]);
        store.put("k", "unguarded", &["t"]).await;
        assert_eq!(store.get("k").await.as_deref(), Some("unguarded"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_half_of_the_bookkeeping_may_vanish_and_nothing_cleared_comes_back() {
    let server = Server::start();
    let mut raw = server.raw();
    let mut rng = rand::rng();
    for store in Store::both(&server) {
        for round in 0..25 {
            for i in 0..8 {
                let tag = format!("t{}", i % 3);
                store.put(&format!("k{i}"), &format!("old{round}"), &[&tag, "all"]).await;
            }
            let miss = store.miss().await;
            match round % 3 {
                0 => store.clear_tags(&["all"]).await,
                1 => store.clear_tags(&["t0", "t1", "t2"]).await,
                _ => store.clear_tags(&["*"]).await,
            }
            let own: Vec<String> = ask(&mut raw, &["KEYS", "p!*"]);
            assert!(!own.is_empty());
            for key in own.iter().filter(|_| rng.random_bool(0.5)) {
                ask::<()>(&mut raw, &["DEL", key]);
            }
            for i in 0..8 {
                let tag = format!("t{}", i % 3);
                assert_eq!(store.get(&format!("k{i}")).await, None, "round {round}");
                let late = store.set(&format!("k{i}"), "late", tagged(&[&tag, "all"]).after(miss)).await;
                assert_eq!(late.unwrap(), Written::Stale, "round {round}");
                store.put("other", "v", &[&tag, "all"]).await;
                assert_eq!(store.get(&format!("k{i}")).await, None, "round {round}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_outlive_their_entries_whatever_is_set_in_between() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let record = space().record("t");
    store.set("long", "v", tagged(&["t"]).ttl(minutes(60))).await.unwrap();
    let left: i64 = ask(&mut raw, &["PTTL", &record]);
    assert!(left > 119 * 60_000, "{left}");
    store.set("short", "v", tagged(&["t"]).ttl(Ttl::Ms(1_000))).await.unwrap();
    assert!(ask::<i64>(&mut raw, &["PTTL", &record]) > 119 * 60_000);
    store.clear_tags(&["t"]).await;
    assert!(ask::<i64>(&mut raw, &["PTTL", &record]) > 119 * 60_000, "a clear keeps the record's life");
    store.set("longer", "v", tagged(&["t"]).ttl(minutes(600))).await.unwrap();
    assert!(ask::<i64>(&mut raw, &["PTTL", &record]) > 1_199 * 60_000);
    store.set("ever", "v", tagged(&["t"]).ttl(Ttl::Forever)).await.unwrap();
    assert_eq!(ask::<i64>(&mut raw, &["PTTL", &record]), -1);
    store.set("short", "v", tagged(&["t"]).ttl(Ttl::Ms(1_000))).await.unwrap();
    assert_eq!(ask::<i64>(&mut raw, &["PTTL", &record]), -1);
    // A record that a clear had to make is short-lived until a set needs it.
    store.clear_tags(&["u"]).await;
    assert!(ask::<i64>(&mut raw, &["PTTL", &space().record("u")]) <= 60_000);
    store.set("k", "v", tagged(&["u"]).ttl(minutes(60))).await.unwrap();
    assert!(ask::<i64>(&mut raw, &["PTTL", &space().record("u")]) > 119 * 60_000);
    // One that was evicted and then made by another's clear is as short-lived; the next sets of the tag see to it.
    ask::<()>(&mut raw, &["DEL", &space().record("u")]);
    Store::open(&server).clear_tags(&["u"]).await;
    for _ in 0..8 {
        store.set("k", "v", tagged(&["u"]).ttl(minutes(60))).await.unwrap();
    }
    assert!(ask::<i64>(&mut raw, &["PTTL", &space().record("u")]) > 119 * 60_000);
    // One that a short-lived set made anew is not taken for the long-lived one that was there.
    ask::<()>(&mut raw, &["DEL", &space().record("u")]);
    store.set("k", "v", tagged(&["u"]).ttl(minutes(1))).await.unwrap();
    store.set("k", "v", tagged(&["u"]).ttl(minutes(60))).await.unwrap();
    assert!(ask::<i64>(&mut raw, &["PTTL", &space().record("u")]) > 119 * 60_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_of_different_lives_in_one_batch_give_a_record_the_longest() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let lives = [minutes(1), minutes(60), minutes(10)];
    let writes = |tag: &'static str| {
        lives.iter().map(|ttl| tagged(&[tag]).ttl(*ttl).write("k", "v")).collect::<Vec<_>>()
    };
    for round in 0..3 {
        store.backend.write(writes("t"), 0).await;
        assert!(ask::<i64>(&mut raw, &["PTTL", &space().record("t")]) > 119 * 60_000, "{round}");
        assert!(ask::<i64>(&mut raw, &["PTTL", &space().index("t")]) > 59 * 60_000, "{round}");
        assert!(ask::<i64>(&mut raw, &["PTTL", &space().entry("k")]) > 9 * 60_000, "{round}");
        ask::<()>(&mut raw, &["DEL", &space().record("t"), &space().index("t")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_type_in_the_place_of_one_entry_is_nothing_to_its_neighbours() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    for key in [space().entry("k1"), space().record("t2"), space().index("t3"), space().fences()] {
        ask::<()>(&mut raw, &["DEL", &key]);
        ask::<()>(&mut raw, &["RPUSH", &key, "x"]);
        let tags = ["t0", "t1", "t2", "t3"];
        let writes = (0..4).map(|i| tagged(&tags[i..=i]).write(&format!("k{i}"), "v")).collect();
        for outcome in store.backend.write(writes, 0).await {
            assert_eq!(outcome.unwrap(), Written::Stored(None), "{key}");
        }
        for (i, tag) in tags.iter().enumerate() {
            assert_eq!(store.get(&format!("k{i}")).await.as_deref(), Some("v"), "{key}");
            assert_eq!(ask::<i64>(&mut raw, &["ZCARD", &space().index(tag)]), 1, "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_stay_whole() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.put("k", "v", &["t"]).await;
    store.clear_tags(&["t", "*"]).await;
    store.clear_key("k").await;
    let epoch: String = ask(&mut raw, &["GET", &space().epoch()]);
    let words: Vec<String> = epoch.split(' ').map(str::to_owned).collect();
    assert_eq!((words.len(), words[0].len()), (4, 16), "{epoch}");
    let record: String = ask(&mut raw, &["GET", &space().record("t")]);
    let fences: Vec<String> = ask(&mut raw, &["HVALS", &space().fences()]);
    assert_eq!(fences.len(), 2, "{fences:?}");
    for text in [vec![epoch, record], fences].concat() {
        for number in text.split(' ').filter(|word| *word != words[0]) {
            // Microseconds since 1970, to the last digit: not 1.7e+15.
            assert_eq!(number.len(), 16, "{text}");
            assert!(number.parse::<u64>().is_ok(), "{text}");
        }
    }
    // As many clears as you like, each a step up.
    let mut last = store.miss().await;
    for _ in 0..50 {
        store.clear_tags(&["t"]).await;
        let next = store.miss().await;
        assert!(next.n > last.n && next.generation == last.generation);
        last = next;
    }
    // A counter that came back old catches up with the server's clock.
    let old = format!("{:016x} 1000 1000 1000", last.generation);
    ask::<()>(&mut raw, &["SET", &space().epoch(), &old]);
    store.clear_tags(&["t"]).await;
    assert!(store.miss().await.n > last.n);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_are_misses_and_are_replaced() {
    let server = Server::start();
    let mut raw = server.raw();
    let big = "f".repeat(5_000);
    let noise: Vec<&str> = vec![
        "",
        " ",
        "x",
        "0 0 0",
        "0 0 0 0",
        "0000000000000000 1 1 1",
        "zzzzzzzzzzzzzzzz 1 1 1",
        "FFFFFFFFFFFFFFFF 1 1 1",
        "00000000000000ff 1 1",
        "00000000000000ff 1 1 1",
        "00000000000000ff -1 -1 -1",
        "00000000000000ff 1e300 1e300 1e300",
        "00000000000000ff 18446744073709551615 0 0",
        "00000000000000ff 99999999999999999999999999 0 0",
        "00000000000000ff nan nan nan",
        &big,
    ];
    for tracking in [true, false] {
        let store = Store::with(RedisConfig { tracking, ..config(&server) });
        for at in 0..5 {
            for form in 0..noise.len() + 2 {
                store.put("k", "old", &["t"]).await;
                store.clear_tags(&["t"]).await;
                let miss = store.miss().await;
                let key = match at {
                    0 => space().epoch(),
                    1 => space().record("t"),
                    2 => space().fences(),
                    3 => space().index("t"),
                    _ => space().entry("k"),
                };
                ask::<()>(&mut raw, &["DEL", &key]);
                match form.checked_sub(noise.len()) {
                    None => ask::<()>(&mut raw, &["SET", &key, noise[form]]),
                    Some(0) => ask::<()>(&mut raw, &["RPUSH", &key, "x"]),
                    Some(_) => ask::<()>(&mut raw, &["HSET", &key, "x", "y"]),
                }
                assert_eq!(store.get("k").await, None, "{at} {form}");
                // Guarded: stored or not, but never an error; then the next one is stored.
                store.set("k", "v", tagged(&["t"]).after(miss)).await.unwrap();
                store.clear_key("k").await;
                store.clear_tags(&["t"]).await;
                assert_eq!(store.get("k").await, None, "{at} {form}");
                let miss = store.miss().await;
                let fresh = store.set("k", "new", tagged(&["t"]).after(miss)).await.unwrap();
                assert_eq!(fresh, Written::Stored(None), "{at} {form}");
                assert_eq!(store.get("k").await.as_deref(), Some("new"), "{at} {form}");
            }
        }
    }
}
