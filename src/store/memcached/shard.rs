//! The bytes of a shard of an index. No I/O.
//!
//! Records, one after the other: key length (u16, little endian), expiry (u64 ms, little endian), key (UTF-8).

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use crate::model::time::UnixMs;
use std::collections::HashSet;

/// Shards of an index: they bound what an append makes the server copy, and what one page costs.
pub const SHARDS: u32 = 16;

/// Bytes of a record beside its key.
pub const RECORD: usize = 10;

pub struct Member<'a> {
    pub key: &'a str,
    pub expires_at: UnixMs,
}

impl Member<'_> {
    pub fn bytes(&self) -> usize {
        RECORD + self.key.len()
    }
}

pub fn put_record(out: &mut Vec<u8>, key: &str, expires_at: UnixMs) {
    let Ok(length) = u16::try_from(key.len()) else { return };
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&expires_at.to_le_bytes());
    out.extend_from_slice(key.as_bytes());
}

/// Members in the order of their last append, each once. What cannot be read ends it: the rest is dropped.
pub fn members(shard: &[u8]) -> Vec<Member<'_>> {
    let mut all = Vec::new();
    let mut rest = shard;
    while let Some((member, after)) = first_member(rest) {
        all.push(member);
        rest = after;
    }
    let mut seen = HashSet::with_capacity(all.len());
    let mut out: Vec<_> = all.into_iter().rev().filter(|member| seen.insert(member.key)).collect();
    out.reverse();
    out
}

fn first_member(shard: &[u8]) -> Option<(Member<'_>, &[u8])> {
    let (length, rest) = shard.split_first_chunk()?;
    let (expires_at, rest) = rest.split_first_chunk()?;
    let (key, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    let key = std::str::from_utf8(key).ok()?;
    Some((Member { key, expires_at: u64::from_le_bytes(*expires_at) }, rest))
}

pub fn encode<'a>(members: impl IntoIterator<Item = &'a Member<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    for member in members {
        put_record(&mut out, member.key, member.expires_at);
    }
    out
}

/// Drops the oldest until the rest fits.
pub fn newest<'m, 'a>(members: &'m [Member<'a>], most: usize) -> &'m [Member<'a>] {
    let mut bytes = 0;
    let fitting = members.iter().rev().take_while(|member| {
        bytes += member.bytes();
        bytes <= most
    });
    let dropped = members.len() - fitting.count();
    members.get(dropped..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn members_survive_their_bytes_and_the_last_append_wins(keys in proptest::collection::vec("[a-d]{0,2}é?", 0..40)) {
            let mut bytes = Vec::new();
            for (at, key) in keys.iter().enumerate() {
                put_record(&mut bytes, key, at as u64);
            }
            let read = members(&bytes);
            let distinct: HashSet<_> = keys.iter().map(String::as_str).collect();
            prop_assert_eq!(read.len(), distinct.len());
            for member in &read {
                prop_assert_eq!(keys.iter().rposition(|key| key == member.key), Some(member.expires_at as usize));
            }
            prop_assert!(read.is_sorted_by_key(|member| member.expires_at));
            let again = encode(&read);
            prop_assert_eq!(members(&again).len(), read.len());
        }

        #[test]
        fn noise_is_no_member_and_no_panic(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = members(&noise);
        }
    }

    #[test]
    fn the_oldest_go_first() {
        let all: Vec<_> = ["aa", "bb", "cc"].into_iter().map(|key| Member { key, expires_at: 1 }).collect();
        let keys = |most| newest(&all, most).iter().map(|member| member.key).collect::<Vec<_>>();
        assert_eq!(keys(36), ["aa", "bb", "cc"]);
        assert_eq!(keys(35), ["bb", "cc"]);
        assert!(keys(5).is_empty());
    }

    #[test]
    fn a_key_too_long_for_its_length_is_not_indexed() {
        let mut bytes = Vec::new();
        put_record(&mut bytes, &"x".repeat(65_536), 1);
        assert!(bytes.is_empty());
    }
}
