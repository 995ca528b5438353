//! Each method of the backend, on one server and on three.

use crate::server::Server;
use crate::store::{MINUTE, Store, entry, open, record, record_key, shard_key, until, with, write};
use cachalot::error::Code;
use cachalot::model::tag::{Epoch, Invalidation, Record, Tag};
use cachalot::model::time;
use cachalot::model::ttl::Ttl;
use cachalot::store::form::WireEntry;
use cachalot::store::request::{ReadEntry, StaleMember, Write, WriteOutcome};
use cachalot::store::traits::{EntryStore, IndexStore};

fn three() -> (Vec<Server>, Store) {
    let servers: Vec<_> = (0..3).map(|_| Server::start(&[])).collect();
    let store = open(servers.iter().map(Server::endpoint).collect());
    (servers, store)
}

#[tokio::test]
async fn what_is_set_after_a_miss_is_found() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    store.fill("k", &["a", "b"], "v").await;
    assert_eq!(store.value("k").await.as_deref(), Some("v"));
    assert_eq!(store.value("other").await, None);
}

#[tokio::test]
async fn an_unguarded_set_is_stamped_with_the_current_epoch_and_replaces_what_is_there() {
    let server = Server::start(&[]);
    let (store, other) = (open(vec![server.endpoint()]), open(vec![server.endpoint()]));
    assert!(matches!(store.set("k", &["t"], "1", None).await, Ok(WriteOutcome::Stored(_))));
    assert_eq!(other.value("k").await.as_deref(), Some("1"));
    // The other's clear makes the epoch that this one has seen an old one.
    other.clear_tags(&["t"], Invalidation::Hard).await.unwrap();
    assert!(matches!(store.set("k", &["t"], "2", None).await, Ok(WriteOutcome::Stored(Some(_)))));
    assert_eq!(other.value("k").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn keys_spread_over_three_servers_and_every_one_is_found() {
    let (servers, store) = three();
    let keys: Vec<String> = (0..60).map(|i| format!("k{i}")).collect();
    let writes =
        keys.iter().map(|key| write(key, &[&format!("t:{key}"), "all"], key.as_bytes(), None)).collect();
    for written in store.0.write(writes, time::now()).await {
        assert!(matches!(written, Ok(WriteOutcome::Stored(Some(_)))), "{written:?}");
    }
    for key in &keys {
        assert_eq!(store.value(key).await.as_ref(), Some(key));
        let holders =
            servers.iter().filter(|server| server.raw().value(&format!("p::{key}")).is_some()).count();
        assert_eq!(holders, 1, "{key}");
    }
    for server in &servers {
        assert!(keys.iter().any(|key| server.raw().value(&format!("p::{key}")).is_some()));
    }
    assert_eq!(store.members("all").await.len(), 60);
    store.clear_tags(&["t:k7"], Invalidation::Hard).await.unwrap();
    assert_eq!(store.value("k7").await, None);
    assert_eq!(store.value("k8").await.as_deref(), Some("k8"));
    store.clear_tags(&["*"], Invalidation::Hard).await.unwrap();
    assert_eq!(store.value("k8").await, None);
}

#[tokio::test]
async fn clears_reach_what_they_name_and_no_more() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    for (key, tags) in [("a", &["t"][..]), ("b", &["t", "u"]), ("c", &["u"]), ("d", &[])] {
        store.set(key, tags, key, None).await.unwrap();
    }
    store.clear_key("a").await.unwrap();
    store.clear_key("nothing").await.unwrap();
    assert_eq!(store.value("a").await, None);
    assert_eq!(store.value("b").await.as_deref(), Some("b"));
    store.clear_tags(&["t", "never-used"], Invalidation::Soft).await.unwrap();
    assert_eq!(store.value("b").await, None);
    assert_eq!(store.value("c").await.as_deref(), Some("c"));
    store.clear_tags(&["*"], Invalidation::Soft).await.unwrap();
    assert_eq!((store.value("c").await, store.value("d").await), (None, None));
}

#[tokio::test]
async fn an_automatic_clear_raises_only_its_own_field() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    store.set("k", &["t"], "v", None).await.unwrap();
    let before = record(&server, "t");
    store.clear_tags(&["t"], Invalidation::Soft).await.unwrap();
    let after = record(&server, "t");
    assert_eq!(after.all, before.all);
    assert!(after.auto > before.auto);
    let epoch = store.read("k", false).await.epoch;
    assert_eq!(Record { all: before.all, ..Record::at(epoch) }, after);
}

