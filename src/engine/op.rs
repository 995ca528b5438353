//! What a caller asks for, and what it gets back.

use super::ticket::Ticket;
use crate::codec::compression::Compression;
use crate::codec::text::{Value, utf8, utf8_len};
use crate::codec::value::Packed;
use crate::error::{Code, Error, Result};
use crate::model::tag::{Invalidation, Tag};
use crate::model::ttl::{Times, Ttl};
use crate::store::guard::Guard;
use crate::store::request::Page;

/// One operation of a caller.
#[derive(Debug)]
pub enum Op {
    /// `remember`: a set may follow a miss. `stamp`: a hit is to be kept in L1, here and below.
    Get {
        key: String,
        remember: bool,
        stamp: bool,
    },
    /// A read whose caller carries the guard of the set that may follow, as a ticket. `times`: a fresh entry
    /// comes with its own and a ticket too.
    Read {
        key: String,
        times: bool,
        stamp: bool,
    },
    /// Whether a get would hit. Remembers nothing, and leaves nothing in the store.
    Has {
        key: String,
    },
    /// Several at once, answered together. A set may follow each miss.
    GetMany {
        keys: Vec<String>,
    },
    /// The live entries that carry any of the tags.
    GetTags {
        tags: Vec<Tag>,
    },
    /// `ttl: None` = a lifetime of zero: stores nothing, leaves nothing. `ticket`: the guard, in place of a remembered miss.
    Set {
        key: String,
        value: Input,
        tags: Vec<Tag>,
        ttl: Option<Ttl>,
        auto: bool,
        ticket: Option<Guard>,
        times: Option<Times>,
    },
    /// The key whatever else is asked; then the tags.
    Clear {
        key: Option<String>,
        tags: Vec<Tag>,
        invalidation: Invalidation,
    },
    /// The value, which is then gone, for exactly one caller.
    Take {
        key: String,
    },
    /// Cleared, and whether a get would have hit before that.
    Remove {
        key: String,
    },
    /// Stale from now on; what has no times is cleared.
    Expire {
        key: String,
    },
    /// A page of the keys that begin with `prefix`; the first is 0.
    Keys {
        prefix: String,
        cursor: u64,
    },
    /// For so many milliseconds, or until the owner gives it back.
    Lock {
        key: String,
        owner: String,
        ms: u64,
    },
    Unlock {
        key: String,
        owner: String,
    },
    /// To every process that subscribed to the channel.
    Publish {
        channel: String,
        payload: String,
    },
    Subscribe {
        channel: String,
    },
    Unsubscribe {
        channel: String,
    },
}

/// A value on its way in.
#[derive(Debug)]
pub enum Input {
    /// UTF-8.
    Text(Vec<u8>),
    /// UTF-16, as V8 gives it most cheaply.
    Wide(Vec<u16>),
    Binary(Vec<u8>),
    /// As it will be stored: packed on another thread before its batch began.
    Packed(Packed),
    /// Lost with the thread that was to pack it.
    Lost,
}

impl Input {
    /// In bytes; of text, as UTF-8.
    pub fn len(&self) -> usize {
        match self {
            Input::Text(bytes) | Input::Binary(bytes) => bytes.len(),
            Input::Wide(units) => utf8_len(units),
            Input::Packed(packed) => packed.raw_len as usize,
            Input::Lost => 0,
        }
    }

    pub fn is_longer_than(&self, bytes: usize) -> bool {
        match self {
            // None takes more than three.
            Input::Wide(units) if 3 * units.len() <= bytes => false,
            _ => self.len() > bytes,
        }
    }

    /// Bytes of memory that it takes.
    pub fn weight(&self) -> usize {
        match self {
            Input::Text(bytes) | Input::Binary(bytes) => bytes.len(),
            Input::Wide(units) => 2 * units.len(),
            Input::Packed(packed) => packed.payload.len(),
            Input::Lost => 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its packed form, if compression is worth it.
    pub fn pack(&self, how: &Compression) -> Option<Packed> {
        match self {
            Input::Text(raw) => Packed::compressed(raw, false, how),
            Input::Wide(units) => Packed::compressed(&utf8(units), false, how),
            Input::Binary(raw) => Packed::compressed(raw, true, how),
            Input::Packed(_) | Input::Lost => None,
        }
    }

    /// Packs it for the store. No longer than a `u32` says.
    pub fn packed(self, how: &Compression) -> Result<Packed> {
        match self {
            Input::Packed(packed) => Ok(packed),
            Input::Text(raw) => Packed::new(raw, false, how),
            Input::Wide(units) => Packed::new(utf8(&units), false, how),
            Input::Binary(raw) => Packed::new(raw, true, how),
            Input::Lost => Err(Error::new(
                Code::Internal,
                "The value was lost before it was packed; nothing was stored.",
            )),
        }
    }
}

/// What a ticketed read found, where that is more than a fresh value.
#[derive(Debug)]
pub struct TicketedRead {
    pub value: Option<Value>,
    pub ticket: Ticket,
    pub stale: bool,
    pub times: Option<Times>,
}

#[derive(Debug)]
pub enum Outcome {
    Miss,
    Hit(Value),
    /// A hit, and what it takes to keep it in L1 (`l1::Stamp::units`).
    Stamped(Value, Box<[u16]>),
    List(Vec<Value>),
    /// Of each key, in order.
    Many(Vec<Outcome>),
    Keys(Page),
    Done,
    /// The answer to a question: whether it is there, whether it was done.
    Is(bool),
    Read(Box<TicketedRead>),
    Failed(Error),
}

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

#[cfg(test)]
mod tests {
    use super::*;

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
            !Op::Clear { key: Some(key.clone()), tags: vec![], invalidation: Invalidation::Hard }
                .may_be_refused()
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
