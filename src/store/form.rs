//! How a store keeps entries: as bytes on a server (`Wire`), or as values in this process (`InMemory`). The form is a type, so that
//! an entry of one can never be handed to a store of the other.

use super::guard::Lease;
use crate::codec::envelope::{self, Codec, EntryVersion, Envelope, Header};
use crate::codec::split;
use crate::codec::text::Value;
use crate::codec::value::{Packed, StoredValue};
use crate::error::{Error, Result};
use crate::model::tag::{self, Clearance, Epoch, Tag, Validity};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use bytes::Bytes;
use std::fmt::Debug;
use std::sync::Arc;

pub trait EntryForm: Debug + Sized + Send + Sync + 'static {
    /// An entry as a read returns it.
    type Entry: Clone + Debug + Send;
    /// One version of an entry, by which a swap changes exactly this one.
    type Version: Clone + Debug + Send + Sync;
    /// A value on its way into the store.
    type Body: Debug + Send;
    /// The tags of an entry that was read: sorted, each once.
    type Tags: AsRef<[Tag]> + Send;

    /// Whether entries leave the process.
    const IS_REMOTE: bool;

    fn encode(value: Packed, attributes: Attributes<'_>) -> Result<Self::Body>;

    /// Bytes that a value takes in the store.
    fn stored_bytes(body: &Self::Body) -> usize;

    /// The lease of a version, for the set that is to replace it.
    fn lease(version: &Self::Version) -> Option<Lease>;

    /// What a ticket remembers of a version.
    fn version_id(version: &Self::Version) -> EntryVersion;

    fn into_version(entry: Self::Entry) -> Self::Version;

    /// Opens an entry that was read at `key`. Values over `max_value` bytes count as corrupt.
    fn decode(entry: &Self::Entry, key: &str, max_value: u32, now: UnixMs) -> Decoded<Self>;
}

/// What an entry says of itself beside its value.
pub struct Attributes<'a> {
    /// Sorted, each once.
    pub tags: &'a [Tag],
    pub auto: bool,
    pub epoch: Epoch,
    pub expires_at: UnixMs,
    pub times: Option<Times>,
    /// The full key, where the store key is a hash.
    pub key: Option<&'a str>,
}

pub enum Decoded<F: EntryForm> {
    Entry(DecodedEntry<F>),
    /// A part of it is gone: evicted, or of a set that was not finished.
    Incomplete,
    /// The entry of another key with the same hash.
    OtherKey,
    Corrupt(Error),
}

pub struct DecodedEntry<F: EntryForm> {
    pub value: StoredValue,
    pub tags: F::Tags,
    pub expires_at: UnixMs,
    pub times: Option<Times>,
    pub validity: Validity,
}

/// Envelopes on a server.
#[derive(Clone, Copy, Debug)]
pub struct Wire;

#[derive(Clone, Debug)]
pub struct WireEntry {
    /// An envelope, unless someone else wrote there.
    pub bytes: Bytes,
    pub lease: Option<Lease>,
    /// What clears since its epoch make of it.
    pub clearance: Clearance,
}

#[derive(Clone, Debug)]
pub struct WireVersion {
    pub bytes: Bytes,
    pub lease: Option<Lease>,
}

impl EntryForm for Wire {
    type Entry = WireEntry;
    type Version = WireVersion;
    type Body = Envelope;
    type Tags = Vec<Tag>;

    const IS_REMOTE: bool = true;

    fn encode(value: Packed, attributes: Attributes<'_>) -> Result<Envelope> {
        let Attributes { tags, auto, epoch, expires_at, times, key } = attributes;
        let Packed { codec, payload, raw_len, binary } = value;
        let (tags, key) = (tags.to_vec(), key.map(str::to_owned));
        envelope::encode(
            &Header { codec, auto, binary, epoch, expires_at, raw_len, tags, key, times },
            &payload,
        )
    }

    fn stored_bytes(body: &Envelope) -> usize {
        body.len()
    }

    fn lease(version: &WireVersion) -> Option<Lease> {
        version.lease
    }

    fn version_id(version: &WireVersion) -> EntryVersion {
        envelope::version_of(&version.bytes)
    }

    fn into_version(entry: WireEntry) -> WireVersion {
        WireVersion { bytes: entry.bytes, lease: entry.lease }
    }

    fn decode(entry: &WireEntry, key: &str, max_value: u32, now: UnixMs) -> Decoded<Self> {
        if split::rest_of(&entry.bytes).is_some() {
            return Decoded::Incomplete;
        }
        let (header, payload) = match envelope::decode(&entry.bytes, max_value) {
            Ok(decoded) => decoded,
            Err(error) => return Decoded::Corrupt(error),
        };
        if header.key.as_ref().is_some_and(|own| own != key) {
            return Decoded::OtherKey;
        }
        let Header { codec, raw_len, binary, tags, expires_at, times, .. } = header;
        Decoded::Entry(DecodedEntry {
            value: StoredValue::Packed { codec, payload, raw_len, binary },
            tags,
            expires_at,
            times,
            validity: tag::judge(entry.clearance, times.as_ref(), now),
        })
    }
}

/// Values in process memory.
#[derive(Clone, Copy, Debug)]
pub struct InMemory;

#[derive(Debug)]
pub struct MemoryEntry {
    pub value: StoredValue,
    pub epoch: Epoch,
    pub auto: bool,
    pub tags: Box<[Tag]>,
    /// `ttl::NEVER` = never.
    pub expires_at: UnixMs,
    pub times: Option<Times>,
    /// Counted up by the store at each that it keeps.
    pub number: u64,
}

/// An entry that a memory store has judged already: it is alive.
#[derive(Clone, Debug)]
pub struct MemoryRead {
    pub entry: Arc<MemoryEntry>,
    pub is_stale: bool,
}

/// The tags of an entry, which they keep alive.
pub struct MemoryTags(Arc<MemoryEntry>);

impl AsRef<[Tag]> for MemoryTags {
    fn as_ref(&self) -> &[Tag] {
        &self.0.tags
    }
}

impl EntryForm for InMemory {
    type Entry = MemoryRead;
    type Version = Arc<MemoryEntry>;
    type Body = StoredValue;
    type Tags = MemoryTags;

    const IS_REMOTE: bool = false;

    fn encode(value: Packed, _attributes: Attributes<'_>) -> Result<StoredValue> {
        let Packed { codec, payload, raw_len, binary } = value;
        let payload = Bytes::from(payload);
        Ok(match codec {
            Codec::None => StoredValue::Plain(Value::from_payload(payload, binary)?),
            codec => StoredValue::Packed { codec, payload, raw_len, binary },
        })
    }

    fn stored_bytes(body: &StoredValue) -> usize {
        body.len()
    }

    fn lease(_version: &Arc<MemoryEntry>) -> Option<Lease> {
        None
    }

    fn version_id(version: &Arc<MemoryEntry>) -> EntryVersion {
        EntryVersion::numbered(version.number)
    }

    fn into_version(read: MemoryRead) -> Arc<MemoryEntry> {
        read.entry
    }

    fn decode(read: &MemoryRead, _key: &str, _max_value: u32, _now: UnixMs) -> Decoded<Self> {
        let MemoryRead { entry, is_stale } = read;
        Decoded::Entry(DecodedEntry {
            value: entry.value.clone(),
            expires_at: entry.expires_at,
            times: entry.times,
            validity: if *is_stale { Validity::Stale } else { Validity::Valid },
            tags: MemoryTags(entry.clone()),
        })
    }
}
