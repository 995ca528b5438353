//! Keys of cleared tags, to be looked at again little by little: a clear moves a whole set here at once.

use super::entries::Key;
use crate::tags::Tag;
use foldhash::HashSet;
use std::collections::{VecDeque, hash_set};

#[derive(Default)]
pub struct Graves {
    waiting: VecDeque<(Tag, hash_set::IntoIter<Key>)>,
}

impl Graves {
    pub fn add(&mut self, tag: Tag, keys: HashSet<Key>) {
        if !keys.is_empty() {
            self.waiting.push_back((tag, keys.into_iter()));
        }
    }

    pub fn len(&self) -> usize {
        self.waiting.iter().map(|(_, keys)| keys.len()).sum()
    }

    /// The next key to look at.
    pub fn next(&mut self) -> Option<Key> {
        while let Some((_, keys)) = self.waiting.front_mut() {
            if let Some(key) = keys.next() {
                return Some(key);
            }
            self.waiting.pop_front();
        }
        None
    }

    /// All that waits of one tag.
    pub fn take(&mut self, tag: Tag) -> Vec<Key> {
        let mut out = Vec::new();
        for (_, keys) in self.waiting.iter_mut().filter(|(cleared, _)| *cleared == tag) {
            out.extend(keys);
        }
        out
    }
}
