//! Random interleavings of readers, writers and clears against the one promise that matters: a read never returns what
//! a finished clear removed. The truth is a version per key; a writer raises it, then clears; a reader that missed
//! takes the version of that moment and stores it any time later. What a clear spares (entries with times, by an
//! automatic invalidation or `expire`) may be given as stale, never as fresh; what was taken is not there again.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

mod steps;
mod truth;

use cachalot::backend::Guard;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome, ticket};
use cachalot::key::Keyspace;
use cachalot::tags::{Invalidation, Tag};
use cachalot::ttl::{NEVER, Times, Ttl};
use cachalot::{clock, events};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::{Cell, RefCell};
use std::sync::Mutex;
use steps::{ByKey, Entries, HANDLES, KEYS, Step, WIDE_TAGS, key_name};
use truth::Truth;

#[allow(dead_code, reason = "shared with the backend's own tests")]
#[path = "../memcached/server.rs"]
mod memcached;
#[allow(dead_code, reason = "shared with the backend's own tests")]
#[path = "../redis/server.rs"]
mod redis_server;

async fn run_all(engine: &AnyEngine, ops: Vec<Op>) -> Vec<Outcome> {
    let out: Mutex<Vec<(usize, Outcome)>> = Mutex::default();
    engine
        .run(ops, clock::now(), |first, outcomes| out.lock().unwrap().extend((first..).zip(outcomes)))
        .await;
    let mut out = out.into_inner().unwrap();
    out.sort_by_key(|(place, _)| *place);
    out.into_iter().map(|(_, outcome)| outcome).collect()
}

async fn run(engine: &AnyEngine, op: Op) -> Outcome {
    run_all(engine, vec![op]).await.pop().expect("delivered")
}

/// A value on its way to the cache.
struct Pending {
    handle: usize,
    key: usize,
    version: u64,
    when: usize,
    ticket: Option<Guard>,
}

struct Game<'a> {
    handles: &'a [AnyEngine],
    setup: &'a Setup,
    entries: Entries,
    truth: Truth,
    pending: Vec<Pending>,
    /// Hits seen, so that a test can tell that something was cached at all.
    hits: usize,
}

