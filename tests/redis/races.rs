//! Clears against reads and sets that are under way.

use crate::server::{Server, ask};
use crate::store::{Store, by_tags, config, space, tagged};
use cachalot::backend::{Backend, Clear, Written};
use cachalot::config::RedisConfig;
use cachalot::tags::{Raise, Record};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_from_the_near_cache_is_never_older_than_an_acknowledged_clear() {
    let server = Server::start();
    let (reader, writer) = (Store::open(&server), Store::open(&server));
    reader.put("k", "v", &["t"]).await;
    let mut raw = server.raw();
    // Load on the reader's connection, so that replies and pushes are interleaved.
    let ended = Arc::new(AtomicBool::new(false));
    let load = {
        let (reader, ended) = (reader.clone(), ended.clone());
        tokio::spawn(async move {
            while !ended.load(SeqCst) {
                reader.get("k").await;
            }
        })
    };
    for i in 0..2_000 {
        writer.clear_tags(&["t"]).await;
        reader.backend.read(&["k".into()], 0, None).await.unwrap();
        let near = reader.backend.records(&["t"]).await.unwrap()[0].expect("the record is there");
        let text: String = ask(&mut raw, &["GET", &space().record("t")]);
        assert_eq!(near, Record::parse(text.as_bytes()).unwrap(), "clear {i}");
    }
    ended.store(true, SeqCst);
    load.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_near_cache_saves_the_second_read() {
    let server = Server::start();
    let mut raw = server.raw();
    let mut reads = |store: Store, expected: i64| {
        let before = calls(&mut raw, "mget");
        let handle = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            handle.block_on(async {
                for _ in 0..50 {
                    assert_eq!(store.get("k").await.as_deref(), Some("v"));
                }
            });
        });
        assert_eq!(calls(&mut raw, "mget") - before, expected);
    };
    let [near, far] = Store::both(&server);
    far.put("k", "v", &["t", "u"]).await;
    near.get("k").await;
    reads(near, 50);
    reads(far, 100);
}

