//! Sweeps: whatever is dead is removed in the end, whoever ends, and whatever is lost meanwhile.

use crate::server::{Server, ask};
use crate::store::{Set, Store, space, tagged};
use cachalot::model::tag::{Invalidation, Tag};
use cachalot::model::ttl::Ttl;
use cachalot::store::request::{Clear, WriteOutcome};
use cachalot::store::traits::{EntryStore, Store as _};
use redis::Connection;
use std::time::{Duration, Instant};

fn forever<'a>(tags: &'a [&'a str]) -> Set<'a> {
    tagged(tags).ttl(Ttl::Forever)
}

async fn fill(store: &Store, stem: &str, count: usize, set: Set<'_>) {
    for from in (0..count).step_by(500) {
        let to = count.min(from + 500);
        let writes = (from..to).map(|i| set.write(&format!("{stem}{i}"), "v")).collect();
        for outcome in store.backend.write(writes, 0).await {
            assert_eq!(outcome.unwrap(), WriteOutcome::Stored(None));
        }
    }
}

fn members(raw: &mut Connection) -> usize {
    ask(raw, &["ZCARD", &space().whole_index()])
}

fn entries(raw: &mut Connection) -> usize {
    ask::<Vec<String>>(raw, &["KEYS", "p::*"]).len()
}

/// Waits until so many members of the index are left.
async fn shrinks(raw: &mut Connection, left: usize, within: Duration) {
    let began = Instant::now();
    while members(raw) > left {
        assert!(began.elapsed() < within, "{} members after {within:?}", members(raw));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((members(raw), entries(raw)), (left, left));
}

async fn first_sweep(raw: &mut Connection) {
    let began = Instant::now();
    while !ask::<bool>(raw, &["EXISTS", &space().swept()]) {
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How often a command was called since the statistics were reset.
fn calls(raw: &mut Connection, command: &str) -> u64 {
    let stats: String = ask(raw, &["INFO", "commandstats"]);
    let count =
        stats.split(&format!("cmdstat_{command}:calls=")).nth(1).and_then(|rest| rest.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_is_swept() {
    let server = Server::with(&["--maxmemory-policy", "noeviction"]);
    let mut raw = server.raw();
    let store = Store::open(&server);
    fill(&store, "k", 900, forever(&["t"])).await;
    ask::<()>(&mut raw, &["CONFIG", "SET", "maxmemory", "1mb"]);
    assert!(store.set("more", "v", forever(&["t"])).await.is_err());
    store.clear_tags(&["t"]).await;
    shrinks(&mut raw, 0, Duration::from_secs(15)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_closing_process_cleared_it_removes_if_that_is_soon_done() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    fill(&store, "k", 900, forever(&["t"])).await;
    store.clear_tags(&["t"]).await;
    let began = Instant::now();
    store.backend.close().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    shrinks(&mut raw, 0, Duration::ZERO).await;
    assert!(!ask::<bool>(&mut raw, &["EXISTS", "p!sweep"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_leaves_a_large_sweep_to_the_next_process_which_begins_at_once_and_goes_on_where_it_was() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    fill(&store, "alive", 30_000, forever(&["u"])).await;
    fill(&store, "dead", 1_000, forever(&["t"])).await;
    store.clear_tags(&["t"]).await;
    let began = Instant::now();
    store.backend.close().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let state = || ask::<String>(&mut server.raw(), &["GET", &space().swept()]);
    assert_eq!(state().split(' ').count(), 7, "{}", state());
    ask::<()>(&mut raw, &["CONFIG", "RESETSTAT"]);
    let next = Store::open(&server);
    shrinks(&mut raw, 30_000, Duration::from_secs(60)).await;
    let began = Instant::now();
    while state().split(' ').count() != 4 {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", state());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // 31 pages are the whole.
    assert!((1..=30).contains(&calls(&mut raw, "zscan")), "{}", calls(&mut raw, "zscan"));
    drop(next);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_just_began_finishes_what_one_left_that_was_killed() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    fill(&store, "k", 900, forever(&["t"])).await;
    store.clear_tags(&["t"]).await;
    drop(store);
    let _next = Store::open(&server);
    shrinks(&mut raw, 0, Duration::from_secs(6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_judged_is_looked_at_again() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    fill(&store, "k", 300, forever(&["t"])).await;
    store.clear_tags(&["t"]).await;
    drop(store);
    ask::<()>(&mut raw, &["DEL", &space().clear_log()]);
    let next = Store::open(&server);
    next.get("k0").await;
    // It knows neither what was cleared, nor that it was not.
    tokio::time::sleep(Duration::from_secs(3)).await;
    // This begins the log again: what is older than it counts as cleared.
    next.clear_key("any").await;
    shrinks(&mut raw, 0, Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_its_tag_was_swept_is_removed_later() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let miss = store.miss().await;
    store.set("late", "v", forever(&["t"]).after(miss)).await.unwrap();
    let entry = space().entry("late");
    let mut bytes: Vec<u8> = ask(&mut raw, &["GET", &entry]);
    store.clear_tags(&["t"]).await;
    shrinks(&mut raw, 0, Duration::from_secs(15)).await;
    // Its entry goes before it is written down how far the sweep came.
    first_sweep(&mut raw).await;
    store.backend.close().await;
    // A process that has not heard of the clear stores it only now.
    ask::<()>(&mut raw, &["ZADD", &space().whole_index(), "inf", "late"]);
    // Six minutes pass.
    let ago = |n: u64| n - 360_000_000;
    let log = space().clear_log();
    let scores: Vec<(Vec<u8>, u64)> =
        redis::cmd("ZRANGE").arg(&log).arg(0).arg(-1).arg("WITHSCORES").query(&mut raw).unwrap();
    for (member, n) in scores {
        redis::cmd("ZADD").arg(&log).arg(ago(n)).arg(member).exec(&mut raw).unwrap();
    }
    for name in [space().epoch(), space().swept()] {
        let text: String = ask(&mut raw, &["GET", &name]);
        let (generation, rest) = text.split_once(' ').unwrap();
        // The number of members stays.
        let back =
            |n: &str| n.parse().map(|n: u64| if n > 360_000_000 { ago(n) } else { n }).unwrap().to_string();
        let rest: Vec<String> = rest.split(' ').map(back).collect();
        ask::<()>(&mut raw, &["SET", &name, &format!("{generation} {}", rest.join(" "))]);
    }
    cachalot::codec::envelope::restamp(&mut bytes, cachalot::model::tag::Epoch { n: ago(miss.n), ..miss });
    redis::cmd("SET").arg(&entry).arg(bytes).exec(&mut raw).unwrap();
    let _next = Store::open(&server);
    shrinks(&mut raw, 0, Duration::from_secs(15)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_thousands_of_tags_are_swept_in_small_steps() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let names: Vec<Vec<String>> =
        (0..100).map(|i| (0..6_000).map(|j| format!("{i} {j}")).collect()).collect();
    for (i, names) in names.iter().enumerate() {
        let tags: Vec<&str> = names.iter().map(String::as_str).collect();
        store.set(&format!("k{i}"), "v", forever(&tags)).await.unwrap();
    }
    // More than a new connection reads of the log: it must look everything up.
    let other: Vec<Tag> = (0..1_200).map(|i| Tag::of(&format!("other {i}"))).collect();
    let half = (0..100).step_by(2).map(|i| Tag::of(&format!("{i} 77")));
    let tags = half.chain(other).collect();
    store.clear(Clear { keys: vec![], tags, invalidation: Invalidation::Hard }).await.unwrap();
    drop(store);
    let _next = Store::open(&server);
    shrinks(&mut raw, 50, Duration::from_secs(90)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_only_writes_finishes_what_another_left() {
    let server = Server::start();
    let mut raw = server.raw();
    let (store, other) = (Store::open(&server), Store::open(&server));
    fill(&store, "k", 900, forever(&["t"])).await;
    // It has looked, and there was nothing.
    other.get("k0").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    store.clear_tags(&["t"]).await;
    drop(store);
    let began = Instant::now();
    while entries(&mut raw) > 1 {
        assert!(began.elapsed() < Duration::from_secs(40), "{} entries", entries(&mut raw));
        other.set("mine", "v", tagged(&[])).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_log_that_began_again_made_invalid_is_removed() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    fill(&store, "k", 300, forever(&["u"])).await;
    store.clear_tags(&["t"]).await;
    first_sweep(&mut raw).await;
    assert_eq!(members(&mut raw), 300);
    drop(store);
    ask::<()>(&mut raw, &["DEL", &space().clear_log()]);
    let next = Store::open(&server);
    next.clear_key("any").await;
    assert_eq!(next.get("k0").await, None);
    shrinks(&mut raw, 0, Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_entries_that_the_server_evicted_are_removed_though_nothing_is_cleared() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.set("k", "v", forever(&["t"])).await.unwrap();
    first_sweep(&mut raw).await;
    fill(&store, "evicted", 3_000, forever(&["t"])).await;
    for i in 0..3_000 {
        ask::<()>(&mut raw, &["UNLINK", &space().entry(&format!("evicted{i}"))]);
    }
    let began = Instant::now();
    while members(&mut raw) > 1 {
        assert!(began.elapsed() < Duration::from_secs(40), "{} members", members(&mut raw));
        // In use.
        store.get("k").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_of_everything_asks_nothing_about_the_keys_of_others() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    for from in (0..200_000).step_by(10_000) {
        let mut many = redis::cmd("MSET");
        (from..from + 10_000).for_each(|i| _ = many.arg(format!("other:{i}")).arg("v"));
        many.exec(&mut raw).unwrap();
    }
    fill(&store, "k", 1_500, forever(&["t"])).await;
    ask::<()>(&mut raw, &["CONFIG", "RESETSTAT"]);
    store.clear_tags(&["*"]).await;
    let began = Instant::now();
    while members(&mut raw) > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "{} members", members(&mut raw));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(["scan", "keys"].map(|command| calls(&mut raw, command)), [0, 0]);
    assert!((1..=10).contains(&calls(&mut raw, "zscan")), "{}", calls(&mut raw, "zscan"));
    assert!(ask::<usize>(&mut raw, &["DBSIZE"]) <= 200_006);
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_of_sets_and_clears_leave_a_few_keys_and_little_memory() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    fill(&store, "warm", 5_000, forever(&["!ns:warm"])).await;
    store.clear_tags(&["*"]).await;
    store.clear_key("warm").await;
    shrinks(&mut raw, 0, Duration::from_secs(20)).await;
    let memory = |raw: &mut Connection| {
        let info: String = ask(raw, &["INFO", "memory"]);
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory_dataset:"));
        used.unwrap().trim().parse::<i64>().unwrap()
    };
    let before = memory(&mut raw);
    for round in 0..5 {
        let names: Vec<String> = (0..1_000).map(|i| format!("{round}:{i}")).collect();
        for name in &names {
            let (outer, inner) = (format!("!ns:{round}"), format!("!ns:{name}"));
            store.set(&format!("{name}:k"), "v", forever(&[&outer, &inner])).await.unwrap();
        }
        let keys = names.iter().map(|name| format!("{name}:k")).collect();
        store.clear(Clear { keys, tags: vec![], invalidation: Invalidation::Hard }).await.unwrap();
        fill(&store, &format!("{round}:rest"), 1_000, forever(&[&format!("!ns:{round}")])).await;
    }
    store.clear_tags(&["*"]).await;
    shrinks(&mut raw, 0, Duration::from_secs(20)).await;
    let left: Vec<String> = ask(&mut raw, &["KEYS", "*"]);
    assert!(left.len() <= 6, "{left:?}");
    // The fences are the most of it.
    let grown = memory(&mut raw) - before;
    assert!(grown < 600_000, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_costs_a_few_bytes_of_its_entries() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let value = "v".repeat(40);
    let mut usage =
        |key: String| ask::<u64>(&mut raw, &["MEMORY", "USAGE", &space().entry(&key), "SAMPLES", "0"]);
    let (mut plain, mut spaced) = (0, 0);
    for i in 0..100 {
        let space = format!("!ns:user:{i}");
        store.set(&format!("user-{i}-cart"), &value, tagged(&[])).await.unwrap();
        store.set(&format!("user:{i}:cart"), &value, tagged(&["!ns:user", &space])).await.unwrap();
        plain += usage(format!("user-{i}-cart"));
        spaced += usage(format!("user:{i}:cart"));
    }
    assert!(spaced * 100 <= plain * 115, "{spaced} bytes and {plain}");
    // And no key or member of its own.
    assert_eq!(members(&mut raw), 0);
    assert!(ask::<usize>(&mut raw, &["DBSIZE"]) <= 200 + 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_thousands_of_cleared_tags_and_of_wide_entries_is_swept() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    let names: Vec<String> = (0..5_000).map(|i| format!("own {i}")).collect();
    for part in names.chunks(500) {
        let writes = part.iter().map(|name| forever(&[name]).write(name, "v"));
        store.backend.write(writes.collect(), 0).await;
    }
    let wide: Vec<Vec<String>> =
        (0..300).map(|i| (0..450).map(|j| format!("wide {i} {j}")).collect()).collect();
    for (i, tags) in wide.iter().enumerate() {
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        store.set(&format!("wide {i}"), "v", forever(&tags)).await.unwrap();
    }
    assert_eq!(members(&mut raw), 5_300);
    let tags = names.iter().chain(wide.iter().map(|tags| &tags[449])).map(|name| Tag::of(name)).collect();
    store.clear(Clear { keys: vec![], tags, invalidation: Invalidation::Hard }).await.unwrap();
    shrinks(&mut raw, 0, Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_expired_leave_the_index_though_nothing_is_stored_any_more() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.set("k", "v", forever(&["t"])).await.unwrap();
    // It has looked: this many living members are no reason to.
    fill(&store, "brief", 1_500, tagged(&["t"]).ttl(Ttl::Ms(8_000))).await;
    first_sweep(&mut raw).await;
    let began = Instant::now();
    while members(&mut raw) > 1 {
        assert!(began.elapsed() < Duration::from_secs(50), "{} members", members(&mut raw));
        // In use.
        store.get("k").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
