//! Expiring: versions are read, and then exactly those are made stale. What cannot be stale is cleared.

use super::op::Outcome;
use super::read::{Keyed, Lookup};
use super::state::Engine;
use super::take::ROUNDS;
use crate::error::Result;
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use crate::store::request::{Clear, SeenVersion, Swap};
use crate::store::traits::Store;
use futures_util::future::join;

/// What became of a key; `None` = not known yet.
type KeyOutcome = Option<Result<()>>;

impl<S: Store> Engine<S> {
    /// Entries that have times grow stale; any others are cleared. Either way sets under way with older data are refused.
    /// In an outage it becomes a clear by key, which is kept and made again. `keys`: none twice.
    pub(super) async fn expires(&self, keys: Vec<String>, now: UnixMs) -> Vec<Outcome> {
        let mut outcomes: Vec<KeyOutcome> = keys.iter().map(|_| None).collect();
        let late = self.in_time(self.age(&keys, &mut outcomes, now)).await.err();
        let mut deferred = Vec::new();
        let ended = outcomes.into_iter().zip(keys).map(|(outcome, key)| {
            let outcome = outcome.unwrap_or_else(|| late.clone().map_or(Ok(()), Err));
            let Err(error) = outcome else {
                self.stats.clears.add(1);
                return Outcome::Done;
            };
            self.stats.failed(&error);
            if error.queued || !error.code.is_outage() {
                return Outcome::Failed(error);
            }
            deferred.push(key);
            Outcome::Failed(error.queued())
        });
        let ended = ended.collect();
        if !deferred.is_empty() {
            self.store.defer_clear(Clear::of_keys(deferred));
        }
        ended
    }

    /// Every outcome is known when it ends.
    async fn age(&self, keys: &[String], outcomes: &mut [KeyOutcome], now: UnixMs) {
        let mut open: Vec<usize> = (0..keys.len()).collect();
        for _ in 0..ROUNDS {
            if open.is_empty() {
                return;
            }
            let names: Vec<String> = open.iter().map(|at| keys[*at].clone()).collect();
            let lookups = self.lookup(&names, None, now, &mut []).await;
            let (mut places, mut swaps, mut gone) = (Vec::new(), Vec::new(), Vec::new());
            for (at, Keyed { lookup, .. }) in open.drain(..).zip(lookups) {
                match lookup {
                    Lookup::Failed(error) if error.code.is_outage() => outcomes[at] = Some(Err(error)),
                    Lookup::Live(live) if live.expires_at > now && live.times.is_some() => {
                        // One that is stale already too: the sets under way must be refused. Not now: a reader whose
                        // clock is behind would take it for fresh.
                        let times = live.times.map(|times| Times { fresh_until: 0, ..times });
                        places.push(at);
                        let seen = SeenVersion::Present(live.version);
                        swaps.push(Swap { key: keys[at].clone(), seen, times });
                    }
                    _ => gone.push(at),
                }
            }
            let swapped =
                async { if swaps.is_empty() { Vec::new() } else { self.store.swap_all(swaps, now).await } };
            let (cleared, swapped) = join(self.cleared(keys, gone, now), swapped).await;
            cleared.into_iter().for_each(|(at, outcome)| outcomes[at] = Some(outcome));
            let mut unstorable = Vec::new();
            for (at, swapped) in places.into_iter().zip(swapped) {
                match swapped {
                    Ok(true) => outcomes[at] = Some(Ok(())),
                    Ok(false) => open.push(at),
                    Err(error) if error.code.is_outage() => outcomes[at] = Some(Err(error)),
                    // No room for it, say: to remove it needs none.
                    Err(_) => unstorable.push(at),
                }
            }
            let cleared = self.cleared(keys, unstorable, now).await;
            cleared.into_iter().for_each(|(at, outcome)| outcomes[at] = Some(outcome));
        }
        let cleared = self.cleared(keys, open, now).await;
        cleared.into_iter().for_each(|(at, outcome)| outcomes[at] = Some(outcome));
    }

    async fn cleared(&self, keys: &[String], which: Vec<usize>, now: UnixMs) -> Vec<(usize, Result<()>)> {
        if which.is_empty() {
            return Vec::new();
        }
        let names = which.iter().map(|at| keys[*at].clone()).collect();
        which.into_iter().zip(self.store.remove(names, now).await).collect()
    }
}
