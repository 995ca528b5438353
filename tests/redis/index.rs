//! The index of a tag's keys, and reclaiming.

use crate::server::{Server, ask};
use crate::store::{Store, config, minutes, space, tagged};
use bytes::Bytes;
use cachalot::backend::{Backend, Dead, Found, Written};
use cachalot::ttl::Ttl;
use std::collections::HashSet;
use std::time::{Duration, Instant};

async fn members(store: &Store, tag: &str) -> Vec<String> {
    let (mut keys, mut cursor) = (HashSet::new(), 0);
    loop {
        let page = store.backend.members(tag, cursor, 0).await.unwrap();
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

async fn bytes(store: &Store, key: &str) -> Bytes {
    match store.backend.read(&[key.to_owned()], 0, None).await.unwrap().found.remove(0).unwrap() {
        Found::Wire(bytes, _) => bytes,
        other => panic!("{other:?}"),
    }
}

fn dead(key: &str, seen: Option<Bytes>) -> Dead {
    Dead { key: key.into(), seen: seen.map(|bytes| (bytes, None)), retagged: false }
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
        let page = store.backend.members("t", cursor, 0).await.unwrap();
        seen.extend(page.keys);
        for _ in 0..100 {
            // Even numbers go, odd ones stay.
            let key = format!("k{:04}", gone * 2);
            ask::<i64>(&mut raw, &["ZREM", &space().index("t"), &key]);
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

#[tokio::test(flavor = "multi_thread")]
async fn the_judged_are_buried_and_nothing_else() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    for key in ["dead", "replaced", "vanished", "back", "retagged", "alive"] {
        store.put(key, "v", &["t"]).await;
    }
    let judged_dead = bytes(&store, "dead").await;
    let judged_replaced = bytes(&store, "replaced").await;
    let judged_vanished = bytes(&store, "vanished").await;
    ask::<()>(&mut raw, &["DEL", &space().entry("vanished")]);
    store.put("retagged", "v", &["u"]).await;
    let judged_retagged = bytes(&store, "retagged").await;
    store.put("replaced", "w", &["t"]).await;
    let retagged = Dead { retagged: true, ..dead("retagged", Some(judged_retagged)) };
    let all = vec![
        dead("dead", Some(judged_dead)),
        dead("replaced", Some(judged_replaced)),
        dead("vanished", Some(judged_vanished)),
        dead("back", None),
        retagged,
    ];
    store.backend.bury("t", all).await.unwrap();
    assert_eq!(members(&store, "t").await, ["alive", "back", "replaced"]);
    assert_eq!(members(&store, "u").await, ["retagged"]);
    assert_eq!(store.get("dead").await, None);
    assert_eq!(store.get("replaced").await.as_deref(), Some("w"));
    assert_eq!(store.get("retagged").await.as_deref(), Some("v"));
    assert_eq!(ask::<i64>(&mut raw, &["EXISTS", &space().entry("dead")]), 0);
    ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
    ask::<()>(&mut raw, &["DEL", &space().entry("back")]);
    store.backend.bury("t", vec![dead("back", None)]).await.unwrap();
    assert_eq!(members(&store, "t").await, ["alive", "replaced"]);
    ask::<()>(&mut raw, &["DEL", &space().index("t")]);
    ask::<()>(&mut raw, &["SET", &space().index("t"), "x"]);
    store.backend.bury("t", vec![dead("alive", None)]).await.unwrap();
    assert!(members(&store, "t").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_sheds_the_expired_and_dies_with_the_last() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let writes =
        |n: usize, ttl| (0..n).map(|i| tagged(&["t"]).ttl(ttl).write(&format!("s{i}"), "v")).collect();
    for outcome in store.backend.write(writes(2_000, Ttl::Ms(50)), 0).await {
        assert_eq!(outcome.unwrap(), Written::Stored(None));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    for i in 0..110 {
        store.set(&format!("l{i}"), "v", tagged(&["t"]).ttl(minutes(1))).await.unwrap();
    }
    // What the last sets were too few to be looked after for may be left.
    let size: i64 = ask(&mut raw, &["ZCARD", &space().index("t")]);
    assert!((110..=220).contains(&size), "{size}");
    let left: i64 = ask(&mut raw, &["PTTL", &space().index("t")]);
    assert!((60_000..=120_000).contains(&left), "{left}");
    store.set("ever", "v", tagged(&["t"]).ttl(Ttl::Forever)).await.unwrap();
    store.set("short", "v", tagged(&["t"]).ttl(minutes(1))).await.unwrap();
    assert_eq!(ask::<i64>(&mut raw, &["PTTL", &space().index("t")]), -1);
    assert_eq!(ask::<String>(&mut raw, &["ZSCORE", &space().index("t"), "ever"]), "inf");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_begun_again_does_not_live_for_ever() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    for round in 0..40 {
        store.put("k", "v", &["t", "u"]).await;
        for tag in ["t", "u"] {
            let left: i64 = ask(&mut raw, &["PTTL", &space().index(tag)]);
            assert!((300_000..=360_000).contains(&left), "{left} of {tag} in round {round}");
        }
        if round % 3 == 0 {
            ask::<()>(&mut raw, &["DEL", &space().index("t")]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_outgrew_its_sweep_is_told_once() {
    let server = Server::start();
    let store = Store::open(&server);
    let writes = |from: usize, to: usize| {
        (from..to).map(|i| tagged(&["t", "u"]).write(&format!("k{i}"), "v")).collect::<Vec<_>>()
    };
    store.backend.write(writes(0, 1_000), 0).await;
    assert!(store.backend.crowded(0).is_empty());
    store.backend.write(writes(1_000, 1_008), 0).await;
    let mut told = store.backend.crowded(0);
    told.sort();
    assert_eq!(told, ["t", "u"]);
    store.backend.write(writes(1_008, 1_900), 0).await;
    assert!(store.backend.crowded(0).is_empty());
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
                    assert_eq!(outcome.unwrap(), Written::Stored(None));
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
