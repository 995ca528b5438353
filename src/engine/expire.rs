//! Expiring: versions are read, and then exactly those are made stale. What cannot be stale is cleared.

use super::read::Judged;
use super::take::ROUNDS;
use super::{Engine, Outcome};
use crate::error::Result;
use crate::model::tag::Invalidation;
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use crate::store::{Backend, Clear, Swap};
use futures_util::future::join;

/// What became of a key; `None` = not known yet.
type Fate = Option<Result<()>>;

impl<B: Backend> Engine<B> {
    /// Entries that have times grow stale; any others are cleared. Either way sets under way with older data are refused.
    /// In an outage it becomes a clear by key, which is kept and made again. `keys`: none twice.
    pub(super) async fn expires(&self, keys: Vec<String>, now: UnixMs) -> Vec<Outcome> {
        let mut fates: Vec<Fate> = keys.iter().map(|_| None).collect();
        let late = self.in_time(self.age(&keys, &mut fates, now)).await.err();
        let mut owed = Vec::new();
        let ended = fates.into_iter().zip(keys).map(|(fate, key)| {
            let fate = fate.unwrap_or_else(|| late.clone().map_or(Ok(()), Err));
            let Err(error) = fate else {
                self.stats.clears.add(1);
                return Outcome::Done;
            };
            self.stats.failed(&error);
            if error.queued || !error.code.is_outage() {
                return Outcome::Failed(error);
            }
            owed.push(key);
            Outcome::Failed(error.queued())
        });
        let ended = ended.collect();
        if !owed.is_empty() {
            self.backend.owe(Clear { keys: owed, tags: Vec::new(), raise: Invalidation::Hard });
        }
        ended
    }

    /// Every fate is known when it ends.
    async fn age(&self, keys: &[String], fates: &mut [Fate], now: UnixMs) {
        let mut open: Vec<usize> = (0..keys.len()).collect();
        for _ in 0..ROUNDS {
            if open.is_empty() {
                return;
            }
            let names: Vec<String> = open.iter().map(|at| keys[*at].clone()).collect();
            let judged = self.look(&names, None, now, &mut []).await.1;
            let (mut places, mut swaps, mut gone) = (Vec::new(), Vec::new(), Vec::new());
            for (at, judged) in open.drain(..).zip(judged) {
                match judged {
                    Judged::Failed(error) if error.code.is_outage() => fates[at] = Some(Err(error)),
                    Judged::Live(live) if live.expires_at > now && live.times.is_some() => {
                        // One that is stale already too: the sets under way must be refused. Not now: a reader whose
                        // clock is behind would take it for fresh.
                        let times = live.times.map(|times| Times { fresh_until: 0, ..times });
                        places.push(at);
                        swaps.push(Swap { key: keys[at].clone(), seen: live.seen, times });
                    }
                    _ => gone.push(at),
                }
            }
            let swapped =
                async { if swaps.is_empty() { Vec::new() } else { self.backend.swap_all(swaps, now).await } };
            let (cleared, swapped) = join(self.cleared(keys, gone, now), swapped).await;
            cleared.into_iter().for_each(|(at, fate)| fates[at] = Some(fate));
            let mut unstorable = Vec::new();
            for (at, swapped) in places.into_iter().zip(swapped) {
                match swapped {
                    Ok(true) => fates[at] = Some(Ok(())),
                    Ok(false) => open.push(at),
                    Err(error) if error.code.is_outage() => fates[at] = Some(Err(error)),
                    // No room for it, say: to remove it needs none.
                    Err(_) => unstorable.push(at),
                }
            }
            let cleared = self.cleared(keys, unstorable, now).await;
            cleared.into_iter().for_each(|(at, fate)| fates[at] = Some(fate));
        }
        let cleared = self.cleared(keys, open, now).await;
        cleared.into_iter().for_each(|(at, fate)| fates[at] = Some(fate));
    }

    async fn cleared(&self, keys: &[String], which: Vec<usize>, now: UnixMs) -> Vec<(usize, Result<()>)> {
        if which.is_empty() {
            return Vec::new();
        }
        let names = which.iter().map(|at| keys[*at].clone()).collect();
        which.into_iter().zip(self.backend.remove(names, now).await).collect()
    }
}
