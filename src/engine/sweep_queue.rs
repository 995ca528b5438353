//! Requests for sweeps of indexes, from the operations that find a reason to the tasks that do it (`reclaim`).

use crate::model::tag::Tag;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Indexes that wait for a sweep. More are dropped: expiry ends what they leave, and the next clear asks again.
pub const WAITING: usize = 1024;
/// From a clear to its sweep. Most of what is still read is replaced within this time, which leaves less to remove.
const REST: Duration = Duration::from_secs(1);

/// An index, and how long to wait before it is swept.
pub type SweepRequest = (Tag, Duration);

/// What the tasks take requests from.
pub struct SweepRequests {
    pub own: mpsc::Receiver<SweepRequest>,
    pub wide: mpsc::Receiver<SweepRequest>,
}

pub struct SweepQueue {
    own: mpsc::Sender<SweepRequest>,
    wide: mpsc::Sender<SweepRequest>,
    tasks: OnceLock<[AbortHandle; 2]>,
}

impl SweepQueue {
    pub fn new() -> (Self, SweepRequests) {
        let ((own, own_requests), (wide, wide_requests)) = (mpsc::channel(WAITING), mpsc::channel(WAITING));
        let requests = SweepRequests { own: own_requests, wide: wide_requests };
        (SweepQueue { own, wide, tasks: OnceLock::new() }, requests)
    }

    /// Names the tasks that serve the queue, which end with it.
    pub fn serve_by(&self, tasks: [AbortHandle; 2]) {
        let _ = self.tasks.set(tasks);
    }

    /// Sweeps an index soon: what is still read will have been set anew by then.
    pub fn sweep(&self, index: Tag) {
        let queue = if index == Tag::WIDE { &self.wide } else { &self.own };
        // Full: see WAITING.
        let _ = queue.try_send((index, REST));
    }

    /// Sweeps an index that has outgrown its entries.
    pub fn sweep_now(&self, index: Tag) {
        let _ = self.own.try_send((index, Duration::ZERO));
    }

    pub fn stop(&self) {
        self.tasks.get().into_iter().flatten().for_each(AbortHandle::abort);
    }
}

impl Drop for SweepQueue {
    fn drop(&mut self) {
        self.stop();
    }
}
