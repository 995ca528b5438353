//! One turn's operations, as js/store/native-store.ts packs them: u32 words, with lengths in UTF-16 units of one joined text.
//! Nothing here trusts them: whatever the words say, the answer is operations or an error.

use crate::engine::{Input, Op, ticket};
use crate::error::{Code, Error, Result};
use crate::model::tag::{Invalidation, Tag};
use crate::model::ttl::{Times, Ttl};

const GET: u32 = 1;
const GET_TAGS: u32 = 2;
const SET: u32 = 3;
const CLEAR: u32 = 4;
const TAKE: u32 = 5;
const EXPIRE: u32 = 6;
const KEYS: u32 = 7;
const LOCK: u32 = 8;
const UNLOCK: u32 = 9;
const PUBLISH: u32 = 10;
const SUBSCRIBE: u32 = 11;
const UNSUBSCRIBE: u32 = 12;
const GET_MANY: u32 = 13;
const REMOVE: u32 = 14;

/// Flags of a get's head.
const REMEMBER: u32 = 1;
const TICKET: u32 = 2;
const PRESENCE: u32 = 4;
const TIMES: u32 = 8;
const STAMP: u32 = 16;

/// Flags of a set's head.
const AUTO: u32 = 1;
const BINARY: u32 = 2;
const TIMED: u32 = 4;
const TICKETED: u32 = 8;

/// Flags of a clear's head.
const KEYED: u32 = 1;
const RAISE_AUTO: u32 = 2;

/// The lifetime that means "for ever".
const FOREVER: u64 = u64::MAX;

/// Unpacks a batch. Every word, every unit of the text and every value must be used up.
pub fn decode(words: &[u32], text: &str, units: usize, values: Vec<Input>) -> Result<Vec<Op>> {
    let mut words = Words { words };
    let mut text = Text { rest: text, ascii: text.len() == units };
    let mut values = values.into_iter();
    // The smallest operation takes two words.
    let mut ops = Vec::with_capacity(words.words.len() / 2);
    while !words.words.is_empty() {
        let head = words.next()?;
        let flags = head >> 8;
        let known = match head & 0xFF {
            GET => REMEMBER | TICKET | PRESENCE | TIMES | STAMP,
            SET => AUTO | BINARY | TIMED | TICKETED,
            CLEAR => KEYED | RAISE_AUTO,
            _ => 0,
        };
        if flags & !known != 0 {
            return Err(malformed("an unknown flag"));
        }
        ops.push(match head & 0xFF {
            GET => {
                let key = text.cut(words.next()?)?;
                let stamp = flags & STAMP != 0;
                match flags & !STAMP {
                    PRESENCE if !stamp => Op::Has { key },
                    TICKET => Op::Read { key, times: false, stamp },
                    flags if flags == TICKET | TIMES => Op::Read { key, times: true, stamp },
                    flags @ (0 | REMEMBER) => Op::Get { key, remember: flags == REMEMBER, stamp },
                    _ => return Err(malformed("flags that exclude each other")),
                }
            }
            GET_MANY => Op::GetMany { keys: texts(&mut words, &mut text, str::to_owned)? },
            GET_TAGS => Op::GetTags { tags: texts(&mut words, &mut text, Tag::of)? },
            SET => {
                let key = text.cut(words.next()?)?;
                let ticket = match flags & TICKETED {
                    0 => None,
                    _ => Some(
                        ticket::read(&text.cut(ticket::LEN as u32)?)
                            .ok_or_else(|| malformed("a ticket that no read gave"))?,
                    ),
                };
                let ttl = words.long()?;
                let times = match flags & TIMED {
                    0 => None,
                    _ => Some(Times {
                        created: words.long()?,
                        fresh_until: words.long()?,
                        cost: words.next()?,
                    }),
                };
                let tags = texts(&mut words, &mut text, Tag::of)?;
                let value = values.next().ok_or_else(|| malformed("a value is missing"))?;
                if matches!(value, Input::Binary(_)) != (flags & BINARY != 0) {
                    return Err(malformed("a value of another kind than its flag"));
                }
                let ttl = match ttl {
                    0 => None,
                    FOREVER => Some(Ttl::Forever),
                    ms => Some(Ttl::Ms(ms)),
                };
                Op::Set { key, value, tags, ttl, auto: flags & AUTO != 0, ticket, times }
            }
            CLEAR => {
                let key = if flags & KEYED != 0 { Some(text.cut(words.next()?)?) } else { None };
                let invalidation =
                    if flags & RAISE_AUTO != 0 { Invalidation::Soft } else { Invalidation::Hard };
                Op::Clear { key, tags: texts(&mut words, &mut text, Tag::selected)?, invalidation }
            }
            TAKE => Op::Take { key: text.cut(words.next()?)? },
            REMOVE => Op::Remove { key: text.cut(words.next()?)? },
            EXPIRE => Op::Expire { key: text.cut(words.next()?)? },
            KEYS => Op::Keys { prefix: text.cut(words.next()?)?, cursor: words.long()? },
            LOCK => Op::Lock {
                key: text.cut(words.next()?)?,
                owner: text.cut(words.next()?)?,
                ms: u64::from(words.next()?),
            },
            UNLOCK => Op::Unlock { key: text.cut(words.next()?)?, owner: text.cut(words.next()?)? },
            PUBLISH => Op::Publish { channel: text.cut(words.next()?)?, payload: text.cut(words.next()?)? },
            SUBSCRIBE => Op::Subscribe { channel: text.cut(words.next()?)? },
            UNSUBSCRIBE => Op::Unsubscribe { channel: text.cut(words.next()?)? },
            _ => return Err(malformed("an unknown operation")),
        });
    }
    if !text.rest.is_empty() || values.next().is_some() {
        return Err(malformed("text or values that no operation takes"));
    }
    Ok(ops)
}

