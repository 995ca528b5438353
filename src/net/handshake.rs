//! A connection before it is handed to requests.

use super::client::Protocol;
use super::dialer::Stream;
use crate::error::{Error, Result};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest unparsed reply. The largest value is 64 MiB (`maxValueBytes`); a quarter more is room for its envelope
/// and the protocol's framing. Bytes that declare more and more, or never end, cannot grow memory past it.
pub const MAX_REPLY: usize = 80 * 1024 * 1024;

pub struct Greeting<P: Protocol> {
    pub(super) stream: Stream,
    pub(super) protocol: P,
    pub(super) input: BytesMut,
    pub(super) server: String,
}

impl<P: Protocol> Greeting<P> {
    /// Sends bytes and reads that many replies, within `connectTimeout` over all. Errors: `CACHALOT_CONNECTION` when
    /// the server hangs up, the protocol's own when the reply makes no sense.
    pub async fn ask(&mut self, bytes: &[u8], replies: usize) -> Result<Vec<P::Reply>> {
        let broken = |server: &str, why: std::io::Error| {
            Error::connection(format!("{server} hung up while it was greeted: {why}."))
        };
        self.stream.write_all(bytes).await.map_err(|why| broken(&self.server, why))?;
        let mut got = Vec::with_capacity(replies);
        while got.len() < replies {
            match self.protocol.next(&mut self.input)? {
                Some(reply) => got.push(reply),
                None if self.input.len() > MAX_REPLY => return Err(endless(&self.server)),
                None => {
                    let read = self.stream.read_buf(&mut self.input).await;
                    if read.map_err(|why| broken(&self.server, why))? == 0 {
                        return Err(broken(&self.server, std::io::ErrorKind::UnexpectedEof.into()));
                    }
                }
            }
        }
        Ok(got)
    }
}

pub(super) fn endless(server: &str) -> Error {
    Error::connection(format!(
        "{server} sent a reply of more than {MAX_REPLY} bytes; is it the right kind of server?"
    ))
}
