//! The engine as the addon drives it, batch by batch: over process memory, which answers in the call, or over a Redis
//! server, with everything between a batch and the socket.

use crate::samples::json;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome};
use cachalot::model::tag::Tag;
use cachalot::model::ttl::Ttl;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;
use tokio::runtime::{Builder, Runtime};

/// Until scripts and buffers are where they stay.
const WARM_UP: usize = 20;

pub struct Bed {
    runtime: Runtime,
    engine: AnyEngine,
    /// Whether what is asked is answered at the first poll.
    immediate: bool,
    keys: Vec<String>,
    value: Vec<u8>,
    tags: &'static [&'static str],
}

impl Bed {
    /// With the entries of a batch of so many, of so many bytes each, all of them stored. Without a port: in process
    /// memory.
    pub fn open(port: Option<u16>, entries: usize, bytes: usize, tags: &'static [&'static str]) -> Self {
        // One thread, so that what it does follows from what it is asked.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let backend = match port {
            None => r#"{"type":"memory"}"#.to_owned(),
            // Under callgrind everything takes fifty times as long.
            Some(port) => format!(
                r#"{{"type":"redis","endpoint":{{"host":"127.0.0.1","port":{port}}},"timeouts":{{"connectMs":60000,"commandMs":60000}}}}"#
            ),
        };
        let config = Config::parse(&format!(r#"{{"prefix":"bench","backend":{backend}}}"#)).unwrap();
        let engine = AnyEngine::open(config, cachalot::events::silent(), runtime.handle()).unwrap();
        let keys = (0..entries).map(|n| format!("products:{n}")).collect();
        let value = json(bytes).into_bytes();
        let bed = Bed { runtime, engine, immediate: port.is_none(), keys, value, tags };
        for _ in 0..WARM_UP {
            bed.sets();
            bed.gets();
        }
        bed
    }

    /// One batch, of hits.
    pub fn gets(&self) {
        let get = |key: &String| Op::Get { key: key.clone(), remember: true, stamp: false };
        self.run(self.keys.iter().map(get).collect(), |outcome| matches!(outcome, Outcome::Hit(_)));
    }

    /// One batch, of entries that take the place of others.
    pub fn sets(&self) {
        let set = |key: &String| Op::Set {
            key: key.clone(),
            value: Input::Text(self.value.clone()),
            tags: self.tags.iter().map(|tag| Tag::of(tag)).collect(),
            ttl: Some(Ttl::Ms(3_600_000)),
            auto: true,
            ticket: None,
            times: None,
        };
        self.run(self.keys.iter().map(set).collect(), |outcome| matches!(outcome, Outcome::Is(true)));
    }

    fn run(&self, ops: Vec<Op>, expected: impl Fn(&Outcome) -> bool + Sync) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        let seen = AtomicUsize::new(0);
        let deliver = |_, outcomes: Vec<Outcome>| {
            for outcome in &outcomes {
                assert!(expected(outcome), "{outcome:?}");
            }
            seen.fetch_add(outcomes.len(), Relaxed);
        };
        if self.immediate {
            let mut run = pin!(self.engine.run(ops, now, deliver));
            assert_eq!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
        } else {
            self.runtime.block_on(self.engine.run(ops, now, deliver));
        }
        assert_eq!(seen.load(Relaxed), self.keys.len());
    }
}
