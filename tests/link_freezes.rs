//! A link whose process is frozen at a chosen moment: the runtime runs only where a test lets it, and the test itself is
//! the server, so that what the server did during the freeze is certain.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod support;

use bytes::{Buf, BytesMut};
use cachalot::config::{Endpoint, Timeouts};
use cachalot::error::{Code, Result};
use cachalot::events::Events;
use cachalot::net::client::Client;
use cachalot::net::handshake::{Handshake, Server};
use cachalot::net::protocol::Protocol;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::toy::Lines;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Longer than the silence after which a link looks before it writes, and than `connectTimeout`.
const FREEZE: Duration = Duration::from_millis(1_200);

const CONNECT_MS: u64 = 500;

/// Far more than any step takes: what hangs is to fail.
const PATIENCE: Duration = Duration::from_secs(10);

/// The toy's lines, and pushes: lines that begin with `>`.
#[derive(Default)]
struct Pushing(Lines);

impl Protocol for Pushing {
    type Reply = (String, usize);

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Self::Reply>> {
        while buffer.first() == Some(&b'>')
            && let Some(end) = buffer.iter().position(|byte| *byte == b'\n')
        {
            buffer.advance(end + 1);
        }
        if buffer.first() == Some(&b'>') { Ok(None) } else { self.0.next(buffer) }
    }
}

struct Greeter;

impl Server for Greeter {
    type Protocol = Pushing;

    fn protocol(&self) -> Pushing {
        Pushing::default()
    }

    async fn handshake(&self, handshake: &mut Handshake<Pushing>) -> Result<()> {
        handshake.ask(b"hello\n", 1).await.map(|_| ())
    }
}

type Answer = JoinHandle<Result<Vec<(String, usize)>>>;

struct Frozen {
    link: Client<Greeter>,
    listener: TcpListener,
    runtime: Runtime,
}

impl Frozen {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = Endpoint::Tcp { host: address.ip().to_string(), port: address.port() };
        let timeouts = Timeouts {
            connect_ms: CONNECT_MS,
            command_ms: PATIENCE.as_millis() as u64,
            ..Timeouts::default()
        };
        let events: Events = Arc::new(|_| {});
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let link = Client::open(Arc::new(Greeter), endpoint, timeouts, events, runtime.handle());
        Frozen { link, listener, runtime }
    }

    /// Lets the link run, one turn of the runtime at a time, until the step has been possible.
    fn until<T>(&self, mut step: impl FnMut() -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(done) = step() {
                return done;
            }
            assert!(since.elapsed() < PATIENCE, "the link did not do its part");
            self.runtime.block_on(tokio::task::yield_now());
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// The next connection, before anything is read from it.
    fn accept(&self) -> Peer {
        let (stream, _) = self.until(|| self.listener.accept().ok());
        stream.set_nonblocking(true).unwrap();
        Peer { stream, line: Vec::new() }
    }

    /// The next connection, greeted and in use.
    fn serve(&self) -> Peer {
        let mut peer = self.accept();
        self.hears(&mut peer, "hello");
        peer.say("welcome\n");
        self.until(|| (self.link.connection_id() != 0).then_some(()));
        peer
    }

    /// The connection that the link makes after a working one was lost.
    fn reconnects(&self) -> Peer {
        let mut before = self.serve();
        let answer = self.ask("x");
        self.is_answered_by(&mut before, "x", answer);
        drop(before);
        self.accept()
    }

    /// Lets the link run until it has sent this line, and no other one before it.
    fn hears(&self, peer: &mut Peer, line: &str) {
        let heard = self.until(|| peer.line());
        assert_eq!(heard.as_deref(), Some(line));
    }

    /// Lets the link run until it has closed the connection, without another line.
    fn hears_the_end(&self, peer: &mut Peer) {
        assert_eq!(self.until(|| peer.line()), None, "it was written to");
    }

    fn ask(&self, id: &str) -> Answer {
        self.runtime.spawn(self.link.send(format!("say {id}\n").into_bytes(), 1))
    }

    /// The request goes over this connection, and is answered there.
    fn is_answered_by(&self, peer: &mut Peer, id: &str, answer: Answer) {
        self.hears(peer, &format!("say {id}"));
        peer.say(&format!("{id}\n"));
        assert_eq!(self.runtime.block_on(answer).unwrap().unwrap(), [(id.to_owned(), 0)]);
    }
}

/// The server's end of a connection.
struct Peer {
    stream: TcpStream,
    line: Vec<u8>,
}

impl Peer {
    fn say(&mut self, line: &str) {
        self.stream.write_all(line.as_bytes()).unwrap();
    }

