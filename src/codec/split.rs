//! An entry that is larger than a store's items: its first bytes, with where the rest is in place of it, and the rest in parts.
//! What decides about validity stands in the first bytes, so they are judged, stamped and replaced as a whole entry is.

use super::envelope::{EXPIRES_AT, FIXED, MAGIC, VERSION, stub_len};
use crate::model::ttl::NEVER;
use bytes::Bytes;

/// In the flags: the rest lies elsewhere. To a reader that does not know it the checksum differs.
const SPLIT: u8 = 0b1000_0000;
const FLAGS: usize = 3;
/// Id, number of parts, bytes of the rest.
pub const TRAILER: usize = 16;
/// No entry is longer (`maxValueBytes` is 64 MiB at most), whatever a trailer says.
const MAX_REST: usize = 128 * 1024 * 1024;

/// Where the rest of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Drawn for each entry that is stored, so that parts of two are never mixed.
    pub id: u64,
    pub parts: u32,
    pub bytes: u32,
}

/// The first `at` bytes, which hold all of its tags, and where the rest is.
pub fn head(entry: &[u8], at: usize, rest: Rest) -> Vec<u8> {
    let mut head = Vec::with_capacity(at + TRAILER);
    head.extend_from_slice(&entry[..at]);
    head[FLAGS] |= SPLIT;
    head.extend_from_slice(&rest.id.to_le_bytes());
    head.extend_from_slice(&rest.parts.to_le_bytes());
    head.extend_from_slice(&rest.bytes.to_le_bytes());
    head
}

/// `None` for an entry that is whole, and for what is none.
pub fn rest_of(head: &[u8]) -> Option<Rest> {
    if head.len() < FIXED + TRAILER || head[..2] != MAGIC || head[2] != VERSION || head[FLAGS] & SPLIT == 0 {
        return None;
    }
    let (first, trailer) = head.split_at(head.len() - TRAILER);
    stub_len(first).filter(|len| *len <= first.len())?;
    let (id, numbers) = trailer.split_first_chunk::<8>()?;
    let (parts, bytes) = numbers.split_first_chunk::<4>()?;
    let bytes = u32::from_le_bytes(bytes.try_into().ok()?);
    let parts = u32::from_le_bytes(*parts);
    let is_sound = parts > 0 && parts <= bytes && bytes as usize <= MAX_REST;
    is_sound.then_some(Rest { id: u64::from_le_bytes(*id), parts, bytes })
}

/// Whether it never expires.
pub fn is_endless(head: &[u8]) -> bool {
    head.get(EXPIRES_AT..EXPIRES_AT + 8) == Some(&NEVER.to_le_bytes()[..])
}

/// The entry, of its head and its parts in order; `None` if they are not what was stored. (Whether the bytes are, the checksum
/// says.)
pub fn whole(head: &[u8], rest: Rest, parts: &[Bytes]) -> Option<Bytes> {
    let bytes: usize = parts.iter().map(Bytes::len).sum();
    if parts.len() != rest.parts as usize || bytes != rest.bytes as usize {
        return None;
    }
    let first = &head[..head.len() - TRAILER];
    let mut entry = Vec::with_capacity(first.len() + bytes);
    entry.extend_from_slice(first);
    entry[FLAGS] &= !SPLIT;
    parts.iter().for_each(|part| entry.extend_from_slice(part));
    Some(entry.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::envelope::{Codec, Header, decode, encode, peek, restamp};
    use crate::model::tag::{Epoch, Tag};
    use proptest::prelude::*;

    const CAP: u32 = 1 << 20;

    fn entry(tags: usize, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            codec: Codec::None,
            auto: true,
            binary: false,
            epoch: Epoch { generation: 1, n: 2 },
            expires_at: 3,
            raw_len: payload.len() as u32,
            tags: (1..=tags as u64).map(Tag).collect(),
            key: None,
            times: None,
        };
        encode(&header, payload).unwrap().into_bytes()
    }

    proptest! {
        #[test]
        fn what_is_split_is_whole_again(
            payload in proptest::collection::vec(any::<u8>(), 1..2_000), tags in 0..9usize, more in 0..40usize, part in 1..500usize,
        ) {
            let entry = entry(tags, &payload);
            let at = (FIXED + 8 * tags + more).min(entry.len() - 1);
            let parts: Vec<_> = entry[at..].chunks(part).map(Bytes::copy_from_slice).collect();
            let rest = Rest { id: 7, parts: parts.len() as u32, bytes: (entry.len() - at) as u32 };
            let mut head = head(&entry, at, rest);
            prop_assert_eq!(rest_of(&head), Some(rest));
            prop_assert_eq!(rest_of(&entry), None);
            prop_assert!(decode(&head.clone().into(), CAP).is_err());
            let epoch = Epoch { generation: 8, n: 9 };
            restamp(&mut head, epoch);
            let stub = peek(&head).unwrap();
            prop_assert_eq!((stub.epoch, stub.tags().len()), (epoch, tags));
            let whole = whole(&head, rest, &parts).unwrap();
            let (header, read) = decode(&whole, CAP).unwrap();
            prop_assert_eq!((header.epoch, read.as_ref()), (epoch, &payload[..]));
        }

        #[test]
        fn noise_is_no_head_or_a_sound_one(noise in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut noise = noise;
            if noise.len() > 3 {
                noise[..4].copy_from_slice(&[MAGIC[0], MAGIC[1], VERSION, SPLIT]);
            }
            if let Some(rest) = rest_of(&noise) {
                prop_assert!(rest.parts > 0 && rest.bytes as usize <= MAX_REST);
            }
        }
    }

    #[test]
    fn parts_that_are_missing_or_of_another_length_are_no_entry() {
        let entry = entry(1, &[b'x'; 100]);
        let parts = [Bytes::copy_from_slice(&entry[60..100]), Bytes::copy_from_slice(&entry[100..])];
        let rest = Rest { id: 7, parts: 2, bytes: (entry.len() - 60) as u32 };
        let head = head(&entry, 60, rest);
        assert!(whole(&head, rest, &parts).is_some());
        assert!(whole(&head, rest, &parts[..1]).is_none());
        assert!(whole(&head, rest, &[parts[0].clone(), parts[1].slice(1..)]).is_none());
        let mixed = whole(&head, rest, &[parts[0].clone(), Bytes::from(vec![b'y'; parts[1].len()])]).unwrap();
        assert!(decode(&mixed, CAP).is_err());
    }
}
