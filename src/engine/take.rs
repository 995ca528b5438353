//! Taking: a version is read, and then exactly that version is removed.

use super::read::Judged;
use super::{Engine, Outcome};
use crate::error::{Code, Error};
use crate::model::time::UnixMs;
use crate::store::{Backend, Seen};

/// Sets of the same key that may come between reading and changing. More than a few mean a crowd of writers.
pub(super) const ROUNDS: usize = 8;

impl<B: Backend> Engine<B> {
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
            let (value, seen) = match self.look(key, None, now, &mut []).await.1.pop() {
                Some(Judged::Live(live)) if live.stale => (Outcome::Miss, live.seen),
                // Before it is removed: what cannot be unpacked is not lost by this.
                Some(Judged::Live(live)) => match self.unpack(live.kept) {
                    value @ Outcome::Hit(_) => (value, live.seen),
                    other => return other,
                },
                Some(Judged::Failed(error)) => return Outcome::Failed(error),
                // Nothing to take, but sets may be under way with what was read before this.
                Some(Judged::Gone { lease, seen: Some(bytes) }) => (Outcome::Miss, Seen::Wire(bytes, lease)),
                Some(Judged::Gone { lease, seen: None }) => (Outcome::Miss, Seen::Nothing(lease)),
                None => return Outcome::Miss,
            };
            match self.backend.swap(&key[0], seen, None, now).await {
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