impl Game<'_> {
    fn miss(&mut self, handle: usize, key: usize, when: usize, ticket: Option<Guard>) {
        let version = self.truth.version[key];
        self.pending.push(Pending { handle, key, version, when, ticket });
    }

    fn read(&mut self, handle: usize, key: usize, when: usize, got: Outcome) -> Result<(), TestCaseError> {
        match got {
            Outcome::Hit(value) => {
                prop_assert_eq!(self.truth.check(&value, false)?.key, key);
                self.hits += 1;
            }
            Outcome::Miss => self.miss(handle, key, when, None),
            Outcome::Read(reading) => {
                let text: String = reading.ticket.iter().map(|byte| char::from(*byte)).collect();
                self.miss(handle, key, when, Some(ticket::read(&text).expect("a ticket")));
                if let Some(value) = &reading.value {
                    prop_assert!(reading.stale);
                    prop_assert_eq!(self.truth.check(value, true)?.key, key);
                }
            }
            other => prop_assert!(false, "{other:?}"),
        }
        Ok(())
    }

    fn read_all(&mut self, handle: usize, when: usize, got: Outcome) -> Result<(), TestCaseError> {
        let Outcome::Many(outcomes) = got else { panic!("of each key an outcome: {got:?}") };
        prop_assert_eq!(outcomes.len(), KEYS);
        outcomes.into_iter().enumerate().try_for_each(|(key, got)| self.read(handle, key, when, got))
    }

    async fn step(&mut self, when: usize, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Read { handle, key, ticket } => {
                let name = key_name(*key);
                let read = match ticket {
                    true => Op::Read { key: name, times: false, stamp: false },
                    false => Op::Get { key: name, remember: true, stamp: false },
                };
                let got = run(&self.handles[*handle], read).await;
                self.read(*handle, *key, when, got)?;
            }
            Step::ReadAll { handle } => {
                let got = run(&self.handles[*handle], all_keys()).await;
                self.read_all(*handle, when, got)?;
            }
            Step::Store { nth, times } if !self.pending.is_empty() => {
                let Pending { handle, key, version, when, ticket } =
                    self.pending.remove(nth.index(self.pending.len()));
                let set = Op::Set {
                    key: key_name(key),
                    value: Input::Text(format!("{key}:{version}:{when}").into_bytes()),
                    tags: self.entries.tags(key),
                    ttl: Some(Ttl::Ms(60_000)),
                    auto: true,
                    ticket,
                    times: times.then_some(Times { created: 1, fresh_until: NEVER, cost: 1 }),
                };
                let outcome = run(&self.handles[handle], set).await;
                prop_assert!(matches!(outcome, Outcome::Is(_)), "{outcome:?}");
            }
            Step::Store { .. } => {}
            Step::Write { handle, key, how } => {
                self.truth.commit(&[*key]);
                let name = key_name(*key);
                let op = match how {
                    ByKey::Clear => Op::Clear { key: Some(name), tags: vec![], raise: Invalidation::Hard },
                    ByKey::Expire => Op::Expire { key: name },
                };
                let outcome = run(&self.handles[*handle], op).await;
                prop_assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
                self.truth.cleared(&[*key], matches!(how, ByKey::Expire));
            }
            Step::Clear { handle, selection, kind, read } => {
                let keys = self.entries.concerned(selection);
                self.truth.commit(&keys);
                let clear = Op::Clear { key: None, tags: selection.tags(), raise: *kind };
                let read = (*read && self.setup.is_ordered).then(all_keys);
                let ops = std::iter::once(clear).chain(read).collect();
                let mut outcomes = run_all(&self.handles[*handle], ops).await.into_iter();
                let cleared = outcomes.next();
                prop_assert!(matches!(cleared, Some(Outcome::Done)), "{cleared:?}");
                self.truth.cleared(&keys, *kind == Invalidation::Soft);
                if let Some(read) = outcomes.next() {
                    self.read_all(*handle, when, read)?;
                }
            }
            Step::Take { handle, key } => {
                match run(&self.handles[*handle], Op::Take { key: key_name(*key) }).await {
                    Outcome::Hit(value) => {
                        prop_assert_eq!(self.truth.check(&value, false)?.key, *key);
                        self.truth.taken(*key, when);
                    }
                    Outcome::Miss => {}
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            Step::List { handle, key, tag } => {
                let list = Op::GetTags { tags: vec![*tag.get(&self.entries.tags(*key))] };
                let Outcome::List(values) = run(&self.handles[*handle], list).await else { panic!("a list") };
                for value in &values {
                    self.truth.check(value, false)?;
                }
            }
            Step::Evict { .. } => {}
        }
        Ok(())
    }
}

fn all_keys() -> Op {
    Op::GetMany { keys: (0..KEYS).map(key_name).collect() }
}

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

async fn play(
    setup: &Setup,
    handles: &[AnyEngine],
    entries: Entries,
    steps: &[Step],
    evict: &dyn Fn(u8),
) -> Result<usize, TestCaseError> {
    let truth = Truth::new();
    let mut game = Game { handles, setup, entries, truth, pending: Vec::new(), hits: 0 };
    for (when, step) in steps.iter().enumerate() {
        match step {
            Step::Evict { some } => evict(*some),
            step => game.step(when, step).await?,
        }
    }
    Ok(game.hits)
}

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
        let played = runtime.block_on(play(setup, &handles, entries, &steps, &|some| evict(&prefix, some)));
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

/// `backend`: further options of the backend.
fn check_redis(backend: &str, options: &'static str) {
    let server = redis_server::Server::start();
    let raw = RefCell::new(server.raw());
    let endpoint = format!(r#"{{"host":"127.0.0.1","port":{}}}"#, server.port);
    let backend = format!(r#"{{"type":"redis","endpoint":{endpoint}{backend}}}"#);
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
    let backend = format!(r#"{{"type":"memcached","servers":[{}]}}"#, endpoints.join(","));
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
    check_memory(50_000, 300, &BOTH[1..]);
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
