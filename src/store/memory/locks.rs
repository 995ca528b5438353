//! Locks, each with an owner and an end.

use super::entries::Key;
use crate::error::{Code, Error, Result};
use crate::model::time::UnixMs;
use std::collections::{BTreeSet, HashMap};

/// Locks held at once, about 200 bytes each: 3 MB. Each belongs to a value that is being made, and nothing makes more
/// at once.
const MAX: usize = 16_384;

struct Held {
    owner: Box<str>,
    until: UnixMs,
}

#[derive(Default)]
pub struct Locks {
    held: HashMap<Key, Held>,
    by_end: BTreeSet<(UnixMs, Key)>,
}

impl Locks {
    pub fn lock(&mut self, key: &str, owner: &str, until: UnixMs, now: UnixMs) -> Result<bool> {
        self.forget(now);
        match self.held.get(key) {
            Some(held) if *held.owner != *owner => return Ok(false),
            Some(_) => self.remove(key),
            None if self.held.len() >= MAX => {
                return Err(Error::new(
                    Code::Busy,
                    format!(
                        "{MAX} locks are held in this memory store; more are not taken. Ask for less at a time."
                    ),
                ));
            }
            None => {}
        }
        let key: Key = key.into();
        self.by_end.insert((until, key.clone()));
        self.held.insert(key, Held { owner: owner.into(), until });
        Ok(true)
    }

    pub fn unlock(&mut self, key: &str, owner: &str, now: UnixMs) {
        self.forget(now);
        if self.held.get(key).is_some_and(|held| *held.owner == *owner) {
            self.remove(key);
        }
    }

    /// As many as were added: each is dropped once.
    fn forget(&mut self, now: UnixMs) {
        while self.by_end.first().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, key)) = self.by_end.pop_first() {
                self.held.remove(&key);
            }
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, held)) = self.held.remove_entry(key) {
            self.by_end.remove(&(held.until, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_its_owners_until_it_ends() {
        let mut locks = Locks::default();
        assert!(locks.lock("k", "a", 10, 0).unwrap());
        assert!(!locks.lock("k", "b", 15, 5).unwrap());
        assert!(locks.lock("k", "a", 20, 9).unwrap(), "extended");
        assert!(!locks.lock("k", "b", 30, 19).unwrap());
        assert!(locks.lock("k", "b", 30, 20).unwrap());
        locks.unlock("k", "a", 21);
        assert!(!locks.lock("k", "a", 40, 22).unwrap(), "another's");
        locks.unlock("k", "b", 22);
        assert!(locks.lock("k", "a", 40, 22).unwrap());
        assert_eq!((locks.held.len(), locks.by_end.len()), (1, 1));
    }

    #[test]
    fn they_are_bounded_and_the_ended_make_room() {
        let mut locks = Locks::default();
        for i in 0..MAX {
            assert!(locks.lock(&i.to_string(), "a", 10, 0).unwrap());
        }
        assert_eq!(locks.lock("one more", "a", 10, 9).unwrap_err().code, Code::Busy);
        assert!(locks.lock("0", "a", 12, 9).unwrap(), "one of them");
        assert!(locks.lock("one more", "a", 20, 10).unwrap());
        assert_eq!((locks.held.len(), locks.by_end.len()), (2, 2));
    }
}
