//! A store of each kind, and a caller's few words.

use crate::proxy::Proxy;
use crate::{memcached, redis_server};
use cachalot::codec::text::Value;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome, TicketedRead, ticket};
use cachalot::error::Error;
use cachalot::events;
use cachalot::model::tag::{Invalidation, Tag};
use cachalot::model::time;
use cachalot::model::ttl::{NEVER, Times, Ttl};
use cachalot::store::guard::Guard;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub struct Bed {
    pub name: &'static str,
    backend: String,
    pub redis: Option<redis_server::Server>,
    pub memcached: Vec<memcached::Server>,
    pub proxies: Vec<Proxy>,
}

/// Where a test is not about time, a machine that is busy for a second is no outage.
const PATIENT: &str = "\"commandMs\":10000";

fn endpoint(port: u16) -> String {
    format!(r#"{{"host":"127.0.0.1","port":{port}}}"#)
}

impl Bed {
    pub fn memory() -> Self {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let number = OPENED.fetch_add(1, Relaxed);
        let backend = format!(r#"{{"type":"memory","name":"exact{number}"}}"#);
        Bed { name: "memory", backend, redis: None, memcached: vec![], proxies: vec![] }
    }

    pub fn redis(tracking: bool) -> Self {
        let server = redis_server::Server::start();
        let backend = format!(
            r#"{{"type":"redis","endpoint":{},"tracking":{tracking},"timeouts":{{{PATIENT}}}}}"#,
            endpoint(server.port)
        );
        Bed { name: "redis", backend, redis: Some(server), memcached: vec![], proxies: vec![] }
    }

    pub fn memcached(servers: usize) -> Self {
        let servers: Vec<_> = (0..servers).map(|_| memcached::Server::start(&[])).collect();
        let endpoints: Vec<_> = servers.iter().map(|server| endpoint(server.port)).collect();
        let backend =
            format!(r#"{{"type":"memcached","servers":[{}],"timeouts":{{{PATIENT}}}}}"#, endpoints.join(","));
        Bed { name: "memcached", backend, redis: None, memcached: servers, proxies: vec![] }
    }

    pub fn all() -> Vec<Self> {
        vec![Self::memory(), Self::redis(true), Self::redis(false), Self::memcached(1), Self::memcached(3)]
    }

    /// The same servers, over wires that can be broken.
    pub async fn wired(mut self) -> Self {
        let redis = self.redis.iter().map(|server| server.port);
        for port in redis.chain(self.memcached.iter().map(|server| server.port)) {
            let proxy = Proxy::start(([127, 0, 0, 1], port).into()).await;
            let own = format!("\"port\":{port}}}");
            self.backend = self.backend.replace(&own, &format!("\"port\":{}}}", proxy.address.port()));
            self.proxies.push(proxy);
        }
        self
    }

    pub fn open(&self) -> Caller {
        self.with("")
    }

    /// With this `commandTimeout`.
    pub fn patient(&self, ms: u64) -> Caller {
        let backend = self.backend.replace(PATIENT, &format!("\"commandMs\":{ms}"));
        Caller::open(&format!(r#"{{"prefix":"p","backend":{backend}}}"#))
    }

    /// `more`: fields of the configuration, each after a comma.
    pub fn with(&self, more: &str) -> Caller {
        Caller::open(&format!(r#"{{"prefix":"p","backend":{}{more}}}"#, self.backend))
    }
}

/// One process, as it were.
#[derive(Clone)]
pub struct Caller {
    pub engine: AnyEngine,
}

pub const MINUTE: Ttl = Ttl::Ms(60_000);
pub const EVER: Times = Times { created: 7, fresh_until: NEVER, cost: 9 };

/// What a set says beside its key and value.
#[derive(Clone)]
pub struct Set {
    pub tags: Vec<Tag>,
    pub ttl: Ttl,
    pub auto: bool,
    pub ticket: Option<Guard>,
    pub times: Option<Times>,
}

pub fn tagged(tags: &[&str]) -> Set {
    let tags = tags.iter().map(|tag| Tag::of(tag)).collect();
    Set { tags, ttl: MINUTE, auto: true, ticket: None, times: None }
}

impl Set {
    pub fn times(self, times: Times) -> Self {
        Set { times: Some(times), ..self }
    }

    pub fn after(self, ticket: Guard) -> Self {
        Set { ticket: Some(ticket), ..self }
    }

    pub fn op(self, key: &str, value: &str) -> Op {
        let Set { tags, ttl, auto, ticket, times } = self;
        Op::Set {
            key: key.into(),
            value: Input::Text(value.into()),
            tags,
            ttl: Some(ttl),
            auto,
            ticket,
            times,
        }
    }
}

pub fn get(key: &str) -> Op {
    Op::Get { key: key.into(), remember: true, stamp: false }
}

pub fn lock(key: &str, owner: &str, ms: u64) -> Op {
    Op::Lock { key: key.into(), owner: owner.into(), ms }
}

pub fn unlock(key: &str, owner: &str) -> Op {
    Op::Unlock { key: key.into(), owner: owner.into() }
}

pub fn clear(key: Option<&str>, tags: &[&str], invalidation: Invalidation) -> Op {
    Op::Clear {
        key: key.map(Into::into),
        tags: tags.iter().map(|tag| Tag::selected(tag)).collect(),
        invalidation,
    }
}

pub fn text(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Hit(value) => Some(string(&value)),
        Outcome::Miss => None,
        other => panic!("{other:?}"),
    }
}

pub fn is(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Is(yes) => *yes,
        other => panic!("{other:?}"),
    }
}

pub fn failure(outcome: &Outcome) -> &Error {
    match outcome {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

fn string(value: &Value) -> String {
    match value {
        Value::Latin1(text) => String::from_utf8(text.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A read with its times, and its ticket as it comes back from a caller.
#[derive(Debug)]
pub struct Read {
    pub value: Option<String>,
    pub ticket: Option<Guard>,
    pub stale: bool,
    pub times: Option<Times>,
}

impl Caller {
    fn open(json: &str) -> Self {
        let config = Config::parse(json).unwrap();
        let runtime = tokio::runtime::Handle::current();
        Caller { engine: AnyEngine::open(config, events::silent(), &runtime).unwrap() }
    }

    pub async fn run_at(&self, now: u64, ops: Vec<Op>) -> Vec<Outcome> {
        let out: Mutex<Vec<Option<Outcome>>> = Mutex::new(ops.iter().map(|_| None).collect());
        let deliver = |first: usize, outcomes: Vec<Outcome>| {
            for (at, outcome) in outcomes.into_iter().enumerate() {
                assert!(out.lock().unwrap()[first + at].replace(outcome).is_none(), "delivered twice");
            }
        };
        self.engine.run(ops, now, deliver).await;
        out.into_inner().unwrap().into_iter().map(|outcome| outcome.expect("delivered")).collect()
    }

    pub async fn run(&self, ops: Vec<Op>) -> Vec<Outcome> {
        self.run_at(time::now(), ops).await
    }

    pub async fn one(&self, op: Op) -> Outcome {
        self.run(vec![op]).await.remove(0)
    }

    pub async fn get(&self, key: &str) -> Option<String> {
        text(self.one(get(key)).await)
    }

    pub async fn has(&self, key: &str) -> bool {
        is(&self.one(Op::Has { key: key.into() }).await)
    }

    pub async fn set(&self, key: &str, value: &str, set: Set) -> bool {
        is(&self.one(set.op(key, value)).await)
    }

    pub async fn clear(&self, key: Option<&str>, tags: &[&str], invalidation: Invalidation) {
        let done = self.one(clear(key, tags, invalidation)).await;
        assert!(matches!(done, Outcome::Done), "{done:?}");
    }

    pub async fn take(&self, key: &str) -> Option<String> {
        text(self.one(Op::Take { key: key.into() }).await)
    }

    pub async fn expire(&self, key: &str) {
        let done = self.one(Op::Expire { key: key.into() }).await;
        assert!(matches!(done, Outcome::Done), "{done:?}");
    }

    pub async fn read(&self, key: &str) -> Read {
        self.read_at(time::now(), key).await
    }

    pub async fn read_at(&self, now: u64, key: &str) -> Read {
        match self.run_at(now, vec![Op::Read { key: key.into(), times: true, stamp: false }]).await.remove(0)
        {
            Outcome::Hit(value) => {
                Read { value: Some(string(&value)), ticket: None, stale: false, times: None }
            }
            Outcome::Read(reading) => {
                let TicketedRead { value, ticket, stale, times } = *reading;
                let text: String = ticket.iter().map(|byte| char::from(*byte)).collect();
                let ticket = Some(ticket::read(&text).unwrap());
                Read { value: value.as_ref().map(string), ticket, stale, times }
            }
            other => panic!("{other:?}"),
        }
    }

    /// The ticket of a miss.
    pub async fn missed(&self, key: &str) -> Guard {
        let read = self.read(key).await;
        assert_eq!((&read.value, read.stale), (&None, false), "{key} was expected to miss");
        read.ticket.unwrap()
    }

    pub async fn list(&self, tag: &str) -> Vec<String> {
        match self.one(Op::GetTags { tags: vec![Tag::selected(tag)] }).await {
            Outcome::List(values) => {
                let mut all: Vec<String> = values.iter().map(string).collect();
                all.sort();
                all
            }
            other => panic!("{other:?}"),
        }
    }
}
