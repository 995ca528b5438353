//! A connection before it is handed to requests, and what makes it a usable one.

use super::dialer::{Target, dial};
use super::protocol::{MAX_REPLY, Protocol, endless};
use super::stream::Stream;
use super::time_budget::TimeBudget;
use crate::error::{Error, Result};
use bytes::BytesMut;
use std::future::Future;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// A fresh connection, before it is handed to requests.
pub struct Handshake<P: Protocol> {
    pub(super) stream: Stream,
    pub(super) protocol: P,
    pub(super) input: BytesMut,
    pub(super) server: String,
}

impl<P: Protocol> Handshake<P> {
    /// A connection for a few questions, without a supervisor; dropped with the handshake.
    pub async fn open(target: &Target, protocol: P, limit: Duration) -> Result<Self> {
        let mut budget = TimeBudget::new(limit);
        let stream = dial(target, limit, &mut budget).await?;
        Ok(Handshake { stream, protocol, input: BytesMut::new(), server: target.endpoint.to_string() })
    }

    /// Sends bytes and reads that many replies, within `connectTimeout` over all. Errors: `CACHALOT_CONNECTION` when
    /// the server hangs up, the protocol's own when the reply makes no sense.
    pub async fn ask(&mut self, bytes: &[u8], replies: usize) -> Result<Vec<P::Reply>> {
        let is_encrypted = self.stream.tls.is_some();
        let broken = |server: &str, why: std::io::Error| match why.get_ref() {
            Some(_) if is_encrypted => Error::connection(format!("TLS: {why}.")),
            _ if is_encrypted => Error::connection(format!("{server} hung up while it was greeted: {why}.")),
            _ => Error::connection(format!(
                "{server} hung up while it was greeted: {why}. If its port speaks TLS, use rediss:// or set \"tls\"."
            )),
        };
        self.stream.write_all(bytes).await.map_err(|why| broken(&self.server, why))?;
        self.stream.flush().await.map_err(|why| broken(&self.server, why))?;
        let mut got = Vec::with_capacity(replies);
        while got.len() < replies {
            match self.protocol.next(&mut self.input)? {
                Some(reply) => got.push(reply),
                None if self.input.len() > MAX_REPLY => return Err(endless(&self.server)),
                None => {
                    let read = self.stream.fill(&mut self.input).await;
                    if read.map_err(|why| broken(&self.server, why))? == 0 {
                        return Err(broken(&self.server, std::io::ErrorKind::UnexpectedEof.into()));
                    }
                }
            }
        }
        Ok(got)
    }
}

/// What makes a fresh stream a usable connection.
pub trait Server: Send + Sync + 'static {
    type Protocol: Protocol;

    /// A protocol state for a new connection.
    fn protocol(&self) -> Self::Protocol;

    /// Greets the server (authentication, version, tracking). An error makes the attempt a failed one, and its code
    /// is what requests fail with meanwhile.
    fn handshake(&self, handshake: &mut Handshake<Self::Protocol>)
    -> impl Future<Output = Result<()>> + Send;

    /// The connection is gone: drop what was true only while it lived. Called before any of its requests fails, and
    /// after a handshake that failed.
    fn lost(&self) {}
}
