//! Clears against reads and sets that are under way.

use crate::server::{Server, ask};
use crate::store::{Store, by_tags, config, space, tagged};
use cachalot::config::RedisConfig;
use cachalot::model::tag::Invalidation;
use cachalot::store::request::{Clear, WriteOutcome};
use cachalot::store::traits::ClearStore;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_never_served_past_an_acknowledged_clear() {
    let server = Server::start();
    for tracking in [true, false] {
        let open = || Store::with(RedisConfig { tracking, ..config(&server) });
        let (reader, writer) = (open(), open());
        // Load on the reader's connection, so that several reads are behind at once.
        let ended = Arc::new(AtomicBool::new(false));
        let load = {
            let (reader, ended) = (reader.clone(), ended.clone());
            tokio::spawn(async move {
                while !ended.load(SeqCst) {
                    tokio::join!(reader.get("k"), reader.get("other"));
                }
            })
        };
        for i in 0..1_000 {
            let tag = format!("t{}", i % 50);
            writer.put("k", "v", &["t", &tag]).await;
            assert_eq!(reader.get("k").await.as_deref(), Some("v"), "set {i}");
            let kind = if i % 3 == 0 { Invalidation::Soft } else { Invalidation::Hard };
            writer.clear(by_tags(&[&tag], kind)).await.unwrap();
            assert_eq!(reader.get("k").await, None, "clear {i}");
        }
        ended.store(true, SeqCst);
        load.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_one_round_trip_whatever_the_protocol_and_one_more_after_a_clear() {
    let server = Server::start();
    let mut raw = server.raw();
    let stores = Store::both(&server);
    // Both are connected: what the other says first is not counted.
    for store in &stores {
        store.miss().await;
    }
    for store in stores {
        store.put("k", "v", &["t", "u"]).await;
        assert_eq!(store.get("k").await.as_deref(), Some("v"));
        let commands = ["mget", "get", "zrangebyscore", "zmscore", "evalsha", "eval"];
        let mut count = || commands.map(|command| calls(&mut raw, command));
        let before = count();
        for _ in 0..50 {
            assert_eq!(store.get("k").await.as_deref(), Some("v"));
        }
        let after = count();
        assert_eq!([0, 1, 2, 3, 4, 5].map(|at| after[at] - before[at]), [50, 0, 0, 0, 0, 0]);
        Store::open(&server).clear_tags(&["unrelated"]).await;
        let before = count();
        for _ in 0..50 {
            assert_eq!(store.get("k").await.as_deref(), Some("v"));
        }
        let after = count();
        assert_eq!([0, 2, 3].map(|at| after[at] - before[at]), [50, 1, 0]);
        // One's own is known without being asked for.
        store.clear_tags(&["unrelated"]).await;
        let before = count();
        assert_eq!(store.get("k").await.as_deref(), Some("v"));
        let after = count();
        assert_eq!([0, 2, 3].map(|at| after[at] - before[at]), [1, 0, 0]);
    }
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
        let (cleared, found) =
            tokio::join!(biased; store.clear(by_tags(&["t"], Invalidation::Hard)), store.get("k"));
        cleared.unwrap();
        assert_eq!(found, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_and_a_lost_connection_empty_what_is_known() {
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
            retried(|| writer.clear(by_tags(&["t"], Invalidation::Hard))).await;
            assert_eq!(retried(|| reader.look("k")).await.0, None);
        } else {
            ask::<()>(&mut raw, &["FLUSHALL"]);
            // What is stored again by other hands is of no generation that is known.
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
    race_of(server, tracking, |_| vec!["t".to_owned(), "u".to_owned()], |_| clear.clone()).await;
}

/// `tags`: of the set that stores a version; `clear`: of one, which each of these ends.
async fn race_of(
    server: &Server,
    tracking: bool,
    tags: impl Fn(u64) -> Vec<String> + Send + Sync + Copy + 'static,
    clear: impl Fn(u64) -> Clear,
) {
    let database = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let hits = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let open = || Store::with(RedisConfig { tracking, ..config(server) });
    let mut readers = Vec::new();
    for _ in 0..3 {
        let store = open();
        let (database, acknowledged, ended) = (database.clone(), acknowledged.clone(), ended.clone());
        let hits = hits.clone();
        readers.push(tokio::spawn(async move {
            let mut stored = 0;
            while !ended.load(SeqCst) {
                let floor = acknowledged.load(SeqCst);
                let (found, epoch) = store.look("k").await.unwrap();
                if let Some(value) = found {
                    assert!(value.parse::<u64>().unwrap() >= floor, "stale: {value} after {floor}");
                    hits.fetch_add(1, SeqCst);
                    continue;
                }
                let version = database.load(SeqCst);
                tokio::time::sleep(Duration::from_micros(500)).await;
                let names = tags(version);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let set = tagged(&names).after(epoch);
                if store.set("k", &version.to_string(), set).await.unwrap() == WriteOutcome::Stored(None) {
                    stored += 1;
                }
            }
            stored
        }));
    }
    let writer = open();
    for version in 1..=400 {
        database.store(version, SeqCst);
        writer.clear(clear(version)).await.unwrap();
        acknowledged.store(version, SeqCst);
        let before = hits.load(SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        // On a machine that is slower than that the next clear waits until something was read, but not for long.
        for _ in 0..20 {
            if hits.load(SeqCst) > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    ended.store(true, SeqCst);
    let mut stored = 0;
    for reader in readers {
        stored += reader.await.unwrap();
    }
    let hits = hits.load(SeqCst);
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
        race(&server, tracking, by_tags(&["t"], Invalidation::Hard)).await;
        race(&server, tracking, by_tags(&["u"], Invalidation::Soft)).await;
        race(&server, tracking, by_tags(&["*"], Invalidation::Hard)).await;
    }
}

/// Every entry has 500 of 600 tags, from another one on, and each clear names a few of those that all have and many that none has.
#[tokio::test(flavor = "multi_thread")]
async fn no_stale_read_by_any_of_hundreds_of_tags_that_overlap() {
    let server = Server::start();
    let name = |nth: u64| format!("Product:{nth}");
    let tags = move |version: u64| (version % 100..version % 100 + 500).map(name).collect::<Vec<_>>();
    for tracking in [true, false] {
        for kind in [Invalidation::Hard, Invalidation::Soft] {
            let clear = |version: u64| {
                let common = (0..3).map(|nth| 100 + (version * 131 + nth * 57) % 400);
                let names: Vec<String> = common.chain(1_000..1_500).map(name).collect();
                by_tags(&names.iter().map(String::as_str).collect::<Vec<_>>(), kind)
            };
            race_of(&server, tracking, tags, clear).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stale_read_by_key() {
    let server = Server::start();
    for tracking in [true, false] {
        race(
            &server,
            tracking,
            Clear { keys: vec!["k".into()], tags: vec![], invalidation: Invalidation::Hard },
        )
        .await;
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
async fn a_set_with_an_old_stamp_is_stamped_anew_by_the_server_in_one_call() {
    let server = Server::start();
    let mut raw = server.raw();
    let (store, other) = (Store::open(&server), Store::open(&server));
    store.put("k", "seed", &["t"]).await;
    other.put("k", "seed", &["t"]).await;
    for round in 0..100 {
        // Another generation, drawn at random; or another epoch of the same one.
        if round % 4 == 0 {
            ask::<()>(&mut raw, &["FLUSHALL"]);
            other.put("k", "other", &["t"]).await;
        } else {
            other.clear_tags(&["t"]).await;
            other.clear_key("k").await;
        }
        let before = calls(&mut raw, "evalsha");
        let value = round.to_string();
        store.put("k", &value, &["t"]).await;
        assert_eq!(calls(&mut raw, "evalsha"), before + 1);
        // Only what has the right checksum is decoded, and only what has the epoch is valid.
        assert_eq!(other.get("k").await, Some(value));
    }
}

/// Begins it: what it sends first is sent.
fn begun<'a, T>(work: impl Future<Output = T> + 'a) -> LocalBoxFuture<'a, T> {
    let mut work = work.boxed_local();
    assert!(work.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    work
}

/// A clear that an outage kept back is made first; whoever waits for that keeps its place.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_clear_that_is_owed_is_not_overtaken() {
    let server = Server::start();
    let store = Store::open(&server);
    store.put("warm", "v", &[]).await;
    let owe = || store.backend.defer_clear(by_tags(&["owed"], Invalidation::Hard));
    for _ in 0..20 {
        owe();
        let set = begun(store.set("k", "1", tagged(&["t"])));
        let (cleared, set) = tokio::join!(biased; store.clear(by_tags(&["t"], Invalidation::Hard)), set);
        assert_eq!((set.unwrap(), cleared.unwrap()), (WriteOutcome::Stored(None), ()));
        assert_eq!(store.get("k").await, None);
        owe();
        let first = begun(store.set("k", "1", tagged(&["t"])));
        let second = begun(store.set("k", "2", tagged(&["t"])));
        // By now the clear is made, and nobody who waited for it has taken note.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let (first, found, second) = tokio::join!(biased; first, store.get("k"), second);
        assert_eq!(
            (first.unwrap(), second.unwrap()),
            (WriteOutcome::Stored(None), WriteOutcome::Stored(None))
        );
        assert_eq!((found.as_deref(), store.get("k").await.as_deref()), (Some("2"), Some("2")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_meets_a_lost_script_never_comes_after_what_was_asked_after_it() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let set = |value: &'static str| store.set("k", value, tagged(&["t"]));
    let key = Clear { keys: vec!["k".into()], tags: vec![], invalidation: Invalidation::Hard };
    for clear in [key, by_tags(&["t"], Invalidation::Hard), by_tags(&["*"], Invalidation::Hard)] {
        store.put("k", "before", &["t"]).await;
        ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
        let (set, clear) = (begun(set("1")), begun(store.clear(clear)));
        // Both are answered; the later one is first to read that, and goes on.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (cleared, set) = tokio::join!(biased; clear, set);
        assert!(matches!(set, Ok(WriteOutcome::Stale | WriteOutcome::Stored(_))), "{set:?}");
        cleared.unwrap();
        assert_eq!(store.get("k").await, None);
        // The first tells the server the script again, if it must.
        let _ = store.set("other", "v", tagged(&[])).await;
    }
}
