//! The least of an engine: envelopes without compression, and the rule of validity.

use crate::server::Server;
use cachalot::codec::envelope::{Codec, Header, decode, encode};
use cachalot::config::{Endpoint, RedisConfig};
use cachalot::error::Result;
use cachalot::events::Event;
use cachalot::model::key::Keyspace;
use cachalot::model::tag::{Clearance, Epoch, Invalidation, Tag};
use cachalot::model::time;
use cachalot::model::ttl::Ttl;
use cachalot::stats::Stats;
use cachalot::store::form::{Wire, WireEntry};
use cachalot::store::guard::Guard;
use cachalot::store::redis::RedisStore;
use cachalot::store::request::KeyRead;
use cachalot::store::request::{Clear, ReadEntry, Write, WriteOutcome};
use cachalot::store::traits::{ClearStore, EntryStore};
use std::sync::{Arc, Mutex};

pub const PREFIX: &str = "p";

#[derive(Clone)]
pub struct Store {
    pub backend: Arc<RedisStore>,
    pub events: Arc<Mutex<Vec<Event>>>,
    pub stats: Arc<Stats>,
}

pub fn config(server: &Server) -> RedisConfig {
    RedisConfig {
        endpoint: Endpoint::Tcp { host: "127.0.0.1".into(), port: server.port },
        username: None,
        sentinel: None,
        credentials: false,
        tls: None,
        password: None,
        db: 0,
        connection_name: None,
        tracking: true,
        clear_log_max: 250_000,
        timeouts: Default::default(),
    }
}

pub fn space() -> Keyspace {
    Keyspace::new(PREFIX).unwrap()
}

pub fn minutes(n: u64) -> Ttl {
    Ttl::Ms(n * 60_000)
}

/// What `set` needs to know beside key and value.
#[derive(Clone)]
pub struct Set<'a> {
    pub tags: &'a [&'a str],
    pub auto: bool,
    pub ttl: Ttl,
    /// `None` = unguarded.
    pub miss: Option<Epoch>,
}

pub fn tagged<'a>(tags: &'a [&'a str]) -> Set<'a> {
    Set { tags, auto: true, ttl: minutes(5), miss: None }
}

impl<'a> Set<'a> {
    pub fn after(mut self, miss: Epoch) -> Self {
        self.miss = Some(miss);
        self
    }

    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.ttl = ttl;
        self
    }

    pub fn manual(mut self) -> Self {
        self.auto = false;
        self
    }

    pub fn write(&self, key: &str, value: &str) -> Write<Wire> {
        let mut tags: Vec<Tag> = self.tags.iter().map(|tag| Tag::of(tag)).collect();
        tags.sort();
        tags.dedup();
        let header = Header {
            codec: Codec::None,
            auto: self.auto,
            binary: false,
            epoch: self.miss.unwrap_or(Epoch::NONE),
            expires_at: self.ttl.expires_at(time::now()),
            raw_len: value.len() as u32,
            tags: tags.clone(),
            key: None,
            times: None,
        };
        Write {
            key: key.to_owned(),
            tags,
            auto: self.auto,
            ttl: self.ttl,
            times: None,
            guard: self.miss.map(Guard::at),
            body: encode(&header, value.as_bytes()).unwrap(),
        }
    }
}

impl Store {
    pub fn open(server: &Server) -> Self {
        Self::with(config(server))
    }

    /// Both ways of knowing the records.
    pub fn both(server: &Server) -> [Self; 2] {
        [Self::open(server), Self::with(RedisConfig { tracking: false, ..config(server) })]
    }

    pub fn with(config: RedisConfig) -> Self {
        Self::under(PREFIX, config)
    }

    pub fn under(prefix: &str, config: RedisConfig) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = events.clone();
        let runtime = tokio::runtime::Handle::current();
        let listener = Arc::new(move |event| heard.lock().unwrap().push(event));
        let space = Keyspace::new(prefix).unwrap();
        let stats = Arc::<Stats>::default();
        let backend =
            Arc::new(RedisStore::open(space, &config, listener, &runtime, None, stats.clone()).unwrap());
        Store { backend, events, stats }
    }

    /// The live value, and the epoch that a miss would remember.
    pub async fn look(&self, key: &str) -> Result<(Option<String>, Epoch)> {
        let KeyRead { epoch, entry } =
            self.backend.read(&[key.to_owned()], time::now(), None).await?.remove(0);
        let ReadEntry::Present(WireEntry { bytes, clearance, .. }) = entry? else { return Ok((None, epoch)) };
        let Ok((_, payload)) = decode(&bytes, 1 << 20) else { return Ok((None, epoch)) };
        let live = clearance == Clearance::None;
        Ok((live.then(|| String::from_utf8(payload.to_vec()).unwrap()), epoch))
    }

    pub async fn get(&self, key: &str) -> Option<String> {
        self.look(key).await.unwrap().0
    }

    /// The epoch that a miss remembers.
    pub async fn miss(&self) -> Epoch {
        self.look("no such key").await.unwrap().1
    }

    pub async fn set(&self, key: &str, value: &str, set: Set<'_>) -> Result<WriteOutcome> {
        self.backend.write(vec![set.write(key, value)], time::now()).await.remove(0)
    }

    /// Expects it to be stored.
    pub async fn put(&self, key: &str, value: &str, tags: &[&str]) {
        assert_eq!(self.set(key, value, tagged(tags)).await.unwrap(), WriteOutcome::Stored(None));
    }

    pub async fn clear(&self, clear: Clear) -> Result<()> {
        self.backend.clear(clear, time::now()).await
    }

    pub async fn clear_tags(&self, tags: &[&str]) {
        self.clear(by_tags(tags, Invalidation::Hard)).await.unwrap();
    }

    pub async fn clear_key(&self, key: &str) {
        self.clear(Clear { keys: vec![key.into()], tags: vec![], invalidation: Invalidation::Hard })
            .await
            .unwrap();
    }
}

pub fn by_tags(tags: &[&str], invalidation: Invalidation) -> Clear {
    Clear { keys: vec![], tags: tags.iter().map(|tag| Tag::selected(tag)).collect(), invalidation }
}
