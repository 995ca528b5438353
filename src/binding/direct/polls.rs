//! The connections of an environment whose replies its own thread reads: one poll each, kept from one request to the next.

use super::super::inline_task::{Claimed, read_inline};
use super::super::queue::Queue;
use super::uv::{Loop, Poll};
use crate::net::direct::direct_socket::DirectSocket;
use crate::net::direct::reader::{DirectReader, ReadOutcome, closed_connections};
use napi::sys;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// By the connection's number.
type ByNumber = HashMap<u64, (Arc<dyn DirectReader>, Poll)>;

/// A user's switch: `0` leaves all reading to the runtime's thread.
const SWITCH: &str = "CACHALOT_DIRECT_READS";

/// The polls of one environment, on its thread.
pub struct Polls(Rc<State>);

struct State {
    env: sys::napi_env,
    /// Whether replies can be claimed: until the loop fails us once, or the environment ends.
    is_on: Cell<bool>,
    /// Known from the first reply that was claimed.
    event_loop: RefCell<Option<Loop>>,
    polls: RefCell<ByNumber>,
    /// How many connections had closed when those that had were last let go.
    swept: Cell<u64>,
    queue: Arc<Queue>,
    /// Carries the queue into JavaScript, from a callback of the event loop.
    deliver: fn(sys::napi_env),
}

impl Polls {
    /// `libuv`: the version of Node.js's own. `None` if the process has another one, or if the user switched it off.
    pub fn of(
        env: sys::napi_env,
        libuv: &str,
        queue: Arc<Queue>,
        deliver: fn(sys::napi_env),
    ) -> Option<Polls> {
        let is_wanted = std::env::var_os(SWITCH).is_none_or(|value| value != "0");
        (is_wanted && Loop::is_of(libuv)).then(|| {
            Polls(Rc::new(State {
                env,
                is_on: Cell::new(true),
                event_loop: RefCell::default(),
                polls: RefCell::default(),
                swept: Cell::new(0),
                queue,
                deliver,
            }))
        })
    }

    pub fn is_on(&self) -> bool {
        self.0.is_on.get()
    }

    /// Waits for the replies that were claimed.
    pub fn wait(&self, claimed: Claimed) {
        self.0.wait(claimed);
    }

    /// Lets go of closed connections.
    pub fn sweep(&self) {
        let closed = closed_connections();
        if self.0.swept.replace(closed) != closed {
            self.0.polls.borrow_mut().retain(|_, (reader, _)| reader.socket().is_some());
        }
    }
}

impl State {
    fn wait(self: &Rc<Self>, claimed: Claimed) {
        for reader in claimed {
            if !self.waits(&reader) {
                reader.release(false);
            }
        }
    }

    fn waits(self: &Rc<Self>, reader: &Arc<dyn DirectReader>) -> bool {
        let number = reader.connection_id();
        let mut polls = self.polls.borrow_mut();
        if let Some((_, poll)) = polls.get(&number) {
            return poll.start();
        }
        // Without a socket the connection is gone, and so is all that waited for it.
        let Some(socket) = reader.socket().filter(|_| self.is_on.get()) else { return false };
        let Some(poll) = self.make(socket, number) else {
            // Not tried again with every request.
            self.is_on.set(false);
            return false;
        };
        let is_started = poll.start();
        polls.insert(number, (reader.clone(), poll));
        is_started
    }

    fn make(self: &Rc<Self>, socket: Arc<DirectSocket>, number: u64) -> Option<Poll> {
        let mut event_loop = self.event_loop.borrow_mut();
        let state = Rc::downgrade(self);
        if event_loop.is_none() {
            let state = state.clone();
            let ending = move || state.upgrade().and_then(|state| state.end());
            *event_loop = Loop::of(self.env, Box::new(ending)).ok().flatten();
        }
        event_loop.as_ref()?.poll(socket, Box::new(move |is_broken| ready(&state, number, is_broken)))
    }

    fn reader(&self, number: u64) -> Option<Arc<dyn DirectReader>> {
        self.polls.borrow().get(&number).map(|(reader, _)| reader.clone())
    }

    fn stop(&self, number: u64) {
        if let Some((_, poll)) = self.polls.borrow().get(&number) {
            poll.stop();
        }
    }

    /// Drops all polls, and hands out the loop that they were of.
    fn end(&self) -> Option<Loop> {
        self.is_on.set(false);
        for (_, (reader, poll)) in self.polls.take() {
            drop(poll);
            reader.release(false);
        }
        self.event_loop.take()
    }
}

/// Called by the loop: reads, and carries what came of it into JavaScript.
fn ready(state: &Weak<State>, number: u64, is_broken: bool) {
    let Some(state) = state.upgrade() else { return };
    let Some(reader) = state.reader(number) else { return };
    let mut claimed = Claimed::new();
    // This thread need not wake itself.
    state.queue.suppress_wake();
    let outcome = read_inline(&*reader, &mut claimed);
    if is_broken {
        reader.release(false);
    }
    if is_broken || matches!(outcome, ReadOutcome::Task | ReadOutcome::Closed) {
        state.stop(number);
    }
    state.wait(claimed);
    (state.deliver)(state.env);
}
