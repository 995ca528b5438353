//! What waits for the JavaScript thread of one environment.

use crate::codec::text::Value;
use crate::engine::Outcome;
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;

/// Results of neighbouring operations.
pub struct Chunk {
    /// Id of the first one.
    pub first: u32,
    pub outcomes: Vec<Outcome>,
}

/// Bounds of one call into JavaScript: between two calls the promises of the first are settled and their values may be
/// collected, so a burst of replies is neither one long pause nor all in V8's heap at once.
const RESULTS_PER_CALL: usize = 1024;
const BYTES_PER_CALL: usize = 8 * 1024 * 1024;

/// Events kept for a thread that is busy; older ones give way, since a later state outdates an earlier one.
const MAX_EVENTS: usize = 256;

/// Messages kept for a thread that is busy, in bytes: a hundred thousand of usual length, some seconds of a busy bus.
/// Older ones give way.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Wakes the JavaScript thread. Must not block.
pub type Wake = Box<dyn Fn() + Send>;

pub struct Queue {
    state: Mutex<State>,
    /// `None`: the environment is gone. Not under the lock of the state: the thread that is woken takes that one first of
    /// all, and would have to wait for it.
    wake: Mutex<Option<Wake>>,
}

struct State {
    chunks: VecDeque<Chunk>,
    events: VecDeque<String>,
    messages: VecDeque<String>,
    message_bytes: usize,
    /// Some were lost, and none were delivered since.
    losing: bool,
    /// The environment is gone: nothing is kept.
    is_over: bool,
    /// Woken and not come yet: no second wake is needed.
    woken: bool,
}

impl State {
    /// Returns whether a wake is due for what was added, and counts it as done.
    fn is_due(&mut self) -> bool {
        !self.is_over && !std::mem::replace(&mut self.woken, true)
    }
}

/// What one call into JavaScript takes along.
#[derive(Default)]
pub struct Delivery {
    pub events: Vec<String>,
    pub chunks: Vec<Chunk>,
}

impl Queue {
    pub fn new(wake: Wake) -> Self {
        let state = State {
            chunks: VecDeque::new(),
            events: VecDeque::new(),
            messages: VecDeque::new(),
            message_bytes: 0,
            losing: false,
            is_over: false,
            woken: false,
        };
        Queue { state: Mutex::new(state), wake: Mutex::new(Some(wake)) }
    }

    /// Never more than the operations in reply, which the engine bounds.
    pub fn push(&self, chunk: Chunk) {
        let mut state = self.state.lock();
        if !state.is_over {
            state.chunks.push_back(chunk);
        }
        self.wake_if(state.is_due(), state);
    }

    /// An event, as JSON.
    pub fn tell(&self, event: String) {
        let mut state = self.state.lock();
        if !state.is_over {
            if state.events.len() == MAX_EVENTS {
                state.events.pop_front();
            }
            state.events.push_back(event);
        }
        self.wake_if(state.is_due(), state);
    }

    /// An event that carries a message, as JSON: unlike a state it is not outdated by the next. True if, for the first
    /// time since some were delivered, older ones had to give way.
    pub fn message(&self, message: String) -> bool {
        let mut state = self.state.lock();
        if state.is_over {
            return false;
        }
        state.message_bytes += message.len();
        state.messages.push_back(message);
        let mut lost = false;
        while state.message_bytes > MAX_MESSAGE_BYTES && state.messages.len() > 1 {
            let oldest = state.messages.pop_front();
            state.message_bytes -= oldest.map_or(0, |oldest| oldest.len());
            lost = true;
        }
        let tell = lost && !std::mem::replace(&mut state.losing, true);
        self.wake_if(state.is_due(), state);
        tell
    }

    fn wake_if(&self, is_due: bool, state: MutexGuard<'_, State>) {
        drop(state);
        if is_due && let Some(wake) = &*self.wake.lock() {
            wake();
        }
    }

    /// For the JavaScript thread, which will `take` in any case: what is pushed until then needs no wake.
    pub fn suppress_wake(&self) {
        self.state.lock().woken = true;
    }

    /// Wakes for what is left, whether or not a wake is due.
    pub fn force_wake(&self) {
        let state = self.state.lock();
        self.wake_if(!state.is_over, state);
    }

    /// Called on the JavaScript thread, once for each wake. Wakes again if something is left.
    pub fn take(&self) -> Delivery {
        let mut state = self.state.lock();
        state.woken = false;
        state.losing = false;
        let mut delivery = Delivery { events: state.events.drain(..).collect(), chunks: Vec::new() };
        let (mut results, mut bytes) = (0, 0);
        while results < RESULTS_PER_CALL && bytes < BYTES_PER_CALL {
            let Some(message) = state.messages.pop_front() else { break };
            results += 1;
            bytes += message.len();
            delivery.events.push(message);
        }
        state.message_bytes -= bytes;
        while results < RESULTS_PER_CALL && bytes < BYTES_PER_CALL {
            let Some(chunk) = state.chunks.pop_front() else { break };
            results += chunk.outcomes.len();
            bytes += chunk.outcomes.iter().map(weight).sum::<usize>();
            delivery.chunks.push(chunk);
        }
        let is_left = !state.chunks.is_empty() || !state.messages.is_empty();
        self.wake_if(is_left && state.is_due(), state);
        delivery
    }

