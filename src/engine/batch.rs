//! Splits a batch into parts that travel together and starts them in order.

use super::{Engine, Input, Op, Outcome};
use crate::backend::{Backend, Clear};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::tags::Raise;
use crate::ttl::Ttl;
use futures_util::future::join_all;
use std::sync::atomic::Ordering::Relaxed;

/// Operations that travel in one pipeline at most, so that the first replies are worked on while the others are on
/// their way (measured best between 8 and 32 at 64 concurrent gets).
const CHUNK: usize = 16;
/// Where nothing travels, only the length of one lock counts.
const CHUNK_IN_MEMORY: usize = 1024;

pub(super) struct SetOp {
    pub key: String,
    pub value: Input,
    pub tags: Vec<String>,
    pub ttl: Ttl,
    pub auto: bool,
}

/// Operations of one kind, next to each other in a batch.
enum Part {
    Gets {
        keys: Vec<String>,
        remember: bool,
    },
    Tags(Vec<String>),
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
}

impl<B: Backend> Engine<B> {
    /// Every part sends its first command at its first poll, and they are first polled in order: operations reach the
    /// server in the order in which they were asked for.
    pub async fn run(&self, ops: Vec<Op>, now: UnixMs, deliver: impl Fn(usize, Vec<Outcome>) + Send + Sync) {
        if self.closed.load(Relaxed) {
            deliver(0, ops.iter().map(|_| Outcome::Failed(Error::closed())).collect());
            return;
        }
        let deliver = &deliver;
        let mut first = 0;
        let chunk = if B::WIRE { CHUNK } else { CHUNK_IN_MEMORY };
        let mut parts = split(ops, chunk, self.max_value as usize).into_iter().map(|part| {
            let at = first;
            first += part.len();
            async move { deliver(at, self.part(part, now).await) }
        });
        match (parts.next(), parts.next()) {
            (None, _) => {}
            (Some(only), None) => only.await,
            (Some(one), Some(two)) => {
                join_all([one, two].into_iter().chain(parts)).await;
            }
        }
    }

    async fn part(&self, part: Part, now: UnixMs) -> Vec<Outcome> {
        match part {
            Part::Gets { keys, remember } => self.gets(&keys, remember, now).await,
            Part::Tags(tags) => vec![self.get_tags(&tags, now).await],
            Part::Sets(sets) => self.sets(sets, now).await,
            Part::TooLarge { key, len } => vec![Outcome::Failed(self.refuse(key, len, now).await)],
            Part::Clears { clear, count } => match self.clear(clear, now).await {
                Ok(()) => (0..count).map(|_| Outcome::Done).collect(),
                Err(error) => (0..count).map(|_| Outcome::Failed(error.clone())).collect(),
            },
        }
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Part::Gets { keys, .. } => keys.len(),
            Part::Tags(_) | Part::TooLarge { .. } => 1,
            Part::Sets(sets) => sets.len(),
            Part::Clears { count, .. } => *count,
        }
    }
}

fn split(ops: Vec<Op>, chunk: usize, max_value: usize) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for op in ops {
        let op = match op {
            // No lifetime: nothing is stored and nothing older is left, which is a clear.
            Op::Set { key, ttl: None, .. } => {
                Op::Clear { key: Some(key), tags: Vec::new(), raise: Raise::All }
            }
            op => op,
        };
        let last = parts.last_mut().filter(|part| part.len() < chunk);
        match op {
            Op::Get { key, remember } => match last {
                Some(Part::Gets { keys, remember: same }) if *same == remember => keys.push(key),
                _ => parts.push(Part::Gets { keys: vec![key], remember }),
            },
            Op::GetTags { tags } => parts.push(Part::Tags(tags)),
            Op::Set { key, value, .. } if value.len() > max_value => {
                parts.push(Part::TooLarge { key, len: value.len() });
            }
            Op::Set { key, value, tags, ttl, auto } => {
                let set = SetOp { key, value, tags, ttl: ttl.unwrap_or(Ttl::Forever), auto };
                match last {
                    Some(Part::Sets(sets)) => sets.push(set),
                    _ => parts.push(Part::Sets(vec![set])),
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn get(key: &str) -> Op {
        Op::Get { key: key.into(), remember: true }
    }

    fn set(len: usize, ttl: Option<Ttl>) -> Op {
        Op::Set { key: "b".into(), value: Input::Text(vec![b'1'; len]), tags: vec![], ttl, auto: true }
    }

    fn lengths(ops: Vec<Op>) -> Vec<usize> {
        split(ops, 16, 100).iter().map(Part::len).collect()
    }

    fn clear(key: Option<&str>, tags: &[&str], raise: Raise) -> Op {
        Op::Clear { key: key.map(Into::into), tags: tags.iter().map(|t| t.to_string()).collect(), raise }
    }

    #[test]
    fn only_neighbours_of_one_kind_travel_together() {
        assert_eq!(lengths(vec![get("a"), get("b"), set(3, Some(Ttl::Forever)), get("b")]), [2, 1, 1]);
        assert_eq!(lengths((0..40).map(|_| get("k")).collect()), [16, 16, 8]);
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
            clear(None, &["a"], Raise::All),
            clear(Some("k"), &[], Raise::Auto),
            clear(None, &["b"], Raise::Auto),
        ];
        let parts = split(ops, 16, 100);
        assert_eq!(parts.iter().map(Part::len).collect::<Vec<_>>(), [2, 1]);
        let Part::Clears { clear, .. } = &parts[0] else { panic!("clears first") };
        assert_eq!((clear.keys.len(), clear.tags.len(), clear.raise), (1, 1, Raise::All));
    }
}
