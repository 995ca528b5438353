//! Arrays of strings, as MGET answers: found whole in what was read, and handed out as slices of it. The parser of the
//! `redis` crate copies every value, and takes most of the time of a small get; it keeps everything else.

use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// Elements at most: a read asks for fewer, and an array of more is no answer to one.
const MOST: usize = 1024;

/// The longest number taken; a longer one is the other parser's to refuse.
const DIGITS: usize = 9;

pub(super) enum Found {
    Whole(Vec<Option<Bytes>>),
    /// The beginning of one.
    Part,
    /// Something else.
    Other,
}

/// Takes an array of strings and nils off the front, if it is there to its end.
pub(super) fn take(buffer: &mut BytesMut) -> Found {
    let mut at = 0;
    let count = match line(buffer, &mut at, b'*') {
        Line::Number(count) if count <= MOST => count,
        Line::Part => return Found::Part,
        _ => return Found::Other,
    };
    let mut places: Vec<Option<Range<usize>>> = Vec::with_capacity(count);
    for _ in 0..count {
        match buffer.get(at) {
            Some(b'$') => match line(buffer, &mut at, b'$') {
                Line::Number(length) => {
                    let end = at + length;
                    match buffer.get(end..end + 2) {
                        Some(b"\r\n") => places.push(Some(at..end)),
                        Some(_) => return Found::Other,
                        None => return Found::Part,
                    }
                    at = end + 2;
                }
                Line::Nil => places.push(None),
                Line::Part => return Found::Part,
                Line::Other => return Found::Other,
            },
            Some(b'_') => match buffer.get(at + 1..at + 3) {
                Some(b"\r\n") => {
                    places.push(None);
                    at += 3;
                }
                Some(_) => return Found::Other,
                None => return Found::Part,
            },
            Some(_) => return Found::Other,
            None => return Found::Part,
        }
    }
    let whole = buffer.split_to(at).freeze();
    Found::Whole(places.into_iter().map(|place| place.map(|place| whole.slice(place))).collect())
}

enum Line {
    Number(usize),
    /// -1: RESP2's nil.
    Nil,
    Part,
    Other,
}

/// Reads `<kind><digits>\r\n` and goes behind it.
fn line(buffer: &[u8], at: &mut usize, kind: u8) -> Line {
    let Some(first) = buffer.get(*at) else { return Line::Part };
    if *first != kind {
        return Line::Other;
    }
    let digits = buffer.get(*at + 1..).unwrap_or_default();
    let Some(end) = digits.iter().take(DIGITS + 1).position(|byte| *byte == b'\r') else {
        return if digits.len() > DIGITS { Line::Other } else { Line::Part };
    };
    match digits.get(end + 1) {
        Some(b'\n') => {}
        Some(_) => return Line::Other,
        None => return Line::Part,
    }
    *at += end + 3;
    match digits.split_at(end).0 {
        b"-1" => Line::Nil,
        digits if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            Line::Number(digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
        }
        _ => Line::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use redis::{Value, ValueCodec};
    use tokio_util::codec::Decoder;

    /// What the crate's parser makes of the same bytes.
    fn oracle(bytes: &[u8]) -> Option<(Value, usize)> {
        let mut buffer = BytesMut::from(bytes);
        let value = ValueCodec::default().decode(&mut buffer).ok().flatten()?;
        Some((value, bytes.len() - buffer.len()))
    }

    fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
        let mut buffer = BytesMut::from(bytes);
        match take(&mut buffer) {
            Found::Whole(strings) => {
                let items = strings.into_iter().map(|string| match string {
                    Some(bytes) => Value::BulkString(bytes.to_vec()),
                    None => Value::Nil,
                });
                let expected = Some((Value::Array(items.collect()), bytes.len() - buffer.len()));
                prop_assert_eq!(oracle(bytes), expected);
            }
            Found::Part => {
                prop_assert_eq!(&buffer[..], bytes, "taken");
                prop_assert_eq!(oracle(bytes), None, "waits for more than there is to come");
            }
            Found::Other => prop_assert_eq!(&buffer[..], bytes, "taken"),
        }
        Ok(())
    }

    fn string() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..30)
                .prop_map(|bytes| { [format!("${}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat() }),
            Just(b"$-1\r\n".to_vec()),
            Just(b"_\r\n".to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn arrays_of_strings_are_what_the_crate_makes_of_them(
            strings in proptest::collection::vec(string(), 0..6), cut in any::<prop::sample::Index>(), behind in "[+*$]?",
        ) {
            let whole = [format!("*{}\r\n", strings.len()).as_bytes(), &strings.concat(), behind.as_bytes()].concat();
            prop_assert!(matches!(take(&mut BytesMut::from(&whole[..])), Found::Whole(_)));
            agree(&whole)?;
            let end = whole.len() - behind.len();
            let part = &whole[..cut.index(end)];
            prop_assert!(matches!(take(&mut BytesMut::from(part)), Found::Part), "{part:?}");
        }

        #[test]
        fn bytes_that_are_nearly_such_arrays_do_no_harm(
            strings in proptest::collection::vec(string(), 1..4), at in any::<prop::sample::Index>(), with in any::<u8>(),
        ) {
            let mut bytes = [format!("*{}\r\n", strings.len()).as_bytes(), &strings.concat()].concat();
            let at = at.index(bytes.len());
            bytes[at] = with;
            agree(&bytes)?;
        }

        #[test]
        fn noise_does_no_harm(noise in proptest::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'-'), any::<u8>()], 0..40)) {
            agree(&noise)?;
        }
    }

    #[test]
    fn other_replies_are_left_to_the_other_parser() {
        for other in [
            &b"+OK\r\n"[..],
            b"*1\r\n:1\r\n",
            b"*-1\r\n",
            b"*2000\r\n",
            b"*1\r\n*0\r\n",
            b"*1234567890\r\n",
            b"*1\r\n$1234567890\r\n",
        ] {
            assert!(matches!(take(&mut BytesMut::from(other)), Found::Other), "{other:?}");
        }
    }
}
