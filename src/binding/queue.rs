//! What waits for the JavaScript thread of one environment.

use crate::engine::Outcome;
use parking_lot::Mutex;
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

/// Wakes the JavaScript thread. Must not block.
pub type Wake = Box<dyn Fn() + Send>;

pub struct Queue {
    state: Mutex<State>,
}

struct State {
    chunks: VecDeque<Chunk>,
    events: VecDeque<String>,
    /// `None`: the environment is gone.
    wake: Option<Wake>,
    /// Woken and not come yet: no second wake is needed.
    woken: bool,
}

impl State {
    fn wake(&mut self) {
        if let Some(wake) = self.wake.as_ref().filter(|_| !self.woken) {
            self.woken = true;
            wake();
        }
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
        let state =
            State { chunks: VecDeque::new(), events: VecDeque::new(), wake: Some(wake), woken: false };
        Queue { state: Mutex::new(state) }
    }

    /// Never more than the operations in flight, which the engine bounds.
    pub fn push(&self, chunk: Chunk) {
        let mut state = self.state.lock();
        if state.wake.is_some() {
            state.chunks.push_back(chunk);
            state.wake();
        }
    }

    /// An event, as JSON.
    pub fn tell(&self, event: String) {
        let mut state = self.state.lock();
        if state.wake.is_some() {
            if state.events.len() == MAX_EVENTS {
                state.events.pop_front();
            }
            state.events.push_back(event);
            state.wake();
        }
    }

    /// Called on the JavaScript thread, once for each wake. Wakes again if something is left.
    pub fn take(&self) -> Delivery {
        let mut state = self.state.lock();
        state.woken = false;
        let mut delivery = Delivery { events: state.events.drain(..).collect(), chunks: Vec::new() };
        let (mut results, mut bytes) = (0, 0);
        while results < RESULTS_PER_CALL && bytes < BYTES_PER_CALL {
            let Some(chunk) = state.chunks.pop_front() else { break };
            results += chunk.outcomes.len();
            bytes += chunk.outcomes.iter().map(weight).sum::<usize>();
            delivery.chunks.push(chunk);
        }
        if !state.chunks.is_empty() {
            state.wake();
        }
        delivery
    }

    /// The environment goes. Once this has returned, nothing wakes it any more: wakes happen under the lock.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.wake = None;
        state.chunks = VecDeque::new();
        state.events = VecDeque::new();
    }
}

fn weight(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Hit(value) => value.len(),
        Outcome::List(values) => values.iter().map(|value| value.len()).sum(),
        Outcome::Miss | Outcome::Done | Outcome::Failed(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::text::Value;
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
    fn old_events_give_way() {
        let (queue, _) = counted();
        for n in 0..MAX_EVENTS + 3 {
            queue.tell(n.to_string());
        }
        let events = queue.take().events;
        assert_eq!((events.len(), events[0].as_str()), (MAX_EVENTS, "3"));
    }
}
