//! What makes a fresh stream a usable connection: authentication where the server asks for it, then the proof that it
//! has what we build on: meta commands (1.6) and CAS numbers.

use super::protocol::{Meta, Outcome, Reply};
use crate::error::{Code, Error, Result};
use crate::model::version_table::VersionTable;
use crate::net::handshake::{Handshake, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// `version`, padded to 24 bytes: a server that speaks the binary protocol alone waits for so many before it finds out
/// that these are none of its own. One command only, since before authentication a server drops what follows the first.
const VERSION: &[u8] = b"version               \r\n";

/// After so many connections closed on our first words in ASCII, one attempt asks in the binary protocol. A proxy whose
/// server is away closes as often.
const CLOSED_BEFORE_ASKING: u32 = 3;

/// The binary protocol's `version` request.
const BINARY_VERSION: [u8; 24] = {
    let mut header = [0; 24];
    header[0] = 0x80;
    header[1] = 0x0b;
    header
};

pub struct Greeter {
    server: String,
    /// `username password`.
    credentials: Option<String>,
    max_value: usize,
    /// A key of our own, to see a CAS number by.
    probe: String,
    /// Connections in a row that were closed on our first words.
    closed: AtomicU32,
    /// It answered in the binary protocol, and has not answered in ASCII since.
    binary: AtomicBool,
    /// What is kept in L1 goes with the connection.
    l1: Option<Arc<VersionTable>>,
}

impl Greeter {
    pub fn new(
        server: String,
        credentials: Option<String>,
        max_value: usize,
        probe: String,
        l1: Option<Arc<VersionTable>>,
    ) -> Self {
        Greeter {
            server,
            credentials,
            max_value,
            probe,
            closed: AtomicU32::new(0),
            binary: AtomicBool::new(false),
            l1,
        }
    }

    fn unsupported(&self, why: impl std::fmt::Display) -> Error {
        Error::new(Code::Unsupported, format!("memcached {}: {why}", self.server))
    }

    async fn version(&self, handshake: &mut Handshake<Meta>) -> Result<Outcome> {
        let replies = handshake.ask(VERSION, 1).await?;
        replies
            .into_iter()
            .next()
            .map(|reply| reply.outcome)
            .ok_or_else(|| Error::connection("No answer to version."))
    }

    async fn authenticate(&self, handshake: &mut Handshake<Meta>) -> Result<()> {
        let Some(credentials) = &self.credentials else {
            return Err(Error::config(format!(
                "memcached {}: the server asks for authentication; set username and password.",
                self.server
            )));
        };
        let request = format!("set auth 0 0 {}\r\n{credentials}\r\n", credentials.len());
        match handshake.ask(request.as_bytes(), 1).await?.into_iter().next().map(|reply| reply.outcome) {
            Some(Outcome::Stored) => Ok(()),
            _ => Err(Error::config(format!(
                "memcached {}: the server refused username and password; compare them with its authentication file (-Y).",
                self.server
            ))),
        }
    }

    fn check_version(&self, outcome: Outcome) -> Result<()> {
        let text = match outcome {
            Outcome::Version(text) => text,
            other => return Err(self.unsupported(format_args!("expected its version, got {other:?}."))),
        };
        let mut numbers = text.split('.').map(|part| part.parse::<u32>().ok());
        // A proxy may call itself anything; the meta commands below decide then.
        if let (Some(Some(major)), Some(Some(minor))) = (numbers.next(), numbers.next())
            && (major, minor) < (1, 6)
        {
            return Err(self.unsupported(format_args!(
                "version {text} has no meta commands; upgrade the server to 1.6 or later."
            )));
        }
        Ok(())
    }

    async fn check_meta(&self, handshake: &mut Handshake<Meta>) -> Result<()> {
        let request = format!("mg {} c N1\r\nmn\r\n", self.probe);
        let mut replies = handshake.ask(request.as_bytes(), 2).await?.into_iter();
        let (stub, noop) = (replies.next(), replies.next());
        if !matches!(noop, Some(Reply { outcome: Outcome::Noop, .. })) {
            return Err(self.unsupported("it does not answer meta commands (mn); upgrade it, or the proxy before it, to memcached 1.6 or later."));
        }
        match stub {
            Some(Reply { outcome: Outcome::Done, cas: None, .. }) => {
                Err(self.unsupported("it numbers no versions; start it without -C (--disable-cas)."))
            }
            Some(Reply { outcome: Outcome::Rejected(text), .. }) => Err(self.unsupported(format_args!(
                "it does not take mg ({text}); upgrade it to memcached 1.6 or later."
            ))),
            // A full server may refuse the stub; that is no fault of its configuration.
            _ => Ok(()),
        }
    }
}

impl Server for Greeter {
    type Protocol = Meta;

    fn lost(&self) {
        if let Some(slots) = &self.l1 {
            slots.all_changed();
        }
    }

    fn protocol(&self) -> Meta {
        Meta::new(self.max_value)
    }

    async fn handshake(&self, handshake: &mut Handshake<Meta>) -> Result<()> {
        if self.closed.load(Relaxed) >= CLOSED_BEFORE_ASKING
            && self.closed.swap(0, Relaxed) > 0
            && let Ok(replies) = handshake.ask(&BINARY_VERSION, 1).await
            && matches!(replies.first(), Some(Reply { outcome: Outcome::Binary, .. }))
        {
            // A server that was merely away answers in both protocols: whether this one takes ASCII, the next attempt
            // shows.
            self.binary.store(true, Relaxed);
            return Err(Error::connection(format!(
                "memcached {}: it is being asked what it speaks.",
                self.server
            )));
        }
        // Asked before anything is set: where no authentication is asked for, `set auth` would store the password.
        let first = match self.version(handshake).await {
            Err(error) if error.code == Code::Connection => {
                self.closed.fetch_add(1, Relaxed);
                if self.binary.load(Relaxed) {
                    return Err(self.unsupported(
                        "it speaks only the binary protocol (SASL, -S); start it with -Y and a file of username:password lines instead.",
                    ));
                }
                return Err(error);
            }
            other => other?,
        };
        self.closed.store(0, Relaxed);
        self.binary.store(false, Relaxed);
        let outcome = match first {
            Outcome::Rejected(text) if text.contains("unauthenticated") => {
                self.authenticate(handshake).await?;
                self.version(handshake).await?
            }
            other => other,
        };
        self.check_version(outcome)?;
        self.check_meta(handshake).await
    }
}
