//! Clears that an outage kept from the server: merged, bounded, replayed before the first read after it.

use super::Clear;
use crate::error::{Code, Error};
use crate::tags::{Invalidation, Tag};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Past this many names the queue becomes one clear of `*`: an outage's worth of product updates fits, a flood does not
/// grow. 10,000 names of some 40 bytes are about 0.5 MB.
pub const MAX_NAMES: usize = 10_000;

/// Between two replays where the next would fail as the last did. Each goes through all that waits, and every read and
/// clear asks for one: without this an outage's, or a flood's, operations would cost their number times the number of
/// its clears.
const AGAIN: Duration = Duration::from_millis(50);

/// How and when the last replay failed, and over which connection (0 = none).
#[derive(Debug, Default)]
pub struct Failed(Option<(Instant, u64, Error)>);

impl Failed {
    pub fn note(&mut self, incarnation: u64, error: &Error) {
        self.0 = Some((Instant::now(), incarnation, error.clone()));
    }

    /// Why a replay is not worth trying yet: there is no connection, or no room on it, as there was none just now.
    pub fn again(&self, incarnation: u64) -> Option<Error> {
        let (at, over, error) = self.0.as_ref()?;
        let same = *over == incarnation && (incarnation == 0 || error.code == Code::Busy);
        (same && at.elapsed() < AGAIN).then(|| error.clone())
    }
}

#[derive(Debug, Default)]
pub struct PendingClears {
    keys: HashSet<String>,
    all: HashSet<Tag>,
    auto: HashSet<Tag>,
}

impl PendingClears {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.all.is_empty() && self.auto.is_empty()
    }

    pub fn add(&mut self, clear: Clear) {
        if self.all.contains(&Tag::ROOT) {
            return;
        }
        self.keys.extend(clear.keys);
        match clear.raise {
            Invalidation::Hard => self.all.extend(clear.tags),
            Invalidation::Soft => self.auto.extend(clear.tags),
        }
        let too_many = self.keys.len() + self.all.len() + self.auto.len() > MAX_NAMES;
        if too_many || self.all.contains(&Tag::ROOT) {
            *self = PendingClears { all: HashSet::from([Tag::ROOT]), ..Default::default() };
        }
    }

    /// What to replay; `add` it back if that fails.
    pub fn take(&mut self) -> Vec<Clear> {
        let PendingClears { keys, all, auto } = std::mem::take(self);
        let mut out = Vec::new();
        if !keys.is_empty() || !all.is_empty() {
            let (keys, tags) = (keys.into_iter().collect(), all.into_iter().collect());
            out.push(Clear { keys, tags, raise: Invalidation::Hard });
        }
        if !auto.is_empty() {
            out.push(Clear { keys: Vec::new(), tags: auto.into_iter().collect(), raise: Invalidation::Soft });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(raise: Invalidation, tags: &[&str]) -> Clear {
        Clear { keys: vec![], tags: tags.iter().map(|t| Tag::of(t)).collect(), raise }
    }

    #[test]
    fn clears_merge_and_keep_what_they_raise() {
        let mut pending = PendingClears::default();
        pending.add(tags(Invalidation::Hard, &["a", "b"]));
        pending.add(tags(Invalidation::Hard, &["a"]));
        pending.add(tags(Invalidation::Soft, &["a"]));
        let out = pending.take();
        assert_eq!(
            out.iter().map(|c| (c.raise, c.tags.len())).collect::<Vec<_>>(),
            [(Invalidation::Hard, 2), (Invalidation::Soft, 1)]
        );
        assert!(pending.is_empty());
    }

    #[test]
    fn a_replay_is_tried_again_over_another_connection_or_where_another_end_is_likely() {
        let (busy, other) = (Error::new(Code::Busy, ""), Error::timeout(""));
        let mut failed = Failed::default();
        assert!(failed.again(0).is_none() && failed.again(1).is_none());
        for (incarnation, error, next, waits) in [
            (0, &other, 0, true),
            (0, &other, 1, false),
            (1, &busy, 1, true),
            (1, &busy, 2, false),
            (1, &other, 1, false),
        ] {
            failed.note(incarnation, error);
            assert_eq!(failed.again(next).is_some(), waits, "{incarnation} {error} {next}");
        }
        failed.note(1, &busy);
        std::thread::sleep(AGAIN);
        assert!(failed.again(1).is_none());
    }

    #[test]
    fn a_flood_becomes_one_clear_of_everything() {
        let mut pending = PendingClears::default();
        for i in 0..=MAX_NAMES {
            pending.add(tags(Invalidation::Soft, &[&format!("t{i}")]));
        }
        pending.add(tags(Invalidation::Soft, &["late"]));
        let out = pending.take();
        assert_eq!(out.len(), 1);
        assert_eq!((out[0].raise, out[0].tags.as_slice()), (Invalidation::Hard, &[Tag::ROOT][..]));
    }
}
