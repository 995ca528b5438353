//! Servers that are away: what is theirs misses or fails alone, and clears wait for them.

use crate::server::Server;
use crate::store::{Store, config, open, record, record_key, until, with, write};
use crate::wire::Wire;
use cachalot::config::Timeouts;
use cachalot::model::tag::{Clearance, Invalidation, Tag};
use cachalot::model::time;
use cachalot::store::request::ReadEntry;
use cachalot::store::traits::{EntryStore, IndexStore, Store as _};
use std::time::{Duration, Instant};

/// Two servers, each behind a wire, and which of them holds the epoch.
struct Pair {
    servers: Vec<Server>,
    wires: Vec<Wire>,
    store: Store,
    epoch: usize,
}

impl Pair {
    async fn start() -> Self {
        let servers = vec![Server::start(&[]), Server::start(&[])];
        let wires = vec![Wire::to(servers[0].port).await, Wire::to(servers[1].port).await];
        let store = open(wires.iter().map(Wire::endpoint).collect());
        store.fill("first", &[], "v").await;
        let epoch = (0..2).find(|at| servers[*at].raw().value("p!e").is_some()).unwrap();
        Pair { servers, wires, store, epoch }
    }

    /// A name whose store key is on that server.
    fn name(&self, on: usize, key_of: impl Fn(&str) -> String) -> String {
        let mut raw = self.servers[on].raw();
        (0..).map(|i| format!("n{i}")).find(|name| raw.value(&key_of(name)).is_some()).unwrap()
    }

    async fn fill_many(&self) {
        for i in 0..30 {
            let name = format!("n{i}");
            self.store.fill(&name, &[&name], "v").await;
        }
    }
}

