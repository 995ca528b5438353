//! The connections of an environment whose replies its own thread reads: one poll each, kept from one request to the next.

use super::completions;
use super::environment::Environment;
use super::inline_task::{TakenOn, read_here};
use super::uv::{Loop, Poll};
use crate::net::direct::reader::{DirectReader, ReadOutcome, closed_connections};
use napi::sys;
use socket2::Socket;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

/// By the connection's number.
type ByNumber = HashMap<u64, (Arc<dyn DirectReader>, Poll)>;

/// Of one environment, on its thread.
pub struct Polls {
    env: sys::napi_env,
    /// Whether replies can be taken on: until the loop fails us once, or the environment ends.
    is_on: Cell<bool>,
    /// Known from the first reply taken on.
    event_loop: RefCell<Option<Loop>>,
    polls: RefCell<ByNumber>,
    /// How many connections had closed when those that had were last let go.
    swept: Cell<u64>,
}

impl Polls {
    pub fn of(env: sys::napi_env, is_on: bool) -> Polls {
        Polls {
            env,
            is_on: Cell::new(is_on),
            event_loop: RefCell::default(),
            polls: RefCell::default(),
            swept: Cell::new(0),
        }
    }

    pub fn is_on(&self) -> bool {
        self.is_on.get()
    }

    /// Waits for what was taken on. `environment`: what the loop's end is told with.
    pub fn wait(&self, environment: &Environment, taken: TakenOn) {
        for reader in taken {
            if !self.waits(environment, &reader) {
                reader.release(false);
            }
        }
    }

    fn waits(&self, environment: &Environment, reader: &Arc<dyn DirectReader>) -> bool {
        let number = reader.connection_id();
        let mut polls = self.polls.borrow_mut();
        if let Some((_, poll)) = polls.get(&number) {
            return poll.start();
        }
        // Without a socket the connection is gone, and so is all that waited for it.
        let Some(socket) = reader.socket().filter(|_| self.is_on()) else { return false };
        let Some(poll) = self.make(environment, socket, number) else {
            // Not tried again with every request.
            self.is_on.set(false);
            return false;
        };
        let is_started = poll.start();
        polls.insert(number, (reader.clone(), poll));
        is_started
    }

    fn make(&self, environment: &Environment, socket: Arc<Socket>, number: u64) -> Option<Poll> {
        let mut event_loop = self.event_loop.borrow_mut();
        if event_loop.is_none() {
            let environment = ptr::from_ref(environment).cast_mut().cast();
            *event_loop = Loop::of(self.env, ending, environment).ok().flatten();
        }
        let env = self.env;
        event_loop.as_ref()?.poll(socket, Box::new(move |is_broken| ready(env, number, is_broken)))
    }

    fn reader(&self, number: u64) -> Option<Arc<dyn DirectReader>> {
        self.polls.borrow().get(&number).map(|(reader, _)| reader.clone())
    }

    fn stop(&self, number: u64) {
        if let Some((_, poll)) = self.polls.borrow().get(&number) {
            poll.stop();
        }
    }

    /// Lets go of closed connections.
    pub fn sweep(&self) {
        let closed_connections = closed_connections();
        if self.swept.replace(closed_connections) != closed_connections {
            self.polls.borrow_mut().retain(|_, (reader, _)| reader.socket().is_some());
        }
    }

    fn end(&self) {
        self.is_on.set(false);
        for (_, (reader, poll)) in self.polls.take() {
            drop(poll);
            reader.release(false);
        }
    }
}

/// Called by the loop: reads, and carries what came of it into JavaScript.
fn ready(env: sys::napi_env, number: u64, is_broken: bool) {
    let Ok(environment) = Environment::of(env) else { return };
    let (Some(polls), Ok(receiver)) = (environment.polls(), environment.receiver()) else { return };
    let Some(reader) = polls.reader(number) else { return };
    let mut taken = TakenOn::new();
    // This thread need not wake itself.
    receiver.queue.hush();
    let came = read_here(&*reader, &mut taken);
    if is_broken {
        reader.release(false);
    }
    if is_broken || matches!(came, ReadOutcome::Task | ReadOutcome::Closed) {
        polls.stop(number);
    }
    polls.wait(environment, taken);
    completions::carry_from_loop(env);
}

unsafe extern "C" fn ending(hook: sys::napi_async_cleanup_hook_handle, environment: *mut c_void) {
    // SAFETY: of `wait`; an environment's data outlives its hooks.
    let environment = unsafe { &*environment.cast::<Environment>() };
    let Some(polls) = environment.polls() else { return };
    // Nothing is left that could be told of a panic.
    let _ = catch_unwind(AssertUnwindSafe(|| polls.end()));
    if let Some(event_loop) = polls.event_loop.take() {
        event_loop.ended(hook);
    }
}
