//! The index of entries, and the removal of what is dead.

use crate::server::{Server, ask};
use crate::store::{Store, config, minutes, space, tagged};
use cachalot::config::RedisConfig;
use cachalot::model::tag::Tag;
use cachalot::model::ttl::Ttl;
use cachalot::store::request::WriteOutcome;
use cachalot::store::traits::{EntryStore, IndexStore};
use std::collections::HashSet;
use std::time::{Duration, Instant};

async fn members(store: &Store, tag: &str) -> Vec<String> {
    let index = if tag == "*" { Tag::ROOT } else { Tag::WIDE };
    let (mut keys, mut cursor) = (HashSet::new(), 0);
    loop {
        let page = store.backend.members(index, &[Tag::selected(tag)], cursor, 0).await.unwrap();
        keys.extend(page.keys);
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    let mut keys: Vec<String> = keys.into_iter().collect();
    keys.sort();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_a_tag_is_listed() {
    let server = Server::start();
    for store in Store::both(&server) {
        for i in 0..1_500 {
            let tags: &[&str] = if i % 3 == 0 { &["t", "third"] } else { &["t"] };
            store.put(&format!("k{i:04}"), "v", tags).await;
        }
        assert_eq!(members(&store, "t").await.len(), 1_500);
        assert_eq!(members(&store, "third").await.len(), 500);
        assert_eq!(members(&store, "third").await[1], "k0003");
        assert!(members(&store, "unknown").await.is_empty());
        let any =
            store.backend.members(Tag::WIDE, &["unknown", "third", "t"].map(Tag::of), 0, 0).await.unwrap();
        assert!(any.keys.len() > 500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_is_listed_although_others_go_meanwhile() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    for i in 0..2_000 {
        store.put(&format!("k{i:04}"), "v", &["t"]).await;
    }
    let (mut seen, mut cursor, mut gone) = (HashSet::new(), 0, 0);
    loop {
        let page = store.backend.members(Tag::WIDE, &[Tag::of("t")], cursor, 0).await.unwrap();
        seen.extend(page.keys);
        for _ in 0..200 {
            // Even numbers go, odd ones stay.
            let key = format!("k{:04}", gone * 2);
            ask::<i64>(&mut raw, &["ZREM", &space().whole_index(), &key]);
            gone += 1;
        }
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert!(gone > 300, "several pages");
    for i in 0..1_000 {
        assert!(seen.contains(&format!("k{:04}", i * 2 + 1)), "{i}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_prefix_is_listed_and_no_other() {
    let server = Server::start();
    let star = Store::under("p*", config(&server));
    let store = Store::open(&server);
    let neighbour = Store::under("pp", config(&server));
    for i in 0..700 {
        store.put(&format!("k{i}"), "v", &["t"]).await;
        neighbour.put(&format!("n{i}"), "v", &["t"]).await;
    }
    star.put("only", "v", &[]).await;
    assert_eq!(members(&store, "*").await.len(), 700);
    assert_eq!(members(&star, "*").await, ["only"]);
}

/// Waits until that many entries were removed behind, and answers the members that are left.
async fn swept(store: &Store, raw: &mut redis::Connection, removed: u64) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.stats.snapshot().reclaimed < removed {
        assert!(Instant::now() < deadline, "{} of {removed}", store.stats.snapshot().reclaimed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(store.stats.snapshot().reclaimed, removed);
    ask(raw, &["ZRANGE", &space().whole_index(), "0", "-1"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_clear_left_is_removed_and_nothing_else() {
    let names: Vec<String> = (0..300).map(|i| format!("wide {i}")).collect();
    let wide: Vec<&str> = names.iter().map(String::as_str).collect();
    for tracking in [true, false] {
        // Nobody else is there to do it.
        let server = Server::start();
        let mut raw = server.raw();
        let store = Store::with(RedisConfig { tracking, ..config(&server) });
        for key in ["dead", "replaced", "vanished", "alive"] {
            store.put(key, "v", &["t"]).await;
        }
        store.put("wide and dead", "v", &[&wide[..], &["t"]].concat()).await;
        store.put("wide and alive", "v", &wide).await;
        store.put("alive", "v", &["u"]).await;
        store.set("soft", "v", tagged(&["t"]).manual()).await.unwrap();
        store.clear_tags(&["t", "unrelated"]).await;
        store.put("replaced", "w", &["t"]).await;
        ask::<()>(&mut raw, &["DEL", &space().entry("vanished")]);
        let mut left = swept(&store, &mut raw, 3).await;
        left.sort();
        assert_eq!(left, ["alive", "replaced", "wide and alive"], "tracking: {tracking}");
        assert_eq!(ask::<i64>(&mut raw, &["EXISTS", &space().entry("dead"), &space().entry("soft")]), 0);
        for (key, value) in [("alive", "v"), ("replaced", "w"), ("wide and alive", "v")] {
            assert_eq!(store.get(key).await.as_deref(), Some(value));
        }
        store.clear_tags(&["*"]).await;
        assert!(swept(&store, &mut raw, 6).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_leaves_that_ends_after_its_clear_is_removed_by_another() {
    let server = Server::start();
    let mut raw = server.raw();
    let (store, other) = (Store::open(&server), Store::open(&server));
    for i in 0..900 {
        store.set(&format!("k{i}"), "v", tagged(&["t"]).ttl(Ttl::Forever)).await.unwrap();
    }
    store.clear_tags(&["t"]).await;
    drop(store);
    other.get("k0").await;
    assert!(swept(&other, &mut raw, 900).await.is_empty());
    assert!(ask::<Vec<String>>(&mut raw, &["KEYS", "p::*"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sweep_leaves_that_lost_its_lock_is_removed_by_another() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    for from in (0..20_000).step_by(500) {
        let writes = (from..from + 500).map(|i| tagged(&["t"]).write(&format!("k{i}"), "v"));
        assert!(store.backend.write(writes.collect(), 0).await.iter().all(Result::is_ok));
    }
    store.clear_tags(&["t"]).await;
    let began = Instant::now();
    while store.stats.snapshot().reclaimed == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "no sweep");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = Store::open(&server);
    // A stranger takes the lock, and dies.
    ask::<()>(&mut raw, &["SET", "p!sweep", "stranger", "PX", "2000"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ask::<Vec<String>>(&mut raw, &["ZRANGE", &space().whole_index(), "0", "0"]).is_empty() {
        assert!(Instant::now() < deadline, "{} of 20,000", store.stats.snapshot().reclaimed);
        other.get("k0").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_without_end_leave_nothing_behind_however_often_they_are_set_and_cleared() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    for round in 0..3 {
        for i in 0..500 {
            let namespace = format!("!ns:{round}");
            store.set(&format!("{round}:{i}"), "v", tagged(&[&namespace]).ttl(Ttl::Forever)).await.unwrap();
        }
        for i in 0..250 {
            store.clear_key(&format!("{round}:{i}")).await;
        }
    }
    assert_eq!(ask::<i64>(&mut raw, &["ZCARD", &space().whole_index()]), 750);
    store.clear_tags(&["*"]).await;
    assert!(swept(&store, &mut raw, 750).await.is_empty());
    assert!(ask::<Vec<String>>(&mut raw, &["KEYS", "p::*"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_sheds_the_expired_and_lives_as_long_as_its_entries() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let names: Vec<String> = (0..40).map(|i| format!("wide {i}")).collect();
    let wide: Vec<&str> = names.iter().map(String::as_str).collect();
    for from in (0..20_000).step_by(500) {
        let writes =
            (from..from + 500).map(|i| tagged(&wide).ttl(Ttl::Ms(1_000)).write(&format!("s{i}"), "v"));
        for outcome in store.backend.write(writes.collect(), 0).await {
            assert_eq!(outcome.unwrap(), WriteOutcome::Stored(None));
        }
    }
    // A member outlives its entry by a second and some.
    tokio::time::sleep(Duration::from_millis(2_300)).await;
    for i in 0..110 {
        store.set(&format!("l{i}"), "v", tagged(&wide).ttl(minutes(1))).await.unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut size = || ask::<i64>(&mut raw, &["ZCARD", &space().whole_index()]);
    while size() > 2 * 110 {
        assert!(Instant::now() < deadline, "{} members", size());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(size() >= 110);
    let left: i64 = ask(&mut raw, &["PTTL", &space().whole_index()]);
    assert!(left > 60_000, "{left}");
    // What ends soon and has no tags is the server's to remove.
    store.set("bare", "v", tagged(&[]).ttl(minutes(1))).await.unwrap();
    store.set("of a namespace", "v", tagged(&["!ns:of"]).ttl(minutes(1))).await.unwrap();
    for key in ["bare", "of a namespace"] {
        assert_eq!(ask::<Option<String>>(&mut raw, &["ZSCORE", &space().whole_index(), key]), None);
    }
    store.set("ever", "v", tagged(&[]).ttl(Ttl::Forever)).await.unwrap();
    assert_eq!(ask::<i64>(&mut raw, &["PTTL", &space().whole_index()]), -1);
    assert_eq!(ask::<String>(&mut raw, &["ZSCORE", &space().whole_index(), "ever"]), "inf");
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_a_tag_costs_the_same_with_fifty_thousand_entries() {
    let server = Server::start();
    let store = Store::open(&server);
    let fill = |tag: &'static str, n: usize| {
        let store = store.clone();
        async move {
            for from in (0..n).step_by(500) {
                let to = (from + 500).min(n);
                let writes =
                    (from..to).map(|i| tagged(&[tag]).write(&format!("{tag}{i}"), "v")).collect::<Vec<_>>();
                for outcome in store.backend.write(writes, 0).await {
                    assert_eq!(outcome.unwrap(), WriteOutcome::Stored(None));
                }
            }
        }
    };
    fill("small", 100).await;
    fill("large", 50_000).await;
    let mut best = [Duration::MAX; 2];
    for _ in 0..30 {
        for (at, tag) in ["small", "large"].into_iter().enumerate() {
            let began = Instant::now();
            store.clear_tags(&[tag]).await;
            best[at] = best[at].min(began.elapsed());
        }
    }
    assert!(best[1] <= best[0] * 3, "{best:?}");
    assert_eq!(store.get("large49999").await, None);
}
