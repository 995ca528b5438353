//! A backend and what its user does with it: encode, judge, set.

use crate::server::Server;
use cachalot::codec::envelope::{self, Codec, Envelope, Header};
use cachalot::config::{Endpoint, MemcachedConfig, Timeouts};
use cachalot::error::Result;
use cachalot::events;
use cachalot::model::key::Keyspace;
use cachalot::model::tag::{Clearance, Epoch, Invalidation, Record, Tag};
use cachalot::model::time;
use cachalot::model::ttl::Ttl;
use cachalot::store::form::Wire;
use cachalot::store::form::WireEntry;
use cachalot::store::guard::Guard;
use cachalot::store::memcached::MemcachedStore;
use cachalot::store::request::{Clear, KeyRead, ReadEntry, Write, WriteOutcome};
use cachalot::store::traits::{ClearStore, EntryStore, IndexStore};
use std::time::{Duration, Instant};

pub const MINUTE: Ttl = Ttl::Ms(60_000);
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Store(pub MemcachedStore);

pub fn config(servers: Vec<Endpoint>) -> MemcachedConfig {
    MemcachedConfig {
        servers,
        username: None,
        tls: None,
        password: None,
        max_item_bytes: 1024 * 1024,
        timeouts: Timeouts::default(),
    }
}

/// Must be called within a runtime.
pub fn open(servers: Vec<Endpoint>) -> Store {
    with(config(servers))
}

pub fn with(config: MemcachedConfig) -> Store {
    let space = Keyspace::new("p").unwrap();
    let runtime = tokio::runtime::Handle::current();
    Store(MemcachedStore::open(space, &config, events::silent(), &runtime, None).unwrap())
}

/// Where a tag's record is; `*`: that of everything.
pub fn record_key(tag: &str) -> String {
    Keyspace::new("p").unwrap().record(Tag::selected(tag))
}

pub fn shard_key(index: Tag, shard: u32) -> String {
    Keyspace::new("p").unwrap().index_shard(index, shard)
}

/// A tag's record as it lies on the server.
pub fn record(server: &Server, tag: &str) -> Record {
    Record::parse(&server.raw().value(&record_key(tag)).unwrap()).unwrap()
}

fn entry_tags(tags: &[&str]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = tags.iter().map(|tag| Tag::of(tag)).collect();
    tags.sort_unstable();
    tags
}

pub fn entry(epoch: Epoch, tags: &[&str], payload: &[u8], ttl: Ttl) -> Envelope {
    let header = Header {
        codec: Codec::None,
        auto: true,
        binary: false,
        epoch,
        expires_at: ttl.expires_at(time::now()),
        raw_len: payload.len() as u32,
        tags: entry_tags(tags),
        key: None,
        times: None,
    };
    envelope::encode(&header, payload).unwrap()
}

pub fn write(key: &str, tags: &[&str], payload: &[u8], guard: Option<Guard>) -> Write<Wire> {
    let epoch = guard.map_or(Epoch::NONE, |guard| guard.epoch);
    Write {
        key: key.to_owned(),
        tags: entry_tags(tags),
        auto: true,
        ttl: MINUTE,
        times: None,
        guard,
        body: entry(epoch, tags, payload, MINUTE),
    }
}

impl Store {
    pub async fn read(&self, key: &str, lease: bool) -> KeyRead<Wire> {
        self.0.read(&[key.to_owned()], time::now(), lease.then_some(PATIENCE)).await.unwrap().remove(0)
    }

    /// The payload, if it is valid, and what guards a set after this read.
    pub async fn get(&self, key: &str) -> Result<(Option<String>, Guard)> {
        let read = self.0.read(&[key.to_owned()], time::now(), Some(PATIENCE)).await?.remove(0);
        let guard = |lease| Guard { lease, ..Guard::at(read.epoch) };
        let WireEntry { bytes, lease, clearance } = match read.entry? {
            ReadEntry::Present(entry) => entry,
            ReadEntry::Absent(lease) => return Ok((None, guard(lease))),
        };
        let Ok((_, payload)) = envelope::decode(&bytes, 1 << 24) else {
            return Ok((None, guard(lease)));
        };
        if clearance != Clearance::None {
            return Ok((None, guard(lease)));
        }
        Ok((Some(String::from_utf8(payload.to_vec()).unwrap()), guard(lease)))
    }

    pub async fn value(&self, key: &str) -> Option<String> {
        self.get(key).await.unwrap().0
    }

    pub async fn miss(&self, key: &str) -> Guard {
        let (value, guard) = self.get(key).await.unwrap();
        assert_eq!(value, None, "{key} was expected to miss");
        guard
    }

    pub async fn write(&self, write: Write<Wire>) -> Result<WriteOutcome> {
        self.0.write(vec![write], time::now()).await.remove(0)
    }

    pub async fn set(
        &self,
        key: &str,
        tags: &[&str],
        payload: &str,
        guard: Option<Guard>,
    ) -> Result<WriteOutcome> {
        self.write(write(key, tags, payload.as_bytes(), guard)).await
    }

    /// Reads, misses and sets, as a user does.
    pub async fn fill(&self, key: &str, tags: &[&str], payload: &str) {
        let guard = self.miss(key).await;
        assert!(matches!(self.set(key, tags, payload, Some(guard)).await, Ok(WriteOutcome::Stored(Some(_)))));
    }

    pub async fn clear_key(&self, key: &str) -> Result<()> {
        let clear = Clear { keys: vec![key.to_owned()], tags: vec![], invalidation: Invalidation::Hard };
        self.0.clear(clear, time::now()).await
    }

    pub async fn clear_tags(&self, tags: &[&str], invalidation: Invalidation) -> Result<()> {
        let tags = tags.iter().map(|tag| Tag::selected(tag)).collect();
        self.0.clear(Clear { keys: vec![], tags, invalidation }, time::now()).await
    }

    pub async fn members(&self, tag: &str) -> Vec<String> {
        self.members_of(Tag::selected(tag)).await
    }

    pub async fn members_of(&self, tag: Tag) -> Vec<String> {
        let mut keys = Vec::new();
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let page = self.0.members(tag, &[], at, time::now()).await.unwrap();
            keys.extend(page.keys);
            cursor = page.next;
        }
        keys.sort();
        keys
    }
}

/// Waits until it is so, at most 30 s.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so().await {
        assert!(Instant::now() < end, "never so: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
