//! Entries that are larger than an item.

use crate::server::Server;
use crate::store::{MINUTE, Store, config, entry, open, with, write};
use cachalot::codec::split::rest_of;
use cachalot::error::Code;
use cachalot::model::tag::{Epoch, Invalidation};
use cachalot::model::time;
use cachalot::model::ttl::{NEVER, Times, Ttl};
use cachalot::store::form::{WireEntry, WireVersion};
use cachalot::store::request::{ReadEntry, SeenVersion, Write, WriteOutcome};
use cachalot::store::traits::EntryStore;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::time::Duration;

fn patient(servers: &[Server]) -> Store {
    let mut config = config(servers.iter().map(Server::endpoint).collect());
    config.timeouts.command_ms = 20_000;
    with(config)
}

/// Text of so many bytes in which every place differs from every other's.
fn text(seed: u64, bytes: usize) -> String {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut text = String::with_capacity(bytes + 20);
    while text.len() < bytes {
        text += &rng.random::<u64>().to_string();
    }
    text.truncate(bytes);
    text
}

/// Whatever was there.
async fn set(store: &Store, key: &str, tags: &[&str], value: &str) {
    let (_, guard) = store.get(key).await.unwrap();
    assert!(matches!(store.set(key, tags, value, Some(guard)).await, Ok(WriteOutcome::Stored(Some(_)))));
}

/// The keys of a split entry's parts.
fn parts_of(server: &Server, key: &str) -> Vec<String> {
    let rest = rest_of(&server.raw().value(&format!("p::{key}")).unwrap()).expect("it is split");
    (0..rest.parts).map(|nth| format!("p!v:{:016x}:{nth:x}", rest.id)).collect()
}

#[tokio::test]
async fn they_are_stored_in_parts_and_read_as_one() {
    let servers = [Server::start(&[]), Server::start(&[]), Server::start(&["-I", "4m"])];
    for store in [patient(&servers[..1]), patient(&servers[2..]), patient(&servers)] {
        for (at, bytes) in
            [1_048_300, 1_500_000, 5_000_000, 16_000_000, 3_000, 2_000_000].into_iter().enumerate()
        {
            let value = text(at as u64, bytes);
            set(&store, "k", &["t"], &value).await;
            assert!(store.value("k").await == Some(value.clone()), "{bytes}");
            // Nothing guards it.
            store.set("k2", &["t"], &value, None).await.unwrap();
            assert!(store.value("k2").await == Some(value), "{bytes}");
        }
        assert_eq!(store.members("t").await, ["k", "k2"]);
        store.clear_tags(&["t"], Invalidation::Hard).await.unwrap();
        assert_eq!((store.value("k").await, store.value("k2").await), (None, None));
        let value = text(9, 1_200_000);
        set(&store, "k", &[], &value).await;
        store.clear_key("k").await.unwrap();
        assert_eq!(store.value("k").await, None);
    }
}

#[tokio::test]
async fn what_a_part_was_lost_of_is_a_miss_that_the_next_set_replaces() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let value = text(1, 1_500_000);
    for lost in [0, 1, 4] {
        set(&store, "k", &["t"], &value).await;
        let parts = parts_of(&server, "k");
        assert_eq!(parts.len(), 5);
        assert!(server.raw().delete(&parts[lost]));
        assert!(store.value("k").await.is_none());
        set(&store, "k", &["t"], &value).await;
        assert!(store.value("k").await == Some(value.clone()));
    }
    // Bytes of another entry in the place of a part.
    let parts = parts_of(&server, "k");
    let other = server.raw().value(&parts[1]).unwrap();
    server.raw().set_bytes(&parts[0], &other, 0);
    assert_eq!(store.value("k").await, None);
}

#[tokio::test]
async fn a_set_that_is_too_late_stores_nothing() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let guard = store.miss("k").await;
    store.clear_key("k").await.unwrap();
    let late = store.set("k", &[], &text(1, 1_500_000), Some(guard)).await.unwrap();
    assert_eq!((late, store.value("k").await), (WriteOutcome::Stale, None));
}

#[tokio::test]
async fn without_room_nothing_is_stored_and_no_older_value_stays() {
    let server = Server::start(&["-M", "-m", "4"]);
    let store = patient(std::slice::from_ref(&server));
    store.set("k", &[], "old", None).await.unwrap();
    let error = store.write(write("k", &[], text(1, 6_000_000).as_bytes(), None)).await.unwrap_err();
    assert_eq!(error.code, Code::Server);
    assert!(error.message.contains("-m"), "{error}");
    assert_eq!(server.raw().value("p::k"), None);
}

#[tokio::test]
async fn parts_live_as_long_as_the_entry() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let value = text(1, 1_200_000);
    let lasting = |ttl: Ttl| Write {
        ttl,
        body: entry(Epoch::NONE, &[], value.as_bytes(), ttl),
        ..write("k", &[], b"", None)
    };
    store.write(lasting(MINUTE)).await.unwrap();
    let lives = |server: &Server| {
        let mut raw = server.raw();
        parts_of(server, "k").iter().map(|part| raw.life(part).unwrap()).collect::<Vec<_>>()
    };
    let entry = server.raw().life("p::k").unwrap();
    assert!(lives(&server).iter().all(|life| (entry..entry + 4).contains(life)), "{:?}", lives(&server));
    // Of one without end they are given another month by each read.
    store.write(lasting(Ttl::Forever)).await.unwrap();
    assert_eq!(server.raw().life("p::k"), Some(-1));
    let month = 30 * 24 * 3_600;
    assert!(lives(&server).iter().all(|life| (month - 5..month + 5).contains(life)), "{:?}", lives(&server));
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let before = lives(&server);
    assert!(store.value("k").await.is_some());
    assert!(lives(&server).iter().zip(before).all(|(now, before)| *now > before), "{:?}", lives(&server));
}

#[tokio::test]
async fn one_that_is_given_times_is_split_anew() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let value = text(1, 1_500_000);
    set(&store, "k", &["t"], &value).await;
    let Ok(ReadEntry::Present(WireEntry { bytes, lease, .. })) = store.read("k", false).await.entry else {
        panic!("it is there")
    };
    let times = Times { created: 1, fresh_until: NEVER, cost: 2 };
    let before = parts_of(&server, "k");
    assert!(
        store
            .0
            .swap("k", SeenVersion::Present(WireVersion { bytes, lease }), Some(times), time::now())
            .await
            .unwrap()
    );
    assert!(store.value("k").await == Some(value));
    assert_ne!(parts_of(&server, "k"), before);
}

/// Each value is of one seed from its first byte to its last: a mixture of two would show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_writers_never_mix() {
    let servers = Arc::new([Server::start(&["-m", "512"]), Server::start(&["-m", "512"])]);
    let values: Arc<Vec<String>> =
        Arc::new((0..6).map(|seed| text(seed, 1_100_000 + 70_000 * seed as usize)).collect());
    let (store, reader) = (Arc::new(patient(&servers[..])), patient(&servers[..]));
    let mut writers = Vec::new();
    for seed in 0..values.len() {
        let (store, values) = (store.clone(), values.clone());
        writers.push(tokio::spawn(async move {
            for _ in 0..10 {
                store.set("k", &["t"], &values[seed], None).await.unwrap();
            }
        }));
    }
    let mut hits = 0;
    while writers.iter().any(|writer| !writer.is_finished()) {
        if let Some(value) = reader.value("k").await {
            assert!(values.contains(&value));
            hits += 1;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(hits > 0);
    assert!(values.contains(&reader.value("k").await.unwrap()));
}