#[tokio::test]
async fn records_and_shards_outlive_their_entries_and_a_clear_keeps_a_records_life() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let mut raw = server.raw();
    store.set("k", &["t"], "v", None).await.unwrap();
    let life = |raw: &mut crate::server::Raw| raw.life(&record_key("t")).unwrap();
    assert!((150..=190).contains(&life(&mut raw)), "{}", life(&mut raw));
    store.clear_tags(&["t"], Invalidation::Hard).await.unwrap();
    assert!((150..=190).contains(&life(&mut raw)), "{}", life(&mut raw));
    // A longer entry lengthens it; a shorter one does not shorten it.
    let long = Write { ttl: Ttl::Ms(3_600_000), ..write("long", &["t"], b"v", None) };
    store.write(long).await.unwrap();
    until("the record lives longer", async || life(&mut raw) > 7_000).await;
    until("the shard lives longer", async || {
        (0..16).any(|shard| raw.life(&shard_key(Tag::of("t"), shard)).is_some_and(|life| life > 7_000))
    })
    .await;
    store.set("short", &["t"], "v", None).await.unwrap();
    assert!(life(&mut raw) > 7_000);
    // A life of more than 30 days is an absolute time on the wire.
    let year = Write { ttl: Ttl::Ms(365 * 86_400_000), ..write("year", &["t"], b"v", None) };
    store.write(year).await.unwrap();
    let left = raw.life("p::year").unwrap();
    assert!((364 * 86_400..=366 * 86_400).contains(&left), "{left}");
    store.write(Write { ttl: Ttl::Forever, ..write("ever", &["t"], b"v", None) }).await.unwrap();
    assert_eq!(raw.life("p::ever"), Some(-1));
    until("the record lives for ever", async || raw.life(&record_key("t")) == Some(-1)).await;
    assert_eq!(raw.life("p!e"), Some(-1));
}

#[tokio::test]
async fn what_memcached_cannot_hold_as_a_key_is_hashed() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let long = "x".repeat(4_000);
    for key in ["with space", "line\r\nbreak", "\u{7f}", &long] {
        assert!(store.0.hashes_key(key));
        store.fill(key, &["tag with space", &long], key).await;
        assert_eq!(store.value(key).await.as_deref(), Some(key));
    }
    assert!(!store.0.hashes_key("plain-é"));
    store.fill("plain-é", &[], "v").await;
    assert_eq!(store.members(&long).await.len(), 4);
    store.clear_tags(&["tag with space"], Invalidation::Hard).await.unwrap();
    assert_eq!(store.value("with space").await, None);
    assert_eq!(store.value("plain-é").await.as_deref(), Some("v"));
}

#[tokio::test]
async fn a_server_that_takes_less_than_was_told_is_a_clear_error_and_leaves_no_older_value() {
    let server = Server::start(&["-I", "512k"]);
    let store = open(vec![server.endpoint()]);
    store.fill("k", &["t"], "old").await;
    let (_, guard) = store.get("k").await.unwrap();
    let error = store.write(write("k", &["t"], &vec![b'x'; 600_000], Some(guard))).await.unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    let words = ["-I", "1048576", "maxItemBytes"];
    assert!(words.iter().all(|word| error.message.contains(word)), "{error}");
    assert_eq!(store.value("k").await, None);
}

#[tokio::test]
async fn a_large_entry_is_stored_where_the_server_takes_it() {
    let server = Server::start(&["-I", "8m"]);
    let mut config = crate::store::config(vec![server.endpoint()]);
    config.max_item_bytes = 8 * 1024 * 1024;
    let store = with(config);
    let large = "y".repeat(5_000_000);
    store.fill("k", &["t"], &large).await;
    assert_eq!(store.value("k").await, Some(large));
}

