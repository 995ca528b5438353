//! Redis and Valkey. One pipelined connection, on which the server also tells of changed tag records; the steps that
//! must be atomic are scripts (scripts/*.lua). Text forms of the bookkeeping: docs/tags.md.
//!
//! - `command`, `reply`, `protocol`, `scripts`: the server's language, without I/O.
//! - `near`: tag records held beside the connection.
//! - `greeting`: what is said first on a new connection.
//! - `clears`, `writes`, `index`: what a batch becomes. `upkeep`: what runs behind.

mod clears;
mod command;
mod deadline;
mod greeting;
mod index;
mod near;
mod protocol;
mod reply;
mod scripts;
mod upkeep;
mod writes;

use super::{Backend, Clear, Dead, Found, Page, ReadReply, Write, Written};
use crate::clock::UnixMs;
use crate::config::RedisConfig;
use crate::error::{Error, Result};
use crate::events::{Event, Events};
use crate::key::Keyspace;
use crate::net::link::Link;
use crate::tags::Record;
use bytes::Bytes;
use command::Pipeline;
use deadline::Deadline;
use greeting::RedisServer;
use redis::Value;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A store on one Redis or Valkey server.
pub struct RedisBackend {
    core: Arc<Core>,
    upkeep: JoinHandle<()>,
}

struct Core {
    link: Link<RedisServer>,
    server: Arc<RedisServer>,
    space: Keyspace,
    owed: clears::Owed,
    crowds: index::Crowds,
    /// Tells upkeep that a connection is there, or that clears are owed.
    wake: Arc<Notify>,
    command_ms: u64,
}

impl RedisBackend {
    /// Returns at once; connects in the background.
    ///
    /// Errors: `CACHALOT_CONFIG` for a connection name that the server would refuse.
    pub fn open(
        space: Keyspace,
        config: &RedisConfig,
        events: Events,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Self> {
        if let Some(name) = &config.connection_name
            && (name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(Error::config(
                "connectionName: expected printable ASCII without spaces; the server takes nothing else.",
            ));
        }
        let wake = Arc::new(Notify::new());
        let listener = {
            let (wake, events) = (wake.clone(), events.clone());
            move |event: Event| {
                if matches!(event, Event::Connected { .. }) {
                    wake.notify_one();
                }
                events(event);
            }
        };
        let server = Arc::new(RedisServer::new(space.clone(), config.clone(), events));
        let link =
            Link::open(server.clone(), config.endpoint.clone(), config.timeouts, Arc::new(listener), runtime);
        let core = Arc::new(Core {
            link,
            server,
            space,
            owed: clears::Owed::default(),
            crowds: index::Crowds::default(),
            wake: wake.clone(),
            command_ms: config.timeouts.command_ms,
        });
        let upkeep = runtime.spawn(upkeep::run(Arc::downgrade(&core), wake));
        Ok(RedisBackend { core, upkeep })
    }
}

impl RedisBackend {
    /// What upkeep does every 30 seconds: tells the server that the tag records held near are in use.
    pub async fn touch(&self) {
        self.core.touch().await;
    }
}

impl Drop for RedisBackend {
    fn drop(&mut self) {
        self.upkeep.abort();
    }
}

impl Core {
    fn deadline(&self) -> Deadline {
        Deadline::after(self.command_ms)
    }

    /// Enqueued when called, not when polled.
    fn send(&self, pipeline: Pipeline) -> impl Future<Output = Result<Vec<Value>>> + Send + 'static {
        self.link.send(pipeline.bytes, pipeline.replies)
    }

    async fn read(&self, keys: &[String]) -> Result<ReadReply> {
        let deadline = self.deadline();
        self.settled(deadline).await?;
        let mut pipeline = Pipeline::default();
        pipeline.begin(2 + keys.len());
        pipeline.arg(b"MGET");
        pipeline.arg(self.space.epoch().as_bytes());
        for key in keys {
            pipeline.arg(self.space.entry(key).as_bytes());
        }
        let reply = reply::only(deadline.bound(self.send(pipeline)).await?);
        let mut items = self.as_many(reply, keys.len() + 1)?.into_iter();
        let (epoch, star) = match items.next() {
            Some(Value::BulkString(raw)) => reply::epoch_and_star(&raw),
            _ => (crate::tags::Epoch::NONE, None),
        };
        self.server.saw(epoch);
        let found = items
            .map(|item| match item {
                Value::BulkString(bytes) => Ok(Found::Wire(Bytes::from(bytes), None)),
                _ => Ok(Found::Absent(None)),
            })
            .collect();
        Ok(ReadReply { epoch, star, found })
    }

    async fn records(&self, tags: &[&str]) -> Result<Vec<Option<Record>>> {
        let deadline = self.deadline();
        self.settled(deadline).await?;
        let near = &self.server.near;
        let mut looked = near.look(tags);
        if looked.missing.is_empty() {
            return Ok(looked.records);
        }
        let mut pipeline = Pipeline::default();
        pipeline.begin(1 + looked.missing.len());
        pipeline.arg(b"MGET");
        for (at, _) in &looked.missing {
            pipeline.arg(self.space.record(tags[*at]).as_bytes());
        }
        let reply = reply::only(deadline.bound(self.send(pipeline)).await?);
        let found: Vec<_> = self
            .as_many(reply, looked.missing.len())?
            .iter()
            .map(|item| match item {
                Value::BulkString(raw) => Record::parse(raw),
                _ => None,
            })
            .collect();
        near.keep(tags, &looked.missing, &found);
        for ((at, _), record) in looked.missing.iter().zip(found) {
            looked.records[*at] = record;
        }
        Ok(looked.records)
    }

    fn as_many(&self, reply: Value, expected: usize) -> Result<Vec<Value>> {
        let items = reply::array(reply)?;
        if items.len() != expected {
            return Err(Error::connection(format!(
                "Redis answered MGET with {} values, {expected} were expected; is a proxy in between?",
                items.len()
            )));
        }
        Ok(items)
    }
}

impl Backend for RedisBackend {
    const WIRE: bool = true;
    const COARSE_EXPIRY: bool = false;

    fn hashes(&self, _key: &str) -> bool {
        false
    }

    async fn read(&self, keys: &[String], _now: UnixMs, _lease: bool) -> Result<ReadReply> {
        self.core.read(keys).await
    }

    async fn records(&self, tags: &[&str]) -> Result<Vec<Option<Record>>> {
        self.core.records(tags).await
    }

    async fn write(&self, writes: Vec<Write>, _now: UnixMs) -> Vec<Result<Written>> {
        self.core.write(writes).await
    }

    async fn clear(&self, clear: Clear, _now: UnixMs) -> Result<()> {
        self.core.clear(clear).await
    }

    async fn members(&self, tag: &str, cursor: u64, _now: UnixMs) -> Result<Page> {
        self.core.members(tag, cursor).await
    }

    async fn bury(&self, tag: &str, dead: Vec<Dead>) -> Result<()> {
        self.core.bury(tag, dead).await
    }

    fn crowded(&self) -> Vec<String> {
        self.core.crowds.take()
    }

    async fn close(&self) {
        // A last chance for clears that an outage kept back; without a connection it fails at once.
        let _ = self.core.settled(self.core.deadline()).await;
        self.upkeep.abort();
        self.core.link.close().await;
    }
}
