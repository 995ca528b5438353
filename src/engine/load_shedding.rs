//! What is done with work that there is no room for: answered at once, and safely.

use super::op::{Op, Outcome};
use super::state::Engine;
use crate::error::{Code, Error};
use crate::store::traits::Store;
use std::time::Instant;

impl<S: Store> Engine<S> {
    /// Answers an operation without doing it. A get is taken for a miss by its caller, as one that failed.
    pub fn shed(&self, op: &Op) -> Outcome {
        let error = Error::new(
            Code::Busy,
            "More work is waiting than fits in memory (64 MB); the server is too slow for it, or away. Ask for less at a time.",
        );
        self.stats.failed(&error);
        let missed = match op {
            Op::Get { key, remember: true, .. } => std::slice::from_ref(key),
            Op::GetMany { keys } => keys,
            _ => &[],
        };
        for key in missed {
            self.remember_failed(key, Instant::now());
        }
        Outcome::Failed(error)
    }
}
