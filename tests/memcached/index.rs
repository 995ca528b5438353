//! The index stays near the size of what it lists.

use crate::server::Server;
use crate::store::{MINUTE, Store, config, open, shard_key, until, with, write};
use cachalot::model::tag::Tag;
use cachalot::model::time;
use cachalot::model::ttl::Ttl;
use cachalot::store::request::Write;
use cachalot::store::traits::{EntryStore, IndexStore};

/// Bytes of all shards of `t`.
fn bytes(server: &Server) -> Vec<usize> {
    let mut raw = server.raw();
    (0..16).map(|shard| raw.value(&shard_key(Tag::of("t"), shard)).map_or(0, |value| value.len())).collect()
}

async fn set_many(store: &Store, names: impl IntoIterator<Item = String>, ttl: Ttl) {
    let writes: Vec<Write<_>> =
        names.into_iter().map(|name| Write { ttl, ..write(&name, &["t"], b"v", None) }).collect();
    for written in store.0.write(writes, time::now()).await {
        written.unwrap();
    }
}

#[tokio::test]
async fn entries_that_expired_are_told_and_pruned() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    for page in 0..10 {
        set_many(&store, (0..500).map(|i| format!("short{page}:{i}")), Ttl::Ms(1_500)).await;
    }
    set_many(&store, (0..100).map(|i| format!("long{i}")), MINUTE).await;
    while !store.0.oversized_indexes(time::now()).is_empty() {}
    assert_eq!(store.members("t").await.len(), 5_100);
    let told = async || store.0.oversized_indexes(time::now()) == [Tag::of("t")];
    until("the tag is told once its members have expired", told).await;
    until("they have all expired", async || store.members("t").await.len() == 100).await;
    let left: usize = bytes(&server).iter().sum();
    assert!(left <= 100 * 16 * 2 + 16 * 700, "{left} bytes for 100 members");
}

#[tokio::test]
async fn setting_the_same_keys_again_and_again_is_told_and_compacted() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let mut told = 0;
    for _ in 0..100 {
        set_many(&store, (0..50).map(|i| format!("k{i}")), MINUTE).await;
        for tag in store.0.oversized_indexes(time::now()) {
            told += 1;
            assert_eq!(store.members_of(tag).await.len(), 50);
        }
    }
    assert!((2..50).contains(&told), "{told}");
    let left: usize = bytes(&server).iter().sum();
    assert!(left < 100 * 50 * 13 / 2, "{left} bytes for 50 members");
}

#[tokio::test]
async fn waste_is_compacted_without_anyone_asking() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let key = "k".repeat(60_000);
    for _ in 0..40 {
        set_many(&store, [key.clone()], MINUTE).await;
    }
    until("the waste is gone", async || bytes(&server).iter().sum::<usize>() < 330_000).await;
    assert_eq!(store.members("t").await, [key]);
}

#[tokio::test]
async fn a_shard_never_passes_the_item_limit_and_drops_the_oldest() {
    let server = Server::start(&["-I", "512k"]);
    let mut config = config(vec![server.endpoint()]);
    config.max_item_bytes = 512 * 1024;
    let store = with(config);
    let name = |i: usize| format!("{i:05}{}", "x".repeat(4_000));
    for page in 0..60 {
        set_many(&store, (0..50).map(|i| name(page * 50 + i)), MINUTE).await;
    }
    // 3,000 x 4 kB do not fit into 16 shards of 512 KiB.
    assert!(bytes(&server).iter().all(|bytes| *bytes < 512 * 1024));
    let members = store.members("t").await;
    assert!((500..2_100).contains(&members.len()), "{}", members.len());
    assert!(members.contains(&name(2_999)) && !members.contains(&name(0)));
}

#[tokio::test]
async fn a_lost_shard_is_made_anew() {
    let server = Server::start(&[]);
    let (store, other) = (open(vec![server.endpoint()]), open(vec![server.endpoint()]));
    set_many(&store, (0..100).map(|i| format!("a{i}")), MINUTE).await;
    for shard in 0..16 {
        server.raw().delete(&shard_key(Tag::of("t"), shard));
    }
    assert!(store.members("t").await.is_empty());
    // Two at once find the shards gone: both sets' members are there after it.
    let (one, two) = ((0..100).map(|i| format!("b{i}")), (0..100).map(|i| format!("c{i}")));
    tokio::join!(set_many(&store, one, MINUTE), set_many(&other, two, MINUTE));
    assert_eq!(store.members("t").await.len(), 200);
}

#[tokio::test]
async fn noise_in_a_shard_hides_members_and_is_pruned() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    for shard in 0..16 {
        server.raw().set(&shard_key(Tag::of("t"), shard), &"noise".repeat(1_000));
    }
    assert!(store.members("t").await.is_empty());
    assert_eq!(bytes(&server).iter().sum::<usize>(), 0);
    set_many(&store, (0..20).map(|i| format!("k{i}")), MINUTE).await;
    assert_eq!(store.members("t").await.len(), 20);
}
