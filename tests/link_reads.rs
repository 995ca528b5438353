//! A link whose caller reads replies itself, and gives the reading back. The link's runtime runs only where a test lets
//! it: what is answered otherwise was answered by the caller.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]
#![cfg(unix)]

mod support;

use cachalot::error::{Code, Result};
use cachalot::net::direct::reader::{DirectReader, ReadOutcome, closed_connections};
use cachalot::net::poll_scope::{PollOutcome, poll_inline, take_claimed};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use support::proxy::{Proxy, Wire};
use support::toy::{COMMAND_MS, ToyClient, serve};
use tokio::runtime::{Builder, Runtime};

type Answer = Result<Vec<(String, usize)>>;
type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A thread that asks and reads, as JavaScript's does.
struct Caller {
    client: ToyClient,
    proxy: Proxy,
    runtime: Runtime,
    /// Of the server and the wire, which run all the time.
    _world: Runtime,
}

/// What was asked, and the connections to wait for.
struct Asked {
    work: Work,
    began: PollOutcome,
    taken: Vec<Arc<dyn DirectReader>>,
}

impl Caller {
    /// One that has asked often enough to be left the reading.
    fn proven() -> Self {
        let world = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let proxy = world.block_on(async { Proxy::start(serve().await).await });
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let client = ToyClient::open(proxy.address);
            client.connected().await;
            client.timed(0).await.unwrap();
            client
        });
        let caller = Caller { client, proxy, runtime, _world: world };
        caller.prove();
        caller
    }

    fn prove(&self) {
        for _ in 0..20 {
            let Asked { work, taken, .. } = self.ask("say x");
            if let [reader] = &taken[..] {
                assert_eq!(read(&**reader), ReadOutcome::Replies);
            }
            assert_eq!(self.runtime.block_on(work).unwrap()[0].0, "x");
        }
        // The task is woken by a reply, and hears that it is left alone.
        loop {
            let (work, reader) = self.ask_and_read("say x");
            self.run(30);
            if read(&*reader) == ReadOutcome::Replies {
                assert_eq!(answered(work).unwrap()[0].0, "x");
                return;
            }
            // The task's watchdog was due just then, and the task reads.
            assert_eq!(self.runtime.block_on(work).unwrap()[0].0, "x");
        }
    }

    fn ask(&self, line: &str) -> Asked {
        let link = self.client.link.clone();
        let bytes = format!("{line}\n").into_bytes();
        let mut work: Work = Box::pin(async move { link.send(bytes, 1).await });
        let (polled, began) = poll_inline(work.as_mut(), &mut Context::from_waker(Waker::noop()), true);
        assert!(polled.is_pending());
        Asked { work, began, taken: take_claimed() }
    }

    /// As `ask`, of which the reply is this thread's to read.
    fn ask_and_read(&self, line: &str) -> (Work, Arc<dyn DirectReader>) {
        let Asked { work, began, mut taken } = self.ask(line);
        assert_eq!((began, taken.len()), (PollOutcome::Sent, 1));
        (work, taken.remove(0))
    }

    /// Lets the link's task run for so long.
    fn run(&self, ms: u64) {
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(ms)).await });
    }
}

/// Reads until something comes.
fn read(reader: &dyn DirectReader) -> ReadOutcome {
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        match reader.read() {
            ReadOutcome::Nothing => std::thread::sleep(Duration::from_micros(50)),
            came => return came,
        }
    }
    panic!("nothing came");
}

/// What is there without the runtime.
fn answered(mut work: Work) -> Answer {
    match poll_inline(work.as_mut(), &mut Context::from_waker(Waker::noop()), true).0 {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("not answered"),
    }
}

#[test]
fn the_caller_alone_reads_what_it_took_on_also_after_the_task_looked_after_it() {
    let caller = Caller::proven();
    for round in 0..100 {
        let (work, reader) = caller.ask_and_read(&format!("say a{round}"));
        assert_eq!(read(&*reader), ReadOutcome::Replies);
        assert_eq!(reader.read(), ReadOutcome::Nothing);
        assert_eq!(answered(work).unwrap(), [(format!("a{round}"), 0)]);
        if round % 30 == 0 {
            // Past the watchdog, which the task takes the reading back with.
            caller.run(COMMAND_MS + 50);
        }
    }
    assert_eq!(caller.client.told(), ["connected"]);
}

