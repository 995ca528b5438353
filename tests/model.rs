//! Random interleavings of readers, writers and clears against the one promise that matters: a read never returns what
//! a finished clear removed. The truth is a version per key; a writer raises it, then clears; a reader that missed
//! takes the version of that moment and stores it any time later.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

use cachalot::codec::text::Value;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome};
use cachalot::key::Keyspace;
use cachalot::tags::Raise;
use cachalot::{clock, events, ttl::Ttl};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::{Cell, RefCell};
use std::sync::Mutex;

#[allow(dead_code, reason = "shared with the backend's own tests")]
#[path = "memcached/server.rs"]
mod memcached;
#[allow(dead_code, reason = "shared with the backend's own tests")]
#[path = "redis/server.rs"]
mod redis_server;

const KEYS: usize = 3;
const HANDLES: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// Get; on a miss read the truth, to be stored later.
    Read { handle: usize, key: usize },
    /// Store the nth thing read and not stored yet.
    Store { nth: prop::sample::Index },
    /// Commit, then clear.
    Write { handle: usize, key: usize, how: How },
    /// A clear that concerns none of the keys.
    Unrelated { handle: usize },
    /// List by the shared tag.
    List { handle: usize },
    /// The server forgets some of what it holds, entries and bookkeeping alike.
    Evict { some: u8 },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Key,
    Tag,
    Auto,
    Star,
    StarAuto,
}

fn step() -> impl Strategy<Value = Step> {
    let handle = || 0..HANDLES;
    let key = || 0..KEYS;
    let how = prop::sample::select(vec![How::Key, How::Tag, How::Auto, How::Star, How::StarAuto]);
    prop_oneof![
        6 => (handle(), key()).prop_map(|(handle, key)| Step::Read { handle, key }),
        4 => any::<prop::sample::Index>().prop_map(|nth| Step::Store { nth }),
        3 => (handle(), key(), how).prop_map(|(handle, key, how)| Step::Write { handle, key, how }),
        1 => handle().prop_map(|handle| Step::Unrelated { handle }),
        1 => handle().prop_map(|handle| Step::List { handle }),
        1 => any::<u8>().prop_map(|some| Step::Evict { some }),
    ]
}

async fn run(engine: &AnyEngine, op: Op) -> Outcome {
    let out = Mutex::new(None);
    engine.run(vec![op], clock::now(), |_, mut outcomes| *out.lock().unwrap() = outcomes.pop()).await;
    out.into_inner().unwrap().expect("delivered")
}

/// `key:version`
fn parse(value: &Value) -> (usize, u64) {
    let Value::Latin1(text) = value else { panic!("{value:?}") };
    let (key, version) = std::str::from_utf8(text).unwrap().split_once(':').unwrap();
    (key.parse().unwrap(), version.parse().unwrap())
}

struct Pending {
    handle: usize,
    key: usize,
    version: u64,
}

