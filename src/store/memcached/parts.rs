//! Entries that are larger than an item: the first bytes lie at the entry's own key, the rest in parts on the same server, under
//! keys that no other entry has. Parts and first bytes are sent in one go, in this order. A reader fetches the parts with one more
//! round trip; if one is missing or of another entry, what it has is a miss.
//!
//! Parts that nobody needs any more end with the life that they were given, or are evicted.

use super::commands::{Batch, MetaGetFlags, MetaSetFlags, Replies, seconds};
use super::core::Core;
use super::protocol::Outcome;
use crate::codec::envelope::stub_len;
use crate::codec::split::{self, Rest, TRAILER};
use crate::error::Result;
use crate::model::ttl::Ttl;
use crate::net::cluster::router::Location;
use crate::net::cluster::scatter::Slot;
use crate::store::form::{Wire, WireEntry};
use crate::store::request::ReadEntry;
use bytes::Bytes;

/// What an item costs the server beside key and value: its header, a CAS number, client flags, some padding.
pub const ITEM_HEADER: usize = 60;

/// So much of an item's limit is one part, or the first bytes: items near the limit are what a server finds room for last.
const SHARE: usize = 4;
/// Parts live longer than their first bytes, which the server's clock may end a second early.
const LONGER_MS: u64 = 2_000;
/// Parts of an entry without end live so long after each read: then nothing stays for ever of what was replaced.
const UNREAD: Ttl = Ttl::Ms(30 * 24 * 3_600_000);

/// What is stored beside an entry's first bytes.
#[derive(Default)]
pub struct Parts {
    places: Vec<Location>,
    rest: Vec<u8>,
    life: u32,
}

impl Parts {
    pub fn append(&self, core: &Core, batch: &mut Batch) -> Vec<Slot> {
        let parts = self.places.iter().zip(self.rest.chunks(core.part()));
        let put = MetaSetFlags { flags: 0, life: self.life };
        parts.map(|(place, part)| batch.set(place, part, put)).collect()
    }
}

/// What hindered a part; `Done` if nothing did.
pub fn hindrance(slots: Vec<Slot>, replies: &mut Replies) -> Result<Outcome> {
    for slot in slots {
        let outcome = replies.take(slot)?.outcome;
        if outcome != Outcome::Done {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Done)
}

impl Core {
    fn part(&self) -> usize {
        (self.max_item / SHARE).max(1)
    }

    fn fits(&self, place: &Location, bytes: usize) -> bool {
        bytes + place.key.len() + ITEM_HEADER <= self.max_item
    }

    /// What is stored at the entry's own key, and beside it; `None`: its tags alone are more than an item holds.
    pub fn split(&self, place: &Location, entry: Vec<u8>, ttl: Ttl) -> Option<(Vec<u8>, Parts)> {
        if self.fits(place, entry.len()) {
            return Some((entry, Parts::default()));
        }
        let at = stub_len(&entry)?.max(self.part().min(entry.len()));
        if !self.fits(place, at + TRAILER) || at >= entry.len() {
            return None;
        }
        let parts = (entry.len() - at).div_ceil(self.part());
        let rest = Rest {
            id: rand::random(),
            parts: u32::try_from(parts).ok()?,
            bytes: u32::try_from(entry.len() - at).ok()?,
        };
        let life = match ttl {
            Ttl::Forever => UNREAD,
            Ttl::Ms(ms) => Ttl::Ms(ms.saturating_add(LONGER_MS)),
        };
        let head = split::head(&entry, at, rest);
        let parts =
            Parts { places: self.parts_of(place, rest), rest: entry[at..].to_vec(), life: seconds(life) };
        Some((head, parts))
    }

    /// On the server of the entry, whose connection keeps their order.
    fn parts_of(&self, place: &Location, rest: Rest) -> Vec<Location> {
        let key = |nth: u32| self.space.memcached(&self.space.own(&format!("v:{:016x}:{nth:x}", rest.id))).0;
        (0..rest.parts).map(|nth| Location { key: key(nth), node: place.node }).collect()
    }

    /// Fetches what lies in parts of what was found, in one batch. What is not whole stays as it was found, and is nobody's value.
    pub async fn complete(&self, places: &[Location], found: &mut [Result<ReadEntry<Wire>>]) {
        let mut batch = self.batch();
        let mut split = Vec::new();
        for (at, one) in found.iter().enumerate() {
            let Ok(ReadEntry::Present(WireEntry { bytes: head, .. })) = one else { continue };
            let Some(rest) = split::rest_of(head) else { continue };
            let touch = split::is_endless(head).then(|| seconds(UNREAD));
            let want = MetaGetFlags { touch, ..MetaGetFlags::VALUE };
            let slots: Vec<_> =
                self.parts_of(&places[at], rest).iter().map(|part| batch.get(part, want)).collect();
            split.push((at, rest, slots));
        }
        if split.is_empty() {
            return;
        }
        let mut replies = self.send(batch).await;
        for (at, rest, slots) in split {
            let parts: Result<Vec<Bytes>> =
                slots.into_iter().map(|slot| Ok(replies.take(slot)?.value.unwrap_or_default())).collect();
            match (parts, &mut found[at]) {
                (Ok(parts), Ok(ReadEntry::Present(WireEntry { bytes, .. }))) => {
                    if let Some(entry) = split::whole(bytes, rest, &parts) {
                        *bytes = entry;
                    }
                }
                (Err(error), one) => *one = Err(error),
                _ => {}
            }
        }
    }
}
