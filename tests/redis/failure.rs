//! A server that is gone, full, or comes back.

use crate::server::{Server, ask};
use crate::store::{Set, Store, by_tags, config, space, tagged};
use cachalot::config::{RedisConfig, Timeouts};
use cachalot::error::Code;
use cachalot::model::tag::Invalidation;
use cachalot::store::request::{Clear, ReadEntry, WriteOutcome};
use cachalot::store::traits::{EntryStore, Store as _};
use std::time::{Duration, Instant};

/// Keeps its data over a kill.
fn lasting() -> Server {
    Server::with(&["--appendonly", "yes", "--appendfsync", "always"])
}

async fn outage(server: &mut Server, store: &Store) {
    server.stop();
    let deadline = Instant::now() + Duration::from_secs(3);
    while store.look("k").await.is_ok() {
        assert!(Instant::now() < deadline);
    }
}

async fn back(store: &Store) {
    let deadline = Instant::now() + Duration::from_secs(3);
    while store.look("no such key").await.is_err() {
        assert!(Instant::now() < deadline, "no connection 3 s after the server was back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The first answer that is no outage.
async fn first_read(store: Store, key: &'static str) -> Option<String> {
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        if let Ok((found, _)) = store.look(key).await {
            return found;
        }
        assert!(Instant::now() < deadline, "no connection 3 s after the server was back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_during_an_outage_is_made_before_the_first_read_after_it() {
    let mut server = lasting();
    for tracking in [true, false] {
        let store = Store::with(RedisConfig { tracking, ..config(&server) });
        for key in ["tag", "key", "auto", "manual", "other"] {
            let tag = if key == "manual" { "auto" } else { key };
            let set = Set { auto: key != "manual", ..tagged(&[]) };
            store.set(key, "old", Set { tags: &[tag], ..set }).await.unwrap();
        }
        let miss = store.miss().await;
        outage(&mut server, &store).await;
        for clear in [
            by_tags(&["tag"], Invalidation::Hard),
            by_tags(&["auto"], Invalidation::Soft),
            Clear { keys: vec!["key".into()], tags: vec![], invalidation: Invalidation::Hard },
        ] {
            let error = store.clear(clear).await.unwrap_err();
            assert!(error.queued && error.code == Code::Connection, "{error:?}");
        }
        server.resume();
        // Every read from now on is right, the first that gets through included: many are trying.
        let names = ["tag", "auto", "key"];
        let readers: Vec<_> =
            (0..24).map(|i| tokio::spawn(first_read(store.clone(), names[i % names.len()]))).collect();
        for reader in readers {
            assert_eq!(reader.await.unwrap(), None);
        }
        assert_eq!(store.get("manual").await.as_deref(), Some("old"));
        assert_eq!(store.get("other").await.as_deref(), Some("old"));
        for key in ["tag", "key", "auto"] {
            let late = store.set(key, "late", tagged(&[key]).after(miss)).await.unwrap();
            assert_eq!(late, WriteOutcome::Stale, "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn owed_clears_are_made_although_nobody_reads() {
    let mut server = lasting();
    let store = Store::open(&server);
    store.put("k", "old", &["t"]).await;
    outage(&mut server, &store).await;
    store.clear(by_tags(&["t"], Invalidation::Hard)).await.unwrap_err();
    server.resume();
    let other = Store::open(&server);
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        // Until it is loaded, and then until the clear is made.
        if matches!(other.look("k").await, Ok((None, _))) {
            break;
        }
        assert!(Instant::now() < deadline, "the clear was not made within 3 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_fails_each_call_within_its_deadline() {
    let mut server = Server::start();
    server.stop();
    let timeouts = Timeouts { command_ms: 300, ..Default::default() };
    let store = Store::with(RedisConfig { timeouts, ..config(&server) });
    for _ in 0..5 {
        let began = Instant::now();
        assert!(store.look("k").await.unwrap_err().code.is_outage());
        assert!(store.set("k", "v", tagged(&["t"])).await.unwrap_err().code.is_outage());
        assert!(store.clear(by_tags(&["t"], Invalidation::Hard)).await.unwrap_err().queued);
        assert!(began.elapsed() < Duration::from_millis(3 * 400), "{:?}", began.elapsed());
    }
    server.resume();
    back(&store).await;
    store.put("k", "v", &["t"]).await;
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_restarted_empty_is_a_new_generation() {
    let mut server = Server::start();
    let store = Store::open(&server);
    store.put("k", "v", &["t"]).await;
    let miss = store.miss().await;
    server.stop();
    server.resume();
    back(&store).await;
    assert_eq!(store.get("k").await, None);
    assert_eq!(store.set("k", "late", tagged(&["t"]).after(miss)).await.unwrap(), WriteOutcome::Stale);
    store.put("k", "v2", &["t"]).await;
    assert_eq!(store.get("k").await.as_deref(), Some("v2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_sets_alone_and_still_clears() {
    let server = Server::with(&["--maxmemory-policy", "noeviction"]);
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.put("k", "v", &["t"]).await;
    store.put("by key", "v", &["u"]).await;
    ask::<()>(&mut raw, &["CONFIG", "SET", "maxmemory", "1mb"]);
    let error = store.set("k2", "v", tagged(&["t"])).await.unwrap_err();
    assert_eq!(error.code, Code::Server);
    assert!(error.message.contains("OOM") && error.message.contains("maxmemory"), "{error}");
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
    store.clear_tags(&["t", "new"]).await;
    assert_eq!(store.get("k").await, None);
    store.clear_key("by key").await;
    assert_eq!(store.get("by key").await, None);
    ask::<()>(&mut raw, &["CONFIG", "SET", "maxmemory", "0"]);
    store.put("k", "v", &["t"]).await;
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_keeps_what_is_read() {
    let server = Server::with(&["--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru"]);
    let mut raw = server.raw();
    let store = Store::open(&server);
    let filler = "x".repeat(2_000);
    let (mut hits, mut reads) = (0, 0);
    let began = Instant::now();
    for round in 0.. {
        if began.elapsed() > Duration::from_secs(4) {
            break;
        }
        let writes = (0..20).map(|i| tagged(&["filler"]).write(&format!("f{round}-{i}"), &filler)).collect();
        for outcome in store.backend.write(writes, 0).await {
            outcome.unwrap();
        }
        // The epoch moves on, so a record that is lost costs every entry of its tag.
        store.clear_tags(&["unrelated"]).await;
        for i in 0..10 {
            reads += 1;
            let (found, miss) = store.look(&format!("hot{i}")).await.unwrap();
            match found {
                Some(_) => hits += 1,
                None => drop(store.set(&format!("hot{i}"), "v", tagged(&["hot"]).after(miss)).await.unwrap()),
            }
        }
    }
    let info: String = ask(&mut raw, &["INFO", "stats"]);
    let evicted: u64 =
        info.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap().trim().parse().unwrap();
    assert!(evicted > 1_000, "{evicted} evictions are no pressure");
    assert!(hits * 10 > reads * 9, "{hits} hits of {reads} reads, {evicted} evictions");
    // The epoch may be gone right now: Redis samples, by a clock of whole seconds. What that costs in hits shows above.
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_lets_go_of_the_connection() {
    let server = Server::start();
    let store = Store::open(&server);
    let other = Store::open(&server);
    store.put("k", "v", &["t"]).await;
    let keys = ["k".to_owned()];
    let reads: Vec<_> = (0..50).map(|_| store.backend.read(&keys, 0, None)).collect();
    let (found, ()) = tokio::join!(biased; futures_util::future::join_all(reads), store.backend.close());
    for reply in found {
        assert!(matches!(reply.unwrap()[0].entry, Ok(ReadEntry::Present(_))));
    }
    assert_eq!(store.look("k").await.unwrap_err().code, Code::Closed);
    assert_eq!(other.get("k").await.as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_restored_from_an_old_snapshot_brings_nothing_back() {
    let mut server = Server::start();
    let store = Store::open(&server);
    store.put("k", "old", &["t"]).await;
    assert_eq!(ask::<String>(&mut server.raw(), &["SAVE"]), "OK");
    store.clear_tags(&["t"]).await;
    server.stop();
    server.resume();
    back(&store).await;
    assert_eq!(ask::<i64>(&mut server.raw(), &["EXISTS", &space().entry("k")]), 1, "the snapshot holds it");
    assert_eq!(store.get("k").await, None);
    store.put("k", "new", &["t"]).await;
    assert_eq!(store.get("k").await.as_deref(), Some("new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_ask_for_the_time_has_stored_nothing_when_a_set_fails() {
    let server = Server::start();
    let mut raw = server.raw();
    ask::<String>(&mut raw, &["ACL", "SETUSER", "shop", "on", ">pw", "~*", "&*", "+@all", "-time"]);
    let before = Store::open(&server);
    before.put("any", "v", &["t"]).await;
    let user = (Some("shop".into()), Some("pw".into()));
    let store = Store::with(RedisConfig { username: user.0, password: user.1, ..config(&server) });
    let error = store.set("k", "v", tagged(&["t"])).await.unwrap_err();
    assert!(error.message.contains("Allow it to this user"), "{error}");
    assert_eq!(ask::<i64>(&mut raw, &["EXISTS", &space().entry("k")]), 0);
    // Where the time is not asked for, it is stored.
    assert_eq!(store.set("plain", "v", tagged(&[])).await.unwrap(), WriteOutcome::Stored(None));
    assert_eq!(before.get("plain").await.as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_while_rights_are_taken_away_is_kept() {
    let server = Server::start();
    let mut raw = server.raw();
    ask::<String>(&mut raw, &["ACL", "SETUSER", "shop", "on", ">pw", "~*", "&*", "+@all"]);
    let user = (Some("shop".into()), Some("pw".into()));
    let store = Store::with(RedisConfig { username: user.0, password: user.1, db: 1, ..config(&server) });
    store.put("k", "old", &["t"]).await;
    ask::<String>(&mut raw, &["ACL", "SETUSER", "shop", "-select"]);
    ask::<i64>(&mut raw, &["CLIENT", "KILL", "USER", "shop"]);
    let deadline = Instant::now() + Duration::from_secs(3);
    while !matches!(store.look("k").await, Err(error) if error.code == Code::Config) {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let cleared = store.clear(by_tags(&["t"], Invalidation::Hard)).await;
    assert!(cleared.is_err_and(|error| error.queued));
    ask::<String>(&mut raw, &["ACL", "SETUSER", "shop", "+@all"]);
    back(&store).await;
    assert_eq!(store.get("k").await, None);
}