fn calls(raw: &mut redis::Connection, command: &str) -> i64 {
    let info: String = ask(raw, &["INFO", "commandstats"]);
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_and_a_read_sent_together_are_in_order() {
    let server = Server::start();
    let store = Store::open(&server);
    for _ in 0..200 {
        store.put("k", "v", &["t"]).await;
        assert_eq!(store.get("k").await.as_deref(), Some("v"));
        let (cleared, found) = tokio::join!(biased; store.clear(by_tags(&["t"], Raise::All)), store.get("k"));
        cleared.unwrap();
        assert_eq!(found, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_and_a_lost_connection_empty_the_near_cache() {
    let server = Server::start();
    let mut raw = server.raw();
    let (reader, writer) = (Store::open(&server), Store::open(&server));
    for round in 0..20 {
        reader.put("k", "v", &["t"]).await;
        assert_eq!(reader.get("k").await.as_deref(), Some("v"));
        let stored: Vec<u8> = ask(&mut raw, &["GET", &space().entry("k")]);
        if round % 2 == 0 {
            // The reader's connection is cut, and what it missed meanwhile is a clear.
            let kept = ask::<i64>(&mut raw, &["CLIENT", "ID"]);
            for client in ask::<String>(&mut raw, &["CLIENT", "LIST"]).lines() {
                let other = client.split(' ').next().unwrap().strip_prefix("id=").unwrap();
                if other != kept.to_string() {
                    let _: i64 = ask(&mut raw, &["CLIENT", "KILL", "ID", other]);
                }
            }
            retried(|| writer.clear(by_tags(&["t"], Raise::All))).await;
            assert_eq!(retried(|| reader.look("k")).await.0, None);
        } else {
            ask::<()>(&mut raw, &["FLUSHALL"]);
            // What is stored again by other hands finds no record of before.
            redis::cmd("SET").arg(space().entry("k")).arg(stored).exec(&mut raw).unwrap();
            assert_eq!(reader.get("k").await, None);
        }
    }
}

async fn retried<T, F>(mut work: impl FnMut() -> F) -> T
where
    F: Future<Output = cachalot::error::Result<T>>,
{
    for _ in 0..100 {
        if let Ok(done) = work().await {
            return done;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no connection within 2 s");
}

/// Readers that miss, read the database and set; a writer that commits, then clears. Nobody reads what is older than
/// the last acknowledged clear when the read began.
async fn race(server: &Server, tracking: bool, clear: Clear) {
    let database = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let open = || Store::with(RedisConfig { tracking, ..config(server) });
    let mut readers = Vec::new();
    for _ in 0..3 {
        let store = open();
        let (database, acknowledged, ended) = (database.clone(), acknowledged.clone(), ended.clone());
        readers.push(tokio::spawn(async move {
            let (mut hits, mut stored) = (0, 0);
            while !ended.load(SeqCst) {
                let floor = acknowledged.load(SeqCst);
                let (found, epoch) = store.look("k").await.unwrap();
                if let Some(value) = found {
                    assert!(value.parse::<u64>().unwrap() >= floor, "stale: {value} after {floor}");
                    hits += 1;
                    continue;
                }
                let value = database.load(SeqCst).to_string();
                tokio::time::sleep(Duration::from_micros(500)).await;
                let set = tagged(&["t", "u"]).after(epoch);
                if store.set("k", &value, set).await.unwrap() == Written::Stored(None) {
                    stored += 1;
                }
            }
            (hits, stored)
        }));
    }
    let writer = open();
    for version in 1..=400 {
        database.store(version, SeqCst);
        writer.clear(clear.clone()).await.unwrap();
        acknowledged.store(version, SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    ended.store(true, SeqCst);
    let (mut hits, mut stored) = (0, 0);
    for reader in readers {
        let (h, s) = reader.await.unwrap();
        (hits, stored) = (hits + h, stored + s);
    }
    assert!(
        hits > 100 && stored > 50,
        "the race must have had something to race for: {hits} hits, {stored} sets"
    );
    if let Some(left) = writer.get("k").await {
        assert_eq!(left, "400");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stale_read_by_tag() {
    let server = Server::start();
    for tracking in [true, false] {
        race(&server, tracking, by_tags(&["t"], Raise::All)).await;
        race(&server, tracking, by_tags(&["u"], Raise::Auto)).await;
        race(&server, tracking, by_tags(&["*"], Raise::All)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stale_read_by_key() {
    let server = Server::start();
    for tracking in [true, false] {
        race(&server, tracking, Clear { keys: vec!["k".into()], tags: vec![], raise: Raise::All }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_without_a_guard_get_through_a_hundred_clears_a_second() {
    let server = Server::start();
    let (store, other) = (Store::open(&server), Store::open(&server));
    let ended = Arc::new(AtomicBool::new(false));
    let clearing = {
        let ended = ended.clone();
        tokio::spawn(async move {
            let mut clears = 0;
            while !ended.load(SeqCst) {
                other.clear_tags(&["t", "unrelated"]).await;
                clears += 1;
                tokio::time::sleep(Duration::from_millis(8)).await;
            }
            clears
        })
    };
    for i in 0..1_000 {
        let new = format!("new{i}");
        store.put(&format!("k{i}"), "v", &["t", &new]).await;
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    ended.store(true, SeqCst);
    assert!(clearing.await.unwrap() > 50);
    store.put("k", "v", &["t"]).await;
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_held_near_do_not_look_idle_to_the_server() {
    let server = Server::start();
    let store = Store::open(&server);
    store.put("k", "v", &["t"]).await;
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
    let record = space().record("t");
    let mut raw = server.raw();
    let mut idle = || ask::<i64>(&mut raw, &["OBJECT", "IDLETIME", &record]);
    // The server counts in whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(2_200)).await;
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
    assert!(idle() >= 2, "a read through the near cache leaves it alone");
    store.backend.touch().await;
    assert!(idle() <= 1);
}
