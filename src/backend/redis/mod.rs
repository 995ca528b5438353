//! Redis and Valkey. One pipelined connection, on which the server also tells of changed tag records; the steps that
//! must be atomic are scripts (scripts/*.lua). Text forms of the bookkeeping: docs/tags.md.
//!
//! - `command`, `reply`, `protocol`, `strings`, `scripts`: the server's language, without I/O.
//! - `near`: tag records held beside the connection. `notes`: how long records and indexes live.
//! - `greeting`: what is said first on a new connection. `channels`: messages between processes.
//! - `clears`, `writes` (in `groups`), `exact`, `index`: what a batch becomes. `upkeep`: what runs behind.

// Also in tests: a change that no longer fits it is seen at once.
#[cfg(any(feature = "bench", test))]
#[doc(hidden)]
pub mod bench;
mod channels;
mod clears;
mod command;
mod deadline;
mod exact;
mod greeting;
mod groups;
mod index;
mod near;
mod notes;
mod protocol;
mod reply;
mod scripts;
mod strings;
mod upkeep;
mod writes;

use super::asked::Asked;
use super::line::{Line, Turn};
use super::{Backend, Clear, Dead, Found, Page, ReadReply, Seen, Swap, Write, Written};
use crate::clock::UnixMs;
use crate::config::RedisConfig;
use crate::error::{Error, Result};
use crate::events::{Event, Events};
use crate::key::Keyspace;
use crate::l1::Slots;
use crate::net::link::Link;
use crate::tags::{Epoch, Record};
use crate::ttl::Times;
use bytes::Bytes;
use command::Pipeline;
use deadline::Deadline;
use futures_util::FutureExt;
use greeting::RedisServer;
use protocol::Reply;
use redis::Value;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
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
    names: Names,
    owed: clears::Owed,
    /// Of those who wait for what is owed.
    line: Line,
    asked: Asked,
    crowds: index::Crowds,
    notes: notes::Notes,
    /// Tells upkeep that a connection is there, or that clears are owed.
    wake: Arc<Notify>,
    command_ms: u64,
}

/// What the server's names begin with, or are.
struct Names {
    epoch: String,
    fences: String,
    record: String,
    index: String,
    entry: String,
}

