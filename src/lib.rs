//! Cachalot's core. The layers, from the bottom; each uses only what stands above it in this list (`tests/structure.rs` proves it):
//!
//! - `error`, `events`, `stats`, `clock`, `ttl`: plain data. No I/O, no locks.
//! - `tags`, `codec`: the rules of epochs, and the bytes of an entry. No I/O; they never see a server.
//! - `key`, `config`: the names that a prefix gives to keys in a store, and the options. Plain data.
//! - `l1`: counters that tell values kept in JavaScript from outdated ones. No I/O.
//! - `net`: one supervised, pipelined connection. Knows no command of any server and nothing of entries.
//! - `backend`: Redis, Memcached and process memory behind one trait. Judges what is read by its clears; knows no JavaScript.
//! - `engine`: composes the above: what a batch of gets, sets and clears means.
//! - `binding` (feature `node`): the only place that imports napi. Holds no rule of caching.

pub mod backend;
// Its parts without napi are tested with the rest.
#[cfg(any(feature = "node", test))]
mod binding;
pub mod clock;
pub mod codec;
pub mod config;
pub mod engine;
pub mod error;
pub mod events;
pub mod key;
pub mod l1;
pub mod net;
pub mod stats;
pub mod tags;
pub mod ttl;
