//! A background task: deferred clears are made after a reconnect, and the server is asked for the epoch while values are kept in
//! JavaScript and nothing else is.

use super::command::Pipeline;
use super::core::Core;
use super::state::State;
use crate::model::time::{self, UnixMs};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, sleep};

/// Between attempts to make deferred clears while a connection seems to be there; a reconnect wakes at once.
const RETRY: Duration = Duration::from_millis(500);

/// While values are served from L1 a silent connection is asked this often for the epoch.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Questions after the last use; then L1's next value is asked of the server itself.
const QUESTIONS: u32 = 10;

/// Until the store is dropped.
pub(super) async fn run(core: Weak<Core>, wake: Arc<Notify>) {
    let mut ask = interval_at(Instant::now() + ASK_EVERY, ASK_EVERY);
    let hears = core.upgrade().is_some_and(|core| core.server.state.versions().is_some());
    let mut unused = QUESTIONS;
    let mut is_deferring = false;
    loop {
        tokio::select! {
            _ = wake.notified() => {}
            _ = sleep(RETRY), if is_deferring => {}
            _ = ask.tick(), if hears => {
                let Some(core) = core.upgrade() else { return };
                core.ask(&mut unused).await;
                continue;
            }
        }
        let Some(core) = core.upgrade() else { return };
        // Why it failed was told by the link; the clears stay deferred.
        is_deferring = core.wait_for_deferred(core.deadline()).await.is_err();
    }
}

impl Core {
    /// Begins a request whose answer tells the epoch: then it shows whether the server's word of every change has come.
    pub fn heartbeat(&self) -> Heartbeat<'_> {
        let state = &*self.server.state;
        Heartbeat(state.versions().map(|_| (state, time::now())))
    }

    /// Asks for the epoch, if values are served from L1 and nothing else did.
    async fn ask(&self, unused: &mut u32) {
        let state = &self.server.state;
        let Some(versions) = state.versions() else { return };
        *unused = if versions.take_used() { 0 } else { unused.saturating_add(1) };
        if *unused >= QUESTIONS || self.client.connection_id() == 0 || !state.is_tracked() {
            return;
        }
        self.activity.used();
        let asked = self.heartbeat();
        let get = Pipeline::one(&[b"GET", self.names.epoch.as_bytes()]);
        if self.judged(get, 0, None, self.deadline()).await.is_ok() {
            asked.answered();
        }
    }
}

/// Whom it is told to, and when it was asked.
pub(super) struct Heartbeat<'a>(Option<(&'a State, UnixMs)>);

impl Heartbeat<'_> {
    pub fn answered(self) {
        if let Some((state, at)) = self.0 {
            state.answered(at);
        }
    }
}
