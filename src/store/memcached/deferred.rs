//! Clears that an outage kept from a server, which wait for that server alone.

use crate::events::Events;
use crate::model::tag::{Invalidation, Tag};
use crate::store::deferred_clears::{DeferredClears, FailedReplay};
use crate::store::request::Clear;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// Clears that wait for one server.
pub struct Deferred {
    clears: Mutex<DeferredClears>,
    /// True from the moment a clear waits until it was replayed, also while it is being replayed.
    any: AtomicBool,
    /// One replay at a time; the others wait for its end.
    pub turn: tokio::sync::Mutex<FailedReplay>,
}

impl Deferred {
    /// `server` as the events name it.
    pub fn new(server: String, events: Events) -> Self {
        Deferred {
            clears: Mutex::new(DeferredClears::new(server, events)),
            any: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    pub fn add(&self, clear: Clear) {
        let mut clears = self.clears.lock();
        clears.add(clear);
        self.any.store(!clears.is_empty(), Ordering::Release);
    }

    /// What waits; what is left of it is given back when it is dropped, so that a cancelled replay loses nothing.
    pub fn take(&self) -> Option<Taken<'_>> {
        let mut clears = self.clears.lock();
        if clears.is_empty() {
            clears.settled();
            self.any.store(false, Ordering::Release);
            return None;
        }
        Some(Taken { from: self, left: clears.take().into_iter().map(Left::of).collect() })
    }
}

pub struct Taken<'a> {
    from: &'a Deferred,
    pub left: Vec<Left>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for Left { keys, tags, invalidation } in self.left.drain(..).filter(|left| !left.is_empty()) {
            let (keys, tags) = (keys.into_iter().collect(), tags.into_iter().collect());
            self.from.add(Clear { keys, tags, invalidation });
        }
    }
}

/// What of a clear is not yet acknowledged.
pub struct Left {
    pub keys: BTreeSet<String>,
    pub tags: BTreeSet<Tag>,
    pub invalidation: Invalidation,
}

impl Left {
    pub fn of(clear: Clear) -> Self {
        Left {
            keys: clear.keys.into_iter().collect(),
            tags: clear.tags.into_iter().collect(),
            invalidation: clear.invalidation,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tags.is_empty()
    }
}
