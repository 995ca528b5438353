//! Compresses the large values of a batch on threads of their own, while the one that runs batches is busy with others.

use crate::codec::envelope::Codec;
use crate::engine::{AnyEngine, Input, Op};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Values of fewer bytes are packed by the thread that runs batches: another would save less than its wake costs (zstd takes
/// some 80 microseconds for this many).
const APART: usize = 32 * 1024;

/// Values that were taken out of a batch, and where they belong.
#[derive(Default)]
pub struct Packing {
    jobs: Vec<(usize, JoinHandle<Input>)>,
}

impl Packing {
    /// Takes the values worth it out of a batch.
    pub fn begin(ops: &mut [Op], engine: &AnyEngine, runtime: &Handle) -> Self {
        let (how, most) = (engine.compression(), engine.max_value());
        let mut jobs = Vec::new();
        if how.codec == Codec::None {
            return Packing { jobs };
        }
        for (at, op) in ops.iter_mut().enumerate() {
            let Op::Set { value, ttl: Some(_), .. } = op else { continue };
            if value.weight() < APART.max(how.threshold) || value.is_longer_than(most) {
                continue;
            }
            let value = std::mem::replace(value, Input::Text(Vec::new()));
            jobs.push((
                at,
                runtime.spawn_blocking(move || {
                    // A panic leaves it as it is, for its set to meet it.
                    let packed = catch_unwind(AssertUnwindSafe(|| value.pack(&how)));
                    packed.ok().flatten().map_or(value, Input::Packed)
                }),
            ));
        }
        Packing { jobs }
    }

    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Puts them back, packed.
    pub async fn finish(&mut self, ops: &mut [Op]) {
        for (at, job) in self.jobs.drain(..) {
            if let Some(Op::Set { value, .. }) = ops.get_mut(at) {
                *value = job.await.unwrap_or(Input::Lost);
            }
        }
    }
}
