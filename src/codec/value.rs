//! A value on its way into a store and out of it: compressed, or as it is.

use super::compression::{Compression, compress, decompress};
use super::envelope::Codec;
use super::text::Value;
use crate::error::Result;
use bytes::Bytes;
use std::borrow::Cow;

/// A value as it will be stored.
#[derive(Debug)]
pub struct Packed {
    pub codec: Codec,
    pub payload: Vec<u8>,
    /// Bytes before compression.
    pub raw_len: u32,
    /// The payload is bytes, not text.
    pub binary: bool,
}

impl Packed {
    /// Compresses a value if that is worth it. No longer than a `u32` says.
    pub fn new(raw: Vec<u8>, binary: bool, how: &Compression) -> Result<Packed> {
        let raw_len = raw.len() as u32;
        let (codec, payload) = match compress(&raw, how)? {
            (codec, Cow::Owned(payload)) => (codec, payload),
            (codec, Cow::Borrowed(_)) => (codec, raw),
        };
        Ok(Packed { codec, payload, raw_len, binary })
    }

    /// `None` if compression is not worth it.
    pub fn compressed(raw: &[u8], binary: bool, how: &Compression) -> Option<Packed> {
        let (codec, Cow::Owned(payload)) = compress(raw, how).ok()? else { return None };
        Some(Packed { codec, payload, raw_len: raw.len() as u32, binary })
    }
}

/// A value as it is stored.
#[derive(Clone, Debug)]
pub enum StoredValue {
    /// Ready for JavaScript.
    Plain(Value),
    Packed {
        codec: Codec,
        payload: Bytes,
        raw_len: u32,
        binary: bool,
    },
}

impl StoredValue {
    /// Bytes held.
    pub fn len(&self) -> usize {
        match self {
            StoredValue::Plain(value) => value.len(),
            StoredValue::Packed { payload, .. } => payload.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_compressed(&self) -> bool {
        matches!(self, StoredValue::Packed { codec, .. } if *codec != Codec::None)
    }

    pub fn unpack(self) -> Result<Value> {
        match self {
            StoredValue::Plain(value) => Ok(value),
            StoredValue::Packed { codec, payload, raw_len, binary } => {
                decompress(codec, payload, raw_len as usize).and_then(|raw| Value::from_payload(raw, binary))
            }
        }
    }
}
