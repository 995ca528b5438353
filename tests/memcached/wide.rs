//! Entries of any number of tags, and clears of any number of names.

use crate::proxy::{Proxy, Wire as Fault};
use crate::server::Server;
use crate::store::{MINUTE, Store, config, entry, open, record, shard_key, until, with, write};
use crate::wire::FarWire;
use cachalot::config::Endpoint;
use cachalot::error::Code;
use cachalot::events::Event;
use cachalot::model::key::Keyspace;
use cachalot::model::tag::{Invalidation, Tag};
use cachalot::model::time;
use cachalot::store::form::WireEntry;
use cachalot::store::memcached::MemcachedStore;
use cachalot::store::request::{ReadEntry, StaleMember, Write, WriteOutcome};
use cachalot::store::traits::{EntryStore, IndexStore};
use futures_util::FutureExt;
use futures_util::future::FusedFuture;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

fn names(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|i| format!("variant_{i}")).collect()
}

fn strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Where a test is not about time, a machine that is busy for a second is no outage.
fn patient(servers: Vec<Endpoint>) -> Store {
    let mut config = config(servers);
    config.timeouts.command_ms = 20_000;
    with(config)
}

#[tokio::test]
async fn an_entry_of_ten_thousand_tags_lives_until_any_of_them_is_cleared() {
    for count in [1, 3] {
        let servers: Vec<_> = (0..count).map(|_| Server::start(&[])).collect();
        let store = patient(servers.iter().map(Server::endpoint).collect());
        let names = names(0, 10_000);
        for cleared in [0, 4_711, 9_999] {
            store.fill("k", &strs(&names), "v").await;
            store.clear_tags(&["another"], Invalidation::Hard).await.unwrap();
            assert_eq!(store.value("k").await.as_deref(), Some("v"));
            store.clear_tags(&[&names[cleared]], Invalidation::Soft).await.unwrap();
            assert_eq!(store.value("k").await, None, "{cleared}");
        }
    }
}

#[tokio::test]
async fn hundreds_of_tags_cost_no_more_round_trips_than_one() {
    let server = Server::start(&[]);
    let wire = FarWire::to(server.port).await;
    let store = patient(vec![wire.endpoint()]);
    store.fill("warm", &["t"], "v").await;
    let key = |count: usize| format!("k{count}");
    for (at, count) in [1, 450, 10_000].into_iter().enumerate() {
        let names = names(at * 10_000, count);
        let names = strs(&names);
        let set = async |guard| store.set(&key(count), &names, "v", guard).await.unwrap();
        let guard = store.miss(&key(count)).await;
        // The records are looked for with the set, then added together, then made together.
        let (stored, trips) = wire.trips(set(Some(guard))).await;
        assert!(matches!(stored, WriteOutcome::Stored(Some(_))) && trips == 3, "{count} tags: {trips}");
        let (_, trips) = wire.trips(set(None)).await;
        assert_eq!(trips, 1, "{count} tags that have records");
        let (value, trips) = wire.trips(store.value(&key(count))).await;
        assert_eq!((value.as_deref(), trips), (Some("v"), 2), "{count} tags");
        let (cleared, trips) = wire.trips(store.clear_tags(&names, Invalidation::Hard)).await;
        cleared.unwrap();
        // The epoch; then the records are read and raised, so many at a time.
        assert_eq!(trips, 1 + 2 * count.div_ceil(8_192), "{count} tags");
    }
}

#[tokio::test]
async fn a_clear_of_25_000_names_with_repeats_ends_what_it_names_and_no_more() {
    let servers: Vec<_> = (0..3).map(|_| Server::start(&[])).collect();
    let store = patient(servers.iter().map(Server::endpoint).collect());
    for at in 0..20 {
        store.fill(&format!("k{at}"), &strs(&names(at * 1_000, 500)), "v").await;
    }
    // Up to the tags of k15, each twice, and some that nobody has.
    let names = [names(0, 15_500), names(0, 8_000), names(90_000, 1_500)].concat();
    assert_eq!(names.len(), 25_000);
    store.clear_tags(&strs(&names), Invalidation::Hard).await.unwrap();
    for at in 0..20 {
        let value = store.value(&format!("k{at}")).await;
        assert_eq!(value.is_some(), at > 15, "k{at}");
    }
}

/// After whatever number of bytes the connection breaks, the whole clear is made before anything is read again.
#[tokio::test]
async fn a_clear_that_fails_half_way_is_kept() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(([127, 0, 0, 1], server.port).into()).await;
    let port = proxy.address.port();
    let store = patient(vec![Endpoint::Tcp { host: "127.0.0.1".into(), port }]);
    let all: Vec<_> = (0..10).map(|at| names(at * 100, 200)).collect();
    // Into the epoch's answer, the records', those of their raising.
    for cut in [5, 20_000, 70_000, 90_000] {
        for (at, names) in all.iter().enumerate() {
            store.set(&format!("k{at}"), &strs(names), "v", None).await.unwrap();
            assert!(store.value(&format!("k{at}")).await.is_some());
        }
        proxy.set(Fault::CutAfter(cut));
        let cleared = store.clear_tags(&strs(&names(0, 1_100)), Invalidation::Hard).await;
        assert!(cleared.as_ref().is_err_and(|error| error.queued), "{cut}: {cleared:?}");
        until("the server is back", async || store.get("other").await.is_ok()).await;
        for at in 0..10 {
            assert_eq!(store.value(&format!("k{at}")).await, None, "k{at} after {cut} bytes");
        }
    }
}

