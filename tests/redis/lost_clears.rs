//! Failovers that lose a clear which was acknowledged: no process reads what it had cleared or had seen cleared.

use crate::proxy::Proxy;
use crate::server::{Server, ask};
use crate::store::{Store, by_tags, config, space, tagged};
use cachalot::config::{Endpoint, RedisConfig};
use cachalot::events::Event;
use cachalot::model::tag::Invalidation;
use cachalot::model::time;
use cachalot::store::form::{WireEntry, WireVersion};
use cachalot::store::request::WriteOutcome;
use cachalot::store::request::{ReadEntry, SeenVersion};
use cachalot::store::traits::EntryStore;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub fn at(server: &Server) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port).into()
}

pub fn through(proxy: &Proxy, server: &Server) -> RedisConfig {
    let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port: proxy.address.port() };
    RedisConfig { endpoint, ..config(server) }
}

/// A server that does not wait for more replicas before it feeds one.
pub fn primary() -> Server {
    Server::with(&["--repl-diskless-sync-delay", "0"])
}

pub fn replicate(replica: &Server, primary: &Server) {
    ask::<()>(&mut replica.raw(), &["REPLICAOF", "127.0.0.1", &primary.port.to_string()]);
}

/// It lags from now on: whatever the primary does it will never hear of.
pub fn promote(replica: &Server) {
    ask::<()>(&mut replica.raw(), &["REPLICAOF", "NO", "ONE"]);
}

pub fn demote(primary: &Server) {
    // The new primary is not reached (yet): it serves what it has, as replicas do by default.
    ask::<()>(&mut primary.raw(), &["REPLICAOF", "127.0.0.1", "1"]);
}

pub async fn synced(primary: &Server) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut raw = primary.raw();
    // It waits for what was written over its own connection, and so for all that came before.
    ask::<()>(&mut raw, &["SET", "synced", "1"]);
    while ask::<i64>(&mut raw, &["WAIT", "1", "500"]) < 1 {
        assert!(Instant::now() < deadline);
    }
}

/// A primary, a replica of it, and a store that reaches the primary through a proxy.
pub struct Pair {
    pub primary: Server,
    pub replica: Server,
    pub proxy: Proxy,
    pub store: Store,
}

impl Pair {
    pub async fn start() -> Self {
        let (primary, replica) = (primary(), primary());
        let proxy = Proxy::start(at(&primary)).await;
        let store = Store::with(through(&proxy, &primary));
        replicate(&replica, &primary);
        Pair { primary, replica, proxy, store }
    }

    /// The replica has everything so far, and nothing of what comes.
    pub async fn part(&self) {
        synced(&self.primary).await;
        promote(&self.replica);
    }

    async fn lead_to(&self, server: &Server) {
        self.down().await;
        self.up(server).await;
    }

    async fn down(&self) {
        self.proxy.down().await;
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.store.look("x").await.is_ok() {
            assert!(Instant::now() < deadline, "it is still connected");
        }
    }

    async fn up(&self, server: &Server) {
        self.proxy.retarget(at(server));
        self.proxy.up().await;
    }

    async fn first_read(&self, key: &str) -> Option<String> {
        first_read(&self.store, key).await
    }

    /// Warnings that everything was cleared.
    fn warnings(&self) -> usize {
        let events = self.store.events.lock().unwrap();
        events.iter().filter(|event| matches!(event, Event::Warning { .. })).count()
    }
}

