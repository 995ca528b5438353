//! What changes exactly one thing, and what is kept while it is stale: the engine over every store, with servers that
//! these tests start and end themselves.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

mod bed;
mod locks;
mod order;
mod outages;
mod refused;
mod times;
mod versions;

#[allow(dead_code, reason = "shared with the backend's own tests")]
#[path = "../memcached/server.rs"]
mod memcached;
#[allow(dead_code, reason = "shared with the link's tests")]
#[path = "../support/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "shared with the backend's own tests")]
#[path = "../redis/server.rs"]
mod redis_server;
