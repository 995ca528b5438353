//! What this process knows of the shards it appended to: enough to tell when one needs a sweep. No I/O; losing a note
//! costs a sweep too many.

use super::shard::{Member, SHARDS};
use crate::model::tag::Tag;
use crate::model::time::UnixMs;
use crate::model::ttl::NEVER;
use std::collections::{HashMap, HashSet};

/// Tags noted: some 150 bytes each, so 0.6 MB at most. Past it all are forgotten.
const MAX_TAGS: usize = 4096;

/// Tags waiting to be told, and tags told at once: a sweep reads 16 shards each.
const MAX_OVERSIZED: usize = 1024;
const TOLD_AT_ONCE: usize = 64;

/// Records that a shard may grow by before its tag counts as oversized, however small it was: 16 x 48 stays well under
/// the 1,000 dead members that a tag may have beside twice its live ones.
const SPARE_RECORDS: usize = 48;

/// Bytes of waste that a shard is compacted for at once, without waiting for a sweep.
const MAX_WASTE: usize = 256 * 1024;

/// Compactions under way at once.
const MAX_COMPACTING: usize = 16;

/// A shard as an append left it.
pub struct Growth {
    /// Bytes of the shard.
    pub size: usize,
    /// Bytes of a record of this append, on average.
    pub record: usize,
    pub expires_at: UnixMs,
}

#[derive(Default)]
struct Note {
    /// Bytes of each shard when it was last looked through.
    base: [u32; SHARDS as usize],
    /// When a good part of the members will have expired; 0 = not known.
    due: UnixMs,
}

#[derive(Default)]
pub struct IndexStats {
    tags: HashMap<Tag, Note>,
    /// No tag is due before this; 0 = none is due at all. Every part of sets asks, and few have to look.
    earliest: UnixMs,
    oversized: HashSet<Tag>,
    compacting: HashSet<(Tag, u32)>,
}

impl IndexStats {
    /// Whether the shard must be compacted at once; the caller says `compacted` when that has ended.
    pub fn grew(&mut self, tag: Tag, shard: u32, growth: &Growth, limit: usize) -> bool {
        let note = self.note(tag);
        let base = note.base[shard as usize] as usize;
        if note.due == 0 && growth.expires_at != NEVER {
            note.due = growth.expires_at;
            self.due(growth.expires_at);
        }
        if growth.size > base * 2 + SPARE_RECORDS * growth.record && self.oversized.len() < MAX_OVERSIZED {
            self.oversized.insert(tag);
        }
        (growth.size > base + MAX_WASTE || growth.size > limit)
            && self.compacting.len() < MAX_COMPACTING
            && self.compacting.insert((tag, shard))
    }

    pub fn compacted(&mut self, tag: Tag, shard: u32) {
        self.compacting.remove(&(tag, shard));
    }