    /// From now on the link reads to the end, while what it writes can still be seen.
    fn hang_up(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// A whole line if there is one; `Some(None)` = the link has closed.
    fn line(&mut self) -> Option<Option<String>> {
        let mut byte = [0];
        loop {
            match self.stream.read(&mut byte) {
                Ok(0) => return Some(None),
                Ok(_) if byte[0] == b'\n' => {
                    return Some(String::from_utf8(std::mem::take(&mut self.line)).ok());
                }
                Ok(_) => self.line.push(byte[0]),
                Err(why) if why.kind() == ErrorKind::WouldBlock => return None,
                Err(why) => panic!("{why}"),
            }
        }
    }
}

fn freeze() {
    std::thread::sleep(FREEZE);
}

/// What the server said while the process was frozen, before it hung up, is nothing to the next request.
fn asks_anew_after_a_hang_up(said: &str) {
    let frozen = Frozen::new();
    let mut before = frozen.serve();
    freeze();
    before.say(said);
    before.hang_up();
    let answer = frozen.ask("a");
    let mut next = frozen.serve();
    frozen.hears_the_end(&mut before);
    frozen.is_answered_by(&mut next, "a", answer);
}

#[test]
fn nothing_is_written_to_a_server_that_hung_up_in_a_freeze() {
    // Alone, and behind pushes that nobody could read: few, and more than is read at once.
    for pushes in [0, 1, 5_000] {
        asks_anew_after_a_hang_up(&">push\n".repeat(pushes));
    }
}

#[test]
fn a_reply_nobody_asked_for_before_the_hang_up_is_not_the_next_requests() {
    asks_anew_after_a_hang_up("timeout\n");
}

#[test]
fn what_was_answered_before_the_hang_up_is_and_what_follows_waits() {
    let frozen = Frozen::new();
    let mut before = frozen.serve();
    let first = frozen.ask("a");
    frozen.hears(&mut before, "say a");
    freeze();
    before.say("a\n");
    before.hang_up();
    let second = frozen.ask("b");
    let mut next = frozen.serve();
    frozen.hears_the_end(&mut before);
    assert_eq!(frozen.runtime.block_on(first).unwrap().unwrap(), [("a".to_owned(), 0)]);
    frozen.is_answered_by(&mut next, "b", second);
}

#[test]
fn a_server_is_not_late_because_the_process_was_frozen_while_it_connected() {
    let frozen = Frozen::new();
    let mut next = frozen.reconnects();
    freeze();
    let answer = frozen.ask("a");
    frozen.hears(&mut next, "hello");
    next.say("welcome\n");
    frozen.is_answered_by(&mut next, "a", answer);
}

#[test]
fn a_server_is_not_late_because_the_process_was_frozen_while_it_was_greeted() {
    let frozen = Frozen::new();
    let mut next = frozen.reconnects();
    frozen.hears(&mut next, "hello");
    freeze();
    let answer = frozen.ask("a");
    // Also if it takes its time after the freeze.
    let since = Instant::now();
    frozen.until(|| (since.elapsed() > Duration::from_millis(CONNECT_MS / 4)).then_some(()));
    next.say("welcome\n");
    frozen.is_answered_by(&mut next, "a", answer);
}

#[test]
fn a_request_keeps_waiting_if_the_server_hung_up_on_a_greeting_that_was_frozen() {
    for welcome in ["", "welcome\n"] {
        let frozen = Frozen::new();
        let mut greeted = frozen.reconnects();
        frozen.hears(&mut greeted, "hello");
        freeze();
        greeted.say(welcome);
        greeted.hang_up();
        let answer = frozen.ask("a");
        let mut next = frozen.serve();
        frozen.hears_the_end(&mut greeted);
        frozen.is_answered_by(&mut next, "a", answer);
    }
}

#[test]
fn a_request_fails_if_the_server_hangs_up_on_every_greeting() {
    let frozen = Frozen::new();
    let answer = frozen.ask("a");
    let since = Instant::now();
    for _ in 0..2 {
        let mut peer = frozen.accept();
        frozen.hears(&mut peer, "hello");
        peer.say("welcome\n");
        peer.hang_up();
        frozen.hears_the_end(&mut peer);
    }
    let error = frozen.runtime.block_on(answer).unwrap().unwrap_err();
    assert_eq!(error.code, Code::Connection, "{error}");
    assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
}

#[test]
fn a_server_that_stays_silent_after_a_freeze_is_late_as_ever() {
    let frozen = Frozen::new();
    let mut silent = frozen.reconnects();
    frozen.hears(&mut silent, "hello");
    freeze();
    let since = Instant::now();
    let again = frozen.accept();
    assert!(since.elapsed() < Duration::from_millis(2 * CONNECT_MS), "{:?}", since.elapsed());
    // The attempt that was frozen does not count, the next one does.
    let answer = frozen.ask("a");
    let error = frozen.runtime.block_on(answer).unwrap().unwrap_err();
    assert_eq!(error.code, Code::Timeout, "{error}");
    assert!(error.message.contains("connectTimeout"), "{error}");
    drop(again);
}
