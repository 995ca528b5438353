//! A link on a wire that works: order, bounds, and its end.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use cachalot::config::{Endpoint, Timeouts};
use cachalot::error::{Code, Error};
use cachalot::net::poll_scope::{PollOutcome, poll_inline};
use cachalot::net::request::MAX_REQUESTS;
use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use support::proxy::{Proxy, Wire};
use support::stall::within;
use support::toy::{COMMAND_MS, Toy, ToyClient, serve, serve_silence, serve_unix, timeouts};
use tokio::time::sleep;

#[tokio::test]
async fn replies_come_in_call_order_also_several_to_a_request_and_none() {
    let client = patient(serve().await);
    let asked: Vec<_> = (0..5_000).map(|_| client.echo(0)).collect();
    // Polled from the last: what counts is when they were sent.
    for echo in asked.into_iter().rev() {
        echo.await.unwrap();
    }
    let last = client.link.send(b"count\n".to_vec(), 1);
    let first = client.link.send(b"quiet\ncount\n".to_vec(), 1);
    let none = client.link.send(b"quiet\n".to_vec(), 0);
    let end = client.link.send(b"twice a\ntwice b\n".to_vec(), 4).await.unwrap();
    assert_eq!(end.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a", "a", "b", "b"]);
    assert_eq!(none.await.unwrap(), []);
    assert_eq!(first.await.unwrap()[0].0, "5004");
    assert_eq!(last.await.unwrap()[0].0, "5002");
    assert_eq!(client.told(), ["connected"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_on_several_threads_get_their_own_replies() {
    let client = Arc::new(ToyClient::open(serve().await));
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    let batch: Vec<_> = (0..10).map(|_| client.echo(0)).collect();
                    for echo in batch {
                        echo.await.unwrap();
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
}

#[tokio::test]
async fn full_pipes_in_both_directions_do_not_block_each_other() {
    let client = patient(serve().await);
    // The server answers a line before it reads the next: 20 MB each way fit no socket buffer.
    let padding = "x".repeat(1_000_000);
    let asked: Vec<_> = (0..20)
        .map(|at| client.link.send(format!("big b{at} 1000000 {padding}\n").into_bytes(), 1))
        .collect();
    for (at, big) in asked.into_iter().enumerate() {
        assert_eq!(big.await.unwrap(), [(format!("b{at}"), 1_000_000)]);
    }
}

#[tokio::test]
async fn requests_whose_callers_went_away_are_sent_and_disturb_nobody() {
    let client = ToyClient::open(serve().await);
    client.connected().await;
    for _ in 0..100 {
        drop(client.echo(1));
        client.echo(0).await.unwrap();
    }
    assert_eq!(client.link.send(b"count\n".to_vec(), 1).await.unwrap()[0].0, "202");
}

#[tokio::test]
async fn the_first_requests_wait_for_the_connection() {
    let proxy = Proxy::start(serve().await).await;
    proxy.set(Wire::Delay(Duration::from_millis(100)));
    let client = ToyClient::open(proxy.address);
    assert_eq!(client.link.connection_id(), 0);
    client.timed(0).await.unwrap();
    assert_ne!(client.link.connection_id(), 0);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_has_room_again_later() {
    let client = patient(serve().await);
    client.connected().await;
    let held = client.link.send(b"echo first 150\n".to_vec(), 1);
    let asked: Vec<_> = (1..MAX_REQUESTS).map(|_| client.echo(0)).collect();
    assert_eq!(within(50, client.echo(0)).await.unwrap_err().code, Code::Busy);
    held.await.unwrap();
    for echo in asked {
        echo.await.unwrap();
    }
    client.timed(0).await.unwrap();
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_too() {
    let client = ToyClient::open(serve_silence().await);
    let asked: Vec<_> = (0..8).map(|_| client.link.send(vec![b'x'; 8 * 1024 * 1024], 1)).collect();
    let refused = client.link.send(b"x\n".to_vec(), 1).await.unwrap_err();
    assert_eq!(refused.code, Code::Busy);
    assert!(refused.message.contains("67108864 bytes"), "{refused}");
    for waited in asked {
        assert!(waited.await.is_err());
    }
}

#[tokio::test]
async fn an_observer_ends_the_connection_before_any_later_reply_is_taken_in() {
    let client = ToyClient::open(serve().await);
    client.connected().await;
    let before = client.link.connection_id();
    let late = Arc::new(AtomicUsize::new(0));
    let taken_in = late.clone();
    let ended = client.link.send_observed(
        None,
        b"count\n".to_vec(),
        1,
        Box::new(|_, _| Err(Error::connection("it is another server now."))),
    );
    let next = client.link.send_observed(
        None,
        b"count\n".to_vec(),
        1,
        Box::new(move |_, _| {
            taken_in.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }),
    );
    for outcome in [ended.await, next.await] {
        let error = outcome.unwrap_err();
        assert_eq!(error.code, Code::Connection);
        assert!(error.message.ends_with("was lost: it is another server now."), "{error}");
    }
    assert_eq!(late.load(Ordering::SeqCst), 0);
    client.connected().await;
    assert_ne!(client.link.connection_id(), before);
}

#[tokio::test]
async fn a_request_bound_to_an_earlier_connection_is_not_sent() {
    let proxy = Proxy::start(serve().await).await;
    let client = ToyClient::open(proxy.address);
    client.connected().await;
    let before = client.link.connection_id();
    client.link.send_on(before, b"echo a 0\n".to_vec(), 1).await.unwrap();
    proxy.cut();
    while client.link.connection_id() == before {
        sleep(Duration::from_millis(1)).await;
    }
    // Both while there is none and when there is another.
    let early = client.link.send_on(before, b"echo a 0\n".to_vec(), 1);
    client.connected().await;
    let late = client.link.send_on(before, b"echo a 0\n".to_vec(), 1);
    assert_eq!(early.await.unwrap_err().code, Code::Connection);
    assert_eq!(late.await.unwrap_err().code, Code::Connection);
    assert_eq!(client.link.send(b"count\n".to_vec(), 1).await.unwrap()[0].0, "2");
}

#[tokio::test]
async fn close_answers_what_is_in_flight_then_closes_the_socket() {
    let proxy = Proxy::start(serve().await).await;
    let client = ToyClient::open(proxy.address);
    client.connected().await;
    let slow = client.echo(150);
    let asked: Vec<_> = (0..100).map(|_| client.echo(0)).collect();
    let closing = client.link.close();
    let closing = async {
        closing.await;
        assert_eq!(Arc::strong_count(&client.toy), 1, "the task is still there");
    };
    tokio::join!(closing, async {
        slow.await.unwrap();
        for echo in asked {
            echo.await.unwrap();
        }
    });
    assert_eq!(client.echo(0).await.unwrap_err().code, Code::Closed);
    client.link.close().await;
    gone(&proxy).await;
    assert_eq!(client.told(), ["connected"]);
}

#[tokio::test]
async fn close_waits_for_nothing_past_the_deadlines() {
    let proxy = Proxy::start(serve().await).await;
    let client = ToyClient::open(proxy.address);
    client.connected().await;
    proxy.set(Wire::BlackHole);
    let lost = client.echo(0);
    within(COMMAND_MS + 100, client.link.close()).await;
    assert_eq!(lost.await.unwrap_err().code, Code::Timeout);

    // Still connecting: the request waits for its deadline, and so does the close; a bare close does not.
    let silent = serve_silence().await;
    let client = ToyClient::open(silent);
    let waiting = client.echo(0);
    within(COMMAND_MS + 100, client.link.close()).await;
    assert_eq!(waiting.await.unwrap_err().code, Code::Timeout);
    let client = ToyClient::open(silent);
    within(50, client.link.close()).await;
    assert_eq!(client.echo(0).await.unwrap_err().code, Code::Closed);
}

#[tokio::test]
async fn the_last_handle_to_go_ends_the_task_and_the_socket() {
    let proxy = Proxy::start(serve().await).await;
    let ToyClient { link, toy, .. } = ToyClient::open(proxy.address);
    let other = link.clone();
    let echo = link.send(b"echo a 50\n".to_vec(), 1);
    drop(link);
    assert_eq!(other.send(b"echo b 0\n".to_vec(), 1).await.unwrap()[0].0, "b");
    drop(other);
    assert_eq!(echo.await.unwrap()[0].0, "a");
    gone(&proxy).await;
    assert_eq!(Arc::strong_count(&toy), 1);

    // Also while there is nobody to connect to.
    proxy.down().await;
    let ToyClient { link, toy, .. } = ToyClient::open(proxy.address);
    assert_eq!(link.send(b"echo a 0\n".to_vec(), 1).await.unwrap_err().code, Code::Connection);
    drop(link);
    within(50, async {
        while Arc::strong_count(&toy) > 1 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[cfg(unix)]
#[test]
fn a_request_for_an_idle_link_is_on_the_wire_before_the_runtime_runs() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&stream).lines();
        for answer in ["welcome\n", "a\n", "b\n"] {
            heard.send(lines.next().unwrap().unwrap()).unwrap();
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let client = ToyClient::open(address);
        client.connected().await;
        while !client.link.is_idle() {
            tokio::task::yield_now().await;
        }
        client
    });
    assert_eq!(hears.recv().unwrap(), "hello");
    for id in ["a", "b"] {
        // Sent by its first poll, as the parts of a batch are.
        let mut work = Box::pin(async { client.link.send(format!("echo {id} 0\n").into_bytes(), 1).await });
        let (polled, began) = poll_inline(work.as_mut(), &mut Context::from_waker(Waker::noop()), false);
        assert!(polled.is_pending());
        // The first one has to wake the task, so that it sets its watchdog; neither waits for it.
        assert_eq!(began, PollOutcome::Sent);
        assert_eq!(hears.recv_timeout(Duration::from_secs(10)).unwrap(), format!("echo {id} 0"));
        assert!(!client.link.is_idle());
        assert_eq!(runtime.block_on(work).unwrap()[0].0, id);
    }
}

#[test]
fn after_a_silence_a_request_is_not_written_to_a_server_that_hung_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for _ in 0..2 {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines();
            for answer in ["welcome\n", "a\n"] {
                lines.next().unwrap().unwrap();
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let client = ToyClient::open(address);
        client.connected().await;
        assert_eq!(client.link.send(b"echo a 0\n".to_vec(), 1).await.unwrap()[0].0, "a");
        client
    });
    // The runtime hears of nothing meanwhile, as in a frozen process.
    std::thread::sleep(Duration::from_millis(1_200));
    let again = runtime.block_on(async { client.link.send(b"echo a 0\n".to_vec(), 1).await });
    assert_eq!(again.unwrap()[0].0, "a");
}

#[tokio::test]
async fn one_caller_keeps_its_order_over_both_ways() {
    let client = patient(serve().await);
    client.connected().await;
    for round in 0..500 {
        // The first finds the link idle, the others do not.
        let asked: Vec<_> = (0..1 + round % 4).map(|_| client.link.send(b"count\n".to_vec(), 1)).collect();
        let mut counted = Vec::new();
        for count in asked {
            counted.push(count.await.unwrap()[0].0.parse::<u64>().unwrap());
        }
        assert!(counted.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{counted:?}");
    }
}

#[tokio::test]
async fn a_request_whose_caller_went_away_still_has_its_watchdog() {
    let proxy = Proxy::start(serve().await).await;
    let client = ToyClient::open(proxy.address);
    client.connected().await;
    client.echo(0).await.unwrap();
    proxy.set(Wire::BlackHole);
    drop(client.link.send(b"echo x 0\n".to_vec(), 1));
    within(COMMAND_MS + 100, async {
        while client.toy.lost.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn unix_sockets_serve_as_well() {
    let path = std::env::temp_dir().join(format!("cachalot-link-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    serve_unix(&path);
    let endpoint = Endpoint::Unix { path: path.to_str().unwrap().to_owned() };
    let client = ToyClient::open_at(endpoint, Toy::default(), timeouts());
    client.timed(0).await.unwrap();
    std::fs::remove_file(&path).unwrap();
}

/// For work that takes a slow machine longer than the short deadline of the other tests.
fn patient(address: std::net::SocketAddr) -> ToyClient {
    let endpoint = Endpoint::Tcp { host: address.ip().to_string(), port: address.port() };
    ToyClient::open_at(endpoint, Toy::default(), Timeouts { command_ms: 20_000, ..timeouts() })
}

/// The client closed its socket.
async fn gone(proxy: &Proxy) {
    within(100, async {
        while proxy.open() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
