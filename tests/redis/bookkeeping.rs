//! Bookkeeping that is lost, or not ours.

use crate::server::{Server, ask};
use crate::store::{Store, by_tags, config, space, tagged};
use cachalot::config::RedisConfig;
use cachalot::model::key::bucket;
use cachalot::model::tag::Invalidation;
use cachalot::store::request::WriteOutcome;
use cachalot::store::traits::EntryStore;
use rand::RngExt;

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_log_costs_misses_and_nothing_more() {
    let server = Server::start();
    let mut raw = server.raw();
    for store in Store::both(&server) {
        store.put("k", "old", &["t"]).await;
        store.put("other", "v", &["u"]).await;
        assert_eq!(store.get("k").await.as_deref(), Some("old"));
        let fresh = Store::open(&server);
        store.clear_tags(&["t"]).await;
        ask::<()>(&mut raw, &["DEL", &space().clear_log()]);
        for reader in [&store, &fresh, &Store::open(&server)] {
            assert_eq!(reader.get("k").await, None);
        }
        assert_eq!(store.get("other").await.as_deref(), Some("v"), "whoever knew the clear goes on");
        // The next clear begins a log, and does not bring the cleared entry back with it.
        store.clear_tags(&["unrelated"]).await;
        store.put("k2", "new", &["t"]).await;
        for reader in [&store, &fresh, &Store::open(&server)] {
            assert_eq!(reader.get("k").await, None);
            assert_eq!(reader.get("k2").await.as_deref(), Some("new"));
        }
        store.clear_tags(&["*"]).await;
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
    assert_eq!(store.set("k", "late", tagged(&[]).after(miss)).await.unwrap(), WriteOutcome::Stale);
    let miss = store.miss().await;
    let fresh = store.set("k", "new", tagged(&[]).after(miss)).await.unwrap();
    assert_eq!(fresh, WriteOutcome::Stored(None));
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
        assert_eq!(written == WriteOutcome::Stored(None), !shares, "{key}");
    }
    assert_eq!(store.set("cleared", "late", tagged(&[]).after(miss)).await.unwrap(), WriteOutcome::Stale);
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
        assert_eq!(store.set("k", "late", tagged(&[]).after(miss)).await.unwrap(), WriteOutcome::Stale);
        let miss = store.miss().await;
        let fresh = store.set("k", "new", tagged(&[]).after(miss)).await.unwrap();
        assert_eq!(fresh, WriteOutcome::Stored(None), "{noise:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_clear_begins_again_forgets_no_clear_of_before() {
    let server = Server::start();
    let mut raw = server.raw();
    for store in Store::both(&server) {
        for (first, second, set) in [
            (Invalidation::Hard, Invalidation::Soft, tagged(&["t"]).manual()),
            (Invalidation::Soft, Invalidation::Hard, tagged(&["t"])),
        ] {
            store.set("k", "old", set).await.unwrap();
            store.clear(by_tags(&["t"], first)).await.unwrap();
            ask::<()>(&mut raw, &["DEL", &space().clear_log()]);
            store.clear(by_tags(&["t"], second)).await.unwrap();
            for reader in [&store, &Store::open(&server)] {
                assert_eq!(reader.get("k").await, None, "{first:?}, then {second:?}");
            }
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
        assert_eq!(store.set("k", "v", tagged(&["t"]).after(miss)).await.unwrap(), WriteOutcome::Stale);
        assert_eq!(store.get("k").await, None);
        let miss = store.miss().await;
        let fresh = store.set("k", "new", tagged(&["t"]).after(miss)).await.unwrap();
        assert_eq!(fresh, WriteOutcome::Stored(None));
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
                assert_eq!(late.unwrap(), WriteOutcome::Stale, "round {round}");
                store.put("other", "v", &[&tag, "all"]).await;
                assert_eq!(store.get(&format!("k{i}")).await, None, "round {round}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_leaves_nothing_behind_for_its_tags() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let names: Vec<String> = (0..450).map(|i| format!("Product:prod_{i}")).collect();
    let tags: Vec<&str> = names.iter().map(String::as_str).collect();
    for i in 0..100 {
        store.put(&format!("k{i}"), "v", &tags).await;
    }
    let mut keys: Vec<String> = ask(&mut raw, &["KEYS", "p!*"]);
    keys.sort();
    assert_eq!(keys, ["p!c", "p!e", "p!f", "p!i", "p!m"]);
    assert_eq!(ask::<i64>(&mut raw, &["ZCARD", &space().whole_index()]), 100);
    assert_eq!(ask::<i64>(&mut raw, &["ZCARD", &space().clear_log()]), 2);
    let bytes: i64 = ask(&mut raw, &["STRLEN", &space().entry("k0")]);
    assert!(bytes <= 4_096, "{bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_set_does_not_replace_an_entry_of_a_later_epoch() {
    let server = Server::start();
    let (store, other) = (Store::open(&server), Store::open(&server));
    let miss = store.miss().await;
    other.clear_tags(&["unrelated"]).await;
    other.put("k", "new", &["t"]).await;
    let late = store.set("k", "old", tagged(&["t"]).after(miss)).await.unwrap();
    assert_eq!((late, store.get("k").await.as_deref()), (WriteOutcome::Stale, Some("new")));
    // Of the same epoch, whoever comes last.
    let miss = store.miss().await;
    for value in ["one", "two"] {
        store.set("k", value, tagged(&["t"]).after(miss)).await.unwrap();
        assert_eq!(store.get("k").await.as_deref(), Some(value));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_type_in_the_place_of_one_entry_is_nothing_to_its_neighbours() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    for key in [
        space().entry("k1"),
        space().clear_log(),
        space().whole_index(),
        space().longest_life(),
        space().fences(),
    ] {
        ask::<()>(&mut raw, &["DEL", &key]);
        ask::<()>(&mut raw, &["RPUSH", &key, "x"]);
        let tags = ["t0", "t1", "t2", "t3"];
        let writes = (0..4).map(|i| tagged(&tags[i..=i]).write(&format!("k{i}"), "v")).collect();
        for outcome in store.backend.write(writes, 0).await {
            assert_eq!(outcome.unwrap(), WriteOutcome::Stored(None), "{key}");
        }
        for i in 0..4 {
            assert_eq!(store.get(&format!("k{i}")).await.as_deref(), Some("v"), "{key}");
        }
        assert_eq!(ask::<i64>(&mut raw, &["ZCARD", &space().whole_index()]), 4, "{key}");
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
    let (generation, _) = epoch.split_once(' ').unwrap();
    assert_eq!(generation.len(), 16, "{epoch}");
    let fences: Vec<String> = ask(&mut raw, &["HVALS", &space().fences()]);
    assert_eq!(fences.len(), 2, "{fences:?}");
    let log: Vec<(Vec<u8>, String)> = redis::cmd("ZRANGE")
        .arg(space().clear_log())
        .arg("0")
        .arg("-1")
        .arg("WITHSCORES")
        .query(&mut raw)
        .unwrap();
    assert_eq!(log.len(), 2, "{log:?}");
    let scores = log.into_iter().map(|(_, score)| score);
    for text in [epoch.clone()].into_iter().chain(fences).chain(scores) {
        for number in text.split(' ').filter(|word| *word != generation) {
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
    let old = format!("{:016x} 1000", last.generation);
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
        "0000000000000000 1",
        "zzzzzzzzzzzzzzzz 1",
        "FFFFFFFFFFFFFFFF 1",
        "00000000000000ff 1 1",
        "00000000000000ff 1",
        "00000000000000ff -1",
        "00000000000000ff 1e300",
        "00000000000000ff 18446744073709551615",
        "00000000000000ff 99999999999999999999999999",
        "00000000000000ff nan",
        &big,
    ];
    for tracking in [true, false] {
        let store = Store::with(RedisConfig { tracking, ..config(&server) });
        for at in 0..6 {
            for form in 0..noise.len() + 2 {
                store.put("k", "old", &["t"]).await;
                store.clear_tags(&["t"]).await;
                let miss = store.miss().await;
                let key = match at {
                    0 => space().epoch(),
                    1 => space().clear_log(),
                    2 => space().fences(),
                    3 => space().whole_index(),
                    4 => space().longest_life(),
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
                assert_eq!(fresh, WriteOutcome::Stored(None), "{at} {form}");
                assert_eq!(store.get("k").await.as_deref(), Some("new"), "{at} {form}");
            }
        }
    }
}
