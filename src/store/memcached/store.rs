//! The servers of one store, and what all operations share.

use super::batch::{Batch, Put, Replies, Slot, Version, Want};
use super::clear::Waiting;
use super::handshake::Greeter;
use super::notes::Notes;
use super::protocol::{Outcome, Reply};
use super::ring::Ring;
use crate::config::MemcachedConfig;
use crate::error::{Error, Result};
use crate::events::{Event, Events};
use crate::model::key::Keyspace;
use crate::model::tag::{Epoch, Tag};
use crate::model::time;
use crate::model::version_table::VersionTable;
use crate::net::client::Client;
use crate::net::timeout::timeout_at;
use crate::store::asked::Asked;
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

/// A key on the wire and the server that holds it.
#[derive(Clone, Debug)]
pub struct Place {
    pub key: String,
    pub server: usize,
}

pub struct Node {
    pub name: String,
    pub link: Client<Greeter>,
    pub waiting: Waiting,
}

pub struct Store {
    pub space: Keyspace,
    nodes: Vec<Node>,
    ring: Ring,
    pub epoch: Place,
    pub star: Place,
    /// The epoch last read: what an unguarded set is stamped with at first.
    seen: Mutex<Epoch>,
    /// Of those who wait until the epoch is known.
    pub line: FifoGate,
    pub asked: Asked,
    pub notes: Mutex<Notes>,
    /// The callers' clock as of the last set (milliseconds): what background work judges expiry by.
    pub caller_clock: AtomicU64,
    pub max_item: usize,
    pub timeout: Duration,
    pub runtime: Handle,
    me: Weak<Store>,
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

impl Store {
    pub fn open(
        space: Keyspace,
        config: &MemcachedConfig,
        events: Events,
        runtime: &Handle,
        l1: Option<Arc<VersionTable>>,
    ) -> Result<Arc<Self>> {
        let names: Vec<String> = config.servers.iter().map(|endpoint| endpoint.to_string()).collect();
        if names.is_empty() {
            return Err(Error::config("serverUrls: expected at least one server, got an empty list."));
        }
        if let Some(at) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
            return Err(Error::config(format!("serverUrls: {} is named twice.", names[at])));
        }
        let credentials = credentials(config)?;
        let ring = Ring::new(names.clone());
        let place = |store_key: &str| {
            let key = space.memcached(store_key).0;
            let server = ring.holder(&key);
            Place { key, server }
        };
        let (epoch, star) = (place(&space.epoch()), place(&space.record(Tag::ROOT)));
        let probe = space.memcached(&space.own("p")).0;
        Ok(Arc::new_cyclic(|me: &Weak<Store>| {
            let node = |(endpoint, name): (&crate::config::Endpoint, &String)| {
                let max_value = config.max_item_bytes.max(MAX_VALUE);
                let greeter =
                    Greeter::new(name.clone(), credentials.clone(), max_value, probe.clone(), l1.clone());
                let waiting = Waiting::new(format!("memcached {name}"), events.clone());
                let events = replaying(me.clone(), events.clone());
                let link =
                    Client::open(Arc::new(greeter), endpoint.clone(), config.timeouts, events, runtime);
                Node { name: name.clone(), link, waiting }
            };
            let nodes = config.servers.iter().zip(&names).map(node).collect();
            Store {
                space,
                nodes,
                ring,
                epoch,
                star,
                seen: Mutex::new(Epoch::NONE),
                line: FifoGate::default(),
                asked: Asked::default(),
                notes: Mutex::default(),
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

    pub fn place(&self, store_key: &str) -> Place {
        let key = self.space.memcached(store_key).0;
        let server = self.ring.holder(&key);
        Place { key, server }
    }

    pub fn entry(&self, key: &str) -> Place {
        self.place(&self.space.entry(key))
    }

    pub fn record(&self, tag: Tag) -> Place {
        if tag == Tag::ROOT { self.star.clone() } else { self.place(&self.space.record(tag)) }
    }

    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self)
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
        self.within(match self.line.is_empty() {
            true => Either::Left(what),
            false => Either::Right(async { run_with(self.line.behind().await, what).await }.boxed()),
        })
    }

    /// Runs something behind the caller's back, within the deadline of one operation.
    pub fn behind<F: Future<Output = ()> + Send>(&self, work: impl FnOnce(Arc<Store>) -> F + Send + 'static) {
        let Some(me) = self.me.upgrade() else { return };
        self.runtime.spawn(async move {
            let timeout = me.timeout;
            let _ = tokio::time::timeout(timeout, work(me)).await;
        });
    }

    pub fn seen(&self) -> Epoch {
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
    pub fn create_counter(&self, batch: &mut Batch<'_>, was: &Counter) {
        if let Counter::Foreign(version) = was {
            match version {
                Some(version) => batch.delete_version(&self.epoch, *version),
                None => batch.delete(&self.epoch),
            };
        }
        let start = time::now_micros().to_string();
        // The flags hold 32 bits of the generation; 0 would mean none.
        let generation = (Epoch::draw_generation() as u32).max(1);
        batch.add(&self.epoch, start.as_bytes(), Put { flags: generation, life: 0 });
    }

    /// The epoch as it is, or is made, after this call began.
    pub async fn read_epoch(&self, was: Option<Counter>) -> Result<Epoch> {
        let mut was = was;
        // One turn reads, one creates, one more meets a counter lost in between.
        for _ in 0..3 {
            let mut batch = self.batch();
            if let Some(was) = &was {
                self.create_counter(&mut batch, was);
            }
            let slot = batch.get(&self.epoch, Want::VALUE);
            let reply = batch.send().await.take(slot)?;
            match self.counter(&reply) {
                Counter::At(epoch) => return Ok(epoch),
                other => was = Some(other),
            }
        }
        Err(Error::new(
            crate::error::Code::Server,
            format!(
                "memcached {}: the epoch cannot be kept; is the server out of memory?",
                self.nodes[self.epoch.server].name
            ),
        ))
    }

    pub fn epoch_from(&self, replies: &mut Replies, slot: Slot) -> Result<Counter> {
        replies.take(slot).map(|reply| self.counter(&reply))
    }

    pub async fn close(&self) {
        // A last chance for clears that an outage kept back; without a connection it fails at once.
        let owing = (0..self.nodes.len()).filter(|at| self.nodes[*at].waiting.any());
        let _ = self.within(futures_util::future::join_all(owing.map(|at| self.replay(at)))).await;
        futures_util::future::join_all(self.nodes.iter().map(|node| node.link.close())).await;
    }
}

/// A server that is back has its pending clears replayed, and so has every other: they may have waited for this one.
fn replaying(me: Weak<Store>, events: Events) -> Events {
    Arc::new(move |event| {
        let connected = matches!(event, Event::Connected { .. });
        events(event);
        if let Some(store) = me.upgrade().filter(|_| connected) {
            for at in 0..store.nodes.len() {
                if store.nodes[at].waiting.any() {
                    store.behind(move |store| async move {
                        let _ = store.replay(at).await;
                    });
                }
            }
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
