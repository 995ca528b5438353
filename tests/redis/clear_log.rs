//! How large the clear log becomes: what is trimmed, what is kept for living entries, and when it is full.

use crate::server::{Server, ask};
use crate::store::{Store, config, minutes, space, tagged};
use cachalot::config::RedisConfig;
use cachalot::model::ttl::Ttl;
use cachalot::store::request::WriteOutcome;

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_life_in_use_is_known_as_long_as_it_is_in_use() {
    let server = Server::start();
    let mut raw = server.raw();
    let (store, other) = (Store::open(&server), Store::open(&server));
    let mut longest = || {
        let life: Option<String> = ask(&mut raw, &["GET", &space().longest_life()]);
        (life.unwrap_or_default(), ask::<i64>(&mut raw, &["PTTL", &space().longest_life()]))
    };
    for (store, life, known) in [
        (&store, minutes(60), "3600000"),
        (&store, minutes(1), "3600000"),
        (&other, minutes(10), "3600000"),
        (&other, minutes(90), "5400000"),
    ] {
        store.set("k", "v", tagged(&["t"]).ttl(life)).await.unwrap();
        let (life, left) = longest();
        assert_eq!(life, known);
        assert!(left >= 2 * known.parse::<i64>().unwrap(), "{left}");
    }
    // A set that is refused tells it too, and what was lost is told again over the next connection.
    let late = store.miss().await;
    store.clear_key("late").await;
    let refused = store.set("late", "v", tagged(&["t"]).ttl(minutes(120)).after(late)).await.unwrap();
    assert_eq!((refused, longest().0.as_str()), (WriteOutcome::Stale, "7200000"));
    store.set("k", "v", tagged(&["t"]).ttl(Ttl::Forever)).await.unwrap();
    assert_eq!(longest().0, "7200000", "of those that end");
    other.set("k", "v", tagged(&["t"]).ttl(minutes(900))).await.unwrap();
    assert_eq!(longest().0, "54000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_without_end_keeps_the_log_whole_and_only_while_it_is_there() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let log = space().clear_log();
    store.set("ever", "v", tagged(&["t"]).ttl(Ttl::Forever)).await.unwrap();
    store.set("k", "v", tagged(&["t"]).ttl(minutes(10))).await.unwrap();
    let names: Vec<String> = (0..2_500).map(|i| format!("n{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    store.clear_tags(&names).await;
    age_log(&mut raw, 60 * 60_000);
    store.clear_tags(&["more"]).await;
    assert_eq!(ask::<i64>(&mut raw, &["ZCARD", &log]), 2_503);
    assert_eq!(Store::open(&server).get("ever").await.as_deref(), Some("v"));
    assert_eq!(ask::<i64>(&mut raw, &["PTTL", &space().whole_index()]), -1);
    store.clear_key("ever").await;
    for _ in 0..4 {
        store.clear_tags(&["more"]).await;
    }
    let left: i64 = ask(&mut raw, &["ZCARD", &log]);
    assert!((3..=1_002).contains(&left), "{left}");
    assert_eq!(Store::open(&server).get("k").await.as_deref(), Some("v"));
    // The index ends with its entries again.
    let other = Store::open(&server);
    other.set("k", "v", tagged(&["t"]).ttl(minutes(10))).await.unwrap();
    assert!(ask::<i64>(&mut raw, &["PTTL", &space().whole_index()]) > 600_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_type_in_the_place_of_the_longest_life_hinders_no_clear_of_a_large_log() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.put("k", "v", &["t"]).await;
    let names: Vec<String> = (0..1_500).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    store.clear_tags(&names).await;
    ask::<()>(&mut raw, &["DEL", &space().longest_life()]);
    ask::<()>(&mut raw, &["RPUSH", &space().longest_life(), "x"]);
    store.clear_tags(&["t"]).await;
    assert_eq!(store.get("k").await, None);
}

/// Sets the number of the log's members that were cleared before now back by so many milliseconds.
fn age_log(raw: &mut redis::Connection, ms: i64) {
    let log = space().clear_log();
    let members: Vec<Vec<u8>> = redis::cmd("ZRANGE").arg(&log).arg(0).arg(-1).query(raw).unwrap();
    for member in members.iter().filter(|member| member[0] != b'#' || member[1] == b'f') {
        redis::cmd("ZINCRBY").arg(&log).arg(-ms * 1_000).arg(member).exec(raw).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_living_entry_can_need_leaves_the_log_and_nobody_misses_it() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let log = space().clear_log();
    store.set("k", "v", tagged(&["t"]).ttl(minutes(60))).await.unwrap();
    let names: Vec<String> = (0..2_500).map(|i| format!("n{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    store.clear_tags(&names).await;
    age_log(&mut raw, 65 * 60_000);
    assert_eq!(ask::<i64>(&mut raw, &["ZCARD", &log]), 2_502);
    // Within the life, and what may be under way: all are kept.
    store.clear_tags(&["more"]).await;
    assert_eq!(ask::<i64>(&mut raw, &["ZCARD", &log]), 2_503);
    age_log(&mut raw, 10 * 60_000);
    for _ in 0..4 {
        store.clear_tags(&["more"]).await;
    }
    // Down to where it is not looked at.
    let left: i64 = ask(&mut raw, &["ZCARD", &log]);
    assert!((3..=1_002).contains(&left), "{left}");
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
    assert_eq!(store.stats.snapshot().log_overflows, 0);
    for reader in [&store, &Store::open(&server)] {
        assert_eq!(reader.get("k").await.as_deref(), Some("v"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_ends_the_oldest_entries_and_says_so_once() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::with(RedisConfig { clear_log_max: 1_500, ..config(&server) });
    store.put("old", "v", &["t"]).await;
    for round in 0..4 {
        let names: Vec<String> = (0..500).map(|i| format!("{round} {i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        store.clear_tags(&names).await;
        store.put("young", "v", &["t"]).await;
        let fresh = Store::open(&server);
        // Whoever has seen every clear goes on knowing that none was of its tag.
        assert_eq!(store.get("old").await.as_deref(), Some("v"));
        assert_eq!(fresh.get("old").await.is_some(), round < 3, "round {round}");
        for reader in [&store, &fresh] {
            assert_eq!(reader.get("young").await.as_deref(), Some("v"));
        }
        assert!(ask::<i64>(&mut raw, &["ZCARD", &space().clear_log()]) <= 1_502);
    }
    assert_eq!(store.stats.snapshot().log_overflows, 1);
    let told = format!("{:?}", store.events.lock().unwrap());
    assert!(told.contains("More than 1500 tags were cleared"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_carry_the_number_of_an_old_clear_outlive_its_trim() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.set("life", "v", tagged(&["t"]).ttl(minutes(10))).await.unwrap();
    let names: Vec<String> = (0..998).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    store.clear_tags(&names).await;
    // An hour without clears: what is stored at its end carries the number of its beginning.
    let hour = 3_600_000_000_u64;
    let epoch: String = ask(&mut raw, &["GET", &space().epoch()]);
    let (generation, n) = epoch.split_once(' ').unwrap();
    let old = n.parse::<u64>().unwrap() - hour;
    let members: Vec<Vec<u8>> =
        redis::cmd("ZRANGE").arg(space().clear_log()).arg(0).arg(-1).query(&mut raw).unwrap();
    for member in members {
        redis::cmd("ZADD").arg(space().clear_log()).arg(old).arg(member).exec(&mut raw).unwrap();
    }
    ask::<()>(&mut raw, &["SET", &space().epoch(), &format!("{generation} {old}")]);
    let fresh = Store::open(&server);
    let miss = fresh.miss().await;
    assert_eq!(miss.n, old);
    let set = tagged(&["t"]).ttl(minutes(10)).after(miss);
    assert_eq!(fresh.set("k", "v", set).await.unwrap(), WriteOutcome::Stored(None));
    fresh.clear_tags(&["unrelated", "and another"]).await;
    assert!(ask::<i64>(&mut raw, &["ZCARD", &space().clear_log()]) < 500, "it was trimmed");
    assert_eq!(Store::open(&server).get("k").await.as_deref(), Some("v"));
}
