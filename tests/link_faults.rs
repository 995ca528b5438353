//! A link on a wire that is broken on purpose: every call settles in time, and with its own reply or none.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use cachalot::config::Endpoint;
use cachalot::error::{Code, Error};
use cachalot::events::Event;
use rand::RngExt;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};
use support::proxy::{Proxy, Wire};
use support::stall::within;
use support::toy::{COMMAND_MS, Toy, ToyClient, serve, serve_silence, timeouts};
use tokio::time::sleep;

async fn proxied() -> (Proxy, ToyClient) {
    let proxy = Proxy::start(serve().await).await;
    let client = ToyClient::open(proxy.address);
    client.timed(0).await.unwrap();
    (proxy, client)
}

#[tokio::test]
async fn a_black_hole_fails_the_first_by_timeout_and_the_rest_with_the_connection() {
    let (proxy, client) = proxied().await;
    let before = client.link.connection_id();
    proxy.set(Wire::BlackHole);
    let asked = Instant::now();
    let first = client.echo(0);
    let behind: Vec<_> = (0..10).map(|_| client.echo(0)).collect();
    let error = within(COMMAND_MS + 100, first).await.unwrap_err();
    let took = asked.elapsed();
    assert!(took >= Duration::from_millis(COMMAND_MS), "{took:?}");
    assert_eq!(error.code, Code::Timeout);
    assert!(
        error.message.contains(&proxy.address.to_string()) && error.message.contains("300 ms"),
        "{error}"
    );
    assert_eq!(client.toy.lost.load(SeqCst), 1, "told before any request failed");
    for echo in behind {
        assert_eq!(echo.await.unwrap_err().code, Code::Connection);
    }
    assert_ne!(client.link.connection_id(), before);
    proxy.cut();
    proxy.set(Wire::Pass);
    client.recovered().await;
    assert_eq!(client.told(), ["connected", "disconnected", "connected"]);
}

#[tokio::test]
async fn during_a_black_hole_calls_fail_at_once_after_the_first_failed_attempt() {
    let (proxy, client) = proxied().await;
    proxy.set(Wire::BlackHole);
    let since = Instant::now();
    let mut at_once = 0;
    while since.elapsed() < Duration::from_millis(1_600) {
        let asked = Instant::now();
        client.timed(0).await.unwrap_err();
        at_once += u32::from(asked.elapsed() < Duration::from_millis(20));
        sleep(Duration::from_millis(10)).await;
    }
    assert!(at_once > 20, "{at_once} failed at once");
    proxy.set(Wire::Pass);
    client.recovered().await;
    assert_eq!(client.told(), ["connected", "disconnected", "connected"]);
}

#[tokio::test]
async fn a_reply_cut_in_the_middle_fails_all_in_flight_and_the_next_call_works() {
    let (proxy, client) = proxied().await;
    proxy.set(Wire::CutAfter(5));
    let asked: Vec<_> = (0..10).map(|_| client.echo(20)).collect();
    let mut failed = 0;
    for echo in asked {
        if let Err(error) = echo.await {
            assert_eq!(error.code, Code::Connection);
            failed += 1;
        }
    }
    assert!(failed >= 8, "{failed} failed");
    // Just lost, and the server is there: this one waits for the new connection.
    client.timed(0).await.unwrap();
    assert_eq!(client.told(), ["connected", "disconnected", "connected"]);
}

#[tokio::test]
async fn a_slow_drip_is_no_answer() {
    let (proxy, client) = proxied().await;
    proxy.set(Wire::Drip(Duration::from_millis(150)));
    assert_eq!(client.timed(0).await.unwrap_err().code, Code::Timeout);
    proxy.set(Wire::Pass);
    client.recovered().await;
}

#[tokio::test]
async fn garbage_ends_the_connection_and_is_nobodys_reply() {
    let (proxy, client) = proxied().await;
    proxy.set(Wire::Garble);
    assert_eq!(client.timed(0).await.unwrap_err().code, Code::Timeout, "no line end: nothing but silence");
    proxy.set(Wire::Pass);
    client.recovered().await;
    proxy.set(Wire::Inject(b"\x00\xff garbage \n"));
    assert_eq!(client.timed(0).await.unwrap_err().code, Code::Connection);
    client.recovered().await;
}

#[tokio::test]
async fn a_reply_nobody_asked_for_ends_the_connection() {
    let (_proxy, client) = proxied().await;
    let before = client.link.connection_id();
    // Asks for one reply and gets two: the second must not be the next request's.
    client.link.send(b"twice a\n".to_vec(), 1).await.unwrap();
    client.recovered().await;
    assert_ne!(client.link.connection_id(), before);
}

#[tokio::test]
async fn a_late_reply_is_never_taken_for_anothers() {
    let (_proxy, client) = proxied().await;
    assert_eq!(client.timed(COMMAND_MS + 150).await.unwrap_err().code, Code::Timeout);
    // The late reply arrives while these run; `echo` checks whose it is.
    for _ in 0..30 {
        client.timed(10).await.unwrap();
    }
}

