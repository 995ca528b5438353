//! Redis and Valkey. One pipelined connection; the steps that must be atomic are scripts (scripts/*.lua). What was cleared stands
//! in a log on the server, and is compared with entries here (docs/internals/tags.md).
//!
//! - `command`, `reply`, `protocol`, `strings`, `scripts`, `clear_log`: the server's language, without I/O.
//! - `clear_table`: what a connection knows of the log, pure. `history`: what a process remembers to clear again, pure. `state`:
//!   both, and what is told of changes, in the order of replies. `local`: of those, what concerns values kept in JavaScript.
//! - `handshake`: what is said first on a new connection. `replay`: what a failover may have lost, made again there. `channels`:
//!   messages between processes.
//! - `reads`, `writes`, `clears`, `compare_and_swap`, `index`: what a batch becomes. `sweep`, `upkeep`, `watch`: what runs behind; `progress`:
//!   how far sweeps came, pure.

// Also in tests: a change that no longer fits it is seen at once.
#[cfg(any(feature = "bench", test))]
#[doc(hidden)]
pub mod bench;
mod channels;
mod clear_log;
pub mod clear_table;
mod clears;
mod command;
mod compare_and_swap;
mod deadline;
mod handshake;
mod history;
mod index;
mod local;
mod progress;
mod protocol;
mod reads;
mod replay;
mod reply;
mod scripts;
mod state;
mod strings;
mod sweep;
mod upkeep;
mod watch;
mod writes;

use super::asked::Asked;
use super::fifo_gate::Line;
use super::form::Wire;
use super::request::{Clear, KeyRead, Page, SeenVersion, Swap, Write, WriteOutcome};
use super::traits::{ClearStore, EntryStore, IndexStore, LockStore, PubSub, Store};
use crate::config::RedisConfig;
use crate::error::{Error, Result};
use crate::events::{Event, Events};
use crate::model::key::Keyspace;
use crate::model::tag::{Epoch, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use crate::model::version_table::VersionTable;
use crate::net::client::Client;
use crate::stats::Stats;
use command::Pipeline;
use deadline::Deadline;
use futures_util::FutureExt;
use futures_util::future::Either;
use handshake::RedisServer;
use protocol::Reply;
use redis::Value;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A store on one Redis or Valkey server.
pub struct RedisStore {
    core: Arc<Core>,
    behind: [JoinHandle<()>; 3],
}

struct Core {
    link: Client<RedisServer>,
    server: Arc<RedisServer>,
    space: Keyspace,
    names: Names,
    owed: clears::Owed,
    /// Of those who wait for what is owed.
    line: Line,
    asked: Asked,
    lives: writes::Lives,
    sweeper: sweep::Sweeper,
    watch: watch::Watch,
    stats: Arc<Stats>,
    /// Tells upkeep that a connection is there, or that clears are owed.
    wake: Arc<Notify>,
    command_ms: u64,
}

/// What the server's names are, or begin with.
#[derive(Clone)]
struct Names {
    epoch: String,
    log: String,
    fences: String,
    index: String,
    longest: String,
    entry: String,
}

impl Names {
    fn of(space: &Keyspace) -> Self {
        Names {
            epoch: space.epoch(),
            log: space.clear_log(),
            fences: space.fences(),
            index: space.whole_index(),
            longest: space.longest_life(),
            entry: space.entry_prefix(),
        }
    }
}

impl RedisStore {
    /// Returns at once; connects in the background.
    ///
    /// Errors: `CACHALOT_CONFIG` for a connection name that the server would refuse.
    pub fn open(
        space: Keyspace,
        config: &RedisConfig,
        events: Events,
        runtime: &tokio::runtime::Handle,
        l1: Option<Arc<VersionTable>>,
        stats: Arc<Stats>,
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
        let told = events.clone();
        let server = Arc::new(RedisServer::new(space.clone(), config.clone(), events, l1));
        let link = Client::open(
            server.clone(),
            config.endpoint.clone(),
            config.timeouts,
            Arc::new(listener),
            runtime,
        );
        let core = Arc::new(Core {
            link,
            server,
            names: Names::of(&space),
            space,
            owed: clears::Owed::new(config.endpoint.to_string(), told),
            line: Line::default(),
            asked: Asked::default(),
            lives: writes::Lives::default(),
            sweeper: sweep::Sweeper::default(),
            watch: watch::Watch::default(),
            stats,
            wake: wake.clone(),
            command_ms: config.timeouts.command_ms,
        });
        let upkeep = runtime.spawn(upkeep::run(Arc::downgrade(&core), wake));
        let sweep = runtime.spawn(upkeep::sweep(Arc::downgrade(&core)));
        let watch = runtime.spawn(watch::run(Arc::downgrade(&core)));
        Ok(RedisStore { core, behind: [upkeep, sweep, watch] })
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.behind.iter().for_each(JoinHandle::abort);
    }
}

impl Core {
    fn deadline(&self) -> Deadline {
        Deadline::after(self.command_ms)
    }

    /// Enqueued when called, not when polled.
    fn send(&self, pipeline: Pipeline) -> impl Future<Output = Result<Vec<Value>>> + Send + 'static {
        self.send_on(None, pipeline)
    }

    /// As `send`, but over the connection of that number or none.
    fn send_on(
        &self,
        over: Option<u64>,
        pipeline: Pipeline,
    ) -> impl Future<Output = Result<Vec<Value>>> + Send + 'static {
        let Pipeline { bytes, replies } = pipeline;
        let replies = match over {
            Some(connection_id) => Either::Left(self.link.send_on(connection_id, bytes, replies)),
            None => Either::Right(self.link.send(bytes, replies)),
        };
        replies.map(|replies| Ok(replies?.into_iter().map(Reply::into_value).collect()))
    }

    /// As `send`; `observe` sees the replies in the order of the connection.
    fn send_observed<F: FnOnce(&[Value]) + Send + 'static>(
        &self,
        pipeline: Pipeline,
        observe: F,
    ) -> impl Future<Output = Result<Vec<Value>>> + Send + 'static + use<F> {
        let observe = Box::new(move |_, replies: &mut Vec<Reply>| {
            let values: Vec<Value> = std::mem::take(replies).into_iter().map(Reply::into_value).collect();
            observe(&values);
            replies.extend(values.into_iter().map(Reply::Other));
            Ok(())
        });
        let replies = self.link.send_observed(None, pipeline.bytes, pipeline.replies, observe);
        replies.map(|replies| Ok(replies?.into_iter().map(Reply::into_value).collect()))
    }
}

