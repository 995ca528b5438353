//! A primary that is demoted under a living connection: it goes on answering reads, and is left.

use crate::lost_clears::{Pair, at, demote, first_read, primary, promote, replicate, synced, through};
use crate::proxy::Proxy;
use crate::server::{Server, ask};
use crate::store::{Store, by_tags, config, space, tagged};
use cachalot::config::RedisConfig;
use cachalot::error::Code;
use cachalot::model::tag::Invalidation;
use cachalot::model::time;
use cachalot::store::request::{Clear, WriteOutcome};
use cachalot::store::traits::EntryStore;
use std::time::{Duration, Instant};

/// So long a demotion may go unnoticed, by a process that only reads.
const LEFT_WITHIN: Duration = Duration::from_secs(3);

/// A store whose address leads to a new primary from now on, while its connection leads to the old one, which was demoted. Both
/// hold `k`, tagged `t`.
struct Demoted {
    old: Server,
    new: Server,
    proxy: Proxy,
    store: Store,
}

async fn demoted(tracking: bool, refused: &[&str]) -> Demoted {
    let (old, new) = (primary(), primary());
    for server in [&old, &new] {
        ask::<()>(&mut server.raw(), &[&["ACL", "SETUSER", "default"], refused].concat());
    }
    let proxy = Proxy::start(at(&old)).await;
    let store = Store::with(RedisConfig { tracking, ..through(&proxy, &old) });
    store.put("k", "old", &["t"]).await;
    // The write of its first sweep would be refused, too, and find the demotion out before the test does.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ask::<bool>(&mut old.raw(), &["EXISTS", &space().swept()]) {
        assert!(Instant::now() < deadline, "no sweep");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ask::<()>(&mut new.raw(), &["REPLICAOF", "127.0.0.1", &old.port.to_string()]);
    synced(&old).await;
    promote(&new);
    proxy.retarget(at(&new));
    demote(&old);
    Demoted { old, new, proxy, store }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_only_reads_leaves_it_in_time_and_reads_nothing_stale_then() {
    for tracking in [true, false] {
        let Demoted { old: _old, new, proxy: _proxy, store } = demoted(tracking, &[]).await;
        let other = Store::open(&new);
        other.clear_tags(&["t"]).await;
        let began = Instant::now();
        while let Ok((Some(_), _)) | Err(_) = store.look("k").await {
            assert!(began.elapsed() < LEFT_WITHIN, "it still reads from the demoted server");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while began.elapsed() < LEFT_WITHIN {
            assert_eq!(store.get("k").await, None);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        store.put("k", "new", &["t"]).await;
        assert_eq!(other.get("k").await.as_deref(), Some("new"));
    }
}

/// What goes to the server and is refused there; each leaves it at once, also where nobody may ask for its role.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_refused_leaves_it_at_once() {
    for what in ["set", "sets", "clear", "key"] {
        let Demoted { old: _old, new, proxy: _proxy, store } = demoted(true, &["-role", "-info"]).await;
        let other = Store::open(&new);
        let refused = match what {
            "set" => store.set("k2", "v", tagged(&["t"])).await.unwrap_err(),
            // Answered in the script's array, each by an error of its own.
            "sets" => {
                let writes = (0..3).map(|i| tagged(&["t"]).write(&format!("s{i}"), "v")).collect();
                let mut outcomes = store.backend.write(writes, time::now()).await;
                assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 3, "{outcomes:?}");
                outcomes.remove(0).unwrap_err()
            }
            "clear" => store.clear(by_tags(&["t"], Invalidation::Hard)).await.unwrap_err(),
            _ => {
                let key = Clear { keys: vec!["k".into()], tags: vec![], invalidation: Invalidation::Hard };
                store.clear(key).await.unwrap_err()
            }
        };
        assert_eq!((refused.code, refused.queued), (Code::Connection, !what.starts_with("set")), "{refused}");
        assert!(refused.message.contains("READONLY"), "{refused}");
        other.clear_tags(&["t"]).await;
        assert_eq!(first_read(&store, "k").await, None, "{what}");
        store.put("k", "new", &["t"]).await;
        assert_eq!(other.get("k").await.as_deref(), Some("new"));
    }
}

/// There is no other server: a replica may lag behind a clear, so nothing is read from it. Reads fail, at once, and go on when
/// it is promoted again, after the clear that it is owed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_until_it_is_promoted_again() {
    let server = Server::start();
    let store = Store::open(&server);
    store.put("k", "v", &["t"]).await;
    store.put("kept", "v", &["u"]).await;
    demote(&server);
    let error = store.clear(by_tags(&["t"], Invalidation::Hard)).await.unwrap_err();
    assert!(error.queued && error.message.contains("READONLY"), "{error}");
    let began = Instant::now();
    let mut reads = 0;
    while began.elapsed() < Duration::from_secs(2) {
        let asked = Instant::now();
        let error = store.look("k").await.unwrap_err();
        assert_eq!(error.code, Code::Connection);
        assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
        reads += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let error = store.look("k").await.unwrap_err();
    assert!(error.message.contains("Give the primary's address"), "after {reads} reads: {error}");
    promote(&server);
    let promoted = Instant::now();
    assert_eq!(first_read(&store, "k").await, None);
    assert!(promoted.elapsed() < LEFT_WITHIN, "{:?}", promoted.elapsed());
    assert_eq!(store.get("kept").await.as_deref(), Some("v"));
    assert_eq!(store.set("k", "new", tagged(&["t"])).await.unwrap(), WriteOutcome::Stored(None));
}

/// It was a replica for a while in which nobody asked, lost what it had, and is a primary again.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_changes_under_a_connection_is_noticed() {
    let pair = Pair::start().await;
    let Pair { primary, replica, proxy, store } = &pair;
    store.put("k", "old", &["t"]).await;
    pair.part().await;
    store.clear_tags(&["t"]).await;
    // Until it is idle: its questions are asked, and the sweep that follows a clear is done.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let accepted = proxy.accepted();
    // The number is not lower there, which alone would tell.
    Store::open(replica).clear_tags(&["unrelated"]).await;
    replicate(primary, replica);
    synced(replica).await;
    promote(primary);
    let other = Store::open(primary);
    assert_eq!(first_read(&other, "k").await.as_deref(), Some("old"));
    assert_eq!(proxy.accepted(), accepted, "the connection survived all that");
    let began = Instant::now();
    while let Ok((Some(_), _)) = other.look("k").await {
        assert!(began.elapsed() < LEFT_WITHIN, "its clear was not made again");
        let _ = store.look("x").await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(proxy.accepted(), accepted + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loads_or_has_no_primary_is_left() {
    let Demoted { old, new, proxy: _proxy, store } = demoted(true, &[]).await;
    let other = Store::open(&new);
    other.clear_tags(&["t"]).await;
    ask::<()>(&mut old.raw(), &["CONFIG", "SET", "replica-serve-stale-data", "no"]);
    let error = loop {
        if let Err(error) = store.look("k").await {
            break error;
        }
    };
    assert!(error.message.contains("MASTERDOWN") || error.message.contains("replica"), "{error}");
    assert_eq!(first_read(&store, "k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_goes_back_ends_the_connection() {
    let server = Server::start();
    let store = Store::open(&server);
    store.put("k", "v", &["t"]).await;
    let mut raw = server.raw();
    let old: String = ask(&mut raw, &["GET", &space().epoch()]);
    store.clear_tags(&["t"]).await;
    // As a proxy that leads to another server has it.
    ask::<()>(&mut raw, &["SET", &space().epoch(), &old]);
    ask::<()>(&mut raw, &["DEL", &space().clear_log()]);
    let error = store.look("k").await.unwrap_err();
    assert_eq!(error.code, Code::Connection);
    assert!(error.message.contains("older"), "{error}");
    assert_eq!(first_read(&store, "k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_is_asked_for_while_the_store_is_used_and_not_again_where_it_is_refused() {
    for forbidden in [None, Some("-info"), Some("-role -info")] {
        let server = Server::start();
        let mut raw = server.raw();
        let rules = ["ACL", "SETUSER", "shop", "on", "nopass", "~*", "&*", "+@all"];
        let rules: Vec<&str> =
            rules.into_iter().chain(forbidden.into_iter().flat_map(|more| more.split(' '))).collect();
        ask::<()>(&mut raw, &rules);
        let user = (Some("shop".into()), Some("any".into()));
        let mut asked = || {
            let info: String = ask(&mut raw, &["INFO", "commandstats"]);
            let of = |name: &str, field: &str| -> u64 {
                let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:")));
                let field = line.and_then(|line| line.split(',').find_map(|part| part.strip_prefix(field)));
                field.map_or(0, |n| n.parse().unwrap())
            };
            [
                of("info", "calls="),
                of("info", "rejected_calls="),
                of("role", "calls="),
                of("role", "rejected_calls="),
            ]
        };
        let before = asked();
        let store = Store::with(RedisConfig { username: user.0, password: user.1, ..config(&server) });
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            store.miss().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let after = asked();
        let [info, no_info, role, no_role] = [0, 1, 2, 3].map(|at| after[at] - before[at]);
        // One INFO is this test's own, and one the handshake's.
        match forbidden {
            None => assert!((5..=7).contains(&info) && role == 0, "{info} INFO, {role} ROLE"),
            Some("-info") => assert!((3..=5).contains(&role) && no_info == 1, "{role} ROLE, {no_info} INFO"),
            Some(_) => assert_eq!((info, no_info, role, no_role), (1, 1, 0, 1)),
        }
        // Idle.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let before = asked();
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let after = asked();
        assert_eq!((after[0] - before[0], after[1..].to_vec()), (1, before[1..].to_vec()));
    }
}
