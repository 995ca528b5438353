//! The only place that imports napi. Holds no rule of caching.
//!
//! - `batch`: one turn's operations, from words and text to `Op`s. No napi.
//! - `inline_task`: starts a small batch on the thread that brings it, and goes on with it there if it reads the reply. No napi.
//! - `polls`: connections whose replies this thread reads; `uv`: the event loop that it waits in, and all that is unsafe
//!   about that.
//! - `queue`: what waits for the JavaScript thread, and when that is woken. No napi.
//! - `batch_reply`: a batch on its way; every operation of it is answered once, whatever happens. No napi.
//! - `packing`: compresses large values beside the one thread, when many come at once.
//! - `runtime`: the one thread on which network stores live.
//! - `environment`: what belongs to one JavaScript environment (the main thread, or one worker thread).
//! - `values`: strings, buffers and results, between V8 and Rust.
//! - `completions`: carries the queue over to JavaScript.
//! - `exports`: the functions of index.d.ts.
//!
//! What needs napi is left out of the crate's own tests: no Node.js runs them.

mod batch;
mod batch_reply;
#[cfg(not(test))]
mod completions;
#[cfg(not(test))]
mod environment;
#[cfg(not(test))]
mod exports;
#[cfg_attr(test, allow(dead_code))]
mod inline_task;
mod memory_permit;
#[cfg(not(test))]
mod packing;
#[cfg(not(test))]
mod polls;
mod queue;
#[cfg(not(test))]
mod runtime;
#[cfg(not(test))]
mod store;
#[cfg(all(not(test), target_os = "linux"))]
mod uv;
#[cfg(all(not(test), not(target_os = "linux")))]
#[path = "no_uv.rs"]
mod uv;
#[cfg(not(test))]
mod values;
