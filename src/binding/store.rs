//! An open store and the batches under way on it.

use super::batch_reply::Flight;
use super::inline_task::{TakenOn, begin_here};
use super::memory_permit::Weight;
use super::packing::Packing;
use crate::engine::{AnyEngine, OVERHEAD, Op, Outcome};
use crate::store::fifo_gate::{Line, begun};
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
const MAX_WEIGHT: usize = 64 * 1024 * 1024;

/// Operations that are sent by the thread that brings them, if nothing else is under way, and their bytes at most: enough
/// for what one request of a web server asks, too little to be felt on the JavaScript thread.
const FEW: usize = 4;
const LIGHT: usize = 2048;

pub struct Store {
    pub engine: AnyEngine,
    running: AtomicUsize,
    /// Bytes of the operations under way.
    weight: Arc<AtomicUsize>,
    idle: Notify,
    /// Batches whose task has not run yet, in the order in which they were submitted.
    line: Mutex<VecDeque<Batch>>,
    /// Batches that have not sent their first commands yet: what comes must not overtake them.
    unsent: AtomicUsize,
    /// Of batches whose values are being packed elsewhere, and of those that came after them.
    gate: Line,
}

struct Batch {
    ops: Vec<Op>,
    now: u64,
    flight: Flight,
    /// Where in the batch each operation that is done stands; `None` = all are, in their places.
    places: Option<Vec<usize>>,
    weight: Weight,
    packing: Packing,
}

impl Batch {
    async fn run(self, engine: &AnyEngine) {
        let Batch { ops, now, flight, places, weight, .. } = self;
        let deliver = |at: usize, outcomes: Vec<Outcome>| {
            weight.answered(outcomes.len());
            match &places {
                None => flight.deliver(at, outcomes),
                Some(places) => {
                    for (place, outcome) in places.iter().skip(at).zip(outcomes) {
                        flight.deliver(*place, vec![outcome]);
                    }
                }
            }
        };
        engine.run(ops, now, deliver).await;
    }

    /// In its place among the others, once its values are packed.
    async fn run_in_turn(mut self, engine: &AnyEngine, gate: &Line) {
        let turn = if self.packing.is_empty() {
            gate.behind().await
        } else {
            let turn = gate.turn().await;
            self.packing.finish(&mut self.ops).await;
            Some(turn)
        };
        begun(turn, self.run(engine)).await;
    }
}

impl Store {
    pub fn new(engine: AnyEngine) -> Arc<Self> {
        Arc::new(Store {
            engine,
            running: AtomicUsize::new(0),
            weight: Arc::default(),
            idle: Notify::new(),
            line: Mutex::default(),
            unsent: AtomicUsize::new(0),
            gate: Line::default(),
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
        flight: Flight,
        runtime: &Handle,
        reads: bool,
    ) -> TakenOn {
        let mut taken = TakenOn::new();
        let asked: usize = ops.iter().map(Op::weight).sum();
        let waiting = self.weight.load(Acquire);
        let crowded = waiting > 0 && waiting + asked > MAX_WEIGHT;
        let (mut ops, places) = if crowded { self.turn_away(ops, &flight) } else { (ops, None) };
        let weight = if crowded { ops.iter().map(Op::weight).sum() } else { asked };
        self.running.fetch_add(1, AcqRel);
        let is_small = ops.len() <= FEW && own_bytes(weight, ops.len()) <= LIGHT;
        let weight = Weight::of(&self.weight, weight, ops.len());
        let is_first = self.unsent.load(Acquire) == 0 && self.gate.is_empty();
        // The worker packs one at a time; while it does, others may.
        let packing =
            if is_first { Packing::default() } else { Packing::begin(&mut ops, &self.engine, runtime) };
        let batch = Batch { ops, now, flight, places, weight, packing };
        let running = Running { store: self.clone() };
        if is_small && is_first && self.engine.is_idle() {
            // What L1 holds is judged by changes that are told meanwhile: no busy thread may be in their way.
            let reads = reads && self.engine.versions().is_none();
            begin_here(async move { batch.run(&running.store.engine).await }, runtime, reads, &mut taken);
            return taken;
        }
        self.unsent.fetch_add(1, AcqRel);
        self.line.lock().push_back(batch);
        runtime.spawn(async move {
            let store = &running.store;
            let next = store.line.lock().pop_front();
            let mut unsent = Unsent(Some(&store.unsent));
            if let Some(batch) = next {
                let mut work = pin!(batch.run_in_turn(&store.engine, &store.gate));
                poll_fn(|context| {
                    let polled = work.as_mut().poll(context);
                    unsent.end();
                    polled
                })
                .await;
            }
        });
        taken
    }

    /// What must be done for want of room all the same, and where it stands in the batch.
    fn turn_away(&self, ops: Vec<Op>, flight: &Flight) -> (Vec<Op>, Option<Vec<usize>>) {
        let (mut kept, mut places) = (Vec::new(), Vec::new());
        for (at, op) in ops.into_iter().enumerate() {
            if op.may_be_refused() {
                flight.deliver(at, vec![self.engine.shed(&op)]);
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
    store: Arc<Store>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.store.running.fetch_sub(1, AcqRel) == 1 {
            self.store.idle.notify_waiters();
        }
    }
}
