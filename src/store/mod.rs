//! Redis, Memcached and process memory behind one set of traits. The engine composes them with keys, codecs and the rules of tags; a
//! store knows its server's commands and how to make each step atomic there, and nothing of TypeScript or napi.
//!
//! - `traits`: what a store does, by what is asked of it; `request`: what is handed to it and what it answers; `form`: how it
//!   keeps entries, as bytes or as values; `guard`: what a miss leaves for the set that follows it.
//! - `fifo_gate`: keeps the order of requests that must wait; `deferred_clears`: clears that an outage kept back.
//! - `memory`, `redis`, `memcached`: the stores.

pub mod deferred_clears;
pub mod fifo_gate;
pub mod form;
pub mod guard;
pub mod memcached;
pub mod memory;
pub mod redis;
pub mod request;
pub mod traits;
