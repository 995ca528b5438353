//! Splits a batch into parts of operations of one kind, which travel together.

use super::op::Op;
use super::read::ReadMode;
use super::write::SetOp;
use crate::model::tag::{Invalidation, Tag};
use crate::model::ttl::Ttl;
use crate::model::version_table::{Change, LocalPeers};
use crate::store::request::Clear;

/// Operations that travel in one pipeline at most, so that the first replies are worked on while the others are on
/// their way (measured best between 8 and 32 at 64 concurrent gets).
pub(super) const CHUNK: usize = 16;
/// Sets travel in so many times as many: on Redis they are one call of a script and share what it costs (measured at 64
/// concurrent sets: 5 to 20 % more than with 16, and the more tags, the more).
const SETS: usize = 2;
/// Removals and expiries in one part: as many as sets, whose answers are as small. Each is looked for among the others, so
/// that a key is there once.
const NAMES: usize = SETS * CHUNK;
/// Where nothing travels, only the length of one lock counts.
pub(super) const CHUNK_IN_MEMORY: usize = 1024;

/// Operations of one kind, next to each other in a batch.
pub(super) enum Part {
    Gets {
        keys: Vec<String>,
        mode: ReadMode,
    },
    Many(Vec<String>),
    Tags(Vec<Tag>),
    Sets(Vec<SetOp>),
    /// A set over the cap: stores nothing, and leaves no older value behind.
    TooLarge {
        key: String,
        len: usize,
    },
    Clears {
        clear: Clear,
        count: usize,
    },
    Take(String),
    /// No key twice: whether it was there is asked of all before any is cleared.
    Removes(Vec<String>),
    /// No key twice.
    Expires(Vec<String>),
    Keys {
        prefix: String,
        cursor: u64,
    },
    Lock {
        key: String,
        owner: String,
        ms: u64,
    },
    Unlock {
        key: String,
        owner: String,
    },
    Publish {
        channel: String,
        payload: String,
    },
    Subscribe(String),
    Unsubscribe(String),
}

impl Part {
    /// What it changes, for values kept in L1.
    pub fn change<'a>(&self, peers: &'a LocalPeers) -> Option<Change<'a>> {
        let none = || std::iter::empty();
        Some(match self {
            Part::Sets(sets) => peers.change(sets.iter().map(|set| set.key.as_str()), none()),
            Part::Clears { clear, .. } => {
                let (keys, tags) = (&clear.keys, &clear.tags);
                peers.change(keys.iter().map(String::as_str), tags.iter().copied())
            }
            Part::TooLarge { key, .. } | Part::Take(key) => {
                peers.change(std::iter::once(key.as_str()), none())
            }
            Part::Removes(keys) | Part::Expires(keys) => {
                peers.change(keys.iter().map(String::as_str), none())
            }
            _ => return None,
        })
    }

    pub fn len(&self) -> usize {
        match self {
            Part::Gets { keys, .. } => keys.len(),
            Part::Sets(sets) => sets.len(),
            Part::Clears { count, .. } => *count,
            Part::Removes(keys) | Part::Expires(keys) => keys.len(),
            _ => 1,
        }
    }
}

pub(super) fn split(ops: Vec<Op>, chunk: usize, max_value: usize) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for op in ops {
        let op = match op {
            // No lifetime: nothing is stored and nothing older is left, which is a clear.
            Op::Set { key, ttl: None, .. } => {
                Op::Clear { key: Some(key), tags: Vec::new(), invalidation: Invalidation::Hard }
            }
            op => op,
        };
        let last = parts.last_mut().filter(|part| match part {
            Part::Sets(_) | Part::Clears { .. } => part.len() < SETS * chunk,
            part => part.len() < NAMES,
        });
        match op {
            Op::Get { key, remember, stamp } => {
                read(&mut parts, key, ReadMode::Value { remember, stamp }, chunk)
            }
            Op::Read { key, times, stamp } => read(&mut parts, key, ReadMode::Ticket { times, stamp }, chunk),
            Op::Has { key } => read(&mut parts, key, ReadMode::Presence, chunk),
            Op::GetMany { keys } => parts.push(Part::Many(keys)),
            Op::GetTags { tags } => parts.push(Part::Tags(tags)),
            Op::Set { key, value, .. } if value.is_longer_than(max_value) => {
                parts.push(Part::TooLarge { key, len: value.len() });
            }
            Op::Set { key, value, tags, ttl, auto, ticket, times } => {
                let ttl = ttl.unwrap_or(Ttl::Forever);
                let set = SetOp { key, value, tags, ttl, auto, ticket, times };
                match last {
                    Some(Part::Sets(sets)) => sets.push(set),
                    _ => parts.push(Part::Sets(vec![set])),
                }
            }
            Op::Take { key } => parts.push(Part::Take(key)),
            Op::Remove { key } => match last {
                Some(Part::Removes(keys)) if !keys.contains(&key) => keys.push(key),
                _ => parts.push(Part::Removes(vec![key])),
            },
            Op::Expire { key } => match last {
                Some(Part::Expires(keys)) if !keys.contains(&key) => keys.push(key),
                _ => parts.push(Part::Expires(vec![key])),
            },
            Op::Keys { prefix, cursor } => parts.push(Part::Keys { prefix, cursor }),
            Op::Lock { key, owner, ms } => parts.push(Part::Lock { key, owner, ms }),
            Op::Unlock { key, owner } => parts.push(Part::Unlock { key, owner }),
            Op::Publish { channel, payload } => parts.push(Part::Publish { channel, payload }),
            Op::Subscribe { channel } => parts.push(Part::Subscribe(channel)),
            Op::Unsubscribe { channel } => parts.push(Part::Unsubscribe(channel)),
            Op::Clear { key, tags, invalidation } => match last {
                Some(Part::Clears { clear, count })
                    if clear.invalidation == invalidation || tags.is_empty() || clear.tags.is_empty() =>
                {
                    if clear.tags.is_empty() {
                        clear.invalidation = invalidation;
                    }
                    clear.keys.extend(key);
                    clear.tags.extend(tags);
                    *count += 1;
                }
                _ => {
                    let clear = Clear { keys: key.into_iter().collect(), tags, invalidation };
                    parts.push(Part::Clears { clear, count: 1 });
                }
            },
        }
    }
    parts
}

