//! How a fresh stream becomes a usable connection: protocol version, credentials, database, name, scripts, the epoch and the
//! clear log.

use super::clear_log;
use super::command::generation_text;
use super::command::{Call, Pipeline};
use super::credentials::{Credentials, Login};
use super::history::{Identity, UNDER_WAY};
use super::names::Names;
use super::protocol::{Reply, Resp};
use super::reply;
use super::scripts::Scripts;
use super::set_script::SetScript;
use super::state::State;
use crate::config::RedisConfig;
use crate::error::{Code, Error, Result};
use crate::events::{Event, Events};
use crate::model::key::{Keyspace, bucket};
use crate::model::tag::{Epoch, Invalidation, Tag};
use crate::model::version_table::VersionTable;
use crate::net::handshake::{Handshake, Server};
use redis::{ServerError, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// KEEPTTL, RESP3, ACL and tracking all came with it.
const OLDEST_MAJOR: u32 = 6;

pub struct RedisServer {
    pub(super) state: Arc<State>,
    pub(super) scripts: Scripts,
    pub(super) set_script: SetScript,
    pub(super) told_overflow: AtomicBool,
    names: Names,
    pub(super) credentials: Credentials,
    config: RedisConfig,
    events: Events,
    has_zmscore: AtomicBool,
    told_untracked: AtomicBool,
}

/// What the first exchange told.
struct Hello {
    resp3: bool,
    /// As the server spells it; `None` = it did not say.
    version: Option<String>,
    /// `standalone`, `cluster` or `sentinel`.
    mode: Option<String>,
    replica: bool,
}

impl RedisServer {
    pub(super) fn new(
        space: Keyspace,
        config: RedisConfig,
        events: Events,
        l1: Option<Arc<VersionTable>>,
    ) -> Self {
        RedisServer {
            state: Arc::new(State::new(&space, events.clone(), l1)),
            scripts: Scripts::new(),
            set_script: SetScript::default(),
            names: Names::of(&space),
            credentials: Credentials::new(&config, events.clone()),
            config,
            events,
            has_zmscore: AtomicBool::new(false),
            told_untracked: AtomicBool::new(false),
            told_overflow: AtomicBool::new(false),
        }
    }

    pub(super) fn has_zmscore(&self) -> bool {
        self.has_zmscore.load(Relaxed)
    }

    pub(super) fn clear_log_max(&self) -> u32 {
        self.config.clear_log_max
    }

    pub(super) fn warn(&self, code: Code, message: String) {
        (self.events)(Event::Warning { code: code.as_str(), message });
    }

    /// The server did not know the script of so many sets, which were not stored.
    pub(super) fn forgot_set_script(&self, sets: usize, connection_id: u64) {
        if self.set_script.lost(connection_id) {
            self.warn(
                Code::Server,
                format!(
                    "The server had lost a script (SCRIPT FLUSH, or another server behind a proxy): {sets} sets were not stored. \
                     It is given the script again; the next sets are stored."
                ),
            );
        }
    }

    /// What begins a generation where there is none, and answers the epoch.
    pub(super) fn begin(&self) -> Pipeline {
        let mut pipeline = Pipeline::default();
        self.put_begin(&mut pipeline);
        pipeline
    }

    fn put_begin(&self, pipeline: &mut Pipeline) {
        pipeline.call(&self.scripts.begin, Call::Text, 3, 1);
        for name in [&self.names.epoch, &self.names.log, &self.names.fences] {
            pipeline.arg(name.as_bytes());
        }
        pipeline.arg(&generation_text(Epoch::draw_generation()));
    }

    /// A call of the script that clears.
    pub(super) fn put_clear(
        &self,
        pipeline: &mut Pipeline,
        how: Call,
        keys: &[String],
        tags: &[Tag],
        root: bool,
        kind: Invalidation,
    ) {
        let names = &self.names;
        pipeline.call(&self.scripts.clear, how, 5 + keys.len(), 9);
        for name in [&names.epoch, &names.log, &names.fences, &names.index, &names.longest] {
            pipeline.arg(name.as_bytes());
        }
        for key in keys {
            pipeline.arg_of(&[names.entry.as_bytes(), key.as_bytes()]);
        }
        pipeline.arg(&generation_text(Epoch::draw_generation()));
        pipeline.number(self.state.max_epoch_seen().n);
        pipeline.arg(if kind == Invalidation::Hard { b"h" } else { b"s" });
        pipeline.arg(if root { b"1" } else { b"" });
        pipeline.number(u64::from(self.config.clear_log_max));
        // The log keeps a clear so much longer than entries live.
        pipeline.number(UNDER_WAY.as_millis() as u64);
        pipeline.number(names.entry.len() as u64 + 1);
        let tags: Vec<u8> = tags.iter().flat_map(|tag| tag.0.to_be_bytes()).collect();
        pipeline.arg(&tags);
        let buckets: Vec<u8> = keys.iter().flat_map(|key| bucket(key)).collect();
        pipeline.arg(&buckets);
    }

    pub(super) fn log_name(&self) -> &str {
        &self.names.log
    }

    /// A server's own words, for an error. Some repeat the arguments of a command they do not know, AUTH's too.
    fn words(&self, error: &ServerError) -> String {
        self.credentials.hide(format!("{} {}", error.code(), error.details().unwrap_or_default()))
    }

    fn refused(&self, login: &Login, error: &ServerError) -> Error {
        self.credentials.refused();
        let given = match (&login.username, &login.password) {
            (_, None) => "none were given; set `password` (and `username`, for an ACL user)",
            (None, Some(_)) => "a password without a username was given; check it",
            (Some(_), Some(_)) => "a username and a password were given; check both",
        };
        Error::connection(format!("Redis refused the credentials ({}): {given}.", error.code()))
    }

    async fn hello(&self, handshake: &mut Handshake<Resp>) -> Result<Hello> {
        let login = &self.credentials.login().await;
        if !self.config.tracking {
            return self.hello_resp2(handshake, login).await;
        }
        let mut parts: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = &login.password {
            let username = login.username.as_deref().unwrap_or("default");
            parts.extend([&b"AUTH"[..], username.as_bytes(), password.as_bytes()]);
        }
        let reply = ask(handshake, Pipeline::one(&parts)).await?.swap_remove(0);
        let fields = match reply {
            Value::Map(fields) => fields,
            Value::ServerError(error) if error.code() == "WRONGPASS" || error.code() == "NOAUTH" => {
                return Err(self.refused(login, &error));
            }
            Value::ServerError(error) if reply::is_outage(&error) => return Err(reply::failure(&error)),
            // A server or proxy that knows no HELLO, or grants it to nobody.
            _ => return self.hello_resp2(handshake, login).await,
        };
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| reply::text(key) == Some(name));
            found.and_then(|(_, value)| reply::text(value)).map(str::to_owned)
        };
        let replica = field("role").is_some_and(|role| role == "replica" || role == "slave");
        Ok(Hello { resp3: true, version: field("version"), mode: field("mode"), replica })
    }

    async fn hello_resp2(&self, handshake: &mut Handshake<Resp>, login: &Login) -> Result<Hello> {
        if let Some(auth) = login.auth()
            && let Value::ServerError(error) = ask(handshake, auth).await?.swap_remove(0)
        {
            // A password for a server that has none does no harm, and HELLO takes it too.
            let needless = error.details().is_some_and(|text| text.contains("without any password"));
            if !needless {
                return Err(self.refused(login, &error));
            }
        }
        let mut pipeline = Pipeline::one(&[b"INFO", b"server"]);
        pipeline.push(&[b"ROLE"]);
        let replies = ask(handshake, pipeline).await?;
        for reply in &replies {
            if let Value::ServerError(error) = reply
                && error.code() == "NOAUTH"
            {
                return Err(self.refused(login, error));
            }
        }
        // Proxies refuse INFO or ROLE: then what follows must show whether the server is fit.
        let info = replies.first().and_then(reply::text).unwrap_or_default();
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let (version, mode) = (field("redis_version:"), field("redis_mode:"));
        let role = match replies.get(1) {
            Some(Value::Array(items)) => items.first().and_then(reply::text),
            _ => None,
        };
        Ok(Hello { resp3: false, version, mode, replica: role == Some("slave") })
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
        match hello.mode.as_deref() {
            Some("cluster") => {
                return Err(Error::new(
                    Code::Unsupported,
                    "A server without cluster mode is needed; this is a node of a cluster, which holds a part of the keys only. \
                     Give a server with `cluster-enabled no`.",
                ));
            }
            Some("sentinel") => {
                return Err(Error::new(
                    Code::Unsupported,
                    "A server that stores data is needed; this is a sentinel, which only knows where one is. Give it in \
                     sentinel: { name, nodes }, in place of the address.",
                ));
            }
            _ => {}
        }
        if hello.replica {
            return Err(Error::connection(
                "The server is a replica: it may lag behind a clear, and takes no writes. Give the primary's address.",
            ));
        }
        Ok(())
    }

    /// Everything that needs no answer before the next.
    async fn prepare(&self, handshake: &mut Handshake<Resp>, hello: &Hello) -> Result<()> {
        let wants_tracking = hello.resp3 && self.config.tracking && self.state.versions().is_some();
        let mut pipeline = Pipeline::default();
        if self.config.db != 0 {
            pipeline.push(&[b"SELECT", self.config.db.to_string().as_bytes()]);
        }
        if let Some(name) = &self.config.connection_name {
            pipeline.push(&[b"CLIENT", b"SETNAME", name.as_bytes()]);
        }
        // A replica of Valkey's then names the primary in place of an answer. Older servers do not know it.
        pipeline.push(&[b"CLIENT", b"CAPA", b"redirect"]);
        if wants_tracking {
            // Of entries, and of the epoch, which moves with every clear.
            let (entries, epoch) = (self.names.entry.as_bytes(), self.names.epoch.as_bytes());
            let on: [&[u8]; 8] =
                [b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", entries, b"PREFIX", epoch];
            pipeline.push(&on);
        }
        for script in self.scripts.all() {
            pipeline.push(&[b"SCRIPT", b"LOAD", script.text.as_bytes()]);
        }
        pipeline.push(&[b"INFO", b"replication"]);
        self.put_begin(&mut pipeline);
        clear_log::put_delta(&mut pipeline, &self.names.log, None);

        let mut replies = ask(handshake, pipeline).await?.into_iter();
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
        next();
        let is_tracked = wants_tracking && matches!(next(), Value::Okay);
        for _ in self.scripts.all() {
            if let Value::ServerError(error) = next() {
                if reply::is_outage(&error) {
                    return Err(reply::failure(&error));
                }
                // Calls carry the text until the server knows it by one of them.
                self.set_script.not_loaded();
            }
        }
        // Refused, by a proxy or to this user: whose history it is stays unknown.
        let identity = reply::text(&next()).and_then(Identity::of);
        let epoch = match next() {
            Value::Array(epoch) => reply::epoch(epoch.first(), epoch.get(1)),
            Value::ServerError(error) if reply::is_outage(&error) => return Err(reply::failure(&error)),
            // Out of memory, or a user who may only read: what follows says so itself.
            _ => None,
        };
        let log = clear_log::delta(next()).ok().filter(|_| epoch.is_some());
        let (epoch, log) = self.make_up(handshake, identity, epoch.unwrap_or(Epoch::NONE), log).await?;
        self.state.begin(identity, epoch, log.as_ref());
        if is_tracked {
            self.state.set_tracked();
        } else if self.config.tracking
            && self.state.versions().is_some()
            && !self.told_untracked.swap(true, Relaxed)
        {
            self.warn(
                Code::Unsupported,
                "The server refused RESP3 client tracking: values that this process keeps (l1) live for a second at most, since \
                 nobody tells of other processes' changes. Allow `CLIENT TRACKING` to the user, or set `tracking: false` if \
                 this is meant to be so."
                    .into(),
            );
        }
        Ok(())
    }
}

