//! An open store and the batches under way on it.

use super::flight::Flight;
use crate::engine::{AnyEngine, Op, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Bytes of operations under way on one store. Four seconds' worth of a gigabit network wait at most; far more than a
/// server that answers ever leaves waiting.
const MAX_WEIGHT: usize = 64 * 1024 * 1024;

pub struct Store {
    pub engine: AnyEngine,
    running: AtomicUsize,
    /// Bytes of the operations under way.
    weight: AtomicUsize,
    idle: Notify,
}

impl Store {
    pub fn new(engine: AnyEngine) -> Arc<Self> {
        Arc::new(Store {
            engine,
            running: AtomicUsize::new(0),
            weight: AtomicUsize::new(0),
            idle: Notify::new(),
        })
    }

    /// Batches are first polled in the order in which they were started: the runtime has one worker, and tasks from
    /// outside wait in line for it.
    /// What there is no room for is answered here: a caller can ask faster than the runtime can even look.
    pub fn start(self: Arc<Self>, ops: Vec<Op>, now: u64, flight: Flight, runtime: &Handle) {
        let asked: usize = ops.iter().map(Op::weight).sum();
        let crowded = self.weight.load(Acquire) + asked > MAX_WEIGHT && self.running.load(Acquire) > 0;
        // Where in the batch each operation that is done stands.
        let mut places = Vec::with_capacity(if crowded { ops.len() } else { 0 });
        let ops = if crowded {
            let mut kept = Vec::new();
            for (at, op) in ops.into_iter().enumerate() {
                if op.may_be_refused() {
                    flight.deliver(at, vec![self.engine.turn_away(&op)]);
                } else {
                    places.push(at);
                    kept.push(op);
                }
            }
            kept
        } else {
            ops
        };
        let weight = if crowded { ops.iter().map(Op::weight).sum() } else { asked };
        self.running.fetch_add(1, AcqRel);
        self.weight.fetch_add(weight, AcqRel);
        let running = Running { store: self, weight };
        runtime.spawn(async move {
            let engine = &running.store.engine;
            let deliver = |at: usize, outcomes: Vec<Outcome>| {
                if !crowded {
                    return flight.deliver(at, outcomes);
                }
                for (place, outcome) in places.iter().skip(at).zip(outcomes) {
                    flight.deliver(*place, vec![outcome]);
                }
            };
            engine.run(ops, now, deliver).await;
        });
    }

    /// Waits for the batches under way, each of which ends within its deadline, then lets go.
    pub async fn close(&self) {
        loop {
            let mut idle = std::pin::pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.running.load(Acquire) == 0 {
                break;
            }
            idle.await;
        }
        self.engine.close().await;
    }
}

/// A batch under way, until it is dropped.
struct Running {
    store: Arc<Store>,
    weight: usize,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.store.weight.fetch_sub(self.weight, AcqRel);
        if self.store.running.fetch_sub(1, AcqRel) == 1 {
            self.store.idle.notify_waiters();
        }
    }
}