/// Else a replay of a large clear that is cut short each time would never come to its end.
#[tokio::test]
async fn what_was_acknowledged_of_a_clear_is_not_made_again() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(([127, 0, 0, 1], server.port).into()).await;
    let port = proxy.address.port();
    let store = patient(vec![Endpoint::Tcp { host: "127.0.0.1".into(), port }]);
    let mut names = names(0, 20_000);
    for part in names.chunks(5_000) {
        store.set(&part[0], &strs(part), "v", None).await.unwrap();
    }
    // Into the second of three turns.
    proxy.set(Fault::CutAfter(1_000_000));
    let cleared = store.clear_tags(&strs(&names), Invalidation::Hard).await;
    assert!(cleared.as_ref().is_err_and(|error| error.queued), "{cleared:?}");
    names.sort_by_key(|name| Tag::of(name));
    let first = record(&server, &names[0]);
    until("the server is back", async || store.get("other").await.is_ok()).await;
    assert_eq!(record(&server, &names[0]), first);
    assert!(record(&server, &names[10_000]).all > first.all);
    assert_eq!(store.value("variant_15000").await, None);
}

#[tokio::test]
async fn a_clear_of_more_names_than_are_kept_becomes_one_of_everything_and_says_so() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(([127, 0, 0, 1], server.port).into()).await;
    let port = proxy.address.port();
    let told: Arc<Mutex<Vec<Event>>> = Arc::default();
    let heard = told.clone();
    let store = Store(
        MemcachedStore::open(
            Keyspace::new("p").unwrap(),
            &config(vec![Endpoint::Tcp { host: "127.0.0.1".into(), port }]),
            Arc::new(move |event| heard.lock().unwrap().push(event)),
            &tokio::runtime::Handle::current(),
            None,
        )
        .unwrap(),
    );
    let warnings = || {
        let told = told.lock().unwrap();
        let warnings = told.iter().filter_map(|event| match event {
            Event::Warning { message, .. } => Some(message.clone()),
            _ => None,
        });
        warnings.collect::<Vec<_>>()
    };
    for outage in 1..=2 {
        store.fill("unrelated", &["u"], "v").await;
        proxy.down().await;
        for _ in 0..2 {
            let cleared = store.clear_tags(&strs(&names(0, 40_000)), Invalidation::Soft).await;
            assert!(cleared.as_ref().is_err_and(|error| error.queued), "{cleared:?}");
        }
        let warnings = warnings();
        assert_eq!(warnings.len(), outage, "{warnings:?}");
        let last = &warnings[outage - 1];
        assert!(last.contains("0 keys and 40000 tags") && last.contains(&port.to_string()), "{last}");
        proxy.up().await;
        until("the server is back", async || store.get("other").await.is_ok()).await;
        assert_eq!(store.value("unrelated").await, None);
    }
}

/// Keys of indexes on the server.
fn indexes(server: &Server) -> Vec<String> {
    let mut keys = server.raw().keys();
    keys.retain(|key| key.starts_with("p!i:"));
    keys
}

fn wide_shards(server: &Server) -> usize {
    let wide = Tag::WIDE.to_string();
    indexes(server).iter().filter(|key| key.ends_with(&wide)).count()
}

async fn found(store: &Store, tag: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for index in MemcachedStore::indexes_of(Tag::of(tag)) {
        keys.extend(store.members_of(index).await);
    }
    keys.sort();
    keys.dedup();
    keys
}

#[tokio::test]
async fn an_entry_of_many_tags_is_a_member_of_one_index() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let namespaces: Vec<String> = (0..8).map(|i| format!("!ns:{i}")).collect();
    // Tags of namespaces have no index, and do not count.
    let sixteen = [names(0, 16), namespaces.clone()].concat();
    store.set("sixteen", &strs(&sixteen), "v", None).await.unwrap();
    assert_eq!((indexes(&server).len(), wide_shards(&server)), (16, 0));
    store.set("namespaces", &strs(&namespaces), "v", None).await.unwrap();
    assert_eq!(indexes(&server).len(), 16);
    store.set("seventeen", &strs(&names(100, 17)), "v", None).await.unwrap();
    store.set("wide", &strs(&names(90, 450)), "v", None).await.unwrap();
    assert_eq!(indexes(&server).len() - 16, wide_shards(&server));
    assert_eq!(store.members_of(Tag::WIDE).await, ["seventeen", "wide"]);
    for (tag, keys) in
        [("variant_3", &["seventeen", "sixteen", "wide"][..]), ("variant_100", &["seventeen", "wide"])]
    {
        assert_eq!(found(&store, tag).await, keys, "{tag}");
    }
    assert_eq!(
        MemcachedStore::indexes_of(Tag::of("!ns:0")).chain(MemcachedStore::indexes_of(Tag::ROOT)).count(),
        0
    );
}