/// Several keys or tags, each made into what it is for the core.
fn texts<T>(words: &mut Words<'_>, text: &mut Text<'_>, of: impl Fn(&str) -> T) -> Result<Vec<T>> {
    let count = words.next()? as usize;
    // Each has a length among the words, so no count can ask for more memory than the caller brought.
    if count > words.words.len() {
        return Err(malformed("more names than words"));
    }
    (0..count).map(|_| Ok(of(text.take(words.next()?)?))).collect()
}

struct Words<'a> {
    words: &'a [u32],
}

impl Words<'_> {
    fn next(&mut self) -> Result<u32> {
        let (first, rest) = self.words.split_first().ok_or_else(|| malformed("words are missing"))?;
        self.words = rest;
        Ok(*first)
    }

    /// The low word first.
    fn long(&mut self) -> Result<u64> {
        Ok(u64::from(self.next()?) | u64::from(self.next()?) << 32)
    }
}

struct Text<'a> {
    rest: &'a str,
    /// One byte a unit: lengths are byte offsets.
    ascii: bool,
}

impl<'a> Text<'a> {
    fn cut(&mut self, units: u32) -> Result<String> {
        self.take(units).map(str::to_owned)
    }

    fn take(&mut self, units: u32) -> Result<&'a str> {
        let at = if self.ascii { units as usize } else { self.offset(units as usize)? };
        let (cut, rest) = self.rest.split_at_checked(at).ok_or_else(|| malformed("text is missing"))?;
        self.rest = rest;
        Ok(cut)
    }

    /// Bytes that so many UTF-16 units take.
    fn offset(&self, units: usize) -> Result<usize> {
        let mut left = units;
        for (at, c) in self.rest.char_indices() {
            if left == 0 {
                return Ok(at);
            }
            left = left.checked_sub(c.len_utf16()).ok_or_else(|| malformed("a length inside a character"))?;
        }
        if left == 0 { Ok(self.rest.len()) } else { Err(malformed("text is missing")) }
    }
}