impl EntryStore for RedisStore {
    type Form = Wire;

    const COARSE_EXPIRY: bool = false;

    fn observes_all_changes(&self) -> bool {
        self.core.server.state.is_told()
    }

    fn last_epoch(&self, _key: &str) -> Epoch {
        self.core.server.state.newest()
    }

    fn is_idle(&self) -> bool {
        self.core.link.is_idle()
    }

    async fn read(
        &self,
        keys: &[String],
        _now: UnixMs,
        _lease: Option<Duration>,
    ) -> Result<Vec<KeyRead<Wire>>> {
        self.core.read(keys).await
    }

    async fn write(&self, writes: Vec<Write<Wire>>, _now: UnixMs) -> Vec<Result<WriteOutcome>> {
        self.core.write(writes).await
    }

    async fn swap(
        &self,
        key: &str,
        seen: SeenVersion<Wire>,
        times: Option<Times>,
        _now: UnixMs,
    ) -> Result<bool> {
        let swap = Swap { key: key.to_owned(), seen, times };
        self.core.swap_all(&[swap]).await.pop().unwrap_or(Ok(false))
    }

    async fn swap_all(&self, swaps: Vec<Swap<Wire>>, _now: UnixMs) -> Vec<Result<bool>> {
        self.core.swap_all(&swaps).await
    }
}

impl ClearStore for RedisStore {
    async fn clear(&self, clear: Clear, _now: UnixMs) -> Result<()> {
        self.core.clear(clear).await
    }

    fn defer_clear(&self, clear: Clear) {
        self.core.owe(clear);
    }
}

impl LockStore for RedisStore {
    async fn lock(&self, key: &str, owner: &str, ms: u64, _now: UnixMs) -> Result<bool> {
        self.core.lock(key, owner, Some(ms)).await
    }

    async fn unlock(&self, key: &str, owner: &str, _now: UnixMs) -> Result<()> {
        self.core.lock(key, owner, None).await.map(|_| ())
    }
}

impl IndexStore for RedisStore {
    async fn keys(&self, prefix: &str, cursor: u64, _now: UnixMs) -> Result<Page> {
        self.core.keys(prefix, cursor).await
    }

    fn indexes_of(tag: Tag) -> impl Iterator<Item = Tag> + Send {
        std::iter::once(if tag == Tag::ROOT { Tag::ROOT } else { Tag::WIDE })
    }

    /// One index holds all.
    fn is_listed(_index: Tag, _tags: &[Tag]) -> bool {
        true
    }

    async fn members(&self, index: Tag, wanted: &[Tag], cursor: u64, _now: UnixMs) -> Result<Page> {
        match index {
            Tag::ROOT => self.core.keys("", cursor).await,
            _ => self.core.members(wanted, cursor).await,
        }
    }
}

impl PubSub for RedisStore {
    async fn publish(&self, channel: &str, payload: &str) -> Result<()> {
        self.core.publish(channel, payload).await
    }

    async fn subscribe(&self, channel: &str) -> Result<()> {
        self.core.subscribe(channel).await
    }

    async fn unsubscribe(&self, channel: &str) -> Result<()> {
        self.core.unsubscribe(channel).await
    }
}

impl Store for RedisStore {
    async fn close(&self) {
        // A last chance for clears that an outage kept back; without a connection it fails at once.
        let _ = self.core.settled(self.core.deadline()).await;
        self.behind.iter().for_each(JoinHandle::abort);
        self.core.sweep_at_close().await;
        self.core.link.close().await;
    }
}
