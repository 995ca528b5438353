//! One turn's operations, as js/native.ts packs them: u32 words, with lengths in UTF-16 units of one joined text.
//! Nothing here trusts them: whatever the words say, the answer is operations or an error.

use crate::engine::{Input, Op};
use crate::error::{Code, Error, Result};
use crate::tags::Raise;
use crate::ttl::Ttl;

const GET: u32 = 1;
const GET_TAGS: u32 = 2;
const SET: u32 = 3;
const CLEAR: u32 = 4;

/// Both flags of an operation's head; their meaning is the operation's.
const FIRST: u32 = 1;
const SECOND: u32 = 2;

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
        if flags & !(FIRST | SECOND) != 0 {
            return Err(malformed("an unknown flag"));
        }
        ops.push(match head & 0xFF {
            GET => Op::Get { key: text.cut(words.next()?)?, remember: flags & FIRST != 0 },
            GET_TAGS => Op::GetTags { tags: tags(&mut words, &mut text)? },
            SET => {
                let key = text.cut(words.next()?)?;
                let ttl = words.next()? as u64 | (words.next()? as u64) << 32;
                let tags = tags(&mut words, &mut text)?;
                let value = values.next().ok_or_else(|| malformed("a value is missing"))?;
                if matches!(value, Input::Binary(_)) != (flags & SECOND != 0) {
                    return Err(malformed("a value of another kind than its flag"));
                }
                let ttl = match ttl {
                    0 => None,
                    FOREVER => Some(Ttl::Forever),
                    ms => Some(Ttl::Ms(ms)),
                };
                Op::Set { key, value, tags, ttl, auto: flags & FIRST != 0 }
            }
            CLEAR => {
                let key = if flags & FIRST != 0 { Some(text.cut(words.next()?)?) } else { None };
                let raise = if flags & SECOND != 0 { Raise::Auto } else { Raise::All };
                Op::Clear { key, tags: tags(&mut words, &mut text)?, raise }
            }
            _ => return Err(malformed("an unknown operation")),
        });
    }
    if !text.rest.is_empty() || values.next().is_some() {
        return Err(malformed("text or values that no operation takes"));
    }
    Ok(ops)
}

fn tags(words: &mut Words<'_>, text: &mut Text<'_>) -> Result<Vec<String>> {
    let count = words.next()? as usize;
    // Each tag has a length among the words, so no count can ask for more memory than the caller brought.
    if count > words.words.len() {
        return Err(malformed("more tags than words"));
    }
    (0..count).map(|_| text.cut(words.next()?)).collect()
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
}

struct Text<'a> {
    rest: &'a str,
    /// One byte a unit: lengths are byte offsets.
    ascii: bool,
}

impl Text<'_> {
    fn cut(&mut self, units: u32) -> Result<String> {
        let at = if self.ascii { units as usize } else { self.offset(units as usize)? };
        let (cut, rest) = self.rest.split_at_checked(at).ok_or_else(|| malformed("text is missing"))?;
        self.rest = rest;
        Ok(cut.to_owned())
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
            1 | 2 << 8,
            1, // get, raw
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
        let ops = of(&words, "abcddefghi*", values).unwrap();
        let [
            Op::Get { key: a, remember: true },
            Op::Get { key: b, remember: false },
            Op::GetTags { tags },
            Op::Set {
                key: e,
                value: Input::Text(_),
                tags: set_tags,
                ttl: Some(Ttl::Ms(0x1_0000_0005)),
                auto: true,
            },
            Op::Set { value: Input::Binary(_), ttl: Some(Ttl::Forever), auto: false, .. },
            Op::Set { ttl: None, .. },
            Op::Clear { key: Some(i), raise: Raise::All, .. },
            Op::Clear { key: None, tags: star, raise: Raise::Auto },
        ] = ops.as_slice()
        else {
            panic!("{ops:?}")
        };
        assert_eq!((a.as_str(), b.as_str(), e.as_str(), i.as_str()), ("a", "b", "e", "i"));
        assert_eq!(
            (tags.as_slice(), set_tags.as_slice()),
            (&["c".to_owned(), "dd".into()][..], &["f".to_owned()][..])
        );
        assert_eq!(star, &["*".to_owned()]);
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
            (&[9, 1], "a"),
            (&[0, 0], ""),
            (&[1 | 4 << 8, 1], "a"),
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
        fn no_words_do_harm(words in proptest::collection::vec(prop_oneof![0u32..6, any::<u32>()], 0..40), text in ".{0,20}") {
            let _ = of(&words, &text, vec![Input::Text(b"1".to_vec())]);
        }
    }
}
