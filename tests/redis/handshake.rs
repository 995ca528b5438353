//! Credentials, versions, replicas, and servers that refuse what is convenient.

use crate::server::{Server, ask};
use crate::store::{Store, config};
use cachalot::config::{Endpoint, RedisConfig};
use cachalot::error::Code;
use cachalot::events::Event;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECRET: &str = "hunter2-secret";

fn told(store: &Store) -> String {
    format!("{:?}", store.events.lock().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_users_are_accepted() {
    let server = Server::with(&["--user", "shop", "on", ">hunter2-secret", "~p:*", "~p!*", "&*", "+@all"]);
    let server2 = Server::with(&["--requirepass", SECRET]);
    for tracking in [true, false] {
        let user = RedisConfig {
            username: Some("shop".into()),
            password: Some(SECRET.into()),
            tracking,
            connection_name: Some("shop-1".into()),
            ..config(&server)
        };
        let password = RedisConfig { password: Some(SECRET.into()), tracking, ..config(&server2) };
        let needless = RedisConfig { password: Some("needless".into()), tracking, ..config(&server) };
        for given in [user, password, needless] {
            let named = given.connection_name.is_some();
            let store = Store::with(given);
            store.put("k", "v", &["t"]).await;
            assert_eq!(store.get("k").await.as_deref(), Some("v"));
            assert!(!told(&store).contains("Warning"), "{}", told(&store));
            let clients: String = ask(&mut server.raw(), &["CLIENT", "LIST"]);
            assert_eq!(clients.contains("name=shop-1"), named);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_told_without_them() {
    let server = Server::with(&["--requirepass", "right"]);
    for tracking in [true, false] {
        for password in [None, Some(SECRET)] {
            let config = RedisConfig { password: password.map(str::to_owned), tracking, ..config(&server) };
            let store = Store::with(config);
            let error = store.look("k").await.unwrap_err();
            assert_eq!(error.code, Code::Connection);
            assert!(error.message.contains("credentials"), "{error}");
            assert!(!error.message.contains(SECRET) && !told(&store).contains(SECRET), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_grants_no_tracking_or_hello_is_as_good() {
    let user = ["--user", "shop", "on", ">hunter2-secret", "~*", "&*", "+@all"];
    let forbidden = Server::with(&[&user[..], &["-client|tracking"]].concat());
    let unknown = Server::with(&[&user[..], &["--rename-command", "HELLO", ""]].concat());
    for server in [forbidden, unknown] {
        let (username, password) = (Some("shop".to_owned()), Some(SECRET.to_owned()));
        let store = Store::with(RedisConfig { username, password, ..config(&server) });
        let other = Store::with(RedisConfig { tracking: false, ..config(&server) });
        store.put("k", "v", &["t"]).await;
        for _ in 0..3 {
            assert_eq!(store.get("k").await.as_deref(), Some("v"));
        }
        other.clear_tags(&["t"]).await;
        assert_eq!(store.get("k").await, None);
        let warnings =
            store.events.lock().unwrap().iter().filter(|e| matches!(e, Event::Warning { .. })).count();
        assert_eq!(warnings, 0, "{}", told(&store));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_refused() {
    let server = Server::with(&["--replicaof", "127.0.0.1", "1"]);
    for store in Store::both(&server) {
        let error = store.look("k").await.unwrap_err();
        assert_eq!(error.code, Code::Connection);
        assert!(error.message.contains("Give the primary's address"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_a_matter_of_configuration() {
    let server = Server::start();
    let store = Store::with(RedisConfig { db: 99, ..config(&server) });
    let error = store.look("k").await.unwrap_err();
    assert_eq!(error.code, Code::Config);
    assert!(error.message.contains("database 99"), "{error}");
}

/// Answers each command by its first words, and everything else with +OK.
async fn scripted(answers: &'static [(&'static str, &'static str)]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut got = vec![0; 65_536];
                while let Ok(n) = stream.read(&mut got).await {
                    if n == 0 {
                        break;
                    }
                    let text = String::from_utf8_lossy(&got[..n]).into_owned();
                    let lines: Vec<&str> = text.split("\r\n").collect();
                    for at in 0..lines.len() {
                        if lines[at].starts_with('*') {
                            let name = lines.get(at + 2).copied().unwrap_or_default();
                            let answer = answers.iter().find(|(command, _)| *command == name);
                            let answer = answer.map_or("+OK\r\n", |(_, answer)| answer);
                            stream.write_all(answer.as_bytes()).await.unwrap();
                        }
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_is_unsupported_and_may_repeat_what_it_was_told() {
    let port = scripted(&[
        ("HELLO", "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `hunter2-secret`, \r\n"),
        ("INFO", "$21\r\nredis_version:5.0.14\n\r\n"),
        ("ROLE", "*1\r\n$6\r\nmaster\r\n"),
    ])
    .await;
    let server = Server::start();
    let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port };
    let store = Store::with(RedisConfig { endpoint, password: Some(SECRET.into()), ..config(&server) });
    let error = store.look("k").await.unwrap_err();
    assert_eq!(error.code, Code::Unsupported);
    assert!(error.message.contains("5.0.14") && error.message.contains("Upgrade"), "{error}");
    assert!(!told(&store).contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_still_loading_is_an_outage() {
    let port = scripted(&[
        ("HELLO", "%1\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n"),
        ("SCRIPT", "-LOADING Redis is loading the dataset in memory\r\n"),
        ("EVAL", "-LOADING Redis is loading the dataset in memory\r\n"),
    ])
    .await;
    let server = Server::start();
    let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port };
    let store = Store::with(RedisConfig { endpoint, ..config(&server) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = store.look("k").await.unwrap_err();
    assert_eq!(error.code, Code::Connection);
    assert!(error.message.contains("LOADING"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_and_a_sentinel_are_refused_with_what_to_give_instead() {
    let server = Server::start();
    const UNKNOWN: (&str, &str) = ("HELLO", "-ERR unknown command 'HELLO'\r\n");
    let node =
        scripted(&[("HELLO", "%2\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$4\r\nmode\r\n$7\r\ncluster\r\n")]).await;
    let old_node =
        scripted(&[UNKNOWN, ("INFO", "$41\r\nredis_version:7.0.0\r\nredis_mode:cluster\r\n\r\n")]).await;
    let sentinel = scripted(&[("HELLO", "%1\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n")]).await;
    let old_sentinel = scripted(&[UNKNOWN, ("INFO", "$21\r\nredis_mode:sentinel\r\n\r\n")]).await;
    let (of_node, of_sentinel) =
        (["a cluster", "cluster-enabled no"], ["a sentinel", "sentinel: { name, nodes }"]);
    // Without `tracking` HELLO is not asked.
    for (port, words, tracking) in [
        (node, of_node, true),
        (old_node, of_node, true),
        (old_node, of_node, false),
        (sentinel, of_sentinel, true),
        (old_sentinel, of_sentinel, true),
        (old_sentinel, of_sentinel, false),
    ] {
        let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port };
        let store = Store::with(RedisConfig { endpoint, tracking, ..config(&server) });
        let error = store.look("k").await.unwrap_err();
        assert_eq!(error.code, Code::Unsupported, "{error}");
        assert!(words.iter().all(|word| error.message.contains(word)), "{error}");
    }
    let real = Server::with(&["--cluster-enabled", "yes"]);
    for store in Store::both(&real) {
        let error = store.look("k").await.unwrap_err();
        assert_eq!(error.code, Code::Unsupported, "{error}");
        assert!(error.message.contains("cluster-enabled no"), "{error}");
    }
}
