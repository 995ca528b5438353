//! Random interleavings of readers, writers and clears against the one promise that matters: a read never returns what
//! a finished clear removed. The truth is a version per key; a writer raises it, then clears; a reader that missed
//! takes the version of that moment and stores it any time later.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

use cachalot::codec::text::Value;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome};
use cachalot::tags::Raise;
use cachalot::{clock, events, ttl::Ttl};
use proptest::prelude::*;
use std::sync::Mutex;

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
async fn play(handles: &[AnyEngine], steps: &[Step]) -> Result<usize, TestCaseError> {
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

/// Plays many cases over fresh prefixes of one backend.
fn check(backend: &str, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let hits = std::cell::Cell::new(0);
    let mut prefix = 0;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..Default::default()
    });
    let prefix = std::cell::RefCell::new(&mut prefix);
    let result = runner.run(&proptest::collection::vec(step(), 1..60), |steps| {
        let number = {
            let mut prefix = prefix.borrow_mut();
            **prefix += 1;
            **prefix
        };
        let open = || {
            let json = format!(r#"{{"prefix":"model{number}","backend":{backend}}}"#);
            AnyEngine::open(Config::parse(&json).unwrap(), events::silent(), runtime.handle()).unwrap()
        };
        let handles: Vec<_> = (0..HANDLES).map(|_| open()).collect();
        let played = runtime.block_on(play(&handles, &steps));
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
    assert!(hits.get() > cases as usize / 2, "the cache cached: {} hits in {cases} cases", hits.get());
}

#[test]
fn memory_never_returns_what_a_clear_removed() {
    check(r#"{"type":"memory","name":"model"}"#, 3000);
}

#[test]
fn memory_that_evicts_all_the_time_never_does_either() {
    // Room for two entries.
    check(r#"{"type":"memory","name":"tiny","maxBytes":800}"#, 1000);
}
