//! The form in which V8 takes a string without looking at it again: one byte a character (Latin-1), or UTF-16.
//! Finding out which happens here, away from the main thread.

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

#[cfg(test)]
mod tests {
    use super::*;

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
