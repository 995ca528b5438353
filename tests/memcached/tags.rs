//! The promise: a read never returns what a finished clear removed, whatever is lost and in whatever order it happens.

use crate::server::{Raw, Server};
use crate::store::{Store, config, open, record, record_key, until, with};
use cachalot::model::tag::Invalidation;
use cachalot::store::guard::Guard;
use cachalot::store::request::WriteOutcome;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

const KEYS: usize = 3;

/// What a test's database holds: a version per key.
struct Truth([AtomicU64; KEYS]);

fn version(value: &str) -> u64 {
    value.parse().unwrap()
}

/// Its own, one that all have, and so many that overlap with the next key's.
fn tags(key: usize, wide: usize) -> Vec<String> {
    let many = (0..wide).map(|i| format!("t{}", key * wide / 5 + i));
    [format!("own{key}"), "shared".into()].into_iter().chain(many).collect()
}

fn as_strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

async fn set(store: &Store, key: usize, value: u64, guard: Guard, wide: usize) {
    let tags = tags(key, wide);
    store.set(&format!("k{key}"), &as_strs(&tags), &value.to_string(), Some(guard)).await.unwrap();
}

async fn clear(store: &Store, key: usize, how: u32, wide: usize) {
    let tags = tags(key, wide);
    let own = &tags[0];
    match how % if wide > 0 { 7 } else { 5 } {
        0 => store.clear_key(&format!("k{key}")).await.unwrap(),
        1 => store.clear_tags(&[own], Invalidation::Hard).await.unwrap(),
        2 => store.clear_tags(&[own, "unused"], Invalidation::Soft).await.unwrap(),
        3 => store.clear_tags(&["*"], Invalidation::Hard).await.unwrap(),
        4 => store.clear_tags(&["shared"], Invalidation::Soft).await.unwrap(),
        more => {
            let some = as_strs(&tags[2 + how as usize % wide..]);
            let raise = if more == 5 { Invalidation::Hard } else { Invalidation::Soft };
            store.clear_tags(&some, raise).await.unwrap();
        }
    }
}

/// Every bookkeeping key that these tests make.
fn bookkeeping() -> Vec<String> {
    let records = (0..KEYS).map(|key| record_key(&format!("own{key}")));
    records.chain(["p!e".into(), record_key("*"), record_key("shared")]).collect()
}

/// One step at a time, in every order that chance finds, with bookkeeping evicted in between.
#[tokio::test]
async fn random_orders_of_misses_sets_clears_and_evictions_never_show_old_data() {
    let servers = [Server::start(&[]), Server::start(&[])];
    let endpoints: Vec<_> = servers.iter().map(Server::endpoint).collect();
    let stores = [open(endpoints.clone()), open(endpoints)];
    let mut raws = servers.each_ref().map(Server::raw);
    let keys = bookkeeping();
    let (mut hits, mut evicted) = (0, 0);
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        raws.iter_mut().for_each(Raw::flush);
        let mut truth = [0u64; KEYS];
        let mut waiting: Vec<(usize, u64, Guard)> = Vec::new();
        for _ in 0..150 {
            let store = &stores[rng.random_range(0..2)];
            let key = rng.random_range(0..KEYS);
            match rng.random_range(0..32) {
                0..=15 => match store.get(&format!("k{key}")).await.unwrap() {
                    (Some(value), _) => {
                        hits += 1;
                        assert!(
                            version(&value) >= truth[key],
                            "seed {seed}: k{key} is {value}, not {}",
                            truth[key]
                        );
                    }
                    (None, guard) => waiting.push((key, truth[key], guard)),
                },
                16..=25 if !waiting.is_empty() => {
                    let (key, value, guard) = waiting.swap_remove(rng.random_range(0..waiting.len()));
                    set(store, key, value, guard, 0).await;
                }
                26..=29 => {
                    truth[key] += 1;
                    clear(store, key, rng.random(), 0).await;
                }
                30 => {
                    let lost = &keys[rng.random_range(0..keys.len())];
                    evicted += raws.iter_mut().filter_map(|raw| raw.delete(lost).then_some(1)).sum::<u32>();
                }
                _ => {}
            }
        }
    }
    // Or nothing was tested.
    assert!(hits > 500 && evicted > 100, "{hits} hits, {evicted} evictions");
}

