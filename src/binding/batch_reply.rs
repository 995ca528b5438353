//! A batch on its way. A promise hangs on every operation, so each is answered once: what was never answered (a panic,
//! a task that was dropped) fails when the reply ends.

use super::queue::{Chunk, Queue};
use crate::engine::Outcome;
use crate::error::{Code, Error};
use parking_lot::Mutex;
use std::sync::Arc;

pub struct BatchReply {
    queue: Arc<Queue>,
    /// Id of the first operation.
    first: u32,
    open: Mutex<Box<[bool]>>,
}

impl BatchReply {
    pub fn new(queue: Arc<Queue>, first: u32, operations: usize) -> Self {
        BatchReply { queue, first, open: Mutex::new(vec![true; operations].into()) }
    }

    /// `at`: index of the first operation. Answers to operations that are unknown or answered are dropped whole.
    pub fn deliver(&self, at: usize, outcomes: Vec<Outcome>) {
        if outcomes.is_empty() {
            return;
        }
        let mut open = self.open.lock();
        let Some(answered) = open.get_mut(at..at + outcomes.len()) else { return };
        if answered.iter().all(|open| *open) {
            answered.fill(false);
            drop(open);
            self.queue.push(Chunk { first: self.first + at as u32, outcomes });
        }
    }
}

impl Drop for BatchReply {
    fn drop(&mut self) {
        for (at, open) in self.open.get_mut().iter().enumerate() {
            if *open {
                let error = unanswered();
                self.queue
                    .push(Chunk { first: self.first + at as u32, outcomes: vec![Outcome::Failed(error)] });
            }
        }
    }
}

pub fn unanswered() -> Error {
    Error::new(
        Code::Internal,
        "An operation ended without an answer. This is a defect in Cachalot; please report it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_answered_once() {
        let queue = Arc::new(Queue::new(Box::new(|| {})));
        let reply = BatchReply::new(queue.clone(), 10, 4);
        reply.deliver(1, vec![Outcome::Done, Outcome::Done]);
        reply.deliver(2, vec![Outcome::Done]);
        reply.deliver(3, vec![Outcome::Done, Outcome::Done]);
        drop(reply);
        let chunks = queue.take().chunks;
        let firsts: Vec<_> = chunks.iter().map(|chunk| (chunk.first, chunk.outcomes.len())).collect();
        assert_eq!(firsts, [(11, 2), (10, 1), (13, 1)]);
        assert!(matches!(&chunks[1].outcomes[0], Outcome::Failed(error) if error.code == Code::Internal));
    }

    #[test]
    fn a_panic_on_the_way_answers_too() {
        let queue = Arc::new(Queue::new(Box::new(|| {})));
        let reply = BatchReply::new(queue.clone(), 1, 2);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            reply.deliver(0, vec![Outcome::Done]);
            panic!("a defect");
        }));
        assert!(outcome.is_err());
        assert_eq!(queue.take().chunks.len(), 2);
    }
}
