//! The stored form of an entry, byte by byte in docs/internals/wire-format.md. Decoding goes by the header alone.

use crate::error::{Code, Error, Result};
use crate::model::tag::{Epoch, Tag};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use bytes::Bytes;
use std::ops::{Deref, Range};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Which version of an entry a read found. Two entries that share it are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryVersion(pub [u8; EntryVersion::LEN]);

impl EntryVersion {
    pub const LEN: usize = 20;
    /// No entry.
    pub const NONE: Self = EntryVersion([0; Self::LEN]);

    /// For a store that numbers what it stores, from 1.
    pub fn numbered(number: u64) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        EntryVersion(bytes)
    }
}

pub const MAGIC: [u8; 2] = [0xCA, 0xC4];
pub const VERSION: u8 = 2;
/// Bytes before the tags. Two versions of an entry that agree in them are the same: they hold the checksum and the epoch.
pub const FIXED: usize = 46;
/// Longest key kept inside an envelope: its length is a u16 there.
pub const MAX_KEY: usize = u16::MAX as usize;

const SUM: Range<usize> = 4..12;
/// The epoch and its own check, which the checksum leaves out: a script on the server replaces them.
const STAMP: Range<usize> = 12..30;
/// What tells one version of an entry from another: checksum, generation, and the end of the epoch's number that changes.
pub const IDENTITY: Range<usize> = 4..24;
pub const EXPIRES_AT: usize = 30;
const RAW_LEN: usize = 38;
const TAG_COUNT: usize = 42;
const TAG_LEN: usize = 8;
const FLAG_CODEC: u8 = 0b0000_0111;
const FLAG_AUTO: u8 = 0b0000_1000;
const FLAG_BINARY: u8 = 0b0001_0000;
const FLAG_KEY: u8 = 0b0010_0000;
const FLAG_EXTENSION: u8 = 0b0100_0000;
/// A field of the extension: its number on the wire, and its length.
const FIELD_TIMES: u8 = 1;
const TIMES_LEN: usize = 20;
/// Of the first bytes of an entry that is split (`split`), which are no entry by themselves.
const FLAG_SPLIT: u8 = 0b1000_0000;
/// The greatest prime below 2^16: no change of one byte of a stamp keeps its check.
const CHECK_MODULUS: u32 = 65_521;

/// How the payload is compressed; the number is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    None = 0,
    Zstd = 1,
    Lz4 = 2,
    Deflate = 3,
}

impl Codec {
    fn from_wire(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Codec::None),
            1 => Some(Codec::Zstd),
            2 => Some(Codec::Lz4),
            3 => Some(Codec::Deflate),
            _ => None,
        }
    }
}

/// What an entry says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub codec: Codec,
    /// Cleared by an automatic invalidation of its tags.
    pub auto: bool,
    /// The payload is bytes, not text.
    pub binary: bool,
    pub epoch: Epoch,
    /// `ttl::NEVER` = never.
    pub expires_at: UnixMs,
    /// Length of the payload after decompression.
    pub raw_len: u32,
    /// Sorted, each once, without the implicit root.
    pub tags: Vec<Tag>,
    /// The full key, where the store key is a hash.
    pub key: Option<String>,
    pub times: Option<Times>,
}

/// The bytes of an entry. Only `encode` makes one, so that they are never anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope(Vec<u8>);