/// The same at once, from two processes' worth of stores, over connections that interleave as they like: for 2.5 s, and
/// on a busy machine until so many hits and clears have raced.
struct Race {
    servers: usize,
    /// All bookkeeping is lost now and then, or the records of tags alone.
    evict: bool,
    new_tags: bool,
    /// Tags of each key beside its two.
    wide: usize,
    least: (u64, u64),
}

async fn race(race: Race) {
    let Race { servers, evict, new_tags, wide, least } = race;
    let servers: Vec<_> = (0..servers).map(|_| Server::start(&[])).collect();
    let endpoints: Vec<_> = servers.iter().map(Server::endpoint).collect();
    let mut config = config(endpoints);
    // It is not about time.
    config.timeouts.command_ms = if wide > 0 { 20_000 } else { config.timeouts.command_ms };
    let stores: Vec<_> = (0..3).map(|_| Arc::new(with(config.clone()))).collect();
    // A set of many tags takes longer, and is to be a hit now and then.
    let slowness = Arc::new(AtomicU64::new(if wide > 0 { 10 } else { 1 }));
    let pause =
        |of: &AtomicU64, micros: u64| tokio::time::sleep(Duration::from_micros(of.load(SeqCst) * micros));
    let truth = Arc::new(Truth(Default::default()));
    let running = Arc::new(AtomicBool::new(true));
    let (hits, clears) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for (at, store) in stores.iter().cloned().enumerate() {
        for reader in 0..6 {
            let (store, truth, running, hits) = (store.clone(), truth.clone(), running.clone(), hits.clone());
            tasks.push(tokio::spawn(async move {
                let mut rng = StdRng::seed_from_u64((at * 100 + reader) as u64);
                while running.load(SeqCst) {
                    let key = rng.random_range(0..KEYS);
                    let committed = truth.0[key].load(SeqCst) >> 32;
                    let (value, guard) = store.get(&format!("k{key}")).await.unwrap();
                    if let Some(value) = value {
                        hits.fetch_add(1, SeqCst);
                        assert!(
                            version(&value) >= committed,
                            "k{key} is {value}, {committed} was cleared before"
                        );
                        tokio::task::yield_now().await;
                        continue;
                    }
                    let read = truth.0[key].load(SeqCst) & 0xffff_ffff;
                    if rng.random_bool(0.3) {
                        tokio::time::sleep(Duration::from_micros(rng.random_range(0..1500))).await;
                    }
                    set(&store, key, read, guard, wide).await;
                }
            }));
        }
        let (store, truth, running, clears) = (store.clone(), truth.clone(), running.clone(), clears.clone());
        let slowness = slowness.clone();
        tasks.push(tokio::spawn(async move {
            // Each store clears a key of its own: high half = cleared, low half = committed.
            let mut rng = StdRng::seed_from_u64(1000 + at as u64);
            let key = at % KEYS;
            while running.load(SeqCst) {
                pause(&slowness, rng.random_range(200..4000)).await;
                let next = (truth.0[key].load(SeqCst) & 0xffff_ffff) + 1;
                let cleared = truth.0[key].load(SeqCst) >> 32;
                truth.0[key].store(cleared << 32 | next, SeqCst);
                clear(&store, key, rng.random(), wide).await;
                truth.0[key].store(next << 32 | next, SeqCst);
                clears.fetch_add(1, SeqCst);
            }
        }));
    }
    let keys = bookkeeping();
    let mut raws: Vec<_> = servers.iter().map(Server::raw).collect();
    let mut rng = StdRng::seed_from_u64(7);
    let (began, mut slowed) = (Instant::now(), Instant::now());
    let enough = || hits.load(SeqCst) > least.0 && clears.load(SeqCst) > least.1;
    while began.elapsed() < Duration::from_millis(if enough() { 2_500 } else { 40_000 })
        && tasks.iter().all(|task| !task.is_finished())
    {
        pause(&slowness, if wide > 0 { 20_000 } else { 2_000 }).await;
        // Nothing gets through on a machine that is slower than the clears: they come half as often.
        if slowed.elapsed() > Duration::from_secs(5) && !enough() {
            slowness.fetch_add(slowness.load(SeqCst), SeqCst);
            slowed = Instant::now();
        }
        if evict || new_tags {
            let some = if evict { &keys[..] } else { &keys[..KEYS] };
            let lost = some[rng.random_range(0..some.len())].clone();
            let one_of_many = (wide > 0).then(|| record_key(&format!("t{}", rng.random_range(0..wide))));
            for raw in &mut raws {
                for key in one_of_many.iter().chain([&lost]) {
                    raw.delete(key);
                }
            }
        }
    }
    running.store(false, SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    for key in 0..KEYS {
        if let Some(value) = stores[0].value(&format!("k{key}")).await {
            assert_eq!(
                version(&value),
                truth.0[key].load(SeqCst) & 0xffff_ffff,
                "old data was left at k{key}"
            );
        }
    }
    assert!(enough(), "{hits:?} hits, {clears:?} clears");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_readers_and_clears_show_no_old_data() {
    race(Race { servers: 1, evict: false, new_tags: false, wide: 0, least: (200, 200) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_with_records_that_come_and_go_shows_no_old_data() {
    race(Race { servers: 1, evict: false, new_tags: true, wide: 0, least: (100, 200) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_on_three_servers_with_all_bookkeeping_evicted_now_and_then_shows_no_old_data() {
    race(Race { servers: 3, evict: true, new_tags: true, wide: 0, least: (50, 100) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_with_hundreds_of_tags_that_overlap_shows_no_old_data() {
    race(Race { servers: 1, evict: false, new_tags: false, wide: 500, least: (30, 30) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_with_hundreds_of_tags_on_three_servers_that_forget_shows_no_old_data() {
    race(Race { servers: 3, evict: true, new_tags: true, wide: 500, least: (20, 30) }).await;
}

#[tokio::test]
async fn a_cleared_entry_stays_cleared_whichever_bookkeeping_is_lost() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let mut raw = server.raw();
    let keys = bookkeeping();
    for lost in 0..1u32 << keys.len() {
        raw.flush();
        for key in 0..KEYS {
            let guard = store.miss(&format!("k{key}")).await;
            set(&store, key, 1, guard, 0).await;
        }
        store.clear_tags(&["own0"], Invalidation::Hard).await.unwrap();
        store.clear_tags(&["own1"], Invalidation::Soft).await.unwrap();
        for (at, key) in keys.iter().enumerate() {
            if lost >> at & 1 == 1 {
                raw.delete(key);
            }
        }
        for turn in 0..2 {
            for cleared in ["k0", "k1"] {
                assert_eq!(store.value(cleared).await, None, "{cleared}, lost {lost:b}, turn {turn}");
            }
            // Makes anew whatever was lost.
            let guard = store.miss("new").await;
            store.set("new", &["own0", "own1", "shared"], "1", Some(guard)).await.unwrap();
            raw.delete("p::new");
        }
    }
}

/// A clear that comes between the add of a pending record and its swap deletes it.
#[tokio::test]
async fn a_record_left_pending_lets_nothing_live_is_deleted_by_a_clear_and_finished_by_a_set() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let mut raw = server.raw();
    store.fill("k", &["t"], "1").await;
    let guard = store.get("k").await.unwrap().1;
    raw.set(&record_key("t"), "?");
    assert_eq!(store.value("k").await, None);
    store.clear_tags(&["t"], Invalidation::Hard).await.unwrap();
    assert_eq!(raw.value(&record_key("t")), None);
    raw.set(&record_key("t"), "?");
    // Read before the clear: the record is finished at today's epoch, which this set has not reached.
    store.set("k", &["t"], "old", Some(guard)).await.unwrap();
    assert_ne!(raw.value(&record_key("t")).as_deref(), Some(&b"?"[..]));
    assert_eq!(store.value("k").await, None);
    let guard = store.miss("k").await;
    store.set("k", &["t"], "2", Some(guard)).await.unwrap();
    assert_eq!(store.value("k").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_lost_epoch_costs_misses_and_heals() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let mut raw = server.raw();
    store.fill("k", &["t"], "1").await;
    let guard = store.get("k").await.unwrap().1;
    raw.delete("p!e");
    store.clear_tags(&["t"], Invalidation::Hard).await.unwrap();
    assert_eq!(store.value("k").await, None);
    // Of the generation that was lost: stored in vain, perhaps, but never valid.
    let _ = store.set("k", &["t"], "old", Some(guard)).await.unwrap();
    assert_eq!(store.value("k").await, None);
    until("the key is filled again", async || {
        let (value, guard) = store.get("k").await.unwrap();
        if value.is_none() {
            store.set("k", &["t"], "2", Some(guard)).await.unwrap();
        }
        value.as_deref() == Some("2")
    })
    .await;
}

#[tokio::test]
async fn a_new_tags_first_set_is_wasted_at_most_once_among_unrelated_clears() {
    let server = Server::start(&[]);
    let (store, other) = (open(vec![server.endpoint()]), open(vec![server.endpoint()]));
    for i in 0..200 {
        let (key, tag) = (format!("k{i}"), format!("t{i}"));
        let mut sets = 0;
        loop {
            let (value, guard) = store.get(&key).await.unwrap();
            if value.is_some() {
                break;
            }
            other.clear_tags(&["unrelated"], Invalidation::Hard).await.unwrap();
            assert!(matches!(store.set(&key, &[&tag], "v", Some(guard)).await, Ok(WriteOutcome::Stored(_))));
            sets += 1;
        }
        assert!(sets <= 2, "{key}: {sets} sets");
    }
}

/// Two generations are told apart by their names alone: the numbers of a lost one may be higher.
#[tokio::test]
async fn a_clear_with_a_lower_number_than_the_lost_generation_had_clears() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let mut raw = server.raw();
    raw.set_flagged("p!e", "9000000000000000", 7);
    store.fill("k", &["t"], "1").await;
    raw.delete("p!e");
    store.clear_tags(&["t"], Invalidation::Hard).await.unwrap();
    assert_eq!(store.value("k").await, None);
    let guard = store.miss("k").await;
    assert!(guard.epoch.n < 9_000_000_000_000_000);
    store.fill("other", &["t"], "2").await;
    assert_eq!((store.value("k").await, store.value("other").await), (None, Some("2".into())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clears_of_one_tag_at_once_lower_nothing_and_lose_nothing() {
    let server = Server::start(&[]);
    let stores: Vec<_> = (0..3).map(|_| Arc::new(open(vec![server.endpoint()]))).collect();
    for round in 0..60 {
        stores[0].set("k", &["t"], "v", None).await.unwrap();
        let clears: Vec<_> = (0..9)
            .map(|at| {
                let store = stores[at % 3].clone();
                tokio::spawn(async move { store.clear_tags(&["t"], Invalidation::Hard).await })
            })
            .collect();
        for clear in clears {
            clear.await.unwrap().unwrap();
        }
        // Each advanced the epoch; the record must stand at the last.
        assert_eq!(record(&server, "t").all, stores[2].read("k", false).await.epoch.n, "round {round}");
    }
}

/// What was stamped with a lost epoch is stamped anew, unless it was cleared meanwhile: the clear may have found no epoch
/// either, and then the new one says nothing of which came first.
#[tokio::test]
async fn a_set_whose_epoch_was_lost_is_stored_unless_it_was_cleared_since() {
    let servers: Vec<_> = (0..3).map(|_| Server::start(&[])).collect();
    let store = open(servers.iter().map(Server::endpoint).collect());
    for round in 0..12 {
        store.set("k", &["t"], "before", None).await.unwrap();
        servers.iter().for_each(|server| server.raw().flush());
        if round % 2 == 0 {
            assert!(matches!(store.set("k", &["t"], "after", None).await, Ok(WriteOutcome::Stored(_))));
            assert_eq!(store.value("k").await.as_deref(), Some("after"));
            continue;
        }
        let tag = if round % 4 == 1 { ["t"] } else { ["*"] };
        let mut set = Box::pin(store.set("k", &["t"], "after", None));
        let mut cleared = Box::pin(store.clear_tags(&tag, Invalidation::Hard));
        let context = &mut Context::from_waker(Waker::noop());
        assert!(set.as_mut().poll(context).is_pending() && cleared.as_mut().poll(context).is_pending());
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (cleared, set) = tokio::join!(biased; cleared, set);
        cleared.unwrap();
        assert!(matches!(set, Ok(WriteOutcome::Stored(_))));
        assert_eq!(store.value("k").await, None);
    }
}