#[tokio::test]
async fn a_page_holds_what_is_small_and_a_large_shard_alone() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let pages = async || {
        let (mut pages, mut keys) = (0, 0);
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let page = store.0.members(Tag::of("t"), &[], at, time::now()).await.unwrap();
            (pages, keys, cursor) = (pages + 1, keys + page.keys.len(), page.next);
        }
        (pages, keys)
    };
    assert_eq!(pages().await, (1, 0));
    let long = "x".repeat(10_000);
    let set = async |some: std::ops::Range<usize>, tail: &str| {
        let writes = some.map(|i| write(&format!("{i}{tail}"), &["t"], b"v", None)).collect();
        store.0.write(writes, time::now()).await.into_iter().for_each(|written| _ = written.unwrap());
    };
    set(0..300, "").await;
    assert_eq!(pages().await, (1, 300));
    set(0..128, &long).await;
    let sizes: usize =
        (0..16).map(|shard| server.raw().value(&shard_key(Tag::of("t"), shard)).unwrap().len()).sum();
    let (count, keys) = pages().await;
    assert!(keys == 428 && count > sizes / (128 * 1024) && count <= 16, "{count} pages of {sizes} bytes");
}

#[tokio::test]
async fn what_has_moved_to_another_index_leaves_its_old_one() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let names = names(0, 17);
    let (few, many) = (strs(&names[..1]), strs(&names));
    let tag = Tag::of("variant_0");
    for (tags, old, new) in [(&many, tag, Tag::WIDE), (&few, Tag::WIDE, tag)] {
        let before = if tags.len() == 1 { &many } else { &few };
        store.set("k", before, "1", None).await.unwrap();
        store.set("k", tags, "2", None).await.unwrap();
        assert_eq!(found(&store, "variant_0").await, ["k"]);
        // As a sweep sees it.
        let sorted = {
            let mut sorted: Vec<Tag> = tags.iter().map(|tag| Tag::of(tag)).collect();
            sorted.sort_unstable();
            sorted
        };
        assert!(MemcachedStore::is_listed(new, &sorted) && !MemcachedStore::is_listed(old, &sorted));
        let Ok(ReadEntry::Present(WireEntry { lease, .. })) = store.read("k", false).await.entry else {
            panic!("it is there")
        };
        store
            .0
            .prune_index(old, vec![StaleMember { key: "k".into(), seen: Some(lease), retagged: true }])
            .await
            .unwrap();
        assert!(store.members_of(old).await.is_empty());
        assert_eq!(
            (store.members_of(new).await, store.value("k").await),
            (vec!["k".to_owned()], Some("2".into()))
        );
    }
}

/// The server's limit, which no number of tags can be told from.
#[tokio::test]
async fn tags_that_an_item_cannot_hold_are_an_error_and_leave_no_older_value() {
    let server = Server::start(&[]);
    let store = patient(vec![server.endpoint()]);
    store.fill("k", &["t"], "old").await;
    let guard = store.get("k").await.unwrap().1;
    let names = names(0, 132_000);
    let error = store.set("k", &strs(&names), "v", Some(guard)).await.unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    let words = ["132000 tags", "-I", "1048576"];
    assert!(words.iter().all(|word| error.message.contains(word)), "{error}");
    assert_eq!(store.value("k").await, None);
    let short = Write { body: entry(guard.epoch, &["t"], b"new", MINUTE), ..write("k", &["t"], b"", None) };
    store.write(short).await.unwrap();
    assert_eq!(store.value("k").await.as_deref(), Some("new"));
}

/// The set is looked at as often as it sends something; what was sent is answered before the clear begins.
#[tokio::test]
async fn a_clear_between_any_two_steps_of_a_set_ends_it() {
    for count in [1, 3] {
        let servers: Vec<_> = (0..count).map(|_| Server::start(&[])).collect();
        let endpoints: Vec<_> = servers.iter().map(Server::endpoint).collect();
        let (store, other) = (patient(endpoints.clone()), patient(endpoints));
        store.fill("warm", &["w"], "v").await;
        other.fill("warmer", &["w"], "v").await;
        for width in [1, 450] {
            for steps in 1..=4 {
                let names = names(steps * 1_000, width);
                let names = strs(&names);
                let key = format!("k{width}:{steps}");
                let guard = store.miss(&key).await;
                let mut set = store.set(&key, &names, "old", Some(guard)).boxed_local().fuse();
                for _ in 0..steps {
                    drop(set.poll_unpin(&mut Context::from_waker(Waker::noop())));
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                other.clear_tags(&names[width - 1..], Invalidation::Hard).await.unwrap();
                if !set.is_terminated() {
                    set.await.unwrap();
                }
                assert_eq!(store.value(&key).await, None, "{width} tags, cleared after step {steps}");
            }
        }
    }
}