#[tokio::test]
async fn while_refused_calls_fail_at_once_and_a_returning_server_is_used_within_two_seconds() {
    let (proxy, client) = proxied().await;
    proxy.down().await;
    client.timed(0).await.unwrap_err();
    let since = Instant::now();
    let mut calls = 0;
    while since.elapsed() < Duration::from_millis(2_500) {
        let asked = Instant::now();
        assert_eq!(client.timed(0).await.unwrap_err().code, Code::Connection);
        calls += u32::from(asked.elapsed() < Duration::from_millis(20));
        sleep(Duration::from_millis(10)).await;
    }
    assert!(calls > 50, "{calls} calls failed at once");
    assert_eq!(client.told(), ["connected", "disconnected"]);
    proxy.up().await;
    client.recovered().await;
    assert_eq!(client.told(), ["connected", "disconnected", "connected"]);
}

#[tokio::test]
async fn a_server_that_was_never_there_is_told_once() {
    let proxy = Proxy::start(serve().await).await;
    proxy.down().await;
    let client = ToyClient::open(proxy.address);
    for _ in 0..20 {
        assert_eq!(client.timed(0).await.unwrap_err().code, Code::Connection);
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.told(), ["disconnected"]);
    proxy.up().await;
    client.recovered().await;
}

#[tokio::test]
async fn a_greeting_that_hangs_is_a_failed_attempt() {
    let client = ToyClient::open(serve_silence().await);
    client.timed(0).await.unwrap_err();
    sleep(Duration::from_millis(300)).await;
    let error = within(20, client.echo(0)).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    assert!(error.message.contains("connectTimeout"), "{error}");
}

#[tokio::test]
async fn a_refused_greeting_keeps_its_code_until_one_succeeds() {
    let address = serve().await;
    let toy = Toy::default();
    *toy.refusal.lock() = Some(Error::new(Code::Unsupported, "expected version 2, got 1"));
    let endpoint = Endpoint::Tcp { host: address.ip().to_string(), port: address.port() };
    let client = ToyClient::open_at(endpoint, toy, timeouts());
    for _ in 0..10 {
        let error = client.timed(0).await.unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Code::Unsupported, "expected version 2, got 1"));
    }
    let told = client.events.lock().clone();
    assert!(matches!(&told[..], [Event::Disconnected { code: "CACHALOT_UNSUPPORTED", .. }]), "{told:?}");
    *client.toy.refusal.lock() = None;
    client.recovered().await;
}

#[tokio::test]
async fn panics_in_a_protocol_or_a_greeting_are_lost_connections() {
    let (_proxy, client) = proxied().await;
    let error = client.link.send(b"say panic\n".to_vec(), 1).await.unwrap_err();
    assert_eq!(error.code, Code::Connection);
    client.timed(0).await.unwrap();
    client.toy.panics_in_greeting.store(true, SeqCst);
    client.link.send(b"say panic\n".to_vec(), 1).await.unwrap_err();
    assert_eq!(client.timed(0).await.unwrap_err().code, Code::Connection);
    client.toy.panics_in_greeting.store(false, SeqCst);
    client.recovered().await;
}

#[tokio::test]
async fn a_server_that_greets_and_hangs_up_is_not_hammered() {
    let (proxy, client) = proxied().await;
    let before = proxy.accepted();
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(1) {
        if client.link.connection_id() != 0 {
            proxy.cut();
        }
        sleep(Duration::from_millis(1)).await;
    }
    let attempts = proxy.accepted() - before;
    assert!((3..=10).contains(&attempts), "{attempts} attempts in a second");
    client.recovered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_random_faults_every_call_settles_in_time_with_its_own_reply_or_none() {
    let (proxy, client) = proxied().await;
    let client = Arc::new(client);
    let until = Instant::now() + Duration::from_secs(6);
    let senders: Vec<_> = (0..16)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut answered = 0;
                while Instant::now() < until {
                    let (delay, pause) = {
                        let mut random = rand::rng();
                        (random.random_range(0..3), random.random_range(0..10))
                    };
                    answered += u64::from(client.timed(delay).await.is_ok());
                    sleep(Duration::from_millis(pause)).await;
                }
                answered
            })
        })
        .collect();
    sleep(Duration::from_millis(100)).await;
    while Instant::now() < until {
        let (wire, pause) = {
            let mut random = rand::rng();
            let wire = match random.random_range(0..7) {
                0 => Wire::Delay(Duration::from_millis(random.random_range(1..700))),
                1 => Wire::CutAfter(random.random_range(0..200)),
                2 => Wire::Drip(Duration::from_millis(random.random_range(1..20))),
                3 => Wire::BlackHole,
                4 => Wire::Garble,
                _ => Wire::Pass,
            };
            if random.random_range(0..8) == 0 {
                proxy.cut();
            }
            (wire, random.random_range(20..500))
        };
        proxy.set(wire);
        sleep(Duration::from_millis(pause)).await;
    }
    proxy.set(Wire::Pass);
    let mut answered = 0;
    for sender in senders {
        answered += sender.await.unwrap();
    }
    assert!(answered > 50, "{answered} answered");
    client.recovered().await;
}