impl Envelope {
    /// Gives it another epoch, without reading the payload again.
    pub fn restamp(&mut self, epoch: Epoch) {
        restamp(&mut self.0, epoch);
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for Envelope {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Makes an entry of this payload, which is compressed already as `header.codec` says.
pub fn encode(header: &Header, payload: &[u8]) -> Result<Envelope> {
    let tags_len = header.tags.len() * TAG_LEN;
    let key_len = header.key.as_ref().map_or(0, |k| k.len() + 2);
    let mut out = Vec::with_capacity(FIXED + tags_len + key_len + 4 + TIMES_LEN + payload.len());
    let mut flags = header.codec as u8;
    flags |= if header.auto { FLAG_AUTO } else { 0 };
    flags |= if header.binary { FLAG_BINARY } else { 0 };
    flags |= if header.key.is_some() { FLAG_KEY } else { 0 };
    flags |= if header.times.is_some() { FLAG_EXTENSION } else { 0 };
    out.extend_from_slice(&MAGIC);
    out.push(VERSION);
    out.push(flags);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&stamp(header.epoch));
    out.extend_from_slice(&header.expires_at.to_le_bytes());
    out.extend_from_slice(&header.raw_len.to_le_bytes());
    // Tags stand before everything of unknown length, so that a reader finds them in the first bytes of an entry.
    out.extend_from_slice(&(header.tags.len() as u32).to_le_bytes());
    for tag in &header.tags {
        out.extend_from_slice(&tag.0.to_le_bytes());
    }
    if let Some(key) = &header.key {
        let Ok(len) = u16::try_from(key.len()) else {
            return Err(Error::config(format!(
                "key: expected at most {MAX_KEY} bytes, got {}; hash it before you use it.",
                key.len()
            )));
        };
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(key.as_bytes());
    }
    if let Some(times) = &header.times {
        out.extend_from_slice(&(2 + TIMES_LEN as u16).to_le_bytes());
        out.extend_from_slice(&[FIELD_TIMES, TIMES_LEN as u8]);
        out.extend_from_slice(&times.created.to_le_bytes());
        out.extend_from_slice(&times.fresh_until.to_le_bytes());
        out.extend_from_slice(&times.cost.to_le_bytes());
    }
    out.extend_from_slice(payload);
    let sum = checksum(&out);
    out[SUM].copy_from_slice(&sum.to_le_bytes());
    Ok(Envelope(out))
}

/// Gives an encoded entry another epoch, without reading the payload again.
pub fn restamp(entry: &mut [u8], epoch: Epoch) {
    entry[STAMP].copy_from_slice(&stamp(epoch));
}

/// What decides about an entry's validity, read from its first bytes alone, without its checksum.
#[derive(Clone, Copy, Debug)]
pub struct Stub<'a> {
    pub epoch: Epoch,
    pub auto: bool,
    pub has_times: bool,
    tags: &'a [u8],
}

impl<'a> Stub<'a> {
    pub fn tags(&self) -> impl ExactSizeIterator<Item = Tag> + Clone + use<'a> {
        self.tags.chunks_exact(TAG_LEN).map(|tag| Tag(read_u64(tag, 0)))
    }
}

/// `None` for bytes that are no entry of this version, or do not hold all of its tags.
pub fn peek(bytes: &[u8]) -> Option<Stub<'_>> {
    if bytes.len() < FIXED || bytes[0..2] != MAGIC || bytes[2] != VERSION {
        return None;
    }
    let epoch = read_stamp(bytes)?;
    let end = FIXED.checked_add(tag_count(bytes).checked_mul(TAG_LEN)?)?;
    let flags = bytes[3];
    let (auto, has_times) = (flags & FLAG_AUTO != 0, flags & FLAG_EXTENSION != 0);
    Some(Stub { epoch, auto, has_times, tags: bytes.get(FIXED..end)? })
}

/// `NONE` for what is too short to be an entry.
pub fn version_of(bytes: &[u8]) -> EntryVersion {
    let identity = bytes.get(IDENTITY).and_then(|identity| identity.try_into().ok());
    identity.map_or(EntryVersion::NONE, EntryVersion)
}

/// The epoch of an entry; `None` for what is no entry.
pub fn epoch_of(bytes: &[u8]) -> Option<Epoch> {
    stub_len(bytes).and_then(|_| read_stamp(bytes))
}

/// How many of an entry's first bytes hold its tags; `None` for what is no entry.
pub fn stub_len(bytes: &[u8]) -> Option<usize> {
    (bytes.len() >= FIXED && bytes[0..2] == MAGIC && bytes[2] == VERSION)
        .then(|| tag_count(bytes).saturating_mul(TAG_LEN).saturating_add(FIXED))
}

/// Reads and checks an entry; the payload is a slice of `entry`. `max_raw` is the cap on the decompressed length.
pub fn decode(entry: &Bytes, max_raw: u32) -> Result<(Header, Bytes)> {
    let bytes = entry.as_ref();
    match bytes.strip_prefix(&MAGIC) {
        Some([VERSION, ..]) if bytes.len() >= FIXED => {}
        Some([VERSION, ..]) => return Err(corrupt("truncated")),
        Some([other, ..]) => {
            return Err(corrupt(format!("version {other} (this release reads {VERSION})")));
        }
        _ => return Err(corrupt("not a Cachalot entry")),
    }
    if read_u64(bytes, SUM.start) != checksum(bytes) {
        return Err(corrupt("checksum differs"));
    }
    let flags = bytes[3];
    let codec = Codec::from_wire(flags & FLAG_CODEC).ok_or_else(|| corrupt("unknown codec"))?;
    if flags & FLAG_SPLIT != 0 {
        return Err(corrupt("unknown flag"));
    }
    let epoch = read_stamp(bytes).ok_or_else(|| corrupt("the epoch's check differs"))?;
    let expires_at = read_u64(bytes, EXPIRES_AT);
    let raw_len = read_u32(bytes, RAW_LEN);
    if raw_len > max_raw {
        return Err(corrupt(format!("declares {raw_len} bytes, over the cap of {max_raw}")));
    }
    let tags: Vec<Tag> = peek(bytes).ok_or_else(|| corrupt("truncated"))?.tags().collect();
    let mut at = FIXED + tags.len() * TAG_LEN;
    let key = if flags & FLAG_KEY != 0 { Some(take_name(bytes, &mut at)?) } else { None };
    let mut times = None;
    if flags & FLAG_EXTENSION != 0 {
        let len = take_len(bytes, &mut at)?;
        let end =
            at.checked_add(len).filter(|end| *end <= bytes.len()).ok_or_else(|| corrupt("truncated"))?;
        times = take_fields(&bytes[at..end])?;
        at = end;
    }
    let payload = entry.slice(at..);
    if codec == Codec::None && payload.len() != raw_len as usize {
        return Err(corrupt("length differs"));
    }
    let header = Header {
        codec,
        auto: flags & FLAG_AUTO != 0,
        binary: flags & FLAG_BINARY != 0,
        epoch,
        expires_at,
        raw_len,
        tags,
        key,
        times,
    };
    Ok((header, payload))
}

