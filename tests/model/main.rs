//! Random interleavings of readers, writers and clears against the one promise that matters: a read never returns what
//! a finished clear removed. The truth is a version per key; a writer raises it, then clears; a reader that missed
//! takes the version of that moment and stores it any time later. What a clear spares (entries with times, by an
//! automatic invalidation or `expire`) may be given as stale, never as fresh; what was taken is not there again.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

mod game;
mod steps;
mod truth;

use cachalot::config::Config;
use cachalot::engine::AnyEngine;
use cachalot::events;
use cachalot::model::key::Keyspace;
use cachalot::model::tag::Tag;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::{Cell, RefCell};
use steps::{Entries, HANDLES, KEYS, WIDE_TAGS, key_name};

#[allow(dead_code, reason = "shared with the backend's own tests")]
#[path = "../memcached/server.rs"]
mod memcached;
#[allow(dead_code, reason = "shared with the backend's own tests")]
#[path = "../redis/server.rs"]
mod redis_server;

/// The store that is played with.
struct Setup {
    /// What is said of it in the configuration.
    backend: String,
    /// The rest of the configuration.
    options: &'static str,
    cases: u32,
    /// Whether entries of a case may be narrow, and wide.
    entries: &'static [Entries],
    /// A clear is one request: what is asked after it, in the same batch, sees it.
    is_ordered: bool,
}

const BOTH: &[Entries] = &[Entries { wide: false }, Entries { wide: true }];

/// Plays many cases over fresh prefixes of one backend. `evict(prefix, some)` removes what the bits of `some` choose.
fn check(setup: &Setup, evict: impl Fn(&str, u8)) {
    let Setup { backend, options, cases, .. } = setup;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (hits, number) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { cases: *cases, failure_persistence: None, ..Default::default() };
    let result = TestRunner::new(config).run(&steps::case(setup.entries), |(entries, steps)| {
        number.set(number.get() + 1);
        let prefix = format!("model{}", number.get());
        let open = || {
            let json = format!(r#"{{"prefix":"{prefix}","backend":{backend}{options}}}"#);
            AnyEngine::open(Config::parse(&json).unwrap(), events::silent(), runtime.handle()).unwrap()
        };
        let handles: Vec<_> = (0..HANDLES).map(|_| open()).collect();
        let played =
            runtime.block_on(game::play(setup, &handles, entries, &steps, &|some| evict(&prefix, some)));
        runtime.block_on(async {
            for handle in &handles {
                handle.close().await;
            }
        });
        hits.set(hits.get() + played?);
        Ok(())
    });
    if let Err(why) = result {
        panic!("{why}");
    }
    assert!(hits.get() > *cases as usize / 4, "the cache cached: {} hits in {cases} cases", hits.get());
}

/// A choice of about half of what a server may hold, another for each `some`.
fn half(keys: Vec<String>, some: u8) -> impl Iterator<Item = String> {
    let seed = u64::from(some);
    keys.into_iter().filter(move |key| xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), seed) & 1 == 0)
}

fn entry_keys(space: &Keyspace) -> impl Iterator<Item = String> {
    (0..KEYS).map(|key| space.entry(&key_name(key)))
}

/// Entries, the epoch, the log, fences, the longest life, the index, and how far it was swept.
fn redis_keys(prefix: &str) -> Vec<String> {
    let space = Keyspace::new(prefix).unwrap();
    let mut all = vec![space.epoch(), space.clear_log(), space.fences()];
    all.extend([space.longest_life(), space.whole_index(), space.swept()]);
    all.extend(entry_keys(&space));
    all
}

/// Entries, the epoch, the records of all tags, and of a few the index.
fn memcached_keys(prefix: &str) -> Vec<String> {
    let space = Keyspace::new(prefix).unwrap();
    let mut all = vec![space.epoch()];
    all.extend(entry_keys(&space));
    let few: Vec<Tag> = (0..KEYS)
        .flat_map(|key| Entries { wide: false }.tags(key))
        .chain([steps::unrelated_tag(), Tag::ROOT])
        .collect();
    all.extend(few.iter().map(|tag| space.record(*tag)));
    all.extend(few.iter().flat_map(|tag| (0..16).map(|shard| space.index_shard(*tag, shard))));
    all.extend((0..WIDE_TAGS).map(|number| space.record(steps::wide_tag(number))));
    all
}

/// A busy machine is no outage.
const PATIENT: &str = r#""timeouts":{"connectMs":30000,"commandMs":30000}"#;

/// `backend`: further options of the backend.
fn check_redis(backend: &str, options: &'static str) {
    let server = redis_server::Server::start();
    let raw = RefCell::new(server.raw());
    let endpoint = format!(r#"{{"host":"127.0.0.1","port":{}}}"#, server.port);
    let backend = format!(r#"{{"type":"redis","endpoint":{endpoint},{PATIENT}{backend}}}"#);
    let setup = Setup { backend, options, cases: 150, entries: BOTH, is_ordered: true };
    check(&setup, |prefix, some| {
        let mut unlink = redis::cmd("UNLINK");
        // A name that is never there: half of the rest may be none.
        unlink.arg(prefix);
        half(redis_keys(prefix), some).for_each(|key| {
            unlink.arg(key);
        });
        unlink.query::<i64>(&mut *raw.borrow_mut()).unwrap();
    });
}

fn check_memcached(servers: usize) {
    let servers: Vec<_> = (0..servers).map(|_| memcached::Server::start(&[])).collect();
    let raws: Vec<_> = servers.iter().map(|server| RefCell::new(server.raw())).collect();
    let endpoints: Vec<_> =
        servers.iter().map(|server| format!(r#"{{"host":"127.0.0.1","port":{}}}"#, server.port)).collect();
    let backend = format!(r#"{{"type":"memcached","servers":[{}],{PATIENT}}}"#, endpoints.join(","));
    let setup = Setup { backend, options: "", cases: 100, entries: BOTH, is_ordered: false };
    check(&setup, |prefix, some| {
        for key in half(memcached_keys(prefix), some) {
            raws.iter().for_each(|raw| {
                raw.borrow_mut().delete(&key);
            });
        }
    });
}

fn check_memory(bytes: usize, cases: u32, entries: &'static [Entries]) {
    let backend = format!(r#"{{"type":"memory","name":"model {bytes}","maxBytes":{bytes}}}"#);
    check(&Setup { backend, options: "", cases, entries, is_ordered: true }, |_, _| ());
}

#[test]
fn memory_never_returns_what_a_clear_removed() {
    check_memory(1 << 20, 1000, BOTH);
}

#[test]
fn memory_that_evicts_all_the_time_never_does_either() {
    // Room for two entries.
    check_memory(800, 1000, &BOTH[..1]);
    check_memory(130_000, 300, &BOTH[1..]);
}

#[test]
fn redis_never_does_either() {
    check_redis("", "");
}

#[test]
fn redis_without_tracking_never_does_either() {
    check_redis(r#","tracking":false"#, "");
}

#[test]
fn redis_that_publishes_its_clears_never_does_either() {
    check_redis("", r#","l1":{}"#);
}

#[test]
fn redis_with_a_short_log_never_does_either() {
    check_redis(r#","clearLogMax":50"#, "");
}

#[test]
fn memcached_never_does_either() {
    check_memcached(1);
}

#[test]
fn three_memcached_servers_never_do_either() {
    check_memcached(3);
}
