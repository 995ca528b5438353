//! The servers of one store, and what all operations share.

use super::commands::{Batch, MetaSetFlags, Replies, Version};
use super::deferred::Deferred;
use super::handshake::Greeter;
use super::index_stats::IndexStats;
use super::protocol::{Outcome, Reply};
use super::write_log::WriteLog;
use crate::config::MemcachedConfig;
use crate::error::{Error, Result};
use crate::events::{Event, Events};
use crate::model::key::Keyspace;
use crate::model::tag::{Epoch, Tag};
use crate::model::time;
use crate::model::version_table::VersionTable;
use crate::net::client::Client;
use crate::net::cluster::router::{Location, Router};
use crate::net::cluster::scatter::{Slot, dispatch};
use crate::net::dialer::Target;
use crate::net::timeout::timeout_at;
use crate::net::tls::connector::connector;
use crate::store::fifo_gate::{FifoGate, run_with};
use futures_util::FutureExt;
use futures_util::future::Either;
use parking_lot::Mutex;
use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Longest value a reply may announce where the configured item limit is smaller: another process may have been told
/// of a larger one.
const MAX_VALUE: usize = 64 * 1024 * 1024;

pub struct Node {
    pub name: String,
    pub client: Client<Greeter>,
    pub deferred: Deferred,
}

/// The servers of one store, and what its operations share.
pub struct Core {
    pub space: Keyspace,
    nodes: Vec<Node>,
    router: Router,
    pub epoch: Location,
    pub star: Location,
    /// The epoch last read: what an unguarded set is stamped with at first.
    seen: Mutex<Epoch>,
    /// Of those who wait until the epoch is known.
    pub gate: FifoGate,
    pub writes: WriteLog,
    pub index_stats: Mutex<IndexStats>,
    /// The callers' clock as of the last set (milliseconds): what background work judges expiry by.
    pub caller_clock: AtomicU64,
    pub max_item: usize,
    pub timeout: Duration,
    pub runtime: Handle,
    me: Weak<Core>,
}

/// What the epoch's key holds.
pub enum Counter {
    At(Epoch),
    Absent,
    /// Something else, which no one of us stored.
    Foreign(Option<Version>),
}

impl Counter {
    pub fn epoch(&self) -> Epoch {
        match self {
            Counter::At(epoch) => *epoch,
            _ => Epoch::NONE,
        }
    }
}

impl Core {
    /// Returns at once; connects in the background. `connected` is called when a server is there (again).
    pub fn open(
        space: Keyspace,
        config: &MemcachedConfig,
        events: Events,
        runtime: &Handle,
        l1: Option<Arc<VersionTable>>,
        connected: fn(&Core),
    ) -> Result<Arc<Self>> {
        let names: Vec<String> = config.servers.iter().map(|endpoint| endpoint.to_string()).collect();
        if names.is_empty() {
            return Err(Error::config("serverUrls: expected at least one server, got an empty list."));
        }
        if let Some(at) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
            return Err(Error::config(format!("serverUrls: {} is named twice.", names[at])));
        }
        let credentials = credentials(config)?;
        let tls = connector(&config.tls)?;
        let router = Router::new(names.clone());
        let place = |store_key: &str| router.locate(space.memcached(store_key).0);
        let (epoch, star) = (place(&space.epoch()), place(&space.record(Tag::ROOT)));
        let probe = space.memcached(&space.own("p")).0;
        Ok(Arc::new_cyclic(|me: &Weak<Core>| {
            let node = |(endpoint, name): (&crate::config::Endpoint, &String)| {
                let max_value = config.max_item_bytes.max(MAX_VALUE);
                let greeter =
                    Greeter::new(name.clone(), credentials.clone(), max_value, probe.clone(), l1.clone());
                let deferred = Deferred::new(format!("memcached {name}"), events.clone());
                let events = on_connect(me.clone(), events.clone(), connected);
                let target = Target { tls: tls.clone(), ..Target::from(endpoint.clone()) };
                let client = Client::open(Arc::new(greeter), target, config.timeouts, events, runtime);
                Node { name: name.clone(), client, deferred }
            };
            let nodes = config.servers.iter().zip(&names).map(node).collect();
            Core {
                space,
                nodes,
                router,
                epoch,
                star,
                seen: Mutex::new(Epoch::NONE),
                gate: FifoGate::default(),
                writes: WriteLog::default(),
                index_stats: Mutex::default(),
                caller_clock: AtomicU64::new(0),
                max_item: config.max_item_bytes,
                timeout: Duration::from_millis(config.timeouts.command_ms),
                runtime: runtime.clone(),
                me: me.clone(),
            }
        }))
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn place(&self, store_key: &str) -> Location {
        self.router.locate(self.space.memcached(store_key).0)
    }

