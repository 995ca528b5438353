//! Splits a batch into parts that travel together and starts them in order.

use super::{Engine, Input, Op, Outcome};
use crate::error::Error;
use crate::model::tag::{Invalidation, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::{Times, Ttl};
use crate::model::version_table::{Change, Neighbours};
use crate::store::{Backend, Clear, Guard};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use std::sync::atomic::Ordering::Relaxed;
use tokio::task::unconstrained;
use xxhash_rust::xxh3::Xxh3Default;

/// Operations that travel in one pipeline at most, so that the first replies are worked on while the others are on
/// their way (measured best between 8 and 32 at 64 concurrent gets).
const CHUNK: usize = 16;
/// Sets travel in so many times as many: on Redis they are one call of a script and share what it costs (measured at 64
/// concurrent sets: 5 to 20 % more than with 16, and the more tags, the more).
const SETS: usize = 2;
/// Removals and expiries in one part: as many as sets, whose answers are as small. Each is looked for among the others, so
/// that a key is there once.
const NAMES: usize = SETS * CHUNK;
/// Where nothing travels, only the length of one lock counts.
const CHUNK_IN_MEMORY: usize = 1024;

pub(super) struct SetOp {
    pub key: String,
    pub value: Input,
    pub tags: Vec<Tag>,
    pub ttl: Ttl,
    pub auto: bool,
    pub ticket: Option<Guard>,
    pub times: Option<Times>,
}

impl SetOp {
    /// A hash of what is stored: the value, its tags in any order, and what clears spare it.
    pub fn content(&self) -> u64 {
        let mut hash = Xxh3Default::new();
        match &self.value {
            Input::Text(bytes) | Input::Binary(bytes) => hash.update(bytes),
            Input::Wide(units) => {
                let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_ne_bytes()).collect();
                hash.update(&bytes);
            }
            Input::Packed(packed) => hash.update(&packed.payload),
            Input::Lost => {}
        }
        let tags = self.tags.iter().fold(0u64, |sum, tag| sum.wrapping_add(tag.0));
        hash.update(&tags.to_ne_bytes());
        hash.update(&[u8::from(self.auto)]);
        hash.digest()
    }
}

/// What is wanted of the entries read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The value. `remember`: a set may follow a miss. `stamp`: a hit with a stamp for L1, here and below.
    Value { remember: bool, stamp: bool },
    /// Whether there is one.
    Presence,
    /// The value, and the guard of a set. `times`: also how old a fresh one is.
    Ticket { times: bool, stamp: bool },
}

impl How {
    pub fn stamps(self) -> bool {
        matches!(self, How::Value { stamp: true, .. } | How::Ticket { stamp: true, .. })
    }
}

/// Operations of one kind, next to each other in a batch.
enum Part {
    Gets {
        keys: Vec<String>,
        how: How,
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

impl<B: Backend> Engine<B> {
    /// Every part sends its first command at its first poll, and they are first polled in order: operations reach the
    /// server in the order in which they were asked for.
    pub async fn run(&self, ops: Vec<Op>, now: UnixMs, deliver: impl Fn(usize, Vec<Outcome>) + Send + Sync) {
        if self.closed.load(Relaxed) {
            deliver(0, ops.iter().map(|_| Outcome::Failed(Error::closed())).collect());
            return;
        }
        self.caller_clock.store(now, Relaxed);
        let chunk = if B::WIRE { CHUNK } else { CHUNK_IN_MEMORY };
        let mut parts = split(ops, chunk, self.max_value as usize);
        if parts.len() > 1 {
            return self.all(parts, now, &deliver).await;
        }
        let Some(only) = parts.pop() else { return };
        drop(parts);
        deliver(0, self.part(only, now).await);
    }

    /// In the heap, so that the usual batch, of one part, is not as large as several.
    fn all<'a>(
        &'a self,
        parts: Vec<Part>,
        now: UnixMs,
        deliver: &'a (impl Fn(usize, Vec<Outcome>) + Send + Sync),
    ) -> BoxFuture<'a, ()> {
        let mut first = 0;
        let parts = parts.into_iter().map(move |part| {
            let at = first;
            first += part.len();
            async move { deliver(at, self.part(part, now).await) }
        });
        // Without the runtime's budget for a turn: where it is used up, the parts that are left would be started after
        // those of the next batch.
        unconstrained(join_all(parts)).map(|_| ()).boxed()
    }

    async fn part(&self, part: Part, now: UnixMs) -> Vec<Outcome> {
        // Counted when the part ends, whatever became of it, and before anyone hears of that. Process memory counts by
        // itself, for all its handles.
        let _change = self.neighbours.as_ref().and_then(|neighbours| part.change(neighbours));
        match part {
            Part::Gets { keys, how } => self.gets(&keys, how, now).await,
            Part::Sets(sets) => self.sets(sets, now).await,
            other => self.rare(other, now).await,
        }
    }

