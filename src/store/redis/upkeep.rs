//! What runs behind: owed clears after a reconnect, signs of life while values are kept in JavaScript, and sweeps.

use super::Core;
use super::command::Pipeline;
use super::state::State;
use super::sweep::Looked;
use crate::model::time::{self, UnixMs};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, sleep};

/// Between attempts to make owed clears while a connection seems to be there; a reconnect wakes at once.
const RETRY: Duration = Duration::from_millis(500);

/// While values are served from L1 a silent connection is asked this often for the epoch.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Questions after the last use; then L1's next value is asked of the server itself.
const QUESTIONS: u32 = 10;

/// Until the store is dropped.
pub(super) async fn run(core: Weak<Core>, wake: Arc<Notify>) {
    let mut ask = interval_at(Instant::now() + ASK_EVERY, ASK_EVERY);
    let hears = core.upgrade().is_some_and(|core| core.server.state.slots().is_some());
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
        }
        let Some(core) = core.upgrade() else { return };
        // Why it failed was told by the link; the clears stay owed.
        owing = core.settled(core.deadline()).await.is_err();
    }
}

/// Until the store is dropped.
pub(super) async fn sweep(core: Weak<Core>) {
    let (mut next, mut looked) = (Instant::now(), Looked::default());
    loop {
        let Some(core) = core.upgrade() else { return };
        core.sweeper.work(next).await;
        next = core.sweep(next, &mut looked).await;
    }
}

impl Core {
    /// Begins a request whose answer tells the epoch: then it shows whether the server's word of every change has come.
    pub fn hearing(&self) -> Hearing<'_> {
        let state = &*self.server.state;
        Hearing(state.slots().map(|_| (state, time::now())))
    }

    /// Asks for the epoch, if values are served from L1 and nothing else did.
    async fn ask(&self, unused: &mut u32) {
        let state = &self.server.state;
        let Some(slots) = state.slots() else { return };
        *unused = if slots.take_used() { 0 } else { unused.saturating_add(1) };
        if *unused >= QUESTIONS || self.link.connection_id() == 0 || !state.is_told() {
            return;
        }
        self.watch.used();
        let asked = self.hearing();
        let get = Pipeline::one(&[b"GET", self.names.epoch.as_bytes()]);
        if self.judged(get, 0, None, self.deadline()).await.is_ok() {
            asked.answered();
        }
    }
}

/// Whom it is told to, and when it was asked.
pub(super) struct Hearing<'a>(Option<(&'a State, UnixMs)>);

impl Hearing<'_> {
    pub fn answered(self) {
        if let Some((state, at)) = self.0 {
            state.answered(at);
        }
    }
}