pub async fn first_read(store: &Store, key: &str) -> Option<String> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        if let Ok((found, _)) = store.look(key).await {
            return found;
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn key(key: &str) -> cachalot::store::request::Clear {
    cachalot::store::request::Clear { keys: vec![key.into()], tags: vec![], invalidation: Invalidation::Hard }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_replica_is_noticed() {
    let pair = Pair::start().await;
    pair.store.put("k", "old", &["t"]).await;
    pair.part().await;
    pair.store.clear_tags(&["t"]).await;
    assert_eq!(pair.store.get("k").await, None);
    pair.lead_to(&pair.replica).await;
    assert_eq!(pair.first_read("k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_clears_something_else_first() {
    let pair = Pair::start().await;
    pair.store.put("k", "old", &["t"]).await;
    pair.part().await;
    pair.store.clear_tags(&["t"]).await;
    assert_eq!(pair.store.get("k").await, None);
    pair.down().await;
    let other = Store::open(&pair.replica);
    assert_eq!(first_read(&other, "k").await.as_deref(), Some("old"));
    other.clear_tags(&["unrelated"]).await;
    pair.up(&pair.replica).await;
    assert_eq!(pair.first_read("k").await, None);
    // And so for all.
    assert_eq!(other.get("k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generation_had_changed() {
    let pair = Pair::start().await;
    pair.store.put("k", "old", &["t"]).await;
    pair.part().await;
    // Evicted on the primary, say: a new generation begins.
    ask::<()>(&mut pair.primary.raw(), &["DEL", &space().epoch()]);
    pair.store.put("k", "new", &["t"]).await;
    assert_eq!(pair.store.get("k").await.as_deref(), Some("new"));
    pair.store.clear_tags(&["t"]).await;
    assert_eq!(pair.store.get("k").await, None);
    pair.lead_to(&pair.replica).await;
    assert_eq!(pair.first_read("k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_of_the_lost_history_stores_nothing() {
    for is_ahead in [true, false] {
        a_miss_of_a_lost_history(is_ahead).await;
    }
}

async fn a_miss_of_a_lost_history(is_ahead: bool) {
    let pair = Pair::start().await;
    pair.store.put("k", "old", &["t"]).await;
    pair.part().await;
    if is_ahead {
        // As a primary whose clock is a minute ahead would have it after a clear.
        let epoch: String = ask(&mut pair.primary.raw(), &["GET", &space().epoch()]);
        let (generation, n) = epoch.split_once(' ').unwrap();
        let ahead = format!("{generation} {}", n.parse::<u64>().unwrap() + 60_000_000);
        ask::<()>(&mut pair.primary.raw(), &["SET", &space().epoch(), &ahead]);
    }
    let reply = pair.store.backend.read(&["k2".to_owned()], time::now(), None).await.unwrap();
    let Ok(cachalot::store::request::ReadEntry::Absent(lease)) = reply[0].entry else { panic!("{reply:?}") };
    assert!(lease.is_some(), "a miss tells its history");
    let write = |lease| {
        let mut write = tagged(&["t"]).after(reply[0].epoch).write("k2", "read before the failover");
        write.guard.as_mut().unwrap().lease = lease;
        pair.store.backend.write(vec![write], time::now())
    };
    assert_eq!(write(lease).await.remove(0).unwrap(), WriteOutcome::Stored(None));
    // Its number is past the miss's, unless that was ahead: only the history tells.
    Store::open(&pair.replica).clear_tags(&["unrelated"]).await;
    pair.lead_to(&pair.replica).await;
    pair.first_read("k").await;
    // One that does not say of which history it is may be of the lost one.
    for lease in [lease, None] {
        assert_eq!(write(lease).await.remove(0).unwrap(), WriteOutcome::Stale, "{lease:?}");
    }
    pair.store.clear_tags(&["t"]).await;
    assert_eq!(pair.store.get("k2").await, None);
    pair.store.put("k2", "v", &["t"]).await;
    assert_eq!(pair.store.get("k2").await.as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_cleared_is_cleared_again() {
    let pair = Pair::start().await;
    let (store, other) = (&pair.store, Store::open(&pair.primary));
    for key in ["tag", "soft", "key", "swapped", "seen", "kept"] {
        store.put(key, "old", &[key, "all"]).await;
    }
    pair.part().await;
    // Of more tags than one call of the script takes.
    let many: Vec<String> = (0..1_200).map(|i| format!("many{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).chain(["tag"]).collect();
    store.clear_tags(&many).await;
    store.clear(by_tags(&["soft"], Invalidation::Soft)).await.unwrap();
    store.clear(key("key")).await.unwrap();
    other.clear_tags(&["seen"]).await;
    assert_eq!(store.get("seen").await, None);
    let found = store.backend.read(&["swapped".to_owned()], time::now(), None).await.unwrap().remove(0).entry;
    let Ok(ReadEntry::Present(WireEntry { bytes, lease, .. })) = found else { panic!("{found:?}") };
    let seen = SeenVersion::Present(WireVersion { bytes, lease });
    assert!(store.backend.swap("swapped", seen, None, time::now()).await.unwrap());
    pair.lead_to(&pair.replica).await;
    assert_eq!(pair.first_read("kept").await.as_deref(), Some("old"));
    for key in ["tag", "soft", "key", "swapped", "seen"] {
        assert_eq!(store.get(key).await, None, "{key}");
    }
    assert_eq!(store.get("kept").await.as_deref(), Some("old"));
    assert_eq!(pair.warnings(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_of_everything_is_made_again_and_told() {
    let pair = Pair::start().await;
    pair.store.put("k", "old", &["t"]).await;
    pair.part().await;
    pair.store.clear_tags(&["u"]).await;
    pair.store.clear_tags(&["*"]).await;
    pair.lead_to(&pair.replica).await;
    assert_eq!(pair.first_read("k").await, None);
    assert_eq!(pair.warnings(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_is_remembered_becomes_a_clear_of_everything() {
    let pair = Pair::start().await;
    pair.store.put("first", "old", &["first"]).await;
    pair.store.put("kept", "old", &["kept"]).await;
    pair.part().await;
    pair.store.clear_tags(&["first"]).await;
    for part in 0..33 {
        let tags: Vec<String> = (0..1_000).map(|i| format!("{part}-{i}")).collect();
        pair.store.clear_tags(&tags.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    pair.lead_to(&pair.replica).await;
    assert_eq!(pair.first_read("first").await, None);
    assert_eq!(pair.store.get("kept").await, None);
    assert_eq!(pair.warnings(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_primary_comes_back() {
    let pair = Pair::start().await;
    let Pair { primary, replica, store, .. } = &pair;
    store.put("k", "old", &["t"]).await;
    store.put("k2", "old", &["u"]).await;
    pair.part().await;
    store.clear_tags(&["t"]).await;
    pair.lead_to(replica).await;
    assert_eq!(pair.first_read("k").await, None);
    store.clear_tags(&["u"]).await;
    assert_eq!(store.get("k2").await, None);
    // What was cleared on the other one is not cleared there; it has the same run_id, and the same history, as before.
    pair.lead_to(primary).await;
    assert_eq!(pair.first_read("k2").await, None);
    assert_eq!(store.get("k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cleared_again_is_lost_again() {
    let pair = Pair::start().await;
    let second = Server::start();
    let Pair { replica, store, .. } = &pair;
    store.put("k", "old", &["t"]).await;
    pair.part().await;
    replicate(&second, replica);
    synced(replica).await;
    promote(&second);
    store.clear_tags(&["t"]).await;
    pair.lead_to(replica).await;
    assert_eq!(pair.first_read("k").await, None);
    pair.lead_to(&second).await;
    assert_eq!(pair.first_read("k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_cleared_again_is_not_read_and_is_tried_again() {
    let pair = Pair::start().await;
    let Pair { replica, store, .. } = &pair;
    store.put("k", "old", &["t"]).await;
    pair.part().await;
    store.clear_tags(&["t"]).await;
    let mut raw = replica.raw();
    ask::<()>(&mut raw, &["ACL", "SETUSER", "default", "-zadd"]);
    pair.lead_to(replica).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        assert!(store.look("k").await.is_err());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ask::<()>(&mut raw, &["ACL", "SETUSER", "default", "+zadd"]);
    assert_eq!(pair.first_read("k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_of_everything_by_another_is_seen_by_the_floor_of_the_log() {
    let pair = Pair::start().await;
    let store = &pair.store;
    store.put("k", "old", &["t"]).await;
    pair.part().await;
    Store::open(&pair.primary).clear_tags(&["*"]).await;
    assert_eq!(store.get("k").await, None);
    pair.lead_to(&pair.replica).await;
    assert_eq!(pair.first_read("k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_ask_for_the_history_has_everything_cleared_if_the_number_went_back() {
    let (primary, replica) = (primary(), Server::start());
    for server in [&primary, &replica] {
        ask::<()>(
            &mut server.raw(),
            &["ACL", "SETUSER", "shop", "on", "nopass", "~*", "&*", "+@all", "-info"],
        );
    }
    let proxy = Proxy::start(at(&primary)).await;
    let user = RedisConfig {
        username: Some("shop".into()),
        password: Some("any".into()),
        ..through(&proxy, &primary)
    };
    let store = Store::with(user);
    replicate(&replica, &primary);
    let pair = Pair { primary, replica, proxy, store };
    pair.store.put("k", "old", &["t"]).await;
    pair.store.put("kept", "old", &["u"]).await;
    pair.part().await;
    pair.store.clear_tags(&["t"]).await;
    pair.lead_to(&pair.replica).await;
    assert_eq!(pair.first_read("k").await, None);
    assert_eq!(pair.store.get("kept").await, None);
    assert_eq!(pair.warnings(), 1);
}