    pub fn entry(&self, key: &str) -> Location {
        self.place(&self.space.entry(key))
    }

    pub fn record(&self, tag: Tag) -> Location {
        if tag == Tag::ROOT { self.star.clone() } else { self.place(&self.space.record(tag)) }
    }

    pub fn batch(&self) -> Batch {
        Batch::new(self.nodes.len())
    }

    /// Sends at once, whatever is deferred for these servers.
    pub fn send_now(&self, batch: Batch) -> impl Future<Output = Replies> + Send + 'static + use<> {
        let parts = batch.into_parts().into_iter().zip(&self.nodes);
        let sends: Vec<_> = parts.map(|(part, node)| dispatch(&node.client, part)).collect();
        Replies::of(sends)
    }

    /// Runs something within the deadline of one operation.
    pub fn within<T>(&self, what: impl Future<Output = T>) -> impl Future<Output = Result<T>> {
        let ms = self.timeout.as_millis();
        timeout_at(Instant::now() + self.timeout, what).map(move |outcome| {
            outcome.map_err(|_| {
                Error::timeout(format!("memcached: not finished within commandTimeout ({ms} ms)."))
            })
        })
    }

    /// Runs something behind those who wait in line, within the deadline of one operation.
    pub fn in_order<'a, T: 'a>(
        &'a self,
        what: impl Future<Output = T> + Send + 'a,
    ) -> impl Future<Output = Result<T>> + Send + 'a {
        self.within(match self.gate.is_empty() {
            true => Either::Left(what),
            false => Either::Right(async { run_with(self.gate.acquire_behind().await, what).await }.boxed()),
        })
    }

    /// Runs something behind the caller's back, within the deadline of one operation.
    pub fn in_background<F: Future<Output = ()> + Send>(
        &self,
        work: impl FnOnce(Arc<Core>) -> F + Send + 'static,
    ) {
        let Some(me) = self.me.upgrade() else { return };
        self.runtime.spawn(async move {
            let timeout = me.timeout;
            let _ = tokio::time::timeout(timeout, work(me)).await;
        });
    }

    pub fn last_epoch(&self) -> Epoch {
        *self.seen.lock()
    }

    /// What a read of the epoch's key says.
    pub fn counter(&self, reply: &Reply) -> Counter {
        if reply.outcome == Outcome::Miss {
            return Counter::Absent;
        }
        let n = reply.value.as_ref().and_then(|text| std::str::from_utf8(text).ok()?.trim_end().parse().ok());
        match n {
            Some(n) if reply.done() && reply.flags != 0 => {
                let epoch = Epoch { generation: u64::from(reply.flags), n };
                *self.seen.lock() = epoch;
                Counter::At(epoch)
            }
            _ => Counter::Foreign(Version::of(reply)),
        }
    }

    /// Adds what makes a counter where there is none. Its generation is random, so nothing depends on the clock; a
    /// start in microseconds only makes the numbers of two generations hard to confuse in a log.
    pub fn create_counter(&self, batch: &mut Batch, was: &Counter) {
        if let Counter::Foreign(version) = was {
            match version {
                Some(version) => batch.delete_version(&self.epoch, *version),
                None => batch.delete(&self.epoch),
            };
        }
        let start = time::now_micros().to_string();
        // The flags hold 32 bits of the generation; 0 would mean none.
        let generation = (Epoch::draw_generation() as u32).max(1);
        batch.add(&self.epoch, start.as_bytes(), MetaSetFlags { flags: generation, life: 0 });
    }

    pub fn epoch_from(&self, replies: &mut Replies, slot: Slot) -> Result<Counter> {
        replies.take(slot).map(|reply| self.counter(&reply))
    }
}

fn on_connect(me: Weak<Core>, events: Events, connected: fn(&Core)) -> Events {
    Arc::new(move |event| {
        let is_back = matches!(event, Event::Connected { .. });
        events(event);
        if is_back && let Some(core) = me.upgrade() {
            connected(&core);
        }
    })
}

fn credentials(config: &MemcachedConfig) -> Result<Option<String>> {
    match (&config.username, &config.password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => {
            let broken = |text: &str| text.is_empty() || text.contains(['\r', '\n', '\0']);
            if username.contains(' ') || broken(username) || broken(password) {
                return Err(Error::config(
                    "username, password: expected non-empty text without line breaks, and no space in the username.",
                ));
            }
            Ok(Some(format!("{username} {password}")))
        }
        _ => Err(Error::config("username, password: expected both or neither.")),
    }
}