/// Hits seen, so that a test can tell that something was cached at all.
async fn play(handles: &[AnyEngine], steps: &[Step], evict: &dyn Fn(u8)) -> Result<usize, TestCaseError> {
    let mut truth = [1u64; KEYS];
    let mut cleared = [0u64; KEYS];
    let mut pending: Vec<Pending> = Vec::new();
    let mut hits = 0;
    for step in steps {
        match step {
            Step::Read { handle, key } => {
                let get = Op::Get { key: format!("k{key}"), remember: true };
                match run(&handles[*handle], get).await {
                    Outcome::Hit(value) => {
                        let (of, version) = parse(&value);
                        prop_assert_eq!(of, *key);
                        prop_assert!(version >= cleared[*key], "k{key}: {version} after {}", cleared[*key]);
                        hits += 1;
                    }
                    Outcome::Miss => {
                        pending.push(Pending { handle: *handle, key: *key, version: truth[*key] })
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            Step::Store { nth } if !pending.is_empty() => {
                let Pending { handle, key, version } = pending.remove(nth.index(pending.len()));
                let set = Op::Set {
                    key: format!("k{key}"),
                    value: Input::Text(format!("{key}:{version}").into_bytes()),
                    tags: vec![format!("t{key}"), "shared".into()],
                    ttl: Some(Ttl::Ms(60_000)),
                    auto: true,
                };
                let outcome = run(&handles[handle], set).await;
                prop_assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
            }
            Step::Store { .. } => {}
            Step::Write { handle, key, how } => {
                truth[*key] += 1;
                let tag = |tag: String, raise| Op::Clear { key: None, tags: vec![tag], raise };
                let clear = match how {
                    How::Key => Op::Clear { key: Some(format!("k{key}")), tags: vec![], raise: Raise::All },
                    How::Tag => tag(format!("t{key}"), Raise::All),
                    How::Auto => tag(format!("t{key}"), Raise::Auto),
                    How::Star => tag("*".into(), Raise::All),
                    How::StarAuto => tag("*".into(), Raise::Auto),
                };
                let outcome = run(&handles[*handle], clear).await;
                prop_assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
                cleared[*key] = truth[*key];
            }
            Step::Unrelated { handle } => {
                let clear = Op::Clear { key: None, tags: vec!["unrelated".into()], raise: Raise::All };
                run(&handles[*handle], clear).await;
            }
            Step::Evict { some } => evict(*some),
            Step::List { handle } => {
                let list = Op::GetTags { tags: vec!["shared".into()] };
                let Outcome::List(values) = run(&handles[*handle], list).await else { panic!("a list") };
                for (key, version) in values.iter().map(parse) {
                    prop_assert!(version >= cleared[key], "list k{key}: {version} after {}", cleared[key]);
                }
            }
        }
    }
    Ok(hits)
}

/// Plays many cases over fresh prefixes of one backend. `evict(prefix, some)` removes what the bits of `some` choose.
fn check(backend: &str, cases: u32, evict: impl Fn(&str, u8)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (hits, number) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    let result = TestRunner::new(config).run(&proptest::collection::vec(step(), 1..60), |steps| {
        number.set(number.get() + 1);
        let prefix = format!("model{}", number.get());
        let open = || {
            let json = format!(r#"{{"prefix":"{prefix}","backend":{backend}}}"#);
            AnyEngine::open(Config::parse(&json).unwrap(), events::silent(), runtime.handle()).unwrap()
        };
        let handles: Vec<_> = (0..HANDLES).map(|_| open()).collect();
        let played = runtime.block_on(play(&handles, &steps, &|some| evict(&prefix, some)));
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
    assert!(hits.get() > cases as usize / 4, "the cache cached: {} hits in {cases} cases", hits.get());
}

/// Every store key that a case can have made: entries, the epoch, records, fences, indexes.
fn store_keys(prefix: &str) -> Vec<String> {
    let space = Keyspace::new(prefix).unwrap();
    let keys = || (0..KEYS).map(|key| format!("k{key}"));
    let tags =
        (0..KEYS).map(|key| format!("t{key}")).chain(["shared".into(), "unrelated".into(), "*".into()]);
    let mut all = vec![space.epoch()];
    all.extend(keys().flat_map(|key| [space.entry(&key), space.fence(&key)]));
    for tag in tags {
        all.extend([space.record(&tag), space.index(&tag)]);
        all.extend((0..16).map(|shard| space.index_shard(&tag, shard)));
    }
    all
}

/// A choice of about half of them, another for each `some`.
fn half(prefix: &str, some: u8) -> impl Iterator<Item = String> {
    let seed = u64::from(some);
    store_keys(prefix)
        .into_iter()
        .filter(move |key| xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), seed) & 1 == 0)
}

fn check_redis(tracking: bool) {
    let server = redis_server::Server::start();
    let raw = RefCell::new(server.raw());
    let backend = format!(
        r#"{{"type":"redis","endpoint":{{"host":"127.0.0.1","port":{}}},"tracking":{tracking}}}"#,
        server.port
    );
    check(&backend, 150, |prefix, some| {
        let mut unlink = redis::cmd("UNLINK");
        half(prefix, some).for_each(|key| {
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
    let backend = format!(r#"{{"type":"memcached","servers":[{}]}}"#, endpoints.join(","));
    check(&backend, 150, |prefix, some| {
        for key in half(prefix, some) {
            raws.iter().for_each(|raw| {
                raw.borrow_mut().delete(&key);
            });
        }
    });
}

#[test]
fn memory_never_returns_what_a_clear_removed() {
    check(r#"{"type":"memory","name":"model"}"#, 3000, |_, _| ());
}

#[test]
fn memory_that_evicts_all_the_time_never_does_either() {
    // Room for two entries.
    check(r#"{"type":"memory","name":"tiny","maxBytes":800}"#, 1000, |_, _| ());
}

#[test]
fn redis_never_does_either() {
    check_redis(true);
}

#[test]
fn redis_without_tracking_never_does_either() {
    check_redis(false);
}

#[test]
fn memcached_never_does_either() {
    check_memcached(1);
}

#[test]
fn three_memcached_servers_never_do_either() {
    check_memcached(3);
}
