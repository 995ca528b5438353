//! A toy language of lines, its server, and a link to it. `echo ID MS` answers `ID` after MS milliseconds;
//! `big ID N` answers `ID` and N bytes; `twice ID` answers `ID` two times.

use super::stall::within;
use bytes::{Buf, BytesMut};
use cachalot::config::{Endpoint, Timeouts};
use cachalot::error::{Code, Error, Result};
use cachalot::events::{Event, Events};
use cachalot::net::client::Client;
use cachalot::net::handshake::{Handshake, Server};
use cachalot::net::protocol::Protocol;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};

/// Lines `ID` or `ID:LENGTH` with so many bytes after it; anything else makes no sense.
#[derive(Default)]
pub struct Lines {
    pub connection_id: u64,
}

impl Protocol for Lines {
    type Reply = (String, usize);

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Reply>> {
        let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = std::str::from_utf8(&buffer[..end]).unwrap_or("?");
        assert!(line != "panic", "a defect on purpose");
        if !line.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':') {
            return Err(Error::new(Code::Server, "expected a line of letters and digits"));
        }
        let (id, length) = line.split_once(':').unwrap_or((line, "0"));
        let length: usize = length.parse().map_err(|_| Error::new(Code::Server, "expected a length"))?;
        if buffer.len() < end + 1 + length {
            return Ok(None);
        }
        let id = id.to_owned();
        buffer.advance(end + 1 + length);
        Ok(Some((id, length)))
    }

    fn serves(&mut self, connection_id: u64) {
        self.connection_id = connection_id;
    }
}

/// The client's side: greets with `hello` and expects `welcome`.
#[derive(Default)]
pub struct Toy {
    pub lost: AtomicUsize,
    pub panics_in_greeting: AtomicBool,
    /// What `handshake` fails with.
    pub refusal: Mutex<Option<Error>>,
    pub greeted: AtomicUsize,
}

impl Server for Toy {
    type Protocol = Lines;

    fn protocol(&self) -> Lines {
        Lines::default()
    }

    async fn handshake(&self, handshake: &mut Handshake<Lines>) -> Result<()> {
        self.greeted.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics_in_greeting.load(Ordering::SeqCst), "a defect on purpose");
        let reply = handshake.ask(b"hello\n", 1).await?;
        if let Some(error) = self.refusal.lock().clone() {
            return Err(error);
        }
        match reply[0].0.as_str() {
            "welcome" => Ok(()),
            other => Err(Error::new(Code::Unsupported, format!("expected welcome, got {other}"))),
        }
    }

    fn lost(&self) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }
}

/// The server's side.
pub async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(converse(stream));
        }
    });
    address
}

/// Accepts connections and never says a word.
pub async fn serve_silence() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    address
}

pub fn serve_unix(path: &std::path::Path) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream));
        }
    });
}

async fn converse(stream: impl AsyncRead + AsyncWrite) {
    let (from, mut to) = tokio::io::split(stream);
    let mut lines = BufReader::new(from).lines();
    let mut count = 0;
    while let Ok(Some(line)) = lines.next_line().await {
        count += 1;
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let reply = match words[..] {
            ["hello"] => b"welcome\n".to_vec(),
            ["echo", id, ms, ..] => {
                if ms != "0" {
                    tokio::time::sleep(Duration::from_millis(ms.parse().unwrap())).await;
                }
                format!("{id}\n").into_bytes()
            }
            ["twice", id] => format!("{id}\n{id}\n").into_bytes(),
            ["big", id, length, ..] => {
                let length: usize = length.parse().unwrap();
                let mut reply = format!("{id}:{length}\n").into_bytes();
                reply.resize(reply.len() + length, b'.');
                reply
            }
            ["count"] => format!("{count}\n").into_bytes(),
            ["say", what] => format!("{what}\n").into_bytes(),
            ["quiet", ..] => continue,
            _ => b"what?\n".to_vec(),
        };
        if to.write_all(&reply).await.is_err() {
            return;
        }
    }
}

/// A link and what it told.
pub struct ToyClient {
    pub link: Client<Toy>,
    pub toy: Arc<Toy>,
    pub events: Arc<Mutex<Vec<Event>>>,
    next: AtomicU64,
}

pub const COMMAND_MS: u64 = 300;

pub fn timeouts() -> Timeouts {
    Timeouts { connect_ms: 500, command_ms: COMMAND_MS, ..Timeouts::default() }
}

impl ToyClient {
    pub fn open(address: SocketAddr) -> Self {
        let endpoint = Endpoint::Tcp { host: address.ip().to_string(), port: address.port() };
        Self::open_at(endpoint, Toy::default(), timeouts())
    }

    pub fn open_at(endpoint: Endpoint, toy: Toy, timeouts: Timeouts) -> Self {
        let toy = Arc::new(toy);
        let told: Arc<Mutex<Vec<Event>>> = Arc::default();
        let events: Events = {
            let told = told.clone();
            Arc::new(move |event| told.lock().push(event))
        };
        let runtime = tokio::runtime::Handle::current();
        let link = Client::open(toy.clone(), endpoint, timeouts, events, &runtime);
        ToyClient { link, toy, events: told, next: AtomicU64::new(0) }
    }

    /// A name that no other request of this client has.
    pub fn id(&self) -> String {
        format!("id{}", self.next.fetch_add(1, Ordering::SeqCst))
    }

    /// Asks for an echo after `ms`, and checks that the reply is this request's own.
    pub fn echo(&self, ms: u64) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let id = self.id();
        let asked = self.link.send(format!("echo {id} {ms}\n").into_bytes(), 1);
        async move {
            let replies = asked.await?;
            assert_eq!(replies, [(id, 0)], "another request's reply");
            Ok(())
        }
    }

    /// Asks for an echo, which must settle in time, whatever it settles with.
    pub async fn timed(&self, ms: u64) -> Result<()> {
        within(COMMAND_MS + 100, self.echo(ms)).await
    }

    /// Waits until an echo succeeds, which a server that is back must bring about within two seconds.
    pub async fn recovered(&self) {
        within(2_000, async {
            while self.timed(0).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// Kinds of the events so far, in short.
    pub fn told(&self) -> Vec<&'static str> {
        let kind = |event: &Event| match event {
            Event::Connected { .. } => "connected",
            Event::Disconnected { .. } => "disconnected",
            Event::Warning { .. } => "warning",
            Event::Message { .. } => "message",
            Event::CredentialsRefused {} => "refused",
        };
        self.events.lock().iter().map(kind).collect()
    }

    /// Waits until the link serves.
    pub async fn connected(&self) {
        while self.link.connection_id() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