/// The same entry with other times, and when it expires.
pub fn retime(entry: &Bytes, times: Times) -> Result<(Envelope, UnixMs)> {
    // Its length was checked when it was read.
    let (header, payload) = decode(entry, u32::MAX)?;
    let header = Header { times: Some(times), ..header };
    Ok((encode(&header, &payload)?, header.expires_at))
}

/// The fields of an extension: each its number, its length, its bytes. Numbers of later releases are skipped.
fn take_fields(mut fields: &[u8]) -> Result<Option<Times>> {
    let mut times = None;
    while let [id, len, rest @ ..] = fields {
        let (field, after) =
            rest.split_at_checked(*len as usize).ok_or_else(|| corrupt("a field is truncated"))?;
        if *id == FIELD_TIMES {
            if field.len() != TIMES_LEN {
                return Err(corrupt("times of another length"));
            }
            let cost = u32::from_le_bytes([field[16], field[17], field[18], field[19]]);
            times = Some(Times { created: read_u64(field, 0), fresh_until: read_u64(field, 8), cost });
        }
        fields = after;
    }
    if fields.is_empty() { Ok(times) } else { Err(corrupt("a field is truncated")) }
}

/// Over every byte but its own and the stamp's.
fn checksum(entry: &[u8]) -> u64 {
    // The first bytes are the seed: one pass, without a state to set up.
    xxh3_64_with_seed(&entry[STAMP.end..], u64::from(read_u32(entry, 0)))
}

/// An epoch and its check, as a server's script writes them too: the sum of its bytes, each times its place.
fn stamp(epoch: Epoch) -> [u8; 18] {
    let mut out = [0; 18];
    out[..8].copy_from_slice(&epoch.generation.to_le_bytes());
    out[8..16].copy_from_slice(&epoch.n.to_le_bytes());
    let check = check_of(&out[..16]);
    out[16..].copy_from_slice(&check.to_le_bytes());
    out
}

fn check_of(epoch: &[u8]) -> u16 {
    let sum: u32 = (1..).zip(epoch).map(|(place, byte): (u32, &u8)| place * (u32::from(*byte) + 1)).sum();
    (sum % CHECK_MODULUS) as u16
}

fn read_stamp(entry: &[u8]) -> Option<Epoch> {
    let (epoch, check) = entry.get(STAMP)?.split_at(16);
    let holds = check_of(epoch).to_le_bytes() == check;
    holds.then(|| Epoch { generation: read_u64(epoch, 0), n: read_u64(epoch, 8) })
}

fn tag_count(entry: &[u8]) -> usize {
    read_u32(entry, TAG_COUNT) as usize
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(out)
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(out)
}

fn take_len(bytes: &[u8], at: &mut usize) -> Result<usize> {
    let len = bytes.get(*at..*at + 2).ok_or_else(|| corrupt("truncated"))?;
    *at += 2;
    Ok(u16::from_le_bytes([len[0], len[1]]) as usize)
}

fn take_name(bytes: &[u8], at: &mut usize) -> Result<String> {
    let len = take_len(bytes, at)?;
    let name = bytes.get(*at..*at + len).ok_or_else(|| corrupt("truncated"))?;
    *at += len;
    String::from_utf8(name.to_vec()).map_err(|_| corrupt("a name is not UTF-8"))
}

pub fn corrupt(why: impl std::fmt::Display) -> Error {
    Error::new(Code::Corrupt, format!("Stored bytes do not decode: {why}."))
}

#[cfg(test)]
mod tests;