#[tokio::test]
async fn a_dead_servers_keys_fail_alone_and_come_back_as_misses() {
    let mut servers: Vec<_> = (0..3).map(|_| Server::start(&[])).collect();
    let store = open(servers.iter().map(Server::endpoint).collect());
    let keys: Vec<String> = (0..60).map(|i| format!("k{i}")).collect();
    store.0.write(keys.iter().map(|key| write(key, &[], b"v", None)).collect(), time::now()).await;
    let dead = (0..3)
        .find(|at| ["p!e", &record_key("*")].iter().all(|key| servers[*at].raw().value(key).is_none()))
        .unwrap();
    let theirs: Vec<bool> =
        keys.iter().map(|key| servers[dead].raw().value(&format!("p::{key}")).is_some()).collect();
    assert!(theirs.contains(&true) && theirs.contains(&false));
    servers[dead].kill();
    let began = Instant::now();
    let reply = store.0.read(&keys, time::now(), Some(crate::store::PATIENCE)).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(1100));
    for (read, theirs) in reply.iter().zip(&theirs) {
        match &read.entry {
            Ok(ReadEntry::Present(entry)) => assert!(!theirs && entry.clearance == Clearance::None),
            Err(error) => assert!(*theirs && error.code.is_outage(), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    servers[dead].restart();
    until("its keys are misses", async || {
        let reply = store.0.read(&keys, time::now(), Some(crate::store::PATIENCE)).await.unwrap();
        reply.iter().zip(&theirs).all(|(read, theirs)| {
            matches!(
                (&read.entry, theirs),
                (Ok(ReadEntry::Absent(Some(_))), true) | (Ok(ReadEntry::Present(_)), false)
            )
        })
    })
    .await;
}

#[tokio::test]
async fn a_dead_server_keeps_no_request_for_the_others_from_its_socket() {
    let mut servers: Vec<_> = (0..3).map(|_| Server::start(&[])).collect();
    let store = open(servers.iter().map(Server::endpoint).collect());
    let keys: Vec<String> = (0..60).map(|i| format!("k{i}")).collect();
    // After answers of all that live, so that none of them has been silent.
    let is_idle = async || {
        let _ = store.0.read(&keys, time::now(), None).await;
        store.0.is_idle()
    };
    until("all are idle", is_idle).await;
    servers[1].kill();
    until("those that live are idle", is_idle).await;
    servers[0].kill();
    servers[2].kill();
    until("none is there", async || !is_idle().await).await;
}

#[tokio::test]
async fn every_operation_settles_within_its_deadline_when_all_servers_are_dead() {
    let mut server = Server::start(&[]);
    let mut config = config(vec![server.endpoint()]);
    config.timeouts = Timeouts { command_ms: 300, connect_ms: 300, ..Timeouts::default() };
    let store = with(config);
    store.fill("k", &["t"], "v").await;
    server.kill();
    for _ in 0..3 {
        let began = Instant::now();
        assert!(store.get("k").await.is_err_and(|error| error.code.is_outage()));
        assert!(store.set("k", &["t"], "w", None).await.is_err_and(|error| error.code.is_outage()));
        assert!(store.clear_key("k").await.is_err_and(|error| error.queued));
        assert!(store.clear_tags(&["t"], Invalidation::Hard).await.is_err_and(|error| error.queued));
        assert!(store.0.members(Tag::of("t"), &[], 0, time::now()).await.is_err());
        assert!(began.elapsed() < Duration::from_millis(5 * 400), "{:?}", began.elapsed());
    }
}

/// Clears made while a server could not be reached are done before anything is read from it again.
#[tokio::test]
async fn clears_of_an_outage_are_replayed_before_the_first_read_after_it() {
    for round in 0..4 {
        let pair = Pair::start().await;
        pair.fill_many().await;
        let away = round % 2;
        let (key, tag) = (pair.name(away, |n| format!("p::{n}")), pair.name(away, record_key));
        let tagged = tag.clone();
        pair.wires[away].cut();
        let error = pair.store.clear_key(&key).await.unwrap_err();
        assert!(error.queued && error.code.is_outage(), "{error}");
        let error = pair.store.clear_tags(&[&tag], Invalidation::Hard).await.unwrap_err();
        assert!(error.queued && error.code.is_outage(), "{error}");
        // Nothing has reached the server yet, so another process still finds both there.
        assert!(pair.servers[away].raw().value(&format!("p::{key}")).is_some());
        pair.wires[away].mend();
        if round < 2 {
            // By whoever reads first.
            until("the server is back", async || {
                for name in [&key, &tagged] {
                    let value = pair.store.get(name).await.map(|(value, _)| value);
                    assert!(!matches!(value, Ok(Some(_))), "{name} was read before its clear was replayed");
                }
                pair.store.get(&key).await.is_ok() && pair.store.get(&tagged).await.is_ok()
            })
            .await;
        } else {
            // By nobody: in the background.
            let others = open(pair.servers.iter().map(Server::endpoint).collect());
            until("another store sees both cleared", async || {
                // Names are by endpoint, so look behind its back for the key itself.
                drop(others.get("any").await);
                pair.servers[away].raw().value(&format!("p::{key}")).is_none()
            })
            .await;
            assert_eq!(pair.store.value(&tagged).await, None);
        }
    }
}

#[tokio::test]
async fn a_tag_clear_without_the_epochs_server_waits_at_the_records_server() {
    let pair = Pair::start().await;
    pair.fill_many().await;
    let (away, near) = (pair.epoch, 1 - pair.epoch);
    // The entry and its tag's record are both on the server that stays.
    let mut raw = pair.servers[near].raw();
    let mut names = (0..30).map(|i| format!("n{i}"));
    let both = |n: &String| [format!("p::{n}"), record_key(n)].iter().all(|key| raw.value(key).is_some());
    let tag = names.find(both).unwrap();
    let before = record(&pair.servers[near], &tag);
    pair.wires[away].cut();
    assert!(pair.store.clear_tags(&[&tag], Invalidation::Hard).await.is_err_and(|error| error.queued));
    // The record could be read, but says what was true before the clear.
    assert_eq!(record(&pair.servers[near], &tag), before);
    let read = pair.store.get(&tag).await;
    assert!(read.as_ref().is_err_and(|error| error.code.is_outage()), "{read:?}");
    pair.wires[away].mend();
    until("the clear is replayed", async || {
        let read = pair.store.get(&tag).await;
        assert!(!matches!(read, Ok((Some(_), _))), "it was read before its clear was replayed");
        read.is_ok()
    })
    .await;
    assert!(record(&pair.servers[near], &tag).all > before.all);
    pair.store.fill(&tag, &[&tag], "new").await;
}

#[tokio::test]
async fn without_the_epochs_server_nothing_is_a_hit_and_after_its_loss_no_clear_is_forgotten() {
    let mut pair = Pair::start().await;
    pair.fill_many().await;
    let near = 1 - pair.epoch;
    let key = pair.name(near, |n| format!("p::{n}"));
    let guard = pair.store.get(&key).await.unwrap().1;
    pair.servers[pair.epoch].kill();
    for _ in 0..3 {
        assert!(pair.store.get(&key).await.is_err_and(|error| error.code.is_outage()));
    }
    assert!(pair.store.set(&key, &[&key], "w", Some(guard)).await.is_err_and(|error| error.code.is_outage()));
    assert!(pair.store.clear_tags(&[&key], Invalidation::Hard).await.is_err_and(|error| error.queued));
    pair.servers[pair.epoch].restart();
    until("all is new", async || {
        let Ok((value, guard)) = pair.store.get(&key).await else { return false };
        assert!(!matches!(value.as_deref(), Some("v" | "w")), "{value:?} was cleared");
        if value.is_none() {
            let _ = pair.store.set(&key, &[&key], "x", Some(guard)).await;
        }
        value.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_replay_that_fails_keeps_its_clears() {
    let pair = Pair::start().await;
    pair.fill_many().await;
    let near = 1 - pair.epoch;
    let tag = pair.name(near, record_key);
    let key = pair.name(near, |n| format!("p::{n}"));
    pair.wires[near].cut();
    assert!(pair.store.clear_tags(&[&tag], Invalidation::Hard).await.is_err_and(|error| error.queued));
    assert!(pair.store.clear_key(&key).await.is_err_and(|error| error.queued));
    // The server is back, but the epoch's is not: its clear of a tag cannot be replayed.
    pair.wires[pair.epoch].cut();
    pair.wires[near].mend();
    for _ in 0..20 {
        assert!(pair.store.get(&tag).await.is_err());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pair.wires[pair.epoch].mend();
    until("both are back", async || pair.store.get(&tag).await.is_ok()).await;
    assert_eq!(pair.store.value(&tag).await, None);
    assert_eq!(pair.store.value(&key).await, None);
}

#[tokio::test]
async fn close_ends_it() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    store.fill("k", &[], "v").await;
    store.0.close().await;
    assert_eq!(store.get("k").await.unwrap_err().code, cachalot::error::Code::Closed);
    let error = store.clear_key("k").await.unwrap_err();
    assert!(!error.queued && error.code == cachalot::error::Code::Closed);
}
