//! Asks sentinels where the primary is. What they say is a hint, ahead of a failover's end or behind it: the handshake
//! looks whether the server found is a primary, and `role_check` whether it still is.

use super::command::Pipeline;
use super::protocol::{Reply, Resp};
use super::reply;
use super::state::State;
use crate::config::{Endpoint, SentinelConfig, Timeouts};
use crate::error::{Error, Result};
use crate::events::silent;
use crate::model::key::Keyspace;
use crate::net::dialer::Target;
use crate::net::handshake::Handshake;
use crate::net::locator::{Located, Locator};
use crate::net::tls::connector::connector;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use redis::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::timeout;

/// So long a sentinel has for itself before the next is asked beside it: one that is cut off must not take the time of
/// the others.
const ASK_DELAY: Duration = Duration::from_millis(300);

pub struct Sentinels {
    config: SentinelConfig,
    targets: Vec<Target>,
    timeouts: Timeouts,
    /// Of the protocol, which sentinels make no use of.
    state: Arc<State>,
    /// Who is asked first. Another each time: the last one may have led to a server that was none.
    turn: AtomicUsize,
    located: Mutex<Option<Endpoint>>,
}

impl Sentinels {
    /// Errors: `CACHALOT_CONFIG` for no node, or for TLS options that are none.
    pub(super) fn new(config: SentinelConfig, timeouts: Timeouts, space: &Keyspace) -> Result<Self> {
        if config.nodes.is_empty() {
            return Err(Error::config("sentinel.nodes: expected at least one address, got an empty list."));
        }
        let tls = connector(&config.tls)?;
        let target = |endpoint: &Endpoint| Target { tls: tls.clone(), ..Target::from(endpoint.clone()) };
        Ok(Sentinels {
            targets: config.nodes.iter().map(target).collect(),
            config,
            timeouts,
            state: Arc::new(State::new(space, silent(), None)),
            turn: AtomicUsize::new(0),
            located: Mutex::new(None),
        })
    }

    /// Whether the primary is known to be another than the one located last.
    pub(super) async fn have_moved(&self) -> bool {
        let known = self.located.lock().clone();
        let limit = Duration::from_millis(self.timeouts.connect_ms);
        match timeout(limit, self.find()).await {
            Ok(Ok(found)) => known.is_some_and(|known| known != found),
            _ => false,
        }
    }

    /// The first answer of any.
    async fn find(&self) -> Result<Endpoint> {
        let turn = self.turn.fetch_add(1, Relaxed) % self.targets.len().max(1);
        let count = self.targets.len();
        let mut waiting: VecDeque<usize> = (0..count).map(|at| (turn + at) % count).collect();
        let mut questions = FuturesUnordered::new();
        let mut failed = None;
        loop {
            if let Some(at) = waiting.pop_front() {
                questions.push(self.ask(at));
            }
            let answered = match waiting.front() {
                None => questions.next().await,
                Some(_) => match timeout(ASK_DELAY, questions.next()).await {
                    Ok(answered) => answered,
                    Err(_) => continue,
                },
            };
            match answered {
                Some(Ok(Some(found))) => return Ok(found),
                Some(Ok(None)) => {}
                Some(Err(why)) => failed = Some(why),
                None => return Err(self.unknown(failed)),
            }
        }
    }

    fn unknown(&self, failed: Option<Error>) -> Error {
        let name = &self.config.name;
        match failed {
            None => Error::config(format!(
                "sentinel.name: no sentinel knows a primary of the name {name:?}. SENTINEL MASTERS lists those that they watch."
            )),
            Some(why) => Error::new(
                why.code,
                format!("No sentinel told where {name:?} is. The last one: {}", why.message),
            ),
        }
    }

    /// `None` = it does not know the name.
    async fn ask(&self, at: usize) -> Result<Option<Endpoint>> {
        let Some(target) = self.targets.get(at) else { return Ok(None) };
        let limit = Duration::from_millis(self.timeouts.connect_ms);
        let protocol = Resp::new(self.state.clone());
        let mut handshake = Handshake::open(target, protocol, limit).await?;
        let SentinelConfig { name, username, password, .. } = &self.config;
        if let Some(password) = password {
            let mut parts: Vec<&[u8]> = vec![b"AUTH"];
            parts.extend(username.as_deref().map(str::as_bytes));
            parts.push(password.as_bytes());
            self.question(&mut handshake, &parts, &target.endpoint).await?;
        }
        let question: [&[u8]; 3] = [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", name.as_bytes()];
        let answer = self.question(&mut handshake, &question, &target.endpoint).await?;
        let Value::Array(address) = &answer else { return Ok(None) };
        let mut address = address.iter().map(|part| reply::text(part).unwrap_or_default());
        let (host, port) = (address.next().unwrap_or_default(), address.next().unwrap_or_default());
        let Ok(port) = port.parse() else { return Ok(None) };
        let announced = Endpoint::Tcp { host: host.to_owned(), port };
        let mapped = self.config.nat_map.get(&announced.to_string()).or_else(|| {
            // As ioredis writes it: without brackets.
            self.config.nat_map.get(&format!("{host}:{port}"))
        });
        Ok(Some(mapped.cloned().unwrap_or(announced)))
    }

    async fn question(
        &self,
        handshake: &mut Handshake<Resp>,
        parts: &[&[u8]],
        sentinel: &Endpoint,
    ) -> Result<Value> {
        let pipeline = Pipeline::one(parts);
        let answers = handshake.ask(&pipeline.bytes, pipeline.replies).await?;
        match answers.into_iter().next().map(Reply::into_value) {
            Some(Value::ServerError(error)) if ["NOAUTH", "WRONGPASS"].contains(&error.code()) => {
                Err(Error::connection(format!(
                    "The sentinel {sentinel} refused the credentials ({}): check sentinel.username and sentinel.password.",
                    error.code()
                )))
            }
            Some(Value::ServerError(error)) => Err(Error::connection(format!(
                "{sentinel} did not answer as a sentinel does ({}): is it one?",
                error.code()
            ))),
            answer => Ok(answer.unwrap_or(Value::Nil)),
        }
    }
}

impl Locator for Sentinels {
    fn locate(&self) -> Located<'_> {
        Box::pin(async {
            let found = self.find().await?;
            *self.located.lock() = Some(found.clone());
            Ok(found)
        })
    }
}
