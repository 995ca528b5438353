//! An open store and the batches under way on it.

use super::batch_reply::BatchReply;
use super::inline_task::{Claimed, run_inline};
use super::memory_permit::MemoryPermit;
use super::packing::Packing;
use crate::engine::{AnyEngine, OVERHEAD, Op, Outcome};
use crate::store::fifo_gate::{FifoGate, run_with};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Bytes of operations under way on one store. Four seconds' worth of a gigabit network wait at most; far more than a
/// server that answers ever leaves waiting.
const MAX_BYTES_IN_FLIGHT: usize = 64 * 1024 * 1024;

/// Operations that are sent by the thread that brings them, if nothing else is under way, and their bytes at most: enough
/// for what one request of a web server asks, too little to be felt on the JavaScript thread.
const INLINE_OPERATIONS: usize = 4;
const INLINE_BYTES: usize = 2048;

pub struct StoreHandle {
    pub engine: AnyEngine,
    running: AtomicUsize,
    /// Bytes of the operations under way.
    bytes_in_flight: Arc<AtomicUsize>,
    idle: Notify,
    /// Batches whose task has not run yet, in the order in which they were submitted.
    line: Mutex<VecDeque<Batch>>,
    /// Batches that have not sent their first commands yet: what comes must not overtake them.
    unsent: AtomicUsize,
    /// Of batches whose values are being packed elsewhere, and of those that came after them.
    gate: FifoGate,
}

struct Batch {
    ops: Vec<Op>,
    now: u64,
    reply: BatchReply,
    /// Where in the batch each operation that is done stands; `None` = all are, in their places.
    places: Option<Vec<usize>>,
    permit: MemoryPermit,
    packing: Packing,
}

impl Batch {
    async fn run(self, engine: &AnyEngine) {
        let Batch { ops, now, reply, places, permit, .. } = self;
        let deliver = |at: usize, outcomes: Vec<Outcome>| {
            permit.answered(outcomes.len());
            match &places {
                None => reply.deliver(at, outcomes),
                Some(places) => {
                    for (place, outcome) in places.iter().skip(at).zip(outcomes) {
                        reply.deliver(*place, vec![outcome]);
                    }
                }
            }
        };
        engine.run(ops, now, deliver).await;
    }

    /// In its place among the others, once its values are packed.
    async fn run_in_order(mut self, engine: &AnyEngine, gate: &FifoGate) {
        let permit = if self.packing.is_empty() {
            gate.acquire_behind().await
        } else {
            let permit = gate.acquire().await;
            self.packing.finish(&mut self.ops).await;
            Some(permit)
        };
        run_with(permit, self.run(engine)).await;
    }
}

impl StoreHandle {
    pub fn new(engine: AnyEngine) -> Arc<Self> {
        Arc::new(StoreHandle {
            engine,
            running: AtomicUsize::new(0),
            bytes_in_flight: Arc::default(),
            idle: Notify::new(),
            line: Mutex::default(),
            unsent: AtomicUsize::new(0),
            gate: FifoGate::default(),
        })
    }

    /// Batches are started in the order in which they were submitted: the runtime has one worker, and whichever of their
    /// tasks it takes up first (now and then one that came later) runs the batch that has waited longest.
    /// What there is no room for is answered here: a caller can ask faster than the runtime can even look.
    /// `reads`: the calling thread can wait for replies; it must, for what is returned.
    pub fn start(
        self: Arc<Self>,
        ops: Vec<Op>,
        now: u64,
        reply: BatchReply,
        runtime: &Handle,
        reads: bool,
    ) -> Claimed {
        let mut claimed = Claimed::new();
        let asked: usize = ops.iter().map(Op::weight).sum();
        let waiting = self.bytes_in_flight.load(Acquire);
        let crowded = waiting > 0 && waiting + asked > MAX_BYTES_IN_FLIGHT;
        let (mut ops, places) = if crowded { self.shed(ops, &reply) } else { (ops, None) };
        let weight = if crowded { ops.iter().map(Op::weight).sum() } else { asked };
        self.running.fetch_add(1, AcqRel);
        let is_small = ops.len() <= INLINE_OPERATIONS && own_bytes(weight, ops.len()) <= INLINE_BYTES;
        let permit = MemoryPermit::of(&self.bytes_in_flight, weight, ops.len());
        let is_first = self.unsent.load(Acquire) == 0 && self.gate.is_empty();
        // The worker packs one at a time; while it does, others may.
        let packing =
            if is_first { Packing::default() } else { Packing::begin(&mut ops, &self.engine, runtime) };
        let batch = Batch { ops, now, reply, places, permit, packing };
        let running = Running { store: self.clone() };
        if is_small && is_first && self.engine.is_idle() {
            // What L1 holds is judged by changes that are told meanwhile: no busy thread may be in their way.
            let reads = reads && self.engine.versions().is_none();
            run_inline(async move { batch.run(&running.store.engine).await }, runtime, reads, &mut claimed);
            return claimed;
        }
        self.unsent.fetch_add(1, AcqRel);
        self.line.lock().push_back(batch);
        runtime.spawn(async move {
            let store = &running.store;
            let next = store.line.lock().pop_front();
            let mut unsent = Unsent(Some(&store.unsent));
            if let Some(batch) = next {
                let mut work = pin!(batch.run_in_order(&store.engine, &store.gate));
                poll_fn(|context| {
                    let polled = work.as_mut().poll(context);
                    unsent.end();
                    polled
                })
                .await;
            }
        });
        claimed
    }

    /// What must be done for want of room all the same, and where it stands in the batch.
    fn shed(&self, ops: Vec<Op>, reply: &BatchReply) -> (Vec<Op>, Option<Vec<usize>>) {
        let (mut kept, mut places) = (Vec::new(), Vec::new());
        for (at, op) in ops.into_iter().enumerate() {
            if op.may_be_refused() {
                reply.deliver(at, vec![self.engine.shed(&op)]);
            } else {
                places.push(at);
                kept.push(op);
            }
        }
        (kept, Some(places))
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

/// Bytes of operations beside what each of them takes whatever it is.
fn own_bytes(weight: usize, operations: usize) -> usize {
    weight - operations * OVERHEAD
}

/// A batch that has not sent its first commands, until it has or is dropped.
struct Unsent<'a>(Option<&'a AtomicUsize>);

impl Unsent<'_> {
    fn end(&mut self) {
        if let Some(count) = self.0.take() {
            count.fetch_sub(1, AcqRel);
        }
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// A batch under way, until it is dropped.
struct Running {
    store: Arc<StoreHandle>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.store.running.fetch_sub(1, AcqRel) == 1 {
            self.store.idle.notify_waiters();
        }
    }
}