    /// A shard was looked through, and these are its members.
    pub fn looked(&mut self, tag: Tag, shard: u32, members: &[Member<'_>]) {
        let bytes: usize = members.iter().map(Member::bytes).sum();
        let mut expiries: Vec<UnixMs> = members.iter().map(|member| member.expires_at).collect();
        let middle = expiries.len() / 2;
        let median = if expiries.is_empty() { NEVER } else { *expiries.select_nth_unstable(middle).1 };
        let note = self.note(tag);
        note.base[shard as usize] = bytes.min(u32::MAX as usize) as u32;
        if median != NEVER && (note.due == 0 || median < note.due) {
            note.due = median;
            self.due(median);
        }
    }

    /// Tags to sweep, each told once until it has grown, or expired, again.
    pub fn oversized(&mut self, now: UnixMs) -> Vec<Tag> {
        if self.earliest != 0 && self.earliest <= now {
            self.earliest = 0;
            let mut left = NEVER;
            for (tag, note) in self.tags.iter_mut().filter(|(_, note)| note.due != 0) {
                if note.due <= now && self.oversized.len() < MAX_OVERSIZED {
                    note.due = 0;
                    self.oversized.insert(*tag);
                } else {
                    left = left.min(note.due);
                }
            }
            self.due(left);
        }
        let told: Vec<Tag> = self.oversized.iter().take(TOLD_AT_ONCE).copied().collect();
        for tag in &told {
            self.oversized.remove(tag);
        }
        told
    }

    fn due(&mut self, at: UnixMs) {
        if at != NEVER && (self.earliest == 0 || at < self.earliest) {
            self.earliest = at;
        }
    }

    fn note(&mut self, tag: Tag) -> &mut Note {
        if !self.tags.contains_key(&tag) && self.tags.len() >= MAX_TAGS {
            self.tags.clear();
            self.earliest = 0;
        }
        self.tags.entry(tag).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 700_000;

    fn growth(size: usize) -> Growth {
        Growth { size, record: 50, expires_at: 5_000 }
    }

    #[test]
    fn a_tag_is_oversized_when_a_shard_has_doubled_since_it_was_looked_through() {
        let mut notes = IndexStats::default();
        assert!(!notes.grew(Tag::of("t"), 3, &growth(2_400), LIMIT));
        assert!(notes.oversized(0).is_empty());
        notes.grew(Tag::of("t"), 3, &growth(2_450), LIMIT);
        assert_eq!(notes.oversized(0), [Tag::of("t")]);
        assert!(notes.oversized(0).is_empty(), "told twice");
        let key = "k".repeat(990);
        let members: Vec<_> = (0..10).map(|_| Member { key: &key, expires_at: NEVER }).collect();
        notes.looked(Tag::of("t"), 3, &members);
        notes.grew(Tag::of("t"), 3, &growth(22_400), LIMIT);
        assert!(notes.oversized(0).is_empty());
        notes.grew(Tag::of("t"), 3, &growth(22_450), LIMIT);
        assert_eq!(notes.oversized(0), [Tag::of("t")]);
    }

    #[test]
    fn a_tag_is_oversized_when_its_members_have_expired() {
        let mut notes = IndexStats::default();
        notes.grew(Tag::of("t"), 0, &growth(100), LIMIT);
        assert!(notes.oversized(4_999).is_empty());
        assert_eq!(notes.oversized(5_000), [Tag::of("t")]);
        assert!(notes.oversized(9_000).is_empty());
        let members: Vec<_> = [1, 2, 7_000, 8_000].map(|expires_at| Member { key: "k", expires_at }).into();
        notes.looked(Tag::of("t"), 0, &members[2..]);
        assert!(notes.oversized(7_999).is_empty());
        assert_eq!(notes.oversized(8_000), [Tag::of("t")]);
    }

    #[test]
    fn the_earliest_of_many_tags_is_told_first_and_none_is_forgotten() {
        let mut notes = IndexStats::default();
        for (tag, expires_at) in [("c", 30), ("a", 10), ("ever", NEVER), ("b", 20)] {
            notes.grew(Tag::of(tag), 0, &Growth { expires_at, ..growth(100) }, LIMIT);
        }
        let told: Vec<_> =
            (0..40).flat_map(|now| notes.oversized(now).into_iter().map(move |tag| (now, tag))).collect();
        assert_eq!(told, [(10, Tag::of("a")), (20, Tag::of("b")), (30, Tag::of("c"))]);
        notes.looked(Tag::of("b"), 0, &[Member { key: "k", expires_at: 35 }]);
        assert_eq!((notes.oversized(34).len(), notes.oversized(35).len()), (0, 1));
    }

    #[test]
    fn waste_and_size_are_compacted_at_once_and_once() {
        let mut notes = IndexStats::default();
        assert!(notes.grew(Tag::of("t"), 0, &growth(MAX_WASTE + 1), LIMIT));
        assert!(!notes.grew(Tag::of("t"), 0, &growth(MAX_WASTE + 2), LIMIT));
        notes.compacted(Tag::of("t"), 0);
        assert!(notes.grew(Tag::of("t"), 0, &growth(LIMIT + 1), LIMIT));
    }

    #[test]
    fn notes_are_bounded() {
        let mut notes = IndexStats::default();
        for i in 0..3 * MAX_TAGS {
            notes.grew(Tag(i as u64), 0, &growth(LIMIT), usize::MAX);
            assert!(notes.tags.len() <= MAX_TAGS && notes.oversized.len() <= MAX_OVERSIZED);
        }
        assert!(notes.compacting.len() <= MAX_COMPACTING);
        assert_eq!(notes.oversized(0).len(), TOLD_AT_ONCE);
    }
}