#[test]
fn what_another_thread_writes_itself_the_task_reads_at_once() {
    let caller = Caller::proven();
    for round in 0..20 {
        let (work, reader) = caller.ask_and_read("say mine");
        assert_eq!(read(&*reader), ReadOutcome::Replies);
        answered(work).unwrap();
        // A later step of an operation of several goes on in the runtime.
        let link = caller.client.link.clone();
        let asked = Instant::now();
        let answer =
            caller.runtime.block_on(link.send(format!("say theirs{round}\n").into_bytes(), 1)).unwrap();
        assert_eq!(answer[0].0, format!("theirs{round}"));
        assert!(asked.elapsed() < Duration::from_millis(COMMAND_MS / 2), "{:?}", asked.elapsed());
    }
    assert_eq!(caller.client.told(), ["connected"]);
}

#[test]
fn a_reply_in_pieces_and_a_large_one_are_finished_by_the_task() {
    let caller = Caller::proven();
    caller.proxy.set(Wire::Drip(Duration::from_millis(1)));
    let (work, reader) = caller.ask_and_read("say pieces");
    assert_eq!(read(&*reader), ReadOutcome::Task);
    assert_eq!(reader.read(), ReadOutcome::Task);
    assert_eq!(caller.runtime.block_on(work).unwrap()[0].0, "pieces");
    let caller = Caller::proven();

    let (work, reader) = caller.ask_and_read("big whale 1000000");
    assert_eq!(read(&*reader), ReadOutcome::Task);
    assert_eq!(caller.runtime.block_on(work).unwrap(), [("whale".to_owned(), 1_000_000)]);
    // Another may follow, so the task reads the next ones.
    let next = caller.ask("say next");
    assert_eq!((next.began, next.taken.len()), (PollOutcome::Sent, 0));
    assert_eq!(caller.runtime.block_on(next.work).unwrap()[0].0, "next");
}

#[test]
fn what_makes_no_sense_ends_the_connection_whoever_reads_it() {
    for garbage in [b"?!\n".as_slice(), b"unasked\nunasked\n", b"panic\n"] {
        let caller = Caller::proven();
        caller.proxy.set(Wire::Inject(garbage));
        let (work, reader) = caller.ask_and_read("say x");
        assert_eq!(read(&*reader), ReadOutcome::Task);
        match caller.runtime.block_on(work) {
            Err(error) => assert_eq!(error.code, Code::Connection, "{error}"),
            // The first of two in the place of one.
            Ok(reply) => assert_eq!(reply[0].0, "unasked"),
        }
        caller.runtime.block_on(caller.client.recovered());
        assert_eq!(caller.client.told(), ["connected", "disconnected", "connected"]);
        assert_eq!(reader.read(), ReadOutcome::Closed);
    }
}

#[test]
fn a_server_that_hangs_up_on_a_reading_caller_is_lost_at_once() {
    let caller = Caller::proven();
    let (work, reader) = caller.ask_and_read("echo slow 10000");
    caller.proxy.cut();
    assert_eq!(read(&*reader), ReadOutcome::Task);
    let since = Instant::now();
    assert_eq!(caller.runtime.block_on(work).unwrap_err().code, Code::Connection);
    assert!(since.elapsed() < Duration::from_millis(COMMAND_MS / 2));
    assert_eq!(reader.read(), ReadOutcome::Closed);
}

#[test]
fn a_server_that_hung_up_while_the_caller_was_busy_is_not_written_to() {
    let caller = Caller::proven();
    caller.proxy.cut();
    std::thread::sleep(Duration::from_millis(50));
    let asked = caller.ask("say again");
    assert_eq!((asked.began, asked.taken.len()), (PollOutcome::Waiting, 0));
    assert_eq!(caller.runtime.block_on(asked.work).unwrap()[0].0, "again");
}

