//! One supervised connection.
//!
//! Contract (what backends build on):
//! - `Link::open` returns at once and connects in the background; it reconnects with jittered backoff for as long as it
//!   lives, and reports `Connected`/`Disconnected` events once per change.
//! - `Link::send` enqueues when it is called, not when its future is polled: requests reach the wire in call order.
//! - Replies match requests by order alone. When a request's deadline passes unanswered, or bytes do not parse, the
//!   connection is dropped with everything in flight on it: a late reply can never be taken for another's.
//! - Never connected yet, or just lost: requests wait (bounded) for the first attempt within their deadline. After a
//!   failed attempt the circuit is open: requests fail at once until an attempt succeeds.

use crate::config::{Endpoint, Timeouts};
use crate::error::Result;
use crate::events::Events;
use bytes::BytesMut;
use std::future::Future;
use std::sync::Arc;

/// A server's language, without I/O: tested by feeding it bytes in any chunking.
pub trait Protocol: Send + 'static {
    type Reply: Send + 'static;

    /// Takes the next whole reply off the front; `None` = more bytes are needed. Pushes are handled inside, in order.
    /// An error means the bytes make no sense, and ends the connection.
    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Reply>>;

    /// Told once, before the greeting: the number that `Link::incarnation` will have while this connection serves. A
    /// protocol whose replies are only worth something on the same connection (leases) stamps them with it.
    fn serves(&mut self, _incarnation: u64) {}
}

/// What makes a fresh stream a usable connection.
pub trait Server: Send + Sync + 'static {
    type Protocol: Protocol;

    /// A protocol state for a new connection.
    fn protocol(&self) -> Self::Protocol;

    /// Greets the server (authentication, version, tracking). An error makes the attempt a failed one, and its code
    /// is what requests fail with meanwhile.
    fn greet(&self, greeting: &mut Greeting<Self::Protocol>) -> impl Future<Output = Result<()>> + Send;

    /// The connection is gone: drop what was true only while it lived. Called before any of its requests fails.
    fn lost(&self) {}
}

/// A connection before it is handed to requests.
pub struct Greeting<P: Protocol> {
    _p: std::marker::PhantomData<P>,
}

impl<P: Protocol> Greeting<P> {
    /// Sends bytes and reads that many replies, within `connectTimeout` over all.
    pub async fn ask(&mut self, _bytes: &[u8], _replies: usize) -> Result<Vec<P::Reply>> {
        unreachable!()
    }
}

pub struct Link<S: Server> {
    _s: std::marker::PhantomData<S>,
}

impl<S: Server> Link<S> {
    pub fn open(
        _server: Arc<S>,
        _endpoint: Endpoint,
        _timeouts: Timeouts,
        _events: Events,
        _runtime: &tokio::runtime::Handle,
    ) -> Self {
        unreachable!()
    }

    /// Enqueues now; resolves with exactly `replies` replies, or fails within `commandTimeout`.
    pub fn send(
        &self,
        _bytes: Vec<u8>,
        _replies: usize,
    ) -> impl Future<Output = Result<Vec<<S::Protocol as Protocol>::Reply>>> + Send + 'static {
        async { unreachable!() }
    }

    /// As `send`, but over the connection of that number or none: once another has taken its place it fails with
    /// `CACHALOT_CONNECTION`, nothing sent. For requests that name a version (CAS): a restarted server numbers anew.
    pub fn send_over(
        &self,
        _incarnation: u64,
        _bytes: Vec<u8>,
        _replies: usize,
    ) -> impl Future<Output = Result<Vec<<S::Protocol as Protocol>::Reply>>> + Send + 'static {
        async { unreachable!() }
    }

    /// Number of the present connection, new at every connect; 0 while there is none.
    pub fn incarnation(&self) -> u64 {
        unreachable!()
    }

    /// Answers what is in flight (within the deadlines), then closes; later requests fail with `CACHALOT_CLOSED`.
    pub async fn close(&self) {}
}
