//! Connections: dialing (TCP, unix sockets, TLS over either), jittered backoff, and `client`, one supervised
//! pipelined connection with deadlines and a bounded queue. One for both servers; knows neither's commands.
//!
//! Inside a client: `request` is what is asked and counts it, `supervisor` is the task that connects and keeps the circuit,
//! `handshake` a connection before requests, `connection` one while it serves them, `write_buffer` its unwritten bytes,
//! `direct` what a caller's thread does in place of the task. `poll_scope`: bounds for work that a caller's thread may begin;
//! `transport` is what carries bytes, `stream` what the protocol
//! sees of them, `tls` what is between. `time_budget`: the bound of an attempt to
//! connect. `locator`: what tells where a server is now.
//! `cluster`: several clients used as one store.

// Bytes of a server are never trusted to be as many as expected.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod backoff;
pub mod client;
pub mod cluster;
mod connection;
pub mod dialer;
pub mod direct;
pub mod handshake;
pub mod locator;
pub mod poll_scope;
pub mod protocol;
pub mod request;
pub mod stream;
mod supervisor;
mod time_budget;
pub mod timeout;
pub mod tls;
mod transport;
mod write_buffer;
