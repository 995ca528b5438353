//! A set of entries' numbers. Most tags are on few entries, whose numbers need no memory of their own.

use foldhash::fast::FixedState;
use std::collections::{HashSet, hash_set};

/// As many numbers as a pointer to a larger set and its tag leave room for.
const FEW: usize = 3;

/// A set that has shrunk to this part of its room gives most of it back.
const SPARSE: usize = 8;

// Numbers are ours: nobody can choose them so that they collide.
type Set = HashSet<u32, FixedState>;

pub enum Members {
    Few(u8, [u32; FEW]),
    Many(Box<Set>),
}

impl Default for Members {
    fn default() -> Self {
        Members::Few(0, [0; FEW])
    }
}

impl Members {
    pub fn len(&self) -> usize {
        match self {
            Members::Few(len, _) => usize::from(*len),
            Members::Many(set) => set.len(),
        }
    }

    pub fn insert(&mut self, number: u32) {
        match self {
            Members::Many(set) => {
                set.insert(number);
            }
            Members::Few(len, few) => {
                let held = few.get(..usize::from(*len)).unwrap_or_default();
                if held.contains(&number) {
                    return;
                }
                if held.len() == FEW {
                    let set = held.iter().copied().chain([number]).collect();
                    *self = Members::Many(Box::new(set));
                    return;
                }
                if let Some(place) = few.get_mut(usize::from(*len)) {
                    *place = number;
                    *len += 1;
                }
            }
        }
    }

    pub fn remove(&mut self, number: u32) {
        match self {
            Members::Few(len, few) => {
                let last = usize::from(*len);
                if let Some(at) = few.iter().take(last).position(|held| *held == number) {
                    few.swap(at, last - 1);
                    *len -= 1;
                }
            }
            Members::Many(set) => {
                set.remove(&number);
                if set.len() < FEW {
                    let rest = std::mem::take(self);
                    rest.into_iter().for_each(|number| self.insert(number));
                } else if set.len() * SPARSE < set.capacity() {
                    set.shrink_to(set.len() * 2);
                }
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let (few, many) = match self {
            Members::Few(len, few) => (few.get(..usize::from(*len)).unwrap_or_default(), None),
            Members::Many(set) => (&[][..], Some(set)),
        };
        few.iter().chain(many.into_iter().flat_map(|set| set.iter())).copied()
    }
}

impl IntoIterator for Members {
    type Item = u32;
    type IntoIter = IntoIter;

    /// In constant time, however many there are.
    fn into_iter(self) -> IntoIter {
        match self {
            Members::Few(len, few) => IntoIter::Few(few.into_iter().take(len.into())),
            Members::Many(set) => IntoIter::Many(set.into_iter()),
        }
    }
}

pub enum IntoIter {
    Few(std::iter::Take<std::array::IntoIter<u32, FEW>>),
    Many(hash_set::IntoIter<u32>),
}

impl Iterator for IntoIter {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match self {
            IntoIter::Few(few) => few.next(),
            IntoIter::Many(many) => many.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            IntoIter::Few(few) => few.size_hint(),
            IntoIter::Many(many) => many.size_hint(),
        }
    }
}

impl ExactSizeIterator for IntoIter {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((any::<bool>(), 0u32..12), 0..80)) {
            let (mut members, mut model) = (Members::default(), BTreeSet::new());
            for (adds, number) in steps {
                if adds {
                    members.insert(number);
                    model.insert(number);
                } else {
                    members.remove(number);
                    model.remove(&number);
                }
                prop_assert_eq!(members.len(), model.len());
                prop_assert_eq!(&members.iter().collect::<BTreeSet<_>>(), &model);
            }
            let rest = members.into_iter();
            prop_assert_eq!(rest.len(), model.len());
            prop_assert_eq!(rest.collect::<BTreeSet<_>>(), model);
        }
    }

    #[test]
    fn one_that_has_shrunk_gives_its_room_back() {
        let mut members = Members::default();
        (0..10_000).for_each(|number| members.insert(number));
        (10..10_000).for_each(|number| members.remove(number));
        assert!(matches!(&members, Members::Many(set) if set.capacity() <= 10 * SPARSE));
        (0..8).for_each(|number| members.remove(number));
        assert!(matches!(&members, Members::Few(2, _)));
        assert_eq!(size_of::<Members>(), 16);
    }
}
