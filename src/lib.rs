//! Cachalot's core. The layers, from the bottom; each uses only what stands above it in this list (`tests/structure.rs` proves it):
//!
//! - `error`, `events`, `stats`: plain data.
//! - `model`: tags and epochs, keys, lifetimes, and the version table of values kept in JavaScript. Pure: no I/O, no server.
//! - `codec`: the bytes of an entry: envelope, compression, text. Pure.
//! - `config`: the options that JavaScript hands over. Plain data.
//! - `net`: one supervised, pipelined connection. Knows no command of any server and nothing of entries.
//! - `store`: Redis, Memcached and process memory behind one trait. Judges what is read by its clears; knows no JavaScript.
//! - `engine`: composes the above: what a batch of gets, sets and clears means.
//! - `binding` (feature `node`): the only place that imports napi. Holds no rule of caching.

#![deny(unsafe_code)]

// Its parts without napi are tested with the rest.
#[cfg(any(feature = "node", test))]
mod binding;
pub mod codec;
pub mod config;
pub mod engine;
pub mod error;
pub mod events;
pub mod model;
pub mod net;
pub mod stats;
pub mod store;
