//! Which entries one call of the script stores.

use super::writes::Slot;
use crate::backend::{Body, Write};
use crate::tags::Epoch;
use crate::ttl::Ttl;
use std::collections::HashMap;

/// Bounds of one call, which nobody else's command interrupts: a fraction of a millisecond of the server's time. One
/// entry passes whatever its size.
const ENTRIES: usize = 32;
const BYTES: usize = 256 * 1024;
/// Lua takes some thousand values at once. One entry's tags always fit (`envelope::MAX_TAGS`).
const TAGS: usize = 255;

/// What an entry's arguments take beside its key, tags and bytes: about this much.
const OVERHEAD: usize = 128;

/// What one call stores.
pub(super) struct Group<'a> {
    pub entries: Vec<Entry<'a>>,
    /// Epochs and lives, each pair once.
    pub heads: Vec<(Epoch, Ttl)>,
    pub tags: Vec<Tag<'a>>,
    pub bytes: usize,
}

pub(super) struct Entry<'a> {
    /// Its place among all that are written.
    pub at: usize,
    pub slot: &'a Slot,
    pub body: &'a [u8],
    /// Which of the group's heads is its own; here and below, they are counted from 1, as the script does.
    pub head: u8,
}

pub(super) struct Tag<'a> {
    pub name: &'a str,
    /// The head of the longest life among its entries.
    pub longest: u8,
    pub entries: Vec<u8>,
}

impl<'a> Group<'a> {
    fn new() -> Self {
        let (entries, heads, tags) = (Vec::new(), Vec::new(), Vec::new());
        Group { entries, heads, tags, bytes: OVERHEAD }
    }

    fn takes(&self, tags: usize, bytes: usize) -> bool {
        let Group { entries, tags: own, .. } = self;
        entries.is_empty()
            || entries.len() < ENTRIES && own.len() + tags <= TAGS && self.bytes + bytes <= BYTES
    }

    /// `known`: which of the group's tags each name is.
    fn add(
        &mut self,
        at: usize,
        slot: &'a Slot,
        body: &'a [u8],
        bytes: usize,
        known: &mut HashMap<&'a str, usize>,
    ) {
        let write = &slot.write;
        let own = (slot.epoch, write.ttl);
        let head = self.heads.iter().position(|head| *head == own).unwrap_or_else(|| {
            self.heads.push(own);
            self.heads.len() - 1
        });
        let head = head as u8 + 1;
        self.entries.push(Entry { at, slot, body, head });
        for name in &write.tags {
            let which = *known.entry(name).or_insert_with(|| {
                self.tags.push(Tag { name, longest: head, entries: Vec::new() });
                self.tags.len() - 1
            });
            let tag = &mut self.tags[which];
            if lasts_longer(write.ttl, self.heads[usize::from(tag.longest) - 1].1) {
                tag.longest = head;
            }
            tag.entries.push(self.entries.len() as u8);
        }
        self.bytes += bytes;
    }
}

/// Those that have no outcome yet, in their order, in as few calls as their bounds allow.
pub(super) fn group(slots: &[Slot]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known = HashMap::new();
    for (at, slot) in slots.iter().enumerate() {
        let (None, Body::Wire(body)) = (&slot.outcome, &slot.write.body) else { continue };
        let Write { key, tags, .. } = &slot.write;
        let names: usize = tags.iter().map(|tag| 2 * (tag.len() + OVERHEAD)).sum();
        let bytes = OVERHEAD + key.len() + names + body.len();
        if !groups.last().is_some_and(|last| last.takes(tags.len(), bytes)) {
            groups.push(Group::new());
            known.clear();
        }
        if let Some(last) = groups.last_mut() {
            last.add(at, slot, body, bytes, &mut known);
        }
    }
    groups
}

fn lasts_longer(one: Ttl, other: Ttl) -> bool {
    match (one, other) {
        (_, Ttl::Forever) => false,
        (Ttl::Forever, Ttl::Ms(_)) => true,
        (Ttl::Ms(one), Ttl::Ms(other)) => one > other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Written;
    use crate::codec::envelope::MAX_TAGS;

    fn slot(key: &str, tags: &[String], bytes: usize) -> Slot {
        let write = Write {
            key: key.to_owned(),
            tags: tags.to_vec(),
            auto: true,
            ttl: Ttl::Ms(bytes as u64),
            times: None,
            guard: None,
            body: Body::Wire(vec![0; bytes]),
        };
        Slot { write, epoch: Epoch::NONE, outcome: None }
    }

    fn names(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|i| format!("t{i}")).collect()
    }

    fn shape(slots: &[Slot]) -> Vec<(usize, usize)> {
        group(slots).iter().map(|group| (group.entries.len(), group.tags.len())).collect()
    }

    #[test]
    fn a_call_is_bounded_by_entries_bytes_and_tags() {
        let small: Vec<_> = (0..70).map(|i| slot(&i.to_string(), &names(0..2), 100)).collect();
        assert_eq!(shape(&small), [(32, 2), (32, 2), (6, 2)]);
        let large: Vec<_> = (0..5).map(|i| slot(&i.to_string(), &[], 100_000)).collect();
        assert_eq!(shape(&large), [(2, 0), (2, 0), (1, 0)]);
        let huge = [slot("a", &[], 1), slot("b", &[], 2 * BYTES), slot("c", &[], 1)];
        assert_eq!(shape(&huge), [(1, 0), (1, 0), (1, 0)]);
        let tagged: Vec<_> =
            (0..3).map(|i| slot(&i.to_string(), &names(i * MAX_TAGS..(i + 1) * MAX_TAGS), 1)).collect();
        assert_eq!(shape(&tagged), [(1, MAX_TAGS), (1, MAX_TAGS), (1, MAX_TAGS)]);
    }

    #[test]
    fn tags_that_entries_share_are_named_once() {
        let mut slots =
            [slot("a", &names(0..3), 100), slot("done", &names(9..12), 1), slot("b", &names(2..4), 200)];
        slots[1].outcome = Some(Ok(Written::Stale));
        let groups = group(&slots);
        let [only] = groups.as_slice() else { panic!("one call") };
        assert_eq!(only.heads, [(Epoch::NONE, Ttl::Ms(100)), (Epoch::NONE, Ttl::Ms(200))]);
        let tags: Vec<_> =
            only.tags.iter().map(|tag| (tag.name, tag.longest, tag.entries.as_slice())).collect();
        assert_eq!(
            tags,
            [("t0", 1, &[1][..]), ("t1", 1, &[1][..]), ("t2", 2, &[1, 2][..]), ("t3", 2, &[2][..])]
        );
        let entries: Vec<_> = only.entries.iter().map(|entry| (entry.at, entry.head)).collect();
        assert_eq!(entries, [(0, 1), (2, 2)]);
    }
}
