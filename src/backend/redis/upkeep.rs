//! What runs behind: owed clears after a reconnect, and keeping held records from looking idle to the server.

use super::Core;
use super::command::Pipeline;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, sleep};

/// Records that are answered from the near cache look idle to the server's LRU and would be evicted first.
const TOUCH_EVERY: Duration = Duration::from_secs(30);
/// Keys of one TOUCH: some 100 µs of the server's time.
const TOUCH_KEYS: usize = 512;
/// Between attempts to make owed clears while a connection seems to be there; a reconnect wakes at once.
const RETRY: Duration = Duration::from_millis(500);

/// Until the store is dropped.
pub(super) async fn run(core: Weak<Core>, wake: Arc<Notify>) {
    let mut touch = interval_at(Instant::now() + TOUCH_EVERY, TOUCH_EVERY);
    let mut owing = false;
    loop {
        tokio::select! {
            _ = wake.notified() => {}
            _ = sleep(RETRY), if owing => {}
            _ = touch.tick() => {
                let Some(core) = core.upgrade() else { return };
                core.touch().await;
            }
        }
        let Some(core) = core.upgrade() else { return };
        // Why it failed was told by the link; the clears stay owed.
        owing = core.settled(core.deadline()).await.is_err();
    }
}

impl Core {
    /// Tells the server that the held records are in use.
    pub async fn touch(&self) {
        let held = self.server.near.held();
        if held.is_empty() {
            return;
        }
        let mut pipeline = Pipeline::default();
        for tags in held.chunks(TOUCH_KEYS) {
            pipeline.begin(1 + tags.len());
            pipeline.arg(b"TOUCH");
            for tag in tags {
                pipeline.arg(self.space.record(tag).as_bytes());
            }
        }
        // A failure costs a few misses at most.
        let _ = self.send(pipeline).await;
    }
}
