//! Redis and Valkey. One pipelined connection; the steps that must be atomic are scripts (scripts/*.lua). What was cleared stands
//! in a log on the server, and is compared with entries here (docs/internals/tags.md).
//!
//! - `command`, `reply`, `strings`, `scripts`, `clear_log`, `names`: the server's language, without I/O.
//! - `clear_table`: what a connection knows of the log, pure. `history`: what a process remembers to clear again, pure. `local`: what
//!   tells values kept in JavaScript from outdated ones. `subscriptions`: the channels of messages. `state`: all of these, in the order
//!   of replies. `reading`: a read's replies, judged; `protocol`: replies and pushes out of bytes, taken in.
//! - `handshake`: what is said first on a new connection; `replay`: what a failover may have lost, made again there.
//! - `core`: the connection and what operations share, with `deferred` (clears that an outage kept back), `longest_life`, `sweeper` and
//!   `activity`.
//! - `reads`, `writes`, `clears`, `compare_and_swap`, `index`, `channels`: what a batch becomes.
//! - `sentinel`, `credentials`: where the server is, and who to log in as.
//! - `sweep` (with `progress`), `heartbeat`, `role_check`: background tasks.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

// Also in tests: a change that no longer fits it is seen at once.
mod activity;
#[cfg(any(feature = "bench", test))]
#[doc(hidden)]
pub mod bench;
mod channels;
mod clear_log;
pub mod clear_table;
mod clears;
mod command;
mod compare_and_swap;
mod core;
mod credentials;
mod deadline;
mod deferred;
mod handshake;
mod heartbeat;
mod history;
mod index;
mod local;
mod longest_life;
mod names;
mod progress;
mod protocol;
mod reading;
mod reads;
mod replay;
mod reply;
mod role_check;
mod scripts;
mod sentinel;
mod set_script;
mod state;
mod strings;
mod subscriptions;
mod sweep;
mod sweeper;
mod writes;

use self::core::Core;
use super::fifo_gate::FifoGate;
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
use crate::net::dialer::Target;
use crate::net::locator::Locator;
use crate::net::tls::connector::connector;
use crate::stats::Stats;
use activity::Activity;
use credentials::Login;
use deferred::Deferred;
use handshake::RedisServer;
use longest_life::LongestLife;
use names::Names;
use protocol::Reply;
use sentinel::Sentinels;
use std::sync::Arc;
use std::time::Duration;
use sweeper::Sweeper;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A store on one Redis or Valkey server.
pub struct RedisStore {
    core: Arc<Core>,
    background: [JoinHandle<()>; 3],
}

impl RedisStore {
    /// Credentials that have changed: for the connections to come, and for the one that is up.
    pub fn set_credentials(
        &self,
        username: Option<String>,
        password: String,
        runtime: &tokio::runtime::Handle,
    ) {
        let login = Login { username, password: Some(password) };
        let auth = login.auth();
        self.core.server.credentials.set(login);
        let client = &self.core.client;
        let Some(auth) = auth.filter(|_| client.connection_id() != 0) else { return };
        let observe = Box::new(|_, replies: &mut Vec<Reply>| credentials::accepted(replies));
        // Its outcome is seen to by who looks at the reply.
        runtime.spawn(client.send_observed(Some(client.connection_id()), auth.bytes, auth.replies, observe));
    }

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
        let sentinel = config.sentinel.clone();
        let sentinels =
            sentinel.map(|sentinel| Sentinels::new(*sentinel, config.timeouts, &space)).transpose()?;
        let sentinels = sentinels.map(Arc::new);
        let locator = sentinels.clone().map(|sentinels| sentinels as Arc<dyn Locator>);
        let client = Client::open(
            server.clone(),
            Target { endpoint: config.endpoint.clone(), tls: connector(&config.tls)?, locator },
            config.timeouts,
            Arc::new(listener),
            runtime,
        );
        let core = Arc::new(Core {
            client,
            server,
            sentinels,
            names: Names::of(&space),
            space,
            deferred: Deferred::new(config.endpoint.to_string(), told),
            gate: FifoGate::default(),
            longest_life: LongestLife::default(),
            sweeper: Sweeper::default(),
            activity: Activity::default(),
            stats,
            wake: wake.clone(),
            command_ms: config.timeouts.command_ms,
        });
        let heartbeat = runtime.spawn(heartbeat::run(Arc::downgrade(&core), wake));
        let sweep = runtime.spawn(sweep::run(Arc::downgrade(&core)));
        let role_check = runtime.spawn(role_check::run(Arc::downgrade(&core)));
        Ok(RedisStore { core, background: [heartbeat, sweep, role_check] })
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.background.iter().for_each(JoinHandle::abort);
    }
}

impl EntryStore for RedisStore {
    type Form = Wire;

    const COARSE_EXPIRY: bool = false;

    fn observes_all_changes(&self) -> bool {
        self.core.server.state.is_tracked()
    }

    fn last_epoch(&self, _key: &str) -> Epoch {
        self.core.server.state.max_epoch_seen()
    }

    fn is_idle(&self) -> bool {
        self.core.client.is_idle()
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
        self.core.defer_clear(clear);
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
        let _ = self.core.wait_for_deferred(self.core.deadline()).await;
        self.background.iter().for_each(JoinHandle::abort);
        self.core.sweep_at_close().await;
        self.core.client.close().await;
    }
}
