//! How long the machine did not run this process: a test with deadlines subtracts it, so that it judges the code and not
//! its neighbours. Measured by a thread of its own, outside any runtime: what a runtime is late by itself still counts.

use parking_lot::Mutex;
use std::panic::Location;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(2);

const HANGS: Duration = Duration::from_secs(10);

struct Beat {
    last: Instant,
    late: Duration,
}

/// Lateness so far, all added up; take it before and after.
pub fn stalled() -> Duration {
    static BEAT: OnceLock<Mutex<Beat>> = OnceLock::new();
    let beat = BEAT.get_or_init(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(TICK);
                if let Some(beat) = BEAT.get() {
                    let mut beat = beat.lock();
                    let late = beat.last.elapsed().saturating_sub(TICK * 2);
                    beat.late += late;
                    beat.last = Instant::now();
                }
            }
        });
        Mutex::new(Beat { last: Instant::now(), late: Duration::ZERO })
    });
    let beat = beat.lock();
    beat.late + beat.last.elapsed().saturating_sub(TICK * 2)
}

/// Runs work that must take no longer than this, apart from stalls.
#[track_caller]
pub fn within<T>(ms: u64, work: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let (since, before) = (Instant::now(), stalled());
        // Far past any stall: what hangs is to fail here and not hold up the whole suite.
        let done = tokio::time::timeout(Duration::from_millis(ms) + HANGS, work).await;
        let (took, stall) = (since.elapsed(), stalled().saturating_sub(before));
        let allowed = Duration::from_millis(ms) + stall;
        assert!(
            took <= allowed,
            "{caller}: took {took:?} of {ms} ms; the process was stalled {stall:?} of it"
        );
        done.unwrap()
    }
}
