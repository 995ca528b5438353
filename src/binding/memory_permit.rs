//! Bytes of operations under way, which count until the last of them is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};

pub struct MemoryPermit {
    /// Of all batches. Not the store itself, whose line would keep it.
    total: Arc<AtomicUsize>,
    bytes: AtomicUsize,
    /// Operations not answered yet.
    open: AtomicUsize,
}

impl MemoryPermit {
    pub fn of(total: &Arc<AtomicUsize>, bytes: usize, operations: usize) -> Self {
        total.fetch_add(bytes, AcqRel);
        MemoryPermit {
            total: total.clone(),
            bytes: AtomicUsize::new(bytes),
            open: AtomicUsize::new(operations),
        }
    }

    /// To be called before the answers are given: whoever hears the last may ask for as much again.
    pub fn answered(&self, operations: usize) {
        if self.open.fetch_sub(operations, AcqRel) == operations {
            self.release();
        }
    }

    fn release(&self) {
        self.total.fetch_sub(self.bytes.swap(0, AcqRel), AcqRel);
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Acquire;

    #[test]
    fn bytes_are_given_back_once_and_before_the_last_answer_is_given() {
        let total = Arc::new(AtomicUsize::new(5));
        let weight = MemoryPermit::of(&total, 100, 3);
        weight.answered(2);
        assert_eq!(total.load(Acquire), 105);
        weight.answered(1);
        assert_eq!(total.load(Acquire), 5, "not only when the batch has ended");
        drop(weight);
        assert_eq!(total.load(Acquire), 5);
        drop(MemoryPermit::of(&total, 100, 3));
        assert_eq!(total.load(Acquire), 5, "a batch that was never run");
    }
}
