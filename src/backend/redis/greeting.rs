//! How a fresh stream becomes a usable connection: protocol version, credentials, database, name, tracking, scripts.

use super::channels::Channels;
use super::command::{Call, Pipeline};
use super::near::Near;
use super::protocol::{Reply, Resp};
use super::reply;
use super::scripts::Scripts;
use crate::config::RedisConfig;
use crate::error::{Code, Error, Result};
use crate::events::{Event, Events};
use crate::key::{Keyspace, STAR};
use crate::l1::Slots;
use crate::net::link::{Greeting, Server};
use crate::tags::Epoch;
use parking_lot::Mutex;
use redis::{ServerError, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// KEEPTTL, RESP3, ACL and tracking all came with it.
const OLDEST_MAJOR: u32 = 6;

pub struct RedisServer {
    pub(super) near: Arc<Near>,
    pub(super) scripts: Scripts,
    pub(super) channels: Arc<Channels>,
    config: RedisConfig,
    space: Keyspace,
    events: Events,
    /// The epoch last seen over the present connection: what unguarded sets are stamped with.
    seen: Mutex<Epoch>,
    /// The newest epoch ever seen, over any connection.
    newest: Mutex<Epoch>,
    told_untracked: AtomicBool,
}

/// What the first exchange told.
struct Hello {
    resp3: bool,
    /// As the server spells it; `None` = it did not say.
    version: Option<String>,
    replica: bool,
}

impl RedisServer {
    pub(super) fn new(space: Keyspace, config: RedisConfig, events: Events, l1: Option<Arc<Slots>>) -> Self {
        RedisServer {
            near: Arc::new(Near::new(&space, l1)),
            scripts: Scripts::new(),
            channels: Arc::new(Channels::new(space.channel_prefix(), events.clone())),
            config,
            space,
            events,
            seen: Mutex::new(Epoch::NONE),
            newest: Mutex::new(Epoch::NONE),
            told_untracked: AtomicBool::new(false),
        }
    }

    pub(super) fn seen(&self) -> Epoch {
        *self.seen.lock()
    }

    /// The newest epoch ever seen, also while there is no connection.
    pub(super) fn newest(&self) -> Epoch {
        *self.newest.lock()
    }

    /// Replies are taken up in any order: within a generation the newest stays.
    pub(super) fn saw(&self, epoch: Epoch) {
        if epoch == Epoch::NONE {
            return;
        }
        for kept in [&self.seen, &self.newest] {
            let mut kept = kept.lock();
            if kept.generation != epoch.generation || kept.n < epoch.n {
                *kept = epoch;
            }
        }
    }

    /// A server that came back from an old snapshot, or a replica that lagged behind, has forgotten clears which it had
    /// acknowledged. Which ones nobody knows, so everything is cleared before anything is read.
    async fn catch_up(&self, greeting: &mut Greeting<Resp>, epoch: Epoch) -> Result<()> {
        let newest = *self.newest.lock();
        if newest.generation != epoch.generation || newest.n <= epoch.n {
            return Ok(());
        }
        let mut pipeline = Pipeline::default();
        pipeline.call(&self.scripts.clear, Call::Text, 3, 4);
        pipeline.arg(self.space.epoch().as_bytes());
        pipeline.arg(self.space.fences().as_bytes());
        pipeline.arg(self.space.record(STAR).as_bytes());
        pipeline.arg(format!("{:016x}", Epoch::draw_generation()).as_bytes());
        pipeline.arg(b"all");
        pipeline.arg(b"0");
        pipeline.arg(b"1");
        let fields = reply::array(ask(greeting, pipeline).await?.swap_remove(0))?;
        if let Some(epoch) = reply::epoch(fields.first(), fields.get(1)) {
            self.saw(epoch);
        }
        (self.events)(Event::Warning {
            code: Code::Server.as_str(),
            message: "The server came back with an older state than it had (a snapshot, or a replica that lagged behind). \
                      The whole cache was cleared, since clears may be among what it forgot."
                .into(),
        });
        Ok(())
    }

    /// A server's own words, for an error. Some repeat the arguments of a command they do not know, AUTH's too.
    fn words(&self, error: &ServerError) -> String {
        let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
        match &self.config.password {
            Some(password) if !password.is_empty() => text.replace(password.as_str(), "***"),
            _ => text,
        }
    }

    fn refused(&self, error: &ServerError) -> Error {
        let given = match (&self.config.username, &self.config.password) {
            (_, None) => "none were given; set `password` (and `username`, for an ACL user)",
            (None, Some(_)) => "a password without a username was given; check it",
            (Some(_), Some(_)) => "a username and a password were given; check both",
        };
        Error::connection(format!("Redis refused the credentials ({}): {given}.", error.code()))
    }

    async fn hello(&self, greeting: &mut Greeting<Resp>) -> Result<Hello> {
        if !self.config.tracking {
            return self.hello_resp2(greeting).await;
        }
        let mut parts: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = &self.config.password {
            let username = self.config.username.as_deref().unwrap_or("default");
            parts.extend([&b"AUTH"[..], username.as_bytes(), password.as_bytes()]);
        }
        let reply = ask(greeting, Pipeline::one(&parts)).await?.swap_remove(0);
        let fields = match reply {
            Value::Map(fields) => fields,
            Value::ServerError(error) if error.code() == "WRONGPASS" || error.code() == "NOAUTH" => {
                return Err(self.refused(&error));
            }
            Value::ServerError(error) if reply::is_outage(&error) => return Err(reply::failure(&error)),
            // A server or proxy that knows no HELLO, or grants it to nobody.
            _ => return self.hello_resp2(greeting).await,
        };
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| reply::text(key) == Some(name));
            found.and_then(|(_, value)| reply::text(value)).map(str::to_owned)
        };
        let replica = field("role").is_some_and(|role| role == "replica" || role == "slave");
        Ok(Hello { resp3: true, version: field("version"), replica })
    }

    async fn hello_resp2(&self, greeting: &mut Greeting<Resp>) -> Result<Hello> {
        if let Some(password) = &self.config.password {
            let mut parts: Vec<&[u8]> = vec![b"AUTH"];
            parts.extend(self.config.username.as_deref().map(str::as_bytes));
            parts.push(password.as_bytes());
            if let Value::ServerError(error) = ask(greeting, Pipeline::one(&parts)).await?.swap_remove(0) {
                // A password for a server that has none does no harm, and HELLO takes it too.
                let needless = error.details().is_some_and(|text| text.contains("without any password"));
                if !needless {
                    return Err(self.refused(&error));
                }
            }
        }
        let mut pipeline = Pipeline::one(&[b"INFO", b"server"]);
        pipeline.push(&[b"ROLE"]);
        let replies = ask(greeting, pipeline).await?;
        for reply in &replies {
            if let Value::ServerError(error) = reply
                && error.code() == "NOAUTH"
            {
                return Err(self.refused(error));
            }
        }
        // Proxies refuse INFO or ROLE: then what follows must show whether the server is fit.
        let info = replies.first().and_then(reply::text).unwrap_or_default();
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).map(str::to_owned);
        let role = match replies.get(1) {
            Some(Value::Array(items)) => items.first().and_then(reply::text),
            _ => None,
        };
        Ok(Hello { resp3: false, version, replica: role == Some("slave") })
    }

    fn check(&self, hello: &Hello) -> Result<()> {
        if let Some(version) = &hello.version {
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            if major.is_some_and(|major| major < OLDEST_MAJOR) {
                return Err(Error::new(
                    Code::Unsupported,
                    format!(
                        "Redis {OLDEST_MAJOR}.0 or newer, or Valkey, is needed; this server is {version}. Upgrade it, or use the memory backend."
                    ),
                ));
            }
        }
        if hello.replica {
            return Err(Error::connection(
                "The server is a replica: it may lag behind a clear, and takes no writes. Give the primary's address.",
            ));
        }
        Ok(())
    }

    /// Everything that needs no answer before the next.
    async fn prepare(&self, greeting: &mut Greeting<Resp>, hello: &Hello) -> Result<()> {
        let track = hello.resp3 && self.config.tracking;
        let mut pipeline = Pipeline::default();
        if self.config.db != 0 {
            pipeline.push(&[b"SELECT", self.config.db.to_string().as_bytes()]);
        }
        if let Some(name) = &self.config.connection_name {
            pipeline.push(&[b"CLIENT", b"SETNAME", name.as_bytes()]);
        }
        if track {
            let mut parts: Vec<&[u8]> = vec![b"CLIENT", b"TRACKING", b"ON", b"BCAST"];
            parts.extend(self.near.prefixes().into_iter().flat_map(|prefix| [&b"PREFIX"[..], prefix]));
            pipeline.push(&parts);
        }
        for script in self.scripts.all() {
            pipeline.push(&[b"SCRIPT", b"LOAD", script.text.as_bytes()]);
        }
        pipeline.call(&self.scripts.begin, Call::Text, 2, 1);
        pipeline.arg(self.space.epoch().as_bytes());
        pipeline.arg(self.space.fences().as_bytes());
        pipeline.arg(format!("{:016x}", Epoch::draw_generation()).as_bytes());

        let mut replies = ask(greeting, pipeline).await?.into_iter();
        let mut next = || replies.next().unwrap_or(Value::Nil);
        if self.config.db != 0
            && let Value::ServerError(error) = next()
        {
            let db = self.config.db;
            return Err(match reply::is_outage(&error) {
                true => reply::failure(&error),
                false => Error::config(format!(
                    "db: the server has no database {db} for this user ({}).",
                    self.words(&error)
                )),
            });
        }
        if self.config.connection_name.is_some() {
            // Only a label; proxies refuse it.
            next();
        }
        let tracked = track && matches!(next(), Value::Okay);
        for _ in self.scripts.all() {
            // Where loading is refused, calls by name are, too, and are made by text.
            if let Value::ServerError(error) = next()
                && reply::is_outage(&error)
            {
                return Err(reply::failure(&error));
            }
        }
        match next() {
            Value::Array(epoch) => {
                if let Some(epoch) = reply::epoch(epoch.first(), epoch.get(1)) {
                    self.catch_up(greeting, epoch).await?;
                    self.saw(epoch);
                }
            }
            Value::ServerError(error) if reply::is_outage(&error) => return Err(reply::failure(&error)),
            // Out of memory, or a user who may only read: what follows says so itself.
            _ => {}
        }
        if tracked {
            self.near.track();
        } else if self.config.tracking && !self.told_untracked.swap(true, Relaxed) {
            (self.events)(Event::Warning {
                code: Code::Unsupported.as_str(),
                message: "The server refused RESP3 client tracking: tag records are read by a second command with every batch. \
                          Set `tracking: false` if this is meant to be so."
                    .into(),
            });
        }
        Ok(())
    }
}

async fn ask(greeting: &mut Greeting<Resp>, pipeline: Pipeline) -> Result<Vec<Value>> {
    let replies = greeting.ask(&pipeline.bytes, pipeline.replies).await?;
    if replies.len() != pipeline.replies {
        return Err(Error::connection(format!(
            "Redis answered {} of {} commands of the greeting.",
            replies.len(),
            pipeline.replies
        )));
    }
    Ok(replies.into_iter().map(Reply::into_value).collect())
}

impl Server for RedisServer {
    type Protocol = Resp;

    fn protocol(&self) -> Resp {
        Resp::new(self.near.clone(), self.channels.clone())
    }

    async fn greet(&self, greeting: &mut Greeting<Resp>) -> Result<()> {
        self.lost();
        let hello = self.hello(greeting).await?;
        self.check(&hello)?;
        self.prepare(greeting, &hello).await?;
        if let Some(pipeline) = self.channels.renewal(hello.resp3) {
            self.channels.renewed(&ask(greeting, pipeline).await?);
        }
        Ok(())
    }

    fn lost(&self) {
        self.near.untrack();
        *self.seen.lock() = Epoch::NONE;
    }
}
