//! The only place that imports napi. Holds no rule of caching.
//!
//! - `batch`: the operations of one event-loop tick, from words and text to `Op`s. No napi.
//! - `inline_task`: starts a small batch on the JavaScript thread, and goes on with it there if that thread reads the reply. No napi.
//! - `direct`: connections whose replies that thread reads itself.
//! - `queue`: what waits for the JavaScript thread, and when that is woken. No napi.
//! - `batch_reply`: answers every operation of a batch once, whatever happens. `memory_permit`: the bytes in flight. No napi.
//! - `packing`: compresses large values beside the runtime's one thread, when many come at once.
//! - `runtime`: the one thread on which network stores live.
//! - `store_handle`: an open store and its batches. `environment`: what belongs to one JavaScript environment (the main thread, or
//!   one worker thread).
//! - `values`: strings, buffers and results, between V8 and Rust.
//! - `completions`: carries the queue over to JavaScript.
//! - `exports`: the functions of index.d.ts.
//!
//! Node-API and libuv are called as C: only the modules that are marked so here have `unsafe` code, and the rest of the crate none.
//!
//! What needs napi is left out of the crate's own tests: no Node.js runs them.

mod batch;
mod batch_reply;
#[cfg(not(test))]
#[allow(unsafe_code)]
mod completions;
#[cfg(not(test))]
mod direct;
#[cfg(not(test))]
#[allow(unsafe_code)]
mod environment;
#[cfg(not(test))]
#[allow(unsafe_code)]
mod exports;
// Without direct reads a half of it has no user.
#[cfg_attr(any(test, not(feature = "direct-reads")), allow(dead_code))]
mod inline_task;
mod memory_permit;
#[cfg(not(test))]
mod packing;
#[cfg_attr(not(feature = "direct-reads"), allow(dead_code))]
mod queue;
#[cfg(not(test))]
mod runtime;
#[cfg(not(test))]
mod store_handle;
#[cfg(not(test))]
#[allow(unsafe_code)]
mod values;
