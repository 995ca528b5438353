//! Whether the store is used.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use tokio::sync::Notify;

/// Whether the store is used: a server that nobody asks anything is asked nothing.
#[derive(Default)]
pub struct Activity {
    pub is_used: AtomicBool,
    pub wake: Notify,
    /// The connection over which the question was refused.
    pub refused_over: AtomicU64,
}

impl Activity {
    pub fn used(&self) {
        if !self.is_used.load(SeqCst) && !self.is_used.swap(true, SeqCst) {
            self.wake.notify_one();
        }
    }
}
