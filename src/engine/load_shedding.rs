//! What is done with work that there is no room for: answered at once, and safely.

use super::{Engine, Op, Outcome};
use crate::error::{Code, Error};
use crate::model::tag::Tag;
use crate::store::Backend;
use std::time::Instant;

/// What an operation takes beside its own bytes, with its task and its requests: about what was seen in an outage.
pub const OVERHEAD: usize = 2048;

impl Op {
    /// Bytes that it takes until it is answered.
    pub fn weight(&self) -> usize {
        let names = |tags: &[Tag]| size_of_val(tags);
        OVERHEAD
            + match self {
                Op::Get { key, .. } | Op::Has { key } | Op::Read { key, .. } => key.len(),
                Op::Take { key } | Op::Keys { prefix: key, .. } => key.len(),
                Op::Remove { key } | Op::Expire { key } => key.len(),
                Op::Lock { key, owner, .. } | Op::Unlock { key, owner } => key.len() + owner.len(),
                Op::Publish { channel, payload } => channel.len() + payload.len(),
                Op::Subscribe { channel } | Op::Unsubscribe { channel } => channel.len(),
                Op::GetMany { keys } => {
                    keys.iter().map(|key| key.len() + size_of::<String>() + OVERHEAD / 8).sum()
                }
                Op::GetTags { tags } => names(tags),
                Op::Set { key, value, tags, .. } => key.len() + value.weight() + names(tags),
                Op::Clear { key, tags, .. } => key.as_ref().map_or(0, String::len) + names(tags),
            }
    }

    /// Whether a cache may leave it undone. A clear never: what it is to remove would be served. Nor an unlock: others
    /// wait for it, and would ask until the lock ends by itself. Nor the beginning or end of a subscription, of which
    /// there are few.
    pub fn may_be_refused(&self) -> bool {
        !matches!(
            self,
            Op::Clear { .. }
                | Op::Remove { .. }
                | Op::Expire { .. }
                | Op::Unlock { .. }
                | Op::Subscribe { .. }
                | Op::Unsubscribe { .. }
                | Op::Set { ttl: None, .. }
        )
    }
}

impl<B: Backend> Engine<B> {
    /// Answers an operation without doing it. A get is taken for a miss by its caller, as one that failed.
    pub fn turn_away(&self, op: &Op) -> Outcome {
        let error = Error::new(
            Code::Busy,
            "More work is waiting than fits in memory (64 MB); the server is too slow for it, or away. Ask for less at a time.",
        );
        self.stats.failed(&error);
        let missed = match op {
            Op::Get { key, remember: true, .. } => std::slice::from_ref(key),
            Op::GetMany { keys } => keys,
            _ => &[],
        };
        for key in missed {
            self.remember_failed(key, Instant::now());
        }
        Outcome::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Input;
    use crate::model::tag::Invalidation;

    #[test]
    fn what_clears_is_never_refused() {
        let key = "k".to_owned();
        let set = |ttl| Op::Set {
            key: key.clone(),
            value: Input::Text(vec![0; 1000]),
            tags: vec![Tag::of("t")],
            ttl,
            auto: true,
            ticket: None,
            times: None,
        };
        assert!(
            !Op::Clear { key: Some(key.clone()), tags: vec![], raise: Invalidation::Hard }.may_be_refused()
        );
        assert!(!Op::Remove { key: key.clone() }.may_be_refused());
        assert!(!Op::Expire { key: key.clone() }.may_be_refused());
        assert!(!Op::Unlock { key: key.clone(), owner: "o".into() }.may_be_refused());
        assert!(Op::Lock { key: key.clone(), owner: "o".into(), ms: 1 }.may_be_refused());
        assert!(!set(None).may_be_refused());
        assert!(set(Some(crate::model::ttl::Ttl::Ms(1))).may_be_refused());
        assert!(set(None).weight() > 1000 + OVERHEAD);
    }
}
