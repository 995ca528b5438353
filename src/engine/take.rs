//! Taking: a version is read, and then exactly that version is removed.

use super::op::Outcome;
use super::read::Lookup;
use super::state::Engine;
use crate::error::{Code, Error};
use crate::model::time::UnixMs;
use crate::store::request::SeenVersion;
use crate::store::traits::Store;

/// Sets of the same key that may come between reading and changing. More than a few mean a crowd of writers.
pub(super) const ROUNDS: usize = 8;

impl<S: Store> Engine<S> {
    /// The value of a fresh entry, which is then gone; of many callers exactly one has it. A stale one is a miss, and gone
    /// too.
    pub(super) async fn take(&self, key: String, now: UnixMs) -> Outcome {
        let taken = self.in_time(self.taken(&[key], now)).await.unwrap_or_else(Outcome::Failed);
        match &taken {
            Outcome::Hit(_) => self.stats.hits.add(1),
            Outcome::Failed(error) => self.stats.failed(error),
            _ => self.stats.misses.add(1),
        }
        taken
    }

    async fn taken(&self, key: &[String; 1], now: UnixMs) -> Outcome {
        for _ in 0..ROUNDS {
            let lookup = self.lookup(key, None, now, &mut []).await.pop().map(|keyed| keyed.lookup);
            let (value, seen) = match lookup {
                Some(Lookup::Live(live)) if live.stale => (Outcome::Miss, SeenVersion::Present(live.version)),
                // Before it is removed: what cannot be unpacked is not lost by this.
                Some(Lookup::Live(live)) => match self.unpack(live.value) {
                    value @ Outcome::Hit(_) => (value, SeenVersion::Present(live.version)),
                    other => return other,
                },
                Some(Lookup::Failed(error)) => return Outcome::Failed(error),
                // Nothing to take, but sets may be under way with what was read before this.
                Some(Lookup::Gone { seen }) => (Outcome::Miss, seen),
                None => return Outcome::Miss,
            };
            match self.store.swap(&key[0], seen, None, now).await {
                Ok(true) => return value,
                Ok(false) => {}
                Err(error) => return Outcome::Failed(error),
            }
        }
        Outcome::Failed(Error::new(
            Code::Busy,
            format!("\"{}\" was set {ROUNDS} times while it was to be taken; nothing was removed.", key[0]),
        ))
    }
}
