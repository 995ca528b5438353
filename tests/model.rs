//! Random interleavings of readers, writers and clears against the one promise that matters: a read never returns what
//! a finished clear removed. The truth is a version per key; a writer raises it, then clears; a reader that missed
//! takes the version of that moment and stores it any time later. What a clear spares (entries with times, by an
//! automatic invalidation or `expire`) may be given as stale, never as fresh; what was taken is not there again.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

use cachalot::backend::Guard;
use cachalot::codec::text::Value;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome, ticket};
use cachalot::key::Keyspace;
use cachalot::tags::Invalidation;
use cachalot::ttl::{NEVER, Times, Ttl};
use cachalot::{clock, events};
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
    /// Get; on a miss read the truth, to be stored later. `ticket`: by a read that carries its own guard.
    Read { handle: usize, key: usize, ticket: bool },
    /// Store the nth thing read and not stored yet, with times or without.
    Store { nth: prop::sample::Index, times: bool },
    /// Commit, then clear.
    Write { handle: usize, key: usize, how: How },
    /// Get and delete.
    Take { handle: usize, key: usize },
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
    Star,
    // What follows spares entries with times, as stale ones.
    Auto,
    StarAuto,
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    let handle = || 0..HANDLES;
    let key = || 0..KEYS;
    let all = vec![How::Key, How::Tag, How::Auto, How::Star, How::StarAuto, How::Expire];
    let how = prop::sample::select(all);
    prop_oneof![
        6 => (handle(), key(), any::<bool>()).prop_map(|(handle, key, ticket)| Step::Read { handle, key, ticket }),
        4 => any::<(prop::sample::Index, bool)>().prop_map(|(nth, times)| Step::Store { nth, times }),
        3 => (handle(), key(), how).prop_map(|(handle, key, how)| Step::Write { handle, key, how }),
        1 => (handle(), key()).prop_map(|(handle, key)| Step::Take { handle, key }),
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

/// What a value says of itself: `key:version:when`, the last being the step of the miss that it follows.
struct Says {
    key: usize,
    version: u64,
    when: usize,
}

fn parse(value: &Value) -> Says {
    let Value::Latin1(text) = value else { panic!("{value:?}") };
    let words: Vec<usize> =
        std::str::from_utf8(text).unwrap().split(':').map(|word| word.parse().unwrap()).collect();
    Says { key: words[0], version: words[1] as u64, when: words[2] }
}

struct Pending {
    handle: usize,
    key: usize,
    version: u64,
    when: usize,
    ticket: Option<Guard>,
}

/// What is known of the keys.
struct Truth {
    version: [u64; KEYS],
    /// The version of the last clear of any kind: nothing older is fresh.
    cleared: [u64; KEYS],
    /// Of the last clear that spares nothing: nothing older is there at all.
    ended: [u64; KEYS],
    /// The step in which it was last taken: nothing missed before is there since.
    taken: [usize; KEYS],
}

impl Truth {
    fn new() -> Self {
        Truth { version: [1; KEYS], cleared: [0; KEYS], ended: [0; KEYS], taken: [0; KEYS] }
    }

    fn check(&self, value: &Value, stale: bool) -> Result<Says, TestCaseError> {
        let says = parse(value);
        let Says { key, version, when } = says;
        let least = if stale { self.ended[key] } else { self.cleared[key] };
        prop_assert!(version >= least, "k{key}: {version} after {least}, stale: {stale}");
        prop_assert!(when >= self.taken[key], "k{key}: missed at {when}, taken at {}", self.taken[key]);
        Ok(says)
    }
}

/// Hits seen, so that a test can tell that something was cached at all.
async fn play(handles: &[AnyEngine], steps: &[Step], evict: &dyn Fn(u8)) -> Result<usize, TestCaseError> {
    let mut truth = Truth::new();
    let mut pending: Vec<Pending> = Vec::new();
    let mut hits = 0;
    for (when, step) in steps.iter().enumerate() {
        match step {
            Step::Read { handle, key, ticket } => {
                let name = format!("k{key}");
                let read = match ticket {
                    true => Op::Read { key: name, times: false, stamp: false },
                    false => Op::Get { key: name, remember: true, stamp: false },
                };
                let mut later = |ticket| {
                    let version = truth.version[*key];
                    pending.push(Pending { handle: *handle, key: *key, version, when, ticket });
                };
                match run(&handles[*handle], read).await {
                    Outcome::Hit(value) => {
                        prop_assert_eq!(truth.check(&value, false)?.key, *key);
                        hits += 1;
                    }
                    Outcome::Miss => later(None),
                    Outcome::Read(reading) => {
                        let text: String = reading.ticket.iter().map(|byte| char::from(*byte)).collect();
                        later(Some(ticket::read(&text).expect("a ticket")));
                        if let Some(value) = &reading.value {
                            prop_assert!(reading.stale);
                            prop_assert_eq!(truth.check(value, true)?.key, *key);
                        }
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            Step::Store { nth, times } if !pending.is_empty() => {
                let Pending { handle, key, version, when, ticket } = pending.remove(nth.index(pending.len()));
                let set = Op::Set {
                    key: format!("k{key}"),
                    value: Input::Text(format!("{key}:{version}:{when}").into_bytes()),
                    tags: vec![format!("t{key}"), "shared".into()],
                    ttl: Some(Ttl::Ms(60_000)),
                    auto: true,
                    ticket,
                    times: times.then_some(Times { created: 1, fresh_until: NEVER, cost: 1 }),
                };
                let outcome = run(&handles[handle], set).await;
                prop_assert!(matches!(outcome, Outcome::Is(_)), "{outcome:?}");
            }
            Step::Store { .. } => {}
            Step::Write { handle, key, how } => {
                truth.version[*key] += 1;
                let tag = |tag: String, raise| Op::Clear { key: None, tags: vec![tag], raise };
                let clear = match how {
                    How::Key => {
                        Op::Clear { key: Some(format!("k{key}")), tags: vec![], raise: Invalidation::Hard }
                    }
                    How::Tag => tag(format!("t{key}"), Invalidation::Hard),
                    How::Auto => tag(format!("t{key}"), Invalidation::Soft),
                    How::Star => tag("*".into(), Invalidation::Hard),
                    How::StarAuto => tag("*".into(), Invalidation::Soft),
                    How::Expire => Op::Expire { key: format!("k{key}") },
                };
                let outcome = run(&handles[*handle], clear).await;
                prop_assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
                truth.cleared[*key] = truth.version[*key];
                if matches!(how, How::Key | How::Tag | How::Star) {
                    truth.ended[*key] = truth.version[*key];
                }
            }
            Step::Take { handle, key } => {
                match run(&handles[*handle], Op::Take { key: format!("k{key}") }).await {
                    Outcome::Hit(value) => {
                        prop_assert_eq!(truth.check(&value, false)?.key, *key);
                        truth.taken[*key] = when;
                    }
                    Outcome::Miss => {}
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            Step::Unrelated { handle } => {
                let clear =
                    Op::Clear { key: None, tags: vec!["unrelated".into()], raise: Invalidation::Hard };
                run(&handles[*handle], clear).await;
            }
            Step::Evict { some } => evict(*some),
            Step::List { handle } => {
                let list = Op::GetTags { tags: vec!["shared".into()] };
                let Outcome::List(values) = run(&handles[*handle], list).await else { panic!("a list") };
                for value in &values {
                    truth.check(value, false)?;
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
    let mut all = vec![space.epoch(), space.fences()];
    all.extend(keys().map(|key| space.entry(&key)));
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