pub(super) async fn ask(handshake: &mut Handshake<Resp>, pipeline: Pipeline) -> Result<Vec<Value>> {
    let replies = handshake.ask(&pipeline.bytes, pipeline.replies).await?;
    if replies.len() != pipeline.replies {
        return Err(Error::connection(format!(
            "Redis answered {} of {} commands of the handshake.",
            replies.len(),
            pipeline.replies
        )));
    }
    Ok(replies.into_iter().map(Reply::into_value).collect())
}

impl Server for RedisServer {
    type Protocol = Resp;

    fn protocol(&self) -> Resp {
        Resp::new(self.state.clone())
    }

    async fn handshake(&self, handshake: &mut Handshake<Resp>) -> Result<()> {
        self.lost();
        let hello = self.hello(handshake).await?;
        self.check(&hello)?;
        self.has_zmscore.store(hello.version.as_deref().is_some_and(has_zmscore), Relaxed);
        self.prepare(handshake, &hello).await?;
        let channels = &self.state.channels;
        if let Some(pipeline) = channels.renewal(hello.resp3) {
            channels.renewed(&ask(handshake, pipeline).await?);
        }
        Ok(())
    }

    fn lost(&self) {
        self.state.lost();
    }
}

/// ZMSCORE came with 6.2.
fn has_zmscore(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 2)
}
