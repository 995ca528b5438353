//! Carries the queue over to JavaScript: one weak threadsafe function for each environment, one call for many results.

use super::batch_reply::unanswered;
use super::direct::Polls;
use super::environment::{Environment, Receiver};
use super::queue::{Delivery, Queue};
use super::values::{self, check};
use crate::engine::Outcome;
use crate::error::Result;
use napi::sys;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

/// Moves to the threads that wake.
struct Function(sys::napi_threadsafe_function);
// SAFETY: made to be called from any thread; `Queue::end` sees to it that nobody does once the environment is gone.
unsafe impl Send for Function {}

impl Function {
    fn call(&self) {
        // No data: the queue has it. Non-blocking, on a queue without bound that never holds more than one call.
        // SAFETY: alive, see above.
        unsafe {
            sys::napi_call_threadsafe_function(
                self.0,
                ptr::null_mut(),
                sys::ThreadsafeFunctionCallMode::nonblocking,
            );
        }
    }
}

/// Registers `deliver`. `libuv`: the version of Node.js's own, where replies may be read here. The function holds the event loop open only while operations are in reply.
pub fn listen(env: sys::napi_env, deliver: sys::napi_value, libuv: Option<&str>) -> Result<()> {
    let environment = Environment::of(env)?;
    let name = values::text(env, "cachalot")?;
    let (mut function, mut reference, mut context) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: `deliver` is checked to be a function by the call itself; no context, no finalizer.
    unsafe {
        check(sys::napi_create_threadsafe_function(
            env,
            deliver,
            ptr::null_mut(),
            name,
            0,
            1,
            ptr::null_mut(),
            None,
            ptr::null_mut(),
            Some(woken),
            &mut function,
        ))?;
        check(sys::napi_unref_threadsafe_function(env, function))?;
        check(sys::napi_create_reference(env, deliver, 1, &mut reference))?;
        check(sys::napi_async_init(env, ptr::null_mut(), name, &mut context))?;
    }
    let wake = Function(function);
    let queue = Arc::new(Queue::new(Box::new(move || wake.call())));
    let polls = libuv.and_then(|libuv| Polls::of(env, libuv, queue.clone(), carry_from_loop));
    environment.receive(env, Receiver { queue, function, deliver: reference, context, env }, polls)
}

/// Runs on the JavaScript thread, once for each wake.
unsafe extern "C" fn woken(env: sys::napi_env, deliver: sys::napi_value, _: *mut c_void, _: *mut c_void) {
    // Without an environment the function is only emptied before it goes.
    if env.is_null() || deliver.is_null() {
        return;
    }
    // What fails here has nobody to hear of it but the process: js/store/native-store.ts catches all that can throw in `deliver`.
    let _ = catch_unwind(AssertUnwindSafe(|| carry(env, deliver)));
}

/// From a callback of the event loop, after `Queue::suppress_wake`.
fn carry_from_loop(env: sys::napi_env) {
    let Ok(receiver) = Environment::of(env).and_then(Environment::receiver) else { return };
    if scoped(env, receiver).is_err() {
        // What is left in the queue, if anything, goes the other way.
        receiver.queue.force_wake();
    }
}

/// What the threadsafe function does around its call: the callback scope's end runs the ticks and microtasks that it led
/// to, and what they throw is the process's to hear of.
fn scoped(env: sys::napi_env, receiver: &Receiver) -> Result<()> {
    let (mut handles, mut calls, mut deliver, mut resource) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: on the thread of `env`. Each scope is closed once, the inner one first; the values are of the outer one.
    unsafe {
        check(sys::napi_open_handle_scope(env, &mut handles))?;
        let opened = check(sys::napi_get_reference_value(env, receiver.deliver, &mut deliver))
            .and_then(|()| check(sys::napi_create_object(env, &mut resource)))
            .and_then(|()| check(sys::napi_open_callback_scope(env, resource, receiver.context, &mut calls)));
        let carried = opened.and_then(|()| {
            let carried = catch_unwind(AssertUnwindSafe(|| carry(env, deliver)));
            let closed = check(sys::napi_close_callback_scope(env, calls));
            carried.unwrap_or_else(|_| Err(unanswered())).and(closed)
        });
        check(sys::napi_close_handle_scope(env, handles))?;
        carried
    }
}

fn carry(env: sys::napi_env, deliver: sys::napi_value) -> Result<()> {
    let environment = Environment::of(env)?;
    if let Some(polls) = environment.polls() {
        polls.sweep();
    }
    let delivery = environment.receiver()?.queue.take();
    if delivery.chunks.is_empty() && delivery.events.is_empty() {
        return Ok(());
    }
    let answered: usize = delivery.chunks.iter().map(|chunk| chunk.outcomes.len()).sum();
    let flat = flatten(env, delivery);
    environment.sub_in_flight(env, answered)?;
    let flat = flat?;
    let mut this = ptr::null_mut();
    // SAFETY: values of this scope.
    unsafe {
        check(sys::napi_get_undefined(env, &mut this))?;
        check(sys::napi_call_function(env, this, deliver, 1, &flat, ptr::null_mut()))
    }
}

/// `[firstId, count, result…, firstId, count, result…]`; id 0 = events.
fn flatten(env: sys::napi_env, delivery: Delivery) -> Result<sys::napi_value> {
    let flat = values::array(env, 0)?;
    let mut at = 0;
    let mut push = |value| {
        at += 1;
        values::set(env, flat, at - 1, value)
    };
    if !delivery.events.is_empty() {
        push(values::number(env, 0)?)?;
        push(values::number(env, delivery.events.len() as u32)?)?;
        for event in &delivery.events {
            push(values::text(env, event)?)?;
        }
    }
    for chunk in delivery.chunks {
        push(values::number(env, chunk.first)?)?;
        push(values::number(env, chunk.outcomes.len() as u32)?)?;
        for outcome in &chunk.outcomes {
            // One that V8 does not take (no memory, say) fails alone: the others' promises must not hang.
            let value =
                values::outcome(env, outcome).or_else(|error| values::outcome(env, &Outcome::Failed(error)));
            push(value?)?;
        }
    }
    Ok(flat)
}

/// The results of a batch that was answered at once, in order.
pub fn results(env: sys::napi_env, outcomes: &[Outcome]) -> Result<sys::napi_value> {
    let results = values::array(env, outcomes.len())?;
    for (index, outcome) in outcomes.iter().enumerate() {
        values::set(env, results, index, values::outcome(env, outcome)?)?;
    }
    Ok(results)
}
