//! The task behind a link: connects, serves, and keeps the circuit.

use super::backoff::Backoff;
use super::connection::{Connection, Ending};
use super::dialer::{Target, dial};
use super::direct::shared_socket::SharedSocket;
use super::handshake::{Handshake, Server};
use super::protocol::Protocol;
use super::request::{Inbox, Outbound, Shared};
use super::time_budget::TimeBudget;
use super::timeout::Overdue;
use crate::error::{Error, Result};
use crate::events::{Event, Events};
use bytes::BytesMut;
use futures_util::FutureExt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant as Clock};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Numbers of connections, over all links of the process: no two are ever taken for each other.
static CONNECTION_IDS: AtomicU64 = AtomicU64::new(1);

/// A connection that lasted this long was a working one, even if nobody asked it anything.
const PROVEN: Duration = Duration::from_secs(1);

pub(super) struct Supervisor<S: Server> {
    pub(super) server: Arc<S>,
    pub(super) target: Target,
    pub(super) connect: Duration,
    pub(super) keepalive: Duration,
    pub(super) events: Events,
    pub(super) shared: Arc<Shared>,
    pub(super) shared_socket: Arc<SharedSocket<<S::Protocol as Protocol>::Reply>>,
    pub(super) inbox: Inbox<<S::Protocol as Protocol>::Reply>,
    /// Dropped with the task: that is what `close` waits for.
    pub(super) _ended: watch::Sender<()>,
}

type Served<S> = Connection<<S as Server>::Protocol>;

impl<S: Server> Supervisor<S> {
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut is_told = false;
        let mut started = Instant::now();
        while let Some(connected) = self.attempt(&backoff, &mut started).await {
            let mut connection = match connected {
                Ok(connection) => connection,
                Err(why) => {
                    backoff.failed();
                    self.shared.set_circuit(Some(why.clone()));
                    self.inbox.fail_waiting(&why);
                    if !std::mem::replace(&mut is_told, true) {
                        self.tell_lost(&why);
                    }
                    continue;
                }
            };
            self.shared.set_circuit(None);
            self.tell(Event::Connected { server: self.shared.server.clone() });
            let since = Clock::now();
            let ending = connection.serve(&mut self.inbox).await;
            self.shared.connection_id.store(0, Ordering::Release);
            // A server that greets well and then fails again and again is as good as one that does not greet.
            let has_lasted = since.elapsed() >= PROVEN && !matches!(ending, Ending::Overdue(_));
            let is_proven = connection.has_answered() || has_lasted;
            if is_proven {
                backoff.reset();
            }
            let (why, first) = match ending {
                Ending::Drained => {
                    drop(connection);
                    self.tell_server();
                    break;
                }
                Ending::Lost(why) => (why.clone(), why),
                Ending::Overdue(first) => {
                    let message = format!("{} The connection was dropped.", first.message);
                    (Error::connection(message), first)
                }
            };
            let pending = connection.into_pending();
            self.tell_server();
            let repeats = !backoff.is_fresh();
            if repeats {
                self.shared.set_circuit(Some(why.clone()));
                self.inbox.fail_waiting(&why);
            }
            if !is_proven {
                backoff.failed();
            }
            for (at, pending) in pending.into_iter().enumerate() {
                pending.fail(if at == 0 { first.clone() } else { why.clone() });
            }
            is_told = true;
            self.tell_lost(&why);
        }
        self.inbox.fail_waiting(&Error::closed());
    }

    /// One pause and one attempt; `None` when the inbox is over and nobody is left to connect for.
    async fn attempt(&mut self, backoff: &Backoff, started: &mut Instant) -> Option<Result<Served<S>>> {
        let Supervisor { server, target, connect, keepalive, shared, shared_socket, inbox, .. } = self;
        let start = *started + backoff.pause();
        let connecting = pin!(async {
            sleep_until(start).await;
            loop {
                *started = Instant::now();
                let connection_id = CONNECTION_IDS.fetch_add(1, Ordering::Relaxed);
                let mut budget = TimeBudget::new(*connect);
                let result = establish(&**server, target, *keepalive, &mut budget, connection_id).await;
                // A failure after a freeze says nothing about the server, which may only have hung up meanwhile: the next
                // attempt follows at once and requests keep waiting. One attempt per freeze does not hammer the server.
                if result.is_ok() || !budget.was_frozen() {
                    return result.map(|greeted| (greeted, connection_id));
                }
            }
        });
        let greeted = waiting_meanwhile(connecting, inbox, shared).await?;
        Some(greeted.map(|(greeted, connection_id)| {
            shared.connection_id.store(connection_id, Ordering::Release);
            Connection::new(greeted, connection_id, shared.clone(), shared_socket.clone())
        }))
    }

    fn tell_lost(&self, why: &Error) {
        let (server, code, message) = (self.shared.server.clone(), why.code.as_str(), why.message.clone());
        self.tell(Event::Disconnected { server, code, message });
    }

    /// A listener's panic is its own.
    fn tell(&self, event: Event) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.events)(event)));
    }

    fn tell_server(&self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.server.lost()));
    }
}

/// Dials and greets a connection within the budget.
async fn establish<S: Server>(
    server: &S,
    target: &Target,
    keepalive: Duration,
    budget: &mut TimeBudget,
    connection_id: u64,
) -> Result<Handshake<S::Protocol>> {
    let endpoint = &target.endpoint;
    let mut has_greeted = false;
    let greeted = async {
        let stream = dial(target, keepalive, budget).await?;
        let mut protocol = server.protocol();
        protocol.serves(connection_id);
        has_greeted = true;
        let mut handshake =
            Handshake { stream, protocol, input: BytesMut::new(), server: endpoint.to_string() };
        match budget.spend(server.handshake(&mut handshake)).await {
            Ok(greeted) => greeted.map(|()| handshake),
            Err(Overdue) => Err(Error::timeout(format!(
                "{endpoint} did not take and handshake a connection within {} ms (connectTimeout).",
                budget.limit().as_millis()
            ))),
        }
    };
    // A defect in a handshake is a failed attempt, not the end of the process.
    let result = AssertUnwindSafe(greeted).catch_unwind().await.unwrap_or_else(|_| {
        Err(Error::connection(format!("Handshake {endpoint} failed by a defect of ours.")))
    });
    if result.is_err() && has_greeted {
        let _ = catch_unwind(AssertUnwindSafe(|| server.lost()));
    }
    result
}

/// Takes in requests while an attempt is made: they wait for the first one, and fail at once while the circuit is open.
async fn waiting_meanwhile<R, T>(
    attempt: impl Future<Output = T>,
    inbox: &mut Inbox<R>,
    shared: &Shared,
) -> Option<T> {
    let mut attempt = pin!(attempt);
    loop {
        let last = match inbox.waiting.back() {
            None if inbox.is_over => return None,
            None => None,
            Some(request) => inbox.is_over.then_some(request.pending.deadline),
        };
        tokio::select! {
            biased;
            attempted = &mut attempt => return Some(attempted),
            message = inbox.messages.recv(), if !inbox.is_over => {
                // The connection that a rest belongs to is gone.
                let Some(Outbound::Request(request)) = inbox.open(message) else { continue };
                match shared.circuit() {
                    None => inbox.wait(request, || shared.overdue()),
                    Some(why) => request.pending.fail(why),
                }
            }
            () = sleep_until(last.unwrap_or_else(Instant::now)), if last.is_some() => {
                inbox.fail_waiting(&shared.overdue());
            }
        }
    }
}