fn malformed(what: &str) -> Error {
    Error::new(
        Code::Internal,
        format!(
            "A batch is malformed: {what}. This is a defect in Cachalot, or its files are of different versions; reinstall it."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(words: &[u32], text: &str, values: Vec<Input>) -> Result<Vec<Op>> {
        decode(words, text, text.encode_utf16().count(), values)
    }

    #[test]
    fn each_operation_is_read_with_its_flags() {
        let words = [
            1 | 1 << 8,
            1, // get, remembered
            1,
            1, // get
            1 | 4 << 8,
            1, // has
            2,
            2,
            1,
            2, // by tags
            3 | 1 << 8,
            1,
            5,
            1,
            1,
            1, // set, auto
            3 | 2 << 8,
            1,
            u32::MAX,
            u32::MAX,
            0, // set, binary
            3,
            1,
            0,
            0,
            0, // set of no lifetime
            4 | 1 << 8,
            1,
            0, // clear by key
            4 | 2 << 8,
            1,
            1, // clear automatically
        ];
        let values = vec![Input::Text(b"1".to_vec()), Input::Binary(vec![0xFF]), Input::Text(b"2".to_vec())];
        let ops = of(&words, "abccddefghi*", values).unwrap();
        let [
            Op::Get { key: a, remember: true, stamp: false },
            Op::Get { key: b, remember: false, .. },
            Op::Has { .. },
            Op::GetTags { tags },
            Op::Set {
                key: e,
                value: Input::Text(_),
                tags: set_tags,
                ttl: Some(Ttl::Ms(0x1_0000_0005)),
                auto: true,
                ticket: None,
                times: None,
            },
            Op::Set { value: Input::Binary(_), ttl: Some(Ttl::Forever), auto: false, .. },
            Op::Set { ttl: None, .. },
            Op::Clear { key: Some(i), invalidation: Invalidation::Hard, .. },
            Op::Clear { key: None, tags: star, invalidation: Invalidation::Soft },
        ] = ops.as_slice()
        else {
            panic!("{ops:?}")
        };
        assert_eq!((a.as_str(), b.as_str(), e.as_str(), i.as_str()), ("a", "b", "e", "i"));
        assert_eq!(
            (tags.as_slice(), set_tags.as_slice()),
            (&[Tag::of("c"), Tag::of("dd")][..], &[Tag::of("f")][..])
        );
        assert_eq!(star, &[Tag::ROOT]);
    }

    #[test]
    fn times_are_words_and_a_ticket_is_text() {
        let guard = crate::store::guard::Guard {
            epoch: crate::model::tag::Epoch { generation: u64::MAX, n: 300 },
            lease: Some(crate::store::guard::Lease { cas: 200, line: 7, link: 9 }),
            found: Some(crate::codec::envelope::EntryVersion::numbered(3)),
        };
        let ticket: String = ticket::write(guard).iter().map(|byte| char::from(*byte)).collect();
        let words = [
            3 | 12 << 8,
            1,
            5,
            0,
            1,
            2,
            3,
            4,
            5,
            1,
            1, // set, with both
            1 | 2 << 8,
            1, // read
            1 | 10 << 8,
            1, // read, with times
        ];
        let ops = of(&words, &format!("é{ticket}tkm"), vec![Input::Text(b"1".to_vec())]).unwrap();
        let [
            Op::Set { key, tags, ttl, ticket: found, times, .. },
            Op::Read { times: false, .. },
            Op::Read { key: m, times: true, stamp: false },
        ] = ops.as_slice()
        else {
            panic!("{ops:?}")
        };
        assert_eq!((key.as_str(), tags[0], m.as_str()), ("é", Tag::of("t"), "m"));
        assert_eq!((*ttl, *found), (Some(Ttl::Ms(5)), Some(guard)));
        let (created, fresh_until) = (2 << 32 | 1, 4 << 32 | 3);
        assert_eq!(*times, Some(Times { created, fresh_until, cost: 5 }));
        // Cut short, too long by the key's share, or of other characters.
        for text in
            [ticket[..ticket.len() - 1].to_owned(), ticket.replace('\u{1}', "2"), "€".repeat(ticket::LEN)]
        {
            let words = [3 | 8 << 8, 0, 5, 0, 0];
            assert!(of(&words, &text, vec![Input::Text(b"1".to_vec())]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_names_one_key_is_read() {
        let words = [5, 1, 6, 1, 7, 1, 5, 1, 8, 1, 2, 70, 9, 1, 2, 14, 1];
        let ops = of(&words, "abcdeefggh", vec![]).unwrap();
        let [
            Op::Take { key: a },
            Op::Expire { key: b },
            Op::Keys { prefix: c, cursor: 0x1_0000_0005 },
            Op::Lock { key: d, owner: ee, ms: 70 },
            Op::Unlock { key: f, owner: gg },
            Op::Remove { key: h },
        ] = ops.as_slice()
        else {
            panic!("{ops:?}")
        };
        assert_eq!([a, b, c, d, ee, f, gg, h], ["a", "b", "c", "d", "ee", "f", "gg", "h"]);
    }

    #[test]
    fn lengths_are_utf16_units() {
        let ops = of(&[1, 4, 1, 2, 1, 1], "café🐋€", vec![]).unwrap();
        let keys: Vec<_> =
            ops.iter().map(|op| if let Op::Get { key, .. } = op { key.as_str() } else { "" }).collect();
        assert_eq!(keys, ["café", "🐋", "€"]);
        assert!(of(&[1, 1, 1, 1], "🐋", vec![]).is_err());
        assert!(of(&[1, 3], "🐋", vec![]).is_err());
    }

    #[test]
    fn what_is_left_over_or_missing_is_an_error() {
        for (words, text) in [
            (&[1u32, 2][..], "a"),
            (&[1, 1], "ab"),
            (&[1], ""),
            (&[10, 1], "a"),
            (&[5 | 1 << 8, 1], "a"),
            (&[8, 1, 0], "a"),
            (&[7, 1, 0], "a"),
            (&[0, 0], ""),
            (&[1 | 32 << 8, 1], "a"),
            (&[1 | 20 << 8, 1], "a"),
            (&[10 | 1 << 8, 1, 0], "a"),
            (&[10, 1], "a"),
            (&[11, 2], "a"),
            (&[14 | 1 << 8, 1], "a"),
            (&[1 | 5 << 8, 1], "a"),
            (&[1 | 3 << 8, 1], "a"),
            (&[1 | 8 << 8, 1], "a"),
            (&[2 | 1 << 8, 0], ""),
            (&[3 | 128 << 8, 1, 1, 0, 0], "a"),
            (&[4 | 4 << 8, 0], ""),
            (&[2, u32::MAX], ""),
            (&[3, 1, 1, 0, 0], "a"),
        ] {
            let error = of(words, text, vec![]).unwrap_err();
            assert_eq!(error.code, Code::Internal, "{words:?}");
        }
        assert!(of(&[1, 1], "a", vec![Input::Text(vec![])]).is_err());
        assert!(of(&[3, 1, 1, 0, 0], "a", vec![Input::Binary(vec![])]).is_err());
    }

    proptest! {
        #[test]
        fn no_words_do_harm(words in proptest::collection::vec(prop_oneof![0u32..15, (1u32..10, 0u32..16).prop_map(|(op, flags)| op | flags << 8), any::<u32>()], 0..40), text in ".{0,20}") {
            let _ = of(&words, &text, vec![Input::Text(b"1".to_vec())]);
        }
    }
}