    /// The environment goes. Once this has returned, nothing wakes it any more: wakes happen under their lock.
    pub fn end(&self) {
        *self.wake.lock() = None;
        let mut state = self.state.lock();
        state.is_over = true;
        state.chunks = VecDeque::new();
        state.events = VecDeque::new();
        state.messages = VecDeque::new();
        state.message_bytes = 0;
    }
}

fn weight(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Hit(value) | Outcome::Stamped(value, _) => value.len(),
        Outcome::Many(outcomes) => outcomes.iter().map(weight).sum(),
        Outcome::List(values) => values.iter().map(|value| value.len()).sum(),
        Outcome::Keys(page) => page.keys.iter().map(String::len).sum(),
        Outcome::Read(reading) => reading.value.as_ref().map_or(0, Value::len),
        Outcome::Miss | Outcome::Done | Outcome::Is(_) | Outcome::Failed(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    fn counted() -> (Arc<Queue>, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let count = wakes.clone();
        let wake = move || {
            count.fetch_add(1, SeqCst);
        };
        (Arc::new(Queue::new(Box::new(wake))), wakes)
    }

    fn chunk(first: u32, results: usize) -> Chunk {
        Chunk { first, outcomes: (0..results).map(|_| Outcome::Done).collect() }
    }

    #[test]
    fn many_pushes_are_one_wake() {
        let (queue, wakes) = counted();
        for first in 1..10 {
            queue.push(chunk(first, 1));
        }
        queue.tell("{}".into());
        assert_eq!(wakes.load(SeqCst), 1);
        let delivery = queue.take();
        assert_eq!((delivery.chunks.len(), delivery.events.len()), (9, 1));
        assert_eq!(wakes.load(SeqCst), 1);
        queue.push(chunk(10, 1));
        assert_eq!(wakes.load(SeqCst), 2);
    }

    #[test]
    fn a_call_is_bounded_and_wakes_for_the_rest() {
        let (queue, wakes) = counted();
        for first in 1..=3 {
            queue.push(chunk(first, 600));
        }
        assert_eq!(queue.take().chunks.len(), 2);
        assert_eq!(wakes.load(SeqCst), 2);
        assert_eq!(queue.take().chunks.len(), 1);
        assert_eq!(wakes.load(SeqCst), 2);

        let large = || Outcome::Hit(Value::Binary(Bytes::from(vec![0; BYTES_PER_CALL])));
        queue.push(Chunk { first: 1, outcomes: vec![large()] });
        queue.push(Chunk { first: 2, outcomes: vec![large()] });
        assert_eq!(queue.take().chunks.len(), 1);
        assert_eq!(queue.take().chunks.len(), 1);
    }

    #[test]
    fn nothing_wakes_an_environment_that_is_gone() {
        let (queue, wakes) = counted();
        queue.push(chunk(1, 1));
        queue.end();
        queue.push(chunk(2, 1));
        queue.tell("{}".into());
        assert!(queue.take().chunks.is_empty());
        assert_eq!(wakes.load(SeqCst), 1);
    }

    #[test]
    fn a_thread_that_comes_anyway_is_not_woken_and_can_still_be() {
        let (queue, wakes) = counted();
        queue.suppress_wake();
        queue.push(chunk(1, 1));
        assert_eq!(wakes.load(SeqCst), 0);
        queue.force_wake();
        assert_eq!(wakes.load(SeqCst), 1);
        assert_eq!(queue.take().chunks.len(), 1);
        queue.push(chunk(2, 1));
        assert_eq!(wakes.load(SeqCst), 2);
    }

    #[test]
    fn messages_all_arrive_in_order_over_as_many_calls_as_it_takes() {
        let (queue, wakes) = counted();
        let count = RESULTS_PER_CALL * 2 + 5;
        for n in 0..count {
            assert!(!queue.message(n.to_string()));
        }
        queue.tell("state".into());
        let mut got = Vec::new();
        while got.len() < count + 1 {
            got.extend(queue.take().events);
        }
        assert_eq!(wakes.load(SeqCst), 3);
        assert_eq!(got[0], "state");
        assert!(got[1..].iter().enumerate().all(|(n, message)| *message == n.to_string()));
    }

    #[test]
    fn the_oldest_messages_give_way_and_it_is_told_once() {
        let (queue, _) = counted();
        let large = |n: usize| format!("{n}{}", "x".repeat(MAX_MESSAGE_BYTES / 4));
        let lost: Vec<bool> = (0..8).map(|n| queue.message(large(n))).collect();
        assert_eq!(lost.iter().filter(|lost| **lost).count(), 1);
        let kept = queue.take().events;
        assert_eq!(kept.len(), 2);
        let last = queue.take().events;
        assert!(last.last().is_some_and(|message| message.starts_with('7')));
        queue.message("x".repeat(MAX_MESSAGE_BYTES * 2));
        assert_eq!(queue.take().events.len(), 1);
    }

    #[test]
    fn old_events_give_way() {
        let (queue, _) = counted();
        for n in 0..MAX_EVENTS + 3 {
            queue.tell(n.to_string());
        }
        let events = queue.take().events;
        assert_eq!((events.len(), events[0].as_str()), (MAX_EVENTS, "3"));
    }
}
