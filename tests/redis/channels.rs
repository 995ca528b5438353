//! Messages between processes, on the connection that a store has anyway.

use crate::server::{Server, ask};
use crate::store::{Store, config};
use cachalot::config::RedisConfig;
use cachalot::error::Code;
use cachalot::events::Event;
use cachalot::store::traits::PubSub;
use std::time::{Duration, Instant};

/// A message takes well under a millisecond here; a machine under load more.
const ARRIVES: Duration = Duration::from_secs(5);

fn heard(store: &Store) -> Vec<(String, String)> {
    let told = store.events.lock().unwrap();
    told.iter()
        .filter_map(|event| match event {
            Event::Message { channel, payload } => Some((channel.clone(), payload.clone())),
            _ => None,
        })
        .collect()
}

async fn hears(store: &Store, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(channel, payload)| (channel.to_string(), payload.to_string())).collect();
    let deadline = Instant::now() + ARRIVES;
    while heard(store) != expected {
        assert!(Instant::now() < deadline, "{:?} is not {expected:?}", heard(store));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_reaches_those_who_subscribed_in_order() {
    let server = Server::start();
    let [one, other, apart] =
        [Store::open(&server), Store::open(&server), Store::under("q", config(&server))];
    one.backend.subscribe("a").await.unwrap();
    one.backend.subscribe("b é").await.unwrap();
    other.backend.subscribe("a").await.unwrap();
    apart.backend.subscribe("a").await.unwrap();
    other.backend.publish("a", "1").await.unwrap();
    other.backend.publish("b é", "").await.unwrap();
    other.backend.publish("nobody", "x").await.unwrap();
    one.backend.publish("a", "2\r\né").await.unwrap();
    hears(&one, &[("a", "1"), ("b é", ""), ("a", "2\r\né")]).await;
    hears(&other, &[("a", "1"), ("a", "2\r\né")]).await;
    assert_eq!(heard(&apart), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_goes_on_with_its_other_work() {
    let server = Server::start();
    let [one, other] = [Store::open(&server), Store::open(&server)];
    one.backend.subscribe("a").await.unwrap();
    for n in 0..200 {
        let (value, more) = (n.to_string(), format!("more{}", n % 5));
        let (put, published, subscribed) = tokio::join!(
            one.put("k", &value, &["t"]),
            other.backend.publish("a", &value),
            one.backend.subscribe(&more),
        );
        let () = put;
        published.unwrap();
        subscribed.unwrap();
        assert_eq!(one.get("k").await.as_deref(), Some(value.as_str()));
        one.backend.unsubscribe(&more).await.unwrap();
    }
    other.clear_tags(&["t"]).await;
    assert_eq!(one.get("k").await, None);
    let all: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    hears(&one, &all.iter().map(|n| ("a", n.as_str())).collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_new_connection_takes_subscriptions_up_again() {
    let mut server = Server::start();
    let [one, other] = [Store::open(&server), Store::open(&server)];
    one.backend.subscribe("a").await.unwrap();
    one.backend.subscribe("ended").await.unwrap();
    server.stop();
    // In the outage: one ends, one begins. It fails, and is wanted all the same.
    let deadline = Instant::now() + ARRIVES;
    while one.backend.publish("a", "lost").await.is_ok() {
        assert!(Instant::now() < deadline, "it is still connected");
    }
    let _ = one.backend.unsubscribe("ended").await;
    let failed = one.backend.subscribe("b").await.unwrap_err();
    assert!(failed.code.is_outage(), "{failed}");
    server.resume();
    let deadline = Instant::now() + ARRIVES;
    let numsub = |channel: &str| -> usize {
        let (_, count): (String, usize) = ask(&mut server.raw(), &["PUBSUB", "NUMSUB", channel]);
        count
    };
    while numsub("p!c:a") + numsub("p!c:b") < 2 {
        assert!(Instant::now() < deadline, "subscribed again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(numsub("p!c:ended"), 0);
    while other.backend.publish("a", "1").await.is_err() {
        assert!(Instant::now() < deadline, "published again");
    }
    other.backend.publish("b", "2").await.unwrap();
    hears(&one, &[("a", "1"), ("b", "2")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_unsubscribe_nothing_is_heard() {
    let server = Server::start();
    let [one, other] = [Store::open(&server), Store::open(&server)];
    one.backend.subscribe("a").await.unwrap();
    one.backend.subscribe("b").await.unwrap();
    one.backend.unsubscribe("a").await.unwrap();
    one.backend.unsubscribe("never").await.unwrap();
    other.backend.publish("a", "1").await.unwrap();
    other.backend.publish("b", "2").await.unwrap();
    hears(&one, &[("b", "2")]).await;
    one.backend.subscribe("a").await.unwrap();
    other.backend.publish("a", "3").await.unwrap();
    hears(&one, &[("b", "2"), ("a", "3")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_resp3_a_subscription_says_what_to_do_and_harms_nothing() {
    let server = Server::start();
    let store = Store::with(RedisConfig { tracking: false, ..config(&server) });
    let error = store.backend.subscribe("a").await.unwrap_err();
    assert_eq!(error.code, Code::Unsupported);
    assert!(error.message.contains("tracking: true"), "{error}");
    store.backend.publish("a", "1").await.unwrap();
    store.put("k", "v", &[]).await;
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_an_error_and_the_order_of_replies_is_kept() {
    let server = Server::start();
    let user = ["ACL", "SETUSER", "u", "on", ">p", "~*", "+@all", "resetchannels", "&p!c:mine"];
    let _: String = ask(&mut server.raw(), &user);
    let config = RedisConfig { username: Some("u".into()), password: Some("p".into()), ..config(&server) };
    let store = Store::with(config);
    store.put("k", "v", &[]).await;
    let (refused, got) = tokio::join!(store.backend.subscribe("other"), store.get("k"));
    assert_eq!(refused.unwrap_err().code, Code::Server);
    assert_eq!(got.as_deref(), Some("v"));
    store.backend.subscribe("mine").await.unwrap();
    store.backend.publish("mine", "1").await.unwrap();
    assert_eq!(store.backend.publish("other", "1").await.unwrap_err().code, Code::Server);
    hears(&store, &[("mine", "1")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_at_a_reconnect_is_told_and_the_cache_works_on() {
    let server = Server::start();
    let user = ["ACL", "SETUSER", "u", "on", ">p", "~*", "+@all", "&*"];
    let _: String = ask(&mut server.raw(), &user);
    let config = RedisConfig { username: Some("u".into()), password: Some("p".into()), ..config(&server) };
    let store = Store::with(config);
    store.backend.subscribe("a").await.unwrap();
    let _: String = ask(&mut server.raw(), &["ACL", "SETUSER", "u", "resetchannels"]);
    // Redis ends the connections of a user who lost a channel they are subscribed to.
    let deadline = Instant::now() + ARRIVES;
    let told = || {
        let events = store.events.lock().unwrap();
        events
            .iter()
            .any(|event| matches!(event, Event::Warning { message, .. } if message.contains("do not arrive")))
    };
    while !told() {
        assert!(Instant::now() < deadline, "told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.put("k", "v", &[]).await;
    assert_eq!(store.get("k").await.as_deref(), Some("v"));
}
