//! Locks across processes: a key has one owner at a time, until it is given back or its time is over.

use super::op::Outcome;
use super::state::Engine;
use crate::model::time::UnixMs;
use crate::store::traits::Store;

impl<S: Store> Engine<S> {
    /// Whether the owner has it (again). One that cannot be had for an outage is an error: the caller goes on without.
    pub(super) async fn lock(&self, key: &str, owner: &str, ms: u64, now: UnixMs) -> Outcome {
        match self.store.lock(key, owner, ms, now).await {
            Ok(had) => {
                (if had { &self.stats.locks } else { &self.stats.locks_refused }).add(1);
                Outcome::Is(had)
            }
            Err(error) => {
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
        }
    }

    /// Once the sets of the key that were asked for before it have ended. Another's lock is left alone.
    pub(super) async fn unlock(&self, key: &str, owner: &str, now: UnixMs) -> Outcome {
        let work = async {
            self.unacknowledged.none(key).await;
            self.store.unlock(key, owner, now).await
        };
        match self.in_time(work).await.and_then(|done| done) {
            Ok(()) => Outcome::Done,
            Err(error) => {
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
        }
    }
}
