//! The form in which V8 takes a string without looking at it again: one byte a character (Latin-1), or UTF-16.
//! Finding out which happens here, away from the main thread; and so does making UTF-8 of what V8 gave.

use super::envelope::corrupt;
use crate::error::Result;
use bytes::Bytes;
use encoding_rs::mem;
use std::sync::Arc;

/// A stored value, ready to become a JavaScript string or buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Latin1(Bytes),
    /// Shared: process memory hands the same text out many times.
    Utf16(Arc<Vec<u16>>),
    Binary(Bytes),
}

impl Value {
    /// From a payload: UTF-8 text, or bytes.
    pub fn from_payload(payload: Bytes, binary: bool) -> Result<Self> {
        if binary {
            return Ok(Value::Binary(payload));
        }
        if payload.is_ascii() {
            return Ok(Value::Latin1(payload));
        }
        let Ok(text) = std::str::from_utf8(&payload) else { return Err(corrupt("the text is not UTF-8")) };
        if mem::is_str_latin1(text) {
            return Ok(Value::Latin1(mem::encode_latin1_lossy(text).into_owned().into()));
        }
        let mut out = vec![0u16; text.len()];
        let units = mem::convert_str_to_utf16(text, &mut out);
        out.truncate(units);
        Ok(Value::Utf16(Arc::new(out)))
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        match self {
            Value::Latin1(bytes) | Value::Binary(bytes) => bytes.len(),
            Value::Utf16(units) => units.len() * 2,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Units looked at together, so that the compiler takes them by whole registers: first many, and where one of them is
/// not ASCII, few.
const LONG: usize = 128;
const SHORT: usize = 16;

/// UTF-16 as UTF-8; a surrogate without its other half becomes U+FFFD, as V8 writes it.
pub fn utf8(units: &[u16]) -> Vec<u8> {
    // Most texts have few characters of two bytes.
    let mut out = Vec::with_capacity(units.len() + units.len() / 8 + 2 * SHORT);
    let mut rest = units;
    while !rest.is_empty() {
        let stretch = &rest[..rest.len().min(LONG)];
        let length = if is_below(stretch, 0x80) {
            narrow(stretch, &mut out);
            stretch.len()
        } else {
            short(rest, &mut out)
        };
        rest = &rest[length..];
    }
    out
}

/// Writes the next few; how many they were.
fn short(rest: &[u16], out: &mut Vec<u8>) -> usize {
    let mut length = rest.len().min(SHORT);
    let units = &rest[..length];
    if is_below(units, 0x80) {
        narrow(units, out);
    } else if is_below(units, 0x800) {
        let (mut bytes, mut used) = ([0; 2 * SHORT], 0);
        for unit in units {
            let is_wide = *unit >= 0x80;
            bytes[used] = if is_wide { 0xC0 | (unit >> 6) as u8 } else { *unit as u8 };
            used += usize::from(is_wide);
            // Once more in the place of one that is not wide.
            bytes[used] = if is_wide { 0x80 | (unit & 0x3F) as u8 } else { *unit as u8 };
            used += 1;
        }
        out.extend_from_slice(&bytes[..used]);
    } else {
        // Further where it would end between the halves of a character.
        while length < rest.len() && matches!(rest[length - 1], 0xD800..=0xDBFF) {
            length += 1;
        }
        for c in char::decode_utf16(rest[..length].iter().copied()) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    length
}

fn narrow(units: &[u16], out: &mut Vec<u8>) {
    out.extend(units.iter().map(|unit| *unit as u8));
}

/// Whether all are; `bound` is a power of two.
fn is_below(units: &[u16], bound: u16) -> bool {
    units.iter().fold(0, |all, unit| all | unit) < bound
}

/// Bytes that they take as UTF-8.
pub fn utf8_len(units: &[u16]) -> usize {
    let is_half = |unit: &u16| matches!(unit, 0xD800..=0xDFFF);
    if units.iter().fold(false, |any, unit| any | is_half(unit)) {
        let chars = char::decode_utf16(units.iter().copied());
        return chars.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER).len_utf8()).sum();
    }
    units.iter().map(|unit| 1 + usize::from(*unit >= 0x80) + usize::from(*unit >= 0x800)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn utf16_becomes_the_same_text(text in "([ -~]{0,70}|[é€🐋\u{10FFFF}]{0,3}){0,6}") {
            let units: Vec<u16> = text.encode_utf16().collect();
            prop_assert_eq!(utf8_len(&units), text.len());
            prop_assert_eq!(utf8(&units), text.into_bytes());
        }

        #[test]
        fn lost_halves_are_replaced(units in proptest::collection::vec(prop_oneof![Just(0x61u16), 0xD7F0..0xE010u16], 0..100)) {
            let text = String::from_utf16_lossy(&units).into_bytes();
            prop_assert_eq!(utf8_len(&units), text.len());
            prop_assert_eq!(utf8(&units), text);
        }
    }

    fn of(text: &str) -> Value {
        Value::from_payload(Bytes::copy_from_slice(text.as_bytes()), false).unwrap()
    }

    #[test]
    fn each_text_takes_its_narrowest_form() {
        assert_eq!(of("plain"), Value::Latin1(Bytes::from_static(b"plain")));
        assert_eq!(of("café"), Value::Latin1(Bytes::from_static(b"caf\xE9")));
        assert_eq!(of("10 €"), Value::Utf16(Arc::new("10 €".encode_utf16().collect())));
        assert_eq!(of("🐋"), Value::Utf16(Arc::new(vec![0xD83D, 0xDC0B])));
        assert!(Value::from_payload(Bytes::from_static(b"\xFF\xFE"), false).is_err());
    }
}
