//! Clears that an outage kept back, and who makes them again.

use crate::events::Events;
use crate::store::deferred_clears::{DeferredClears, FailedReplay};
use crate::store::request::Clear;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Clears that are still to be made.
#[derive(Default)]
pub struct Deferred {
    clears: Mutex<DeferredClears>,
    /// Set before the deferred clear rejects, unset after the server has acknowledged all.
    any: AtomicBool,
    /// Held by the one who replays; the others wait for it.
    pub replay: tokio::sync::Mutex<FailedReplay>,
}

impl Deferred {
    /// `server` is what a warning calls it.
    pub fn new(server: String, events: Events) -> Self {
        Deferred { clears: Mutex::new(DeferredClears::new(server, events)), ..Deferred::default() }
    }

    /// Takes all of them, for replay.
    pub fn take(&self) -> Taken<'_> {
        let clears = self.clears.lock().take();
        Taken { deferred: self, clears }
    }

    pub fn any(&self) -> bool {
        self.any.load(SeqCst)
    }

    pub fn add(&self, clear: Clear) {
        let mut clears = self.clears.lock();
        clears.add(clear);
        self.any.store(true, SeqCst);
    }
}

/// Clears taken for replay: what was not acknowledged goes back, also when the replay is given up half-way.
pub struct Taken<'a> {
    deferred: &'a Deferred,
    pub clears: Vec<Clear>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut clears = self.deferred.clears.lock();
        for clear in self.clears.drain(..) {
            clears.add(clear);
        }
        if clears.is_empty() {
            clears.settled();
        }
        self.deferred.any.store(!clears.is_empty(), SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_replay_did_not_finish_is_deferred_again() {
        let deferred = Deferred::default();
        deferred.add(Clear::of_keys(vec!["k".into()]));
        drop(deferred.take());
        assert!(deferred.any() && !deferred.clears.lock().is_empty());
        let mut taken = deferred.take();
        taken.clears.clear();
        drop(taken);
        assert!(!deferred.any());
    }
}