fn read(parts: &mut Vec<Part>, key: String, mode: ReadMode, chunk: usize) {
    match parts.last_mut() {
        Some(Part::Gets { keys, mode: same }) if *same == mode && keys.len() < chunk => keys.push(key),
        _ => parts.push(Part::Gets { keys: vec![key], mode }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::op::Input;

    fn get(key: &str) -> Op {
        Op::Get { key: key.into(), remember: true, stamp: false }
    }

    fn set(len: usize, ttl: Option<Ttl>) -> Op {
        Op::Set {
            key: "b".into(),
            value: Input::Text(vec![b'1'; len]),
            tags: vec![],
            ttl,
            auto: true,
            ticket: None,
            times: None,
        }
    }

    fn lengths(ops: Vec<Op>) -> Vec<usize> {
        split(ops, 16, 100).iter().map(Part::len).collect()
    }

    fn clear(key: Option<&str>, tags: &[&str], invalidation: Invalidation) -> Op {
        Op::Clear { key: key.map(Into::into), tags: tags.iter().map(|t| Tag::of(t)).collect(), invalidation }
    }

    #[test]
    fn only_neighbours_of_one_kind_travel_together() {
        assert_eq!(lengths(vec![get("a"), get("b"), set(3, Some(Ttl::Forever)), get("b")]), [2, 1, 1]);
        assert_eq!(lengths((0..40).map(|_| get("k")).collect()), [16, 16, 8]);
        assert_eq!(lengths((0..40).map(|_| set(3, Some(Ttl::Forever))).collect()), [32, 8]);
        assert_eq!(lengths((0..40).map(|_| clear(Some("k"), &[], Invalidation::Hard)).collect()), [32, 8]);
    }

    #[test]
    fn keys_are_removed_and_expired_together_but_the_same_one_in_its_turn() {
        let kinds: [fn(String) -> Op; 2] = [|key| Op::Remove { key }, |key| Op::Expire { key }];
        for op in kinds {
            assert_eq!(lengths((0..70).map(|at| op(format!("k{at}"))).collect()), [32, 32, 6]);
            let keys = ["a", "b", "a", "c", "b", "a"];
            assert_eq!(lengths(keys.map(|key| op(key.into())).into()), [2, 3, 1]);
        }
        let [remove, expire] = kinds;
        assert_eq!(lengths(vec![remove("a".into()), expire("b".into()), remove("c".into())]), [1, 1, 1]);
    }

    #[test]
    fn a_set_that_stores_nothing_keeps_its_place_in_the_order() {
        let ops = vec![
            set(3, Some(Ttl::Forever)),
            set(3, None),
            set(3, Some(Ttl::Forever)),
            set(101, Some(Ttl::Ms(5))),
        ];
        let parts = split(ops, 16, 100);
        assert!(matches!(
            parts.as_slice(),
            [Part::Sets(_), Part::Clears { .. }, Part::Sets(_), Part::TooLarge { len: 101, .. }]
        ));
    }

    #[test]
    fn clears_merge_only_where_they_raise_the_same() {
        let ops = vec![
            clear(None, &["a"], Invalidation::Hard),
            clear(Some("k"), &[], Invalidation::Soft),
            clear(None, &["b"], Invalidation::Soft),
        ];
        let parts = split(ops, 16, 100);
        assert_eq!(parts.iter().map(Part::len).collect::<Vec<_>>(), [2, 1]);
        let Part::Clears { clear, .. } = &parts[0] else { panic!("clears first") };
        assert_eq!((clear.keys.len(), clear.tags.len(), clear.invalidation), (1, 1, Invalidation::Hard));
    }
}
