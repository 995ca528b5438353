//! Clears that an outage kept from the server: merged, bounded, replayed before the first read after it.

use super::Clear;
use crate::key::STAR;
use crate::tags::Raise;
use std::collections::HashSet;

/// Past this many names the queue becomes one clear of `*`: an outage's worth of product updates fits, a flood does not
/// grow. 10,000 names of some 40 bytes are about 0.5 MB.
pub const MAX_NAMES: usize = 10_000;

#[derive(Debug, Default)]
pub struct PendingClears {
    keys: HashSet<String>,
    all: HashSet<String>,
    auto: HashSet<String>,
}

impl PendingClears {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.all.is_empty() && self.auto.is_empty()
    }

    pub fn add(&mut self, clear: Clear) {
        if self.all.contains(STAR) {
            return;
        }
        self.keys.extend(clear.keys);
        match clear.raise {
            Raise::All => self.all.extend(clear.tags),
            Raise::Auto => self.auto.extend(clear.tags),
        }
        let too_many = self.keys.len() + self.all.len() + self.auto.len() > MAX_NAMES;
        if too_many || self.all.contains(STAR) {
            *self = PendingClears { all: HashSet::from([STAR.to_owned()]), ..Default::default() };
        }
    }

    /// What to replay; `add` it back if that fails.
    pub fn take(&mut self) -> Vec<Clear> {
        let PendingClears { keys, all, auto } = std::mem::take(self);
        let mut out = Vec::new();
        if !keys.is_empty() || !all.is_empty() {
            let (keys, tags) = (keys.into_iter().collect(), all.into_iter().collect());
            out.push(Clear { keys, tags, raise: Raise::All });
        }
        if !auto.is_empty() {
            out.push(Clear { keys: Vec::new(), tags: auto.into_iter().collect(), raise: Raise::Auto });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(raise: Raise, tags: &[&str]) -> Clear {
        Clear { keys: vec![], tags: tags.iter().map(|t| t.to_string()).collect(), raise }
    }

    #[test]
    fn clears_merge_and_keep_what_they_raise() {
        let mut pending = PendingClears::default();
        pending.add(tags(Raise::All, &["a", "b"]));
        pending.add(tags(Raise::All, &["a"]));
        pending.add(tags(Raise::Auto, &["a"]));
        let out = pending.take();
        assert_eq!(
            out.iter().map(|c| (c.raise, c.tags.len())).collect::<Vec<_>>(),
            [(Raise::All, 2), (Raise::Auto, 1)]
        );
        assert!(pending.is_empty());
    }

    #[test]
    fn a_flood_becomes_one_clear_of_everything() {
        let mut pending = PendingClears::default();
        for i in 0..=MAX_NAMES {
            pending.add(tags(Raise::Auto, &[&format!("t{i}")]));
        }
        pending.add(tags(Raise::Auto, &["late"]));
        let out = pending.take();
        assert_eq!(out.len(), 1);
        assert_eq!((out[0].raise, out[0].tags.as_slice()), (Raise::All, &["*".to_owned()][..]));
    }
}
