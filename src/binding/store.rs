//! An open store and the batches under way on it.

use super::flight::Flight;
use crate::engine::{AnyEngine, Op};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use tokio::runtime::Handle;
use tokio::sync::Notify;

pub struct Store {
    pub engine: AnyEngine,
    running: AtomicUsize,
    idle: Notify,
}

impl Store {
    pub fn new(engine: AnyEngine) -> Arc<Self> {
        Arc::new(Store { engine, running: AtomicUsize::new(0), idle: Notify::new() })
    }

    /// Batches are first polled in the order in which they were started: the runtime has one worker, and tasks from
    /// outside wait in line for it.
    pub fn start(self: Arc<Self>, ops: Vec<Op>, now: u64, flight: Flight, runtime: &Handle) {
        self.running.fetch_add(1, AcqRel);
        let running = Running(self);
        runtime.spawn(async move {
            let engine = &running.0.engine;
            engine.run(ops, now, |at, outcomes| flight.deliver(at, outcomes)).await;
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
struct Running(Arc<Store>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}