#[tokio::test]
async fn a_server_out_of_memory_is_an_error_and_leaves_no_older_value() {
    let server = Server::start(&["-M", "-m", "2"]);
    let store = open(vec![server.endpoint()]);
    store.set("k", &[], "old", None).await.unwrap();
    let body = vec![b'x'; 400_000];
    let mut failed = None;
    for i in 0..50 {
        if let Err(error) = store.write(write(&format!("fill{i}"), &[], &body, None)).await {
            failed = Some(error);
            break;
        }
    }
    let error = failed.expect("the server takes more than its memory");
    assert_eq!(error.code, Code::Server);
    assert!(error.message.contains("-m"), "{error}");
    assert_eq!(store.write(write("k", &[], &body, None)).await.unwrap_err().code, Code::Server);
    assert_eq!(store.value("k").await, None);
}

#[tokio::test]
async fn garbage_in_the_store_is_a_miss_that_the_next_set_replaces() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let mut raw = server.raw();
    store.fill("k", &["t"], "v").await;
    for key in ["p::k", &record_key("t"), &record_key("*"), "p!e"] {
        for garbage in ["x", "99999999999999999999999", "\u{0}", "?x", "0000000000000001 1"] {
            raw.set(key, garbage);
            // Validity is between an entry and its records; the epoch matters to those who set and clear.
            let expected = (key == "p!e").then_some("v");
            assert_eq!(store.value("k").await.as_deref(), expected, "{key} holding {garbage:?}");
            store.clear_tags(&["t"], Invalidation::Hard).await.unwrap();
            assert_eq!(store.value("k").await, None, "{key} held {garbage:?}");
            // Where the epoch or a record was lost, one set may be in vain.
            for _ in 0..2 {
                let guard = store.get("k").await.unwrap().1;
                store.set("k", &["t"], "v", Some(guard)).await.unwrap();
            }
            assert_eq!(store.value("k").await.as_deref(), Some("v"), "{key} held {garbage:?}");
        }
    }
}

#[tokio::test]
async fn members_come_back_once_and_bury_removes_the_dead_but_no_newer_version() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    for i in 0..40 {
        store.set(&format!("k{i:02}"), &["t"], "v", None).await.unwrap();
    }
    store.set("k00", &["t"], "again", None).await.unwrap();
    assert_eq!(store.members("t").await.len(), 40);
    assert!(store.members("*").await.is_empty());

    let mut dead = Vec::new();
    for key in ["k00", "k01", "k02"] {
        let Ok(ReadEntry::Present(WireEntry { lease, .. })) = store.read(key, false).await.entry else {
            panic!("{key}")
        };
        dead.push(StaleMember { key: key.into(), seen: Some(lease), retagged: key == "k02" });
    }
    // Set after it was judged, so it stays; of the absent ones, one has been set meanwhile.
    store.set("k01", &["t"], "newer", None).await.unwrap();
    server.raw().delete("p::k03");
    dead.push(StaleMember { key: "k03".into(), seen: None, retagged: false });
    dead.push(StaleMember { key: "k04".into(), seen: None, retagged: false });
    store.0.prune_index(Tag::of("t"), dead).await.unwrap();
    assert_eq!(store.value("k00").await, None);
    assert_eq!(store.value("k01").await.as_deref(), Some("newer"));
    assert_eq!(store.value("k02").await.as_deref(), Some("v"));
    let members = store.members("t").await;
    for (key, there) in [("k00", false), ("k01", true), ("k02", false), ("k03", false), ("k04", true)] {
        assert_eq!(members.iter().any(|member| member == key), there, "{key}");
    }
    assert_eq!(members.len(), 37);
}

#[tokio::test]
async fn a_set_born_invalid_says_so_and_sends_nothing() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    store.fill("k", &["t"], "v").await;
    let good = store.get("k").await.unwrap().1;
    for guard in [
        cachalot::store::guard::Guard { epoch: Epoch::NONE, ..good },
        cachalot::store::guard::Guard { lease: None, ..good },
        cachalot::store::guard::Guard {
            lease: good.lease.map(|l| cachalot::store::guard::Lease { link: l.link + 1, ..l }),
            ..good
        },
    ] {
        assert_eq!(store.set("k", &["t"], "x", Some(guard)).await.unwrap(), WriteOutcome::Stale);
    }
    assert_eq!(store.value("k").await.as_deref(), Some("v"));
    let bytes = entry(good.epoch, &["t"], b"w", MINUTE);
    let w = Write { body: bytes, ..write("k", &["t"], b"", Some(good)) };
    assert!(matches!(store.write(w).await, Ok(WriteOutcome::Stored(Some(_)))));
    assert_eq!(store.value("k").await.as_deref(), Some("w"));
}
