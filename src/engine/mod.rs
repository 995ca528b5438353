//! Composes keys, tags, codecs and a store: what a batch of operations means.
//!
//! - `op`: operations and their outcomes; `ticket`: the guard of a set as text, for callers that carry it.
//! - `state`: an engine, with `miss` (guards of the sets that follow misses), `unacknowledged` (sets whose locks must wait) and
//!   `sweep_queue` (indexes to be swept).
//! - `read`, `write`, `take`, `expire`, `list`, `lock`, `channels`, `load_shedding`: what each kind of operation does.
//! - `reclaim`: the background sweeps. `parts`, `batch`: a batch, split and run in order. `dispatch`: one engine for each store.

mod batch;
mod channels;
mod dispatch;
mod expire;
mod list;
mod load_shedding;
mod lock;
mod miss;
mod op;
mod parts;
mod read;
mod reclaim;
mod state;
mod sweep_queue;
mod take;
pub mod ticket;
mod unacknowledged;
mod write;

pub use dispatch::AnyEngine;
pub use op::{Input, OVERHEAD, Op, Outcome, TicketedRead};