    /// In the heap, so that a get is not as large as the largest of these.
    fn rare(&self, part: Part, now: UnixMs) -> BoxFuture<'_, Vec<Outcome>> {
        let answer = async move {
            match part {
                Part::Gets { .. } | Part::Sets(_) => Vec::new(),
                Part::Many(keys) => {
                    let how = How::Value { remember: true, stamp: false };
                    vec![Outcome::Many(self.gets(&keys, how, now).await)]
                }
                Part::Tags(tags) => vec![self.get_tags(&tags, now).await],
                Part::TooLarge { key, len } => vec![Outcome::Failed(self.refuse(key, len, now).await)],
                Part::Clears { clear, count } => match self.clear(clear, now).await {
                    Ok(()) => (0..count).map(|_| Outcome::Done).collect(),
                    Err(error) => (0..count).map(|_| Outcome::Failed(error.clone())).collect(),
                },
                Part::Take(key) => vec![self.take(key, now).await],
                Part::Removes(keys) => self.removes(keys, now).await,
                Part::Expires(keys) => self.expires(keys, now).await,
                Part::Keys { prefix, cursor } => vec![self.keys(&prefix, cursor, now).await],
                Part::Lock { key, owner, ms } => vec![self.lock(&key, &owner, ms, now).await],
                Part::Unlock { key, owner } => vec![self.unlock(&key, &owner, now).await],
                Part::Publish { channel, payload } => vec![self.publish(&channel, &payload).await],
                Part::Subscribe(channel) => vec![self.subscribe(&channel).await],
                Part::Unsubscribe(channel) => vec![self.unsubscribe(&channel).await],
            }
        };
        answer.boxed()
    }
}

impl Part {
    /// What it changes, for values kept in L1.
    fn change<'a>(&self, neighbours: &'a Neighbours) -> Option<Change<'a>> {
        let none = || std::iter::empty();
        Some(match self {
            Part::Sets(sets) => neighbours.change(sets.iter().map(|set| set.key.as_str()), none()),
            Part::Clears { clear, .. } => {
                let (keys, tags) = (&clear.keys, &clear.tags);
                neighbours.change(keys.iter().map(String::as_str), tags.iter().copied())
            }
            Part::TooLarge { key, .. } | Part::Take(key) => {
                neighbours.change(std::iter::once(key.as_str()), none())
            }
            Part::Removes(keys) | Part::Expires(keys) => {
                neighbours.change(keys.iter().map(String::as_str), none())
            }
            _ => return None,
        })
    }

    fn len(&self) -> usize {
        match self {
            Part::Gets { keys, .. } => keys.len(),
            Part::Sets(sets) => sets.len(),
            Part::Clears { count, .. } => *count,
            Part::Removes(keys) | Part::Expires(keys) => keys.len(),
            _ => 1,
        }
    }
}

fn split(ops: Vec<Op>, chunk: usize, max_value: usize) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for op in ops {
        let op = match op {
            // No lifetime: nothing is stored and nothing older is left, which is a clear.
            Op::Set { key, ttl: None, .. } => {
                Op::Clear { key: Some(key), tags: Vec::new(), raise: Invalidation::Hard }
            }
            op => op,
        };
        let last = parts.last_mut().filter(|part| match part {
            Part::Sets(_) | Part::Clears { .. } => part.len() < SETS * chunk,
            part => part.len() < NAMES,
        });
        match op {
            Op::Get { key, remember, stamp } => read(&mut parts, key, How::Value { remember, stamp }, chunk),
            Op::Read { key, times, stamp } => read(&mut parts, key, How::Ticket { times, stamp }, chunk),
            Op::Has { key } => read(&mut parts, key, How::Presence, chunk),
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
            Op::Clear { key, tags, raise } => match last {
                Some(Part::Clears { clear, count })
                    if clear.raise == raise || tags.is_empty() || clear.tags.is_empty() =>
                {
                    if clear.tags.is_empty() {
                        clear.raise = raise;
                    }
                    clear.keys.extend(key);
                    clear.tags.extend(tags);
                    *count += 1;
                }
                _ => {
                    let clear = Clear { keys: key.into_iter().collect(), tags, raise };
                    parts.push(Part::Clears { clear, count: 1 });
                }
            },
        }
    }
    parts
}

fn read(parts: &mut Vec<Part>, key: String, how: How, chunk: usize) {
    match parts.last_mut() {
        Some(Part::Gets { keys, how: same }) if *same == how && keys.len() < chunk => keys.push(key),
        _ => parts.push(Part::Gets { keys: vec![key], how }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn clear(key: Option<&str>, tags: &[&str], raise: Invalidation) -> Op {
        Op::Clear { key: key.map(Into::into), tags: tags.iter().map(|t| Tag::of(t)).collect(), raise }
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
        assert_eq!((clear.keys.len(), clear.tags.len(), clear.raise), (1, 1, Invalidation::Hard));
    }
}
