//! The Redis backend over real servers, which these tests start and end themselves.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

mod basics;
mod bookkeeping;
mod channels;
mod clear_log;
mod demotion;
mod failure;
mod handshake;
mod index;
mod lost_clears;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../support/proxy.rs"]
mod proxy;
mod races;
mod server;
mod store;
mod sweeps;