impl Names {
    fn of(space: &Keyspace) -> Self {
        Names {
            epoch: space.epoch(),
            fences: space.fences(),
            record: space.record_prefix(),
            index: space.index_prefix(),
            entry: space.entry_prefix(),
        }
    }
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
        l1: Option<Arc<Slots>>,
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
        let server = Arc::new(RedisServer::new(space.clone(), config.clone(), events, l1));
        let link =
            Link::open(server.clone(), config.endpoint.clone(), config.timeouts, Arc::new(listener), runtime);
        let core = Arc::new(Core {
            link,
            server,
            names: Names::of(&space),
            space,
            owed: clears::Owed::default(),
            line: Line::default(),
            asked: Asked::default(),
            crowds: index::Crowds::default(),
            notes: notes::Notes::new(),
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
        let replies = self.link.send(pipeline.bytes, pipeline.replies);
        replies.map(|replies| Ok(replies?.into_iter().map(Reply::into_value).collect()))
    }

    /// For a pipeline of one MGET of so many keys.
    async fn strings(
        &self,
        mget: Pipeline,
        keys: usize,
        turn: Option<Turn<'_>>,
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>> {
        let replies = self.link.send(mget.bytes, mget.replies);
        drop(turn);
        let mut replies = deadline.bound(replies).await?;
        let strings = match replies.pop() {
            Some(Reply::Strings(strings)) => strings,
            Some(Reply::Other(value)) => reply::array(value)?.into_iter().map(reply::string).collect(),
            None => Vec::new(),
        };
        if strings.len() != keys {
            return Err(Error::connection(format!(
                "Redis answered MGET with {} values, {keys} were expected; is a proxy in between?",
                strings.len()
            )));
        }
        Ok(strings)
    }

    async fn read(&self, keys: &[String]) -> Result<ReadReply> {
        let deadline = self.deadline();
        let turn = self.settled(deadline).await?;
        let asked = self.hearing();
        let mut pipeline = Pipeline::default();
        pipeline.begin(2 + keys.len());
        pipeline.arg(b"MGET");
        pipeline.arg(self.space.epoch().as_bytes());
        for key in keys {
            pipeline.arg(self.space.entry(key).as_bytes());
        }
        let strings = self.strings(pipeline, keys.len() + 1, turn, deadline).await?;
        asked.answered();
        let mut strings = strings.into_iter();
        let (epoch, star) = match strings.next().flatten() {
            Some(raw) => reply::epoch_and_star(&raw),
            None => (Epoch::NONE, None),
        };
        self.server.saw(epoch);
        let found = strings
            .map(|string| Ok(string.map_or(Found::Absent(None), |bytes| Found::Wire(bytes, None))))
            .collect();
        Ok(ReadReply { epoch, star, found })
    }

    async fn records(&self, tags: &[&str]) -> Result<Vec<Option<Record>>> {
        let deadline = self.deadline();
        let turn = self.settled(deadline).await?;
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
        let strings = self.strings(pipeline, looked.missing.len(), turn, deadline).await?;
        let found: Vec<_> = strings.iter().map(|raw| Record::parse(raw.as_ref()?)).collect();
        near.keep(tags, &looked.missing, &found);
        for ((at, _), record) in looked.missing.iter().zip(found) {
            looked.records[*at] = record;
        }
        Ok(looked.records)
    }
}

impl Backend for RedisBackend {
    const WIRE: bool = true;
    const COARSE_EXPIRY: bool = false;

    fn exact(&self) -> bool {
        self.core.server.near.tracked()
    }

    fn hashes(&self, _key: &str) -> bool {
        false
    }

    fn last_epoch(&self) -> Epoch {
        self.core.server.newest()
    }

    fn is_idle(&self) -> bool {
        self.core.link.is_idle()
    }

    async fn read(&self, keys: &[String], _now: UnixMs, _lease: Option<Duration>) -> Result<ReadReply> {
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

    async fn swap(&self, key: &str, seen: Seen, times: Option<Times>, _now: UnixMs) -> Result<bool> {
        let swap = Swap { key: key.to_owned(), seen, times };
        self.core.swap_all(&[swap]).await.pop().unwrap_or(Ok(false))
    }

    async fn swap_all(&self, swaps: Vec<Swap>, _now: UnixMs) -> Vec<Result<bool>> {
        self.core.swap_all(&swaps).await
    }

    fn owe(&self, clear: Clear) {
        self.core.owe(clear);
    }

    async fn lock(&self, key: &str, owner: &str, ms: u64, _now: UnixMs) -> Result<bool> {
        self.core.lock(key, owner, Some(ms)).await
    }

    async fn unlock(&self, key: &str, owner: &str, _now: UnixMs) -> Result<()> {
        self.core.lock(key, owner, None).await.map(|_| ())
    }

    async fn keys(&self, prefix: &str, cursor: u64, _now: UnixMs) -> Result<Page> {
        self.core.keys(prefix, cursor).await
    }

    async fn publish(&self, channel: &str, payload: &str) -> Result<()> {
        self.core.publish(channel, payload).await
    }

    async fn subscribe(&self, channel: &str) -> Result<()> {
        self.core.subscribe(channel).await
    }

    async fn unsubscribe(&self, channel: &str) -> Result<()> {
        self.core.unsubscribe(channel).await
    }

    async fn members(&self, tag: &str, cursor: u64, _now: UnixMs) -> Result<Page> {
        self.core.members(tag, cursor).await
    }

    async fn bury(&self, tag: &str, dead: Vec<Dead>) -> Result<()> {
        self.core.bury(tag, dead).await
    }

    fn crowded(&self, _now: UnixMs) -> Vec<String> {
        self.core.crowds.take()
    }

    async fn close(&self) {
        // A last chance for clears that an outage kept back; without a connection it fails at once.
        let _ = self.core.settled(self.core.deadline()).await;
        self.upkeep.abort();
        self.core.link.close().await;
    }
}
