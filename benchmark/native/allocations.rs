//! What a get allocates in the core: `allocations REDIS_PORT` prints a line of JSON, an object for each number of gets in
//! a batch. The allocator that counts is this program's own; the addon has none.

#![allow(clippy::unwrap_used, clippy::panic)] // What fails here ends the run, and should.

mod engine;
mod samples;

use engine::Bed;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Gets in a batch, as the benchmark's cells have them.
const AT_ONCE: [usize; 2] = [1, 64];
const BYTES: usize = 1_024;
const BATCHES: u64 = 400;

struct Counting {
    allocations: AtomicU64,
    bytes: AtomicU64,
}

#[global_allocator]
static COUNTING: Counting = Counting { allocations: AtomicU64::new(0), bytes: AtomicU64::new(0) };

impl Counting {
    fn count(&self, bytes: usize) {
        self.allocations.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    fn now(&self) -> (u64, u64) {
        (self.allocations.load(Relaxed), self.bytes.load(Relaxed))
    }
}

// SAFETY: everything is the system's own allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    /// Counted as an allocation of what it grows to: it may be a copy.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [port] = &words[..] else { panic!("allocations REDIS_PORT") };
    let seen = AT_ONCE.map(|at_once| {
        let bed = Bed::open(port.parse().ok(), at_once, BYTES, &[]);
        let before = COUNTING.now();
        for _ in 0..BATCHES {
            bed.gets();
        }
        let after = COUNTING.now();
        let each = |from: u64, to: u64| (to - from) as f64 / (BATCHES * at_once as u64) as f64;
        format!(
            r#"{{"atOnce":{at_once},"allocations":{:.3},"bytes":{:.1}}}"#,
            each(before.0, after.0),
            each(before.1, after.1)
        )
    });
    println!("[{}]", seen.join(","));
}