#[test]
fn what_the_caller_reads_after_a_freeze_does_not_say_that_the_server_is_still_there() {
    let caller = Caller::proven();
    let (work, reader) = caller.ask_and_read("say x");
    let socket = reader.socket().unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while socket.socket.peek(&mut [MaybeUninit::uninit()]).is_err() {
        assert!(Instant::now() < until, "no reply came");
        std::thread::sleep(Duration::from_millis(1));
    }
    caller.proxy.cut();
    std::thread::sleep(Duration::from_millis(1_200));
    // At once after each other, as the continuation of a promise is.
    assert_eq!(read(&*reader), ReadOutcome::Replies);
    let next = caller.ask("say next");
    assert_eq!((next.began, next.taken.len()), (PollOutcome::Waiting, 0));
    assert_eq!(answered(work).unwrap()[0].0, "x");
    drop(socket);
    assert_eq!(caller.runtime.block_on(next.work).unwrap()[0].0, "next");
}

#[test]
fn a_frozen_server_times_out_as_ever() {
    let caller = Caller::proven();
    caller.proxy.set(Wire::BlackHole);
    let since = Instant::now();
    let (work, reader) = caller.ask_and_read("say x");
    assert_eq!(reader.read(), ReadOutcome::Nothing);
    assert_eq!(caller.runtime.block_on(work).unwrap_err().code, Code::Timeout);
    let took = since.elapsed().as_millis() as u64;
    assert!((COMMAND_MS..COMMAND_MS + 200).contains(&took), "{took} ms");
    assert_eq!(reader.read(), ReadOutcome::Closed);
}

#[test]
fn a_reply_that_a_busy_caller_does_not_read_is_in_time() {
    let caller = Caller::proven();
    let (work, reader) = caller.ask_and_read("say x");
    assert_eq!(caller.runtime.block_on(work).unwrap()[0].0, "x");
    assert_eq!(reader.read(), ReadOutcome::Task);

    // Nor if nobody ran at all.
    caller.prove();
    let (work, _reader) = caller.ask_and_read("say y");
    std::thread::sleep(Duration::from_millis(COMMAND_MS + 100));
    caller.run(30);
    assert_eq!(answered(work).unwrap()[0].0, "y");
    assert_eq!(caller.client.told(), ["connected"]);
}

#[test]
fn the_task_reads_at_once_what_is_given_back_or_followed_by_more() {
    let quick = Duration::from_millis(COMMAND_MS / 2);
    let caller = Caller::proven();
    let (work, reader) = caller.ask_and_read("say x");
    reader.release(false);
    let since = Instant::now();
    assert_eq!(caller.runtime.block_on(work).unwrap()[0].0, "x");
    assert!(since.elapsed() < quick);

    caller.prove();
    let (first, reader) = caller.ask_and_read("say y");
    let second = caller.ask("say z");
    assert_eq!((second.began, second.taken.len()), (PollOutcome::Waiting, 0));
    assert_eq!(reader.read(), ReadOutcome::Task);
    let since = Instant::now();
    assert_eq!(caller.runtime.block_on(first).unwrap()[0].0, "y");
    assert_eq!(caller.runtime.block_on(second.work).unwrap()[0].0, "z");
    assert!(since.elapsed() < quick);
}

#[test]
fn close_answers_what_the_caller_would_have_read_and_lets_go_of_the_socket() {
    let caller = Caller::proven();
    let before = closed_connections();
    let (work, reader) = caller.ask_and_read("echo slow 50");
    // As a poll holds it.
    let socket = reader.socket().unwrap();
    caller.runtime.block_on(caller.client.link.close());
    assert_eq!(answered(work).unwrap()[0].0, "slow");
    assert_eq!(reader.read(), ReadOutcome::Closed);
    assert!(reader.socket().is_none());
    assert!(closed_connections() > before);
    let until = Instant::now() + Duration::from_secs(2);
    while caller.proxy.open() > 0 {
        assert!(Instant::now() < until, "the server does not see it closed");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(socket);
}

#[test]
fn close_hears_of_what_the_caller_reads_meanwhile() {
    let caller = Caller::proven();
    let (work, reader) = caller.ask_and_read("echo slow 50");
    let reading = std::thread::spawn(move || while reader.read() != ReadOutcome::Closed {});
    caller.runtime.block_on(caller.client.link.close());
    assert_eq!(answered(work).unwrap()[0].0, "slow");
    reading.join().unwrap();
}
