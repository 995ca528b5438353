//! What a server must have before it is used.

use crate::server::Server;
use crate::store::{config, open, until, with};
use cachalot::config::MemcachedConfig;
use cachalot::error::Code;
use cachalot::events;
use cachalot::model::key::Keyspace;
use cachalot::store::memcached::MemcachedStore;
use std::io::Write;
use std::path::PathBuf;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

struct Passwords(PathBuf);

impl Passwords {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cachalot-{}-{name}", std::process::id()));
        std::fs::File::create(&path).unwrap().write_all(b"ann:s3cret\nbob:other\n").unwrap();
        Passwords(path)
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn as_user(server: &Server, username: &str, password: &str) -> MemcachedConfig {
    MemcachedConfig {
        username: Some(username.into()),
        password: Some(password.into()),
        ..config(vec![server.endpoint()])
    }
}

#[tokio::test]
async fn authentication_by_name_and_password() {
    let passwords = Passwords::new("auth");
    let server = Server::start(&["-Y", passwords.0.to_str().unwrap()]);
    let store = with(as_user(&server, "ann", "s3cret"));
    store.fill("k", &["t"], "v").await;
    assert_eq!(store.value("k").await.as_deref(), Some("v"));

    let error = with(as_user(&server, "ann", "wr0ng")).get("k").await.unwrap_err();
    assert_eq!(error.code, Code::Config);
    assert!(error.message.contains("refused") && !error.message.contains("wr0ng"), "{error}");
    let error = open(vec![server.endpoint()]).get("k").await.unwrap_err();
    assert_eq!(error.code, Code::Config);
    assert!(error.message.contains("set username and password"), "{error}");
}

#[tokio::test]
async fn a_password_is_never_stored_on_a_server_that_asks_for_none() {
    let server = Server::start(&[]);
    let store = with(as_user(&server, "ann", "s3cret"));
    store.fill("k", &[], "v").await;
    assert_eq!(server.raw().value("auth"), None);
}

#[tokio::test]
async fn a_server_without_versions_is_unsupported() {
    let server = Server::start(&["-C"]);
    let error = open(vec![server.endpoint()]).get("k").await.unwrap_err();
    assert_eq!(error.code, Code::Unsupported);
    assert!(error.message.contains("-C"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_only_the_binary_protocol_is_unsupported() {
    let server = Server::start(&["-B", "binary"]);
    let store = open(vec![server.endpoint()]);
    until("it is told what to change", async || match store.get("k").await {
        Err(error) if error.code == Code::Unsupported => {
            assert!(error.message.contains("-Y"), "{error}");
            true
        }
        Err(error) => {
            assert!(error.code.is_outage(), "{error}");
            false
        }
        Ok(_) => panic!("ASCII was answered"),
    })
    .await;
}

/// Answers as these lines say, whatever it is asked.
async fn scripted<const N: usize>(answers: [&'static str; N]) -> cachalot::config::Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                for answer in answers {
                    if stream.read_line(&mut line).await.is_err() {
                        return;
                    }
                    let _ = stream.get_mut().write_all(answer.as_bytes()).await;
                }
                let _ = stream.read_line(&mut line).await;
            });
        }
    });
    cachalot::config::Endpoint::Tcp { host: "127.0.0.1".into(), port }
}

#[tokio::test]
async fn an_old_server_is_unsupported_and_garbage_is_an_outage() {
    let old = "VERSION 1.4.39\r\n";
    let error = open(vec![scripted([old]).await]).get("k").await.unwrap_err();
    assert_eq!(error.code, Code::Unsupported);
    assert!(error.message.contains("1.4.39") && error.message.contains("1.6"), "{error}");

    let proxy = "VERSION proxy\r\n";
    let endpoint = scripted([proxy, "ERROR\r\n", "ERROR\r\n"]).await;
    let error = open(vec![endpoint]).get("k").await.unwrap_err();
    assert_eq!(error.code, Code::Unsupported);

    let error = open(vec![scripted(["-ERR unknown command\r\n"]).await]).get("k").await.unwrap_err();
    assert!(error.code.is_outage() && error.message.contains("-ERR"), "{error}");
}

#[tokio::test]
async fn impossible_configurations_are_errors_at_once() {
    let server = Server::start(&[]);
    let runtime = tokio::runtime::Handle::current();
    let twice = config(vec![server.endpoint(), server.endpoint()]);
    let half = MemcachedConfig { password: None, ..as_user(&server, "ann", "x") };
    for config in
        [config(vec![]), twice, half, as_user(&server, "an n", "x"), as_user(&server, "ann", "x\r\ny")]
    {
        let opened =
            MemcachedStore::open(Keyspace::new("p").unwrap(), &config, events::silent(), &runtime, None);
        assert_eq!(opened.err().map(|error| error.code), Some(Code::Config));
    }
}
