//! The Memcached backend against real servers, each test with servers of its own.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

#[path = "memcached/engine.rs"]
mod engine;
#[path = "memcached/handshake.rs"]
mod handshake;
#[path = "memcached/index.rs"]
mod index;
#[path = "memcached/leases.rs"]
mod leases;
#[path = "memcached/methods.rs"]
mod methods;
#[path = "memcached/outage.rs"]
mod outage;
#[path = "memcached/parts.rs"]
mod parts;
#[allow(dead_code, reason = "shared with the link's tests")]
#[path = "support/proxy.rs"]
mod proxy;
#[path = "memcached/server.rs"]
mod server;
#[path = "memcached/store.rs"]
mod store;
#[path = "memcached/tags.rs"]
mod tags;
#[path = "memcached/wide.rs"]
mod wide;
#[path = "memcached/wire.rs"]
mod wire;
