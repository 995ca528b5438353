//! Taking and expiring: a version is read, and then exactly that version is changed.

use super::read::Judged;
use super::{Engine, Outcome};
use crate::backend::{Backend, Clear, Seen};
use crate::clock::UnixMs;
use crate::error::{Code, Error, Result};
use crate::tags::Raise;
use crate::ttl::Times;

/// Sets of the same key that may come between reading and changing. More than a few mean a crowd of writers.
const ROUNDS: usize = 8;

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

    /// An entry that has times grows stale; any other is cleared. Either way sets under way with older data are refused.
    /// In an outage it becomes a clear by key, which is kept and made again.
    pub(super) async fn expire(&self, key: String, now: UnixMs) -> Result<()> {
        let key = [key];
        let clear = || Clear { keys: key.to_vec(), tags: Vec::new(), raise: Raise::All };
        let work = async {
            if self.aged(&key, now).await? {
                return Ok(());
            }
            self.backend.clear(clear(), now).await
        };
        let error = match self.in_time(work).await.and_then(|done| done) {
            Ok(()) => {
                self.stats.clears.add(1);
                return Ok(());
            }
            Err(error) => error,
        };
        self.stats.failed(&error);
        if error.queued || !error.code.is_outage() {
            return Err(error);
        }
        self.backend.owe(clear());
        Err(error.queued())
    }

    /// False: there is nothing that could be kept, or it changed too often.
    async fn aged(&self, key: &[String; 1], now: UnixMs) -> Result<bool> {
        for _ in 0..ROUNDS {
            let live = match self.look(key, None, now, &mut []).await.1.pop() {
                Some(Judged::Live(live)) => live,
                Some(Judged::Failed(error)) if error.code.is_outage() => return Err(error),
                _ => return Ok(false),
            };
            let Some(times) = live.times.filter(|_| live.expires_at > now) else { return Ok(false) };
            // One that is stale already too: the sets under way must be refused. Not now: a reader whose clock is behind
            // would take it for fresh.
            let aged = Times { fresh_until: 0, ..times };
            match self.backend.swap(&key[0], live.seen, Some(aged), now).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if error.code.is_outage() => return Err(error),
                // No room for it, say: to remove it needs none.
                Err(_) => return Ok(false),
            }
        }
        Ok(false)
    }
}
