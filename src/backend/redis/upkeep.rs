//! What runs behind: owed clears after a reconnect, and keeping held records from looking idle to the server.

use super::Core;
use super::command::Pipeline;
use crate::clock::{self, UnixMs};
use crate::l1::Slots;
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

/// While values are served from L1 a silent connection is asked this often whether it is there.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Questions after the last use; then L1's next value is asked of the server itself.
const QUESTIONS: u32 = 10;

/// Until the store is dropped.
pub(super) async fn run(core: Weak<Core>, wake: Arc<Notify>) {
    let mut touch = interval_at(Instant::now() + TOUCH_EVERY, TOUCH_EVERY);
    let mut ask = interval_at(Instant::now() + ASK_EVERY, ASK_EVERY);
    let hears = core.upgrade().is_some_and(|core| core.server.near.slots().is_some());
    let mut unused = QUESTIONS;
    let mut owing = false;
    loop {
        tokio::select! {
            _ = wake.notified() => {}
            _ = sleep(RETRY), if owing => {}
            _ = ask.tick(), if hears => {
                let Some(core) = core.upgrade() else { return };
                core.ask(&mut unused).await;
                continue;
            }
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
    /// Begins a request whose answer shows up to when the server's word of changes has come.
    pub fn hearing(&self) -> Hearing<'_> {
        Hearing(self.server.near.slots().map(|slots| (&**slots, clock::now())))
    }

    /// Asks for a sign of life, if values are served from L1 and none came by itself.
    async fn ask(&self, unused: &mut u32) {
        let Some(slots) = self.server.near.slots() else { return };
        *unused = if slots.take_used() { 0 } else { unused.saturating_add(1) };
        if *unused >= QUESTIONS || self.link.incarnation() == 0 || !self.server.near.tracked() {
            return;
        }
        let asked = self.hearing();
        if self.send(Pipeline::one(&[b"PING"])).await.is_ok() {
            asked.answered();
        }
    }

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

/// Whose counters, and when it was asked.
pub(super) struct Hearing<'a>(Option<(&'a Slots, UnixMs)>);

impl Hearing<'_> {
    pub fn answered(self) {
        if let Some((slots, at)) = self.0 {
            slots.heard(at);
        }
    }
}
