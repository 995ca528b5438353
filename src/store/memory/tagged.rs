//! What the store knows of tags: when each was cleared, and which entries carry it.

use super::members::{IntoIter, Members};
use crate::model::tag::{Clearance, Epoch, Invalidation, Record, Tag};
use foldhash::HashMap;
use std::collections::VecDeque;

/// Records kept of tags that no entry carries, so that a clear is known to sets still under way. Beyond it the oldest merge
/// into `floor`, at worst one wasted set of a new tag. Some 90 bytes each.
const IDLE_TAGS: usize = 16_384;

/// The table is made smaller once it is this many times larger than what it holds.
const SPARSE: usize = 8;

struct Tagged {
    all: u64,
    auto: u64,
    /// Of entries that carry it, unless they wait to be looked at again.
    members: Members,
    /// Entries that carry it.
    users: u32,
    /// Waits in `idle`.
    is_queued: bool,
}

#[derive(Default)]
pub struct Tags {
    known: HashMap<Tag, Tagged>,
    /// No tag without a record was cleared after this.
    floor: u64,
    idle: VecDeque<Tag>,
    /// Members of cleared tags, to be looked at again little by little: a clear moves a whole set here at once.
    waiting: VecDeque<(Tag, IntoIter)>,
}

impl Tags {
    /// With no record of anything before this epoch.
    pub fn from(floor: u64) -> Self {
        Tags { floor, ..Tags::default() }
    }

    /// What clears of these tags make of an entry of this epoch, of the store's own generation.
    pub fn clearance(&self, epoch: Epoch, auto: bool, tags: &[Tag]) -> Clearance {
        let of = |tag: &Tag| self.record(epoch.generation, *tag).clears(epoch, auto);
        tags.iter().map(of).max().unwrap_or(Clearance::None)
    }

    /// The tag's, or what it would be if an entry came that carries it.
    pub fn record(&self, generation: u64, tag: Tag) -> Record {
        let (all, auto) = self.known.get(&tag).map_or((self.floor, self.floor), |tag| (tag.all, tag.auto));
        Record { generation, all, auto }
    }

    /// An entry of this number carries the tag from now on.
    pub fn join(&mut self, tag: Tag, number: u32) {
        let tagged = self.know(tag);
        tagged.users += 1;
        tagged.members.insert(number);
    }

    /// And it does no longer.
    pub fn leave(&mut self, tag: Tag, number: u32) {
        let Some(tagged) = self.known.get_mut(&tag) else { return };
        tagged.users = tagged.users.saturating_sub(1);
        tagged.members.remove(number);
        if tagged.rests() {
            self.idle.push_back(tag);
        }
    }

    /// How many entries carry the tag.
    pub fn users(&self, tag: Tag) -> u32 {
        self.known.get(&tag).map_or(0, |tagged| tagged.users)
    }

    /// In constant time; the members wait from now on.
    pub fn clear(&mut self, tag: Tag, how: Invalidation, n: u64) {
        let tagged = self.know(tag);
        match how {
            Invalidation::Hard => tagged.all = tagged.all.max(n),
            Invalidation::Soft => tagged.auto = tagged.auto.max(n),
        }
        let members = std::mem::take(&mut tagged.members);
        if tagged.rests() {
            self.idle.push_back(tag);
        }
        if members.len() > 0 {
            self.waiting.push_back((tag, members.into_iter()));
        }
    }

    /// The next entry that waits, and for which tag. Another may have its number by now.
    pub fn next_waiting(&mut self) -> Option<(Tag, u32)> {
        while let Some((tag, members)) = self.waiting.front_mut() {
            if let Some(number) = members.next() {
                return Some((*tag, number));
            }
            self.waiting.pop_front();
        }
        None
    }

    /// All that wait for this tag.
    pub fn take_waiting(&mut self, tag: Tag) -> Vec<u32> {
        self.waiting
            .iter_mut()
            .filter(|(cleared, _)| *cleared == tag)
            .flat_map(|(_, members)| members)
            .collect()
    }

    /// One that waited lives, and carries the tag.
    pub fn rejoin(&mut self, tag: Tag, number: u32) {
        if let Some(tagged) = self.known.get_mut(&tag) {
            tagged.members.insert(number);
        }
    }

    pub fn members(&self, tag: Tag) -> impl Iterator<Item = u32> {
        self.known.get(&tag).into_iter().flat_map(|tagged| tagged.members.iter())
    }

    /// Forgets tags that are idle too long: as many at most as became so by the last operation.
    pub fn forget(&mut self) {
        while self.idle.len() > IDLE_TAGS {
            let Some(tag) = self.idle.pop_front() else { break };
            let Some(tagged) = self.known.get_mut(&tag) else { continue };
            tagged.is_queued = false;
            if tagged.users == 0 {
                self.floor = self.floor.max(tagged.all).max(tagged.auto);
                self.known.remove(&tag);
            }
        }
        if self.known.capacity() > SPARSE * (self.known.len() + IDLE_TAGS) {
            self.known.shrink_to(2 * self.known.len());
        }
    }

    /// Memberships, of entries that wait too.
    pub fn len(&self) -> usize {
        let joined: usize = self.known.values().map(|tagged| tagged.members.len()).sum();
        joined + self.waiting.iter().map(|(_, members)| members.len()).sum::<usize>()
    }

    /// Makes a tag's record if it has none, as of the last clear that it may have missed.
    fn know(&mut self, tag: Tag) -> &mut Tagged {
        let floor = self.floor;
        self.known.entry(tag).or_insert_with(|| Tagged {
            all: floor,
            auto: floor,
            members: Members::default(),
            users: 0,
            is_queued: false,
        })
    }
}

impl Tagged {
    /// Whether it is to be queued for removal, which happens if no entry carries it when its turn comes.
    fn rests(&mut self) -> bool {
        self.users == 0 && !std::mem::replace(&mut self.is_queued, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: Epoch = Epoch { generation: 7, n: 10 };

    #[test]
    fn a_tag_that_an_entry_carries_is_never_forgotten() {
        let mut tags = Tags::from(1);
        let (used, waits) = (Tag::of("used"), Tag::of("waits"));
        tags.join(used, 0);
        tags.join(waits, 1);
        tags.clear(waits, Invalidation::Soft, 11);
        for i in 0..3 * IDLE_TAGS as u64 {
            tags.clear(Tag(2 * i + 1_000), Invalidation::Hard, 5);
            tags.forget();
        }
        assert_eq!((tags.known.len(), tags.idle.len(), tags.floor), (IDLE_TAGS + 2, IDLE_TAGS, 5));
        assert_eq!(tags.clearance(E, true, &[used]), Clearance::None);
        assert_eq!(tags.clearance(E, true, &[used, waits]), Clearance::Soft);
        assert_eq!(tags.clearance(Epoch { n: 4, ..E }, true, &[Tag::of("new")]), Clearance::Hard);
        assert_eq!((tags.users(waits), tags.members(waits).count(), tags.len()), (1, 0, 2));
        assert_eq!(tags.next_waiting(), Some((waits, 1)));
        tags.rejoin(waits, 1);
        tags.leave(waits, 1);
        tags.leave(used, 0);
        assert_eq!((tags.len(), tags.users(used)), (0, 0));
        tags.forget();
        assert_eq!(tags.idle.len(), IDLE_TAGS);
    }

    #[test]
    fn a_table_that_was_large_is_made_smaller() {
        let mut tags = Tags::from(1);
        for i in 0..1_000_000 {
            tags.join(Tag(2 * i), 0);
        }
        assert!(tags.known.capacity() >= 1_000_000);
        for i in 0..1_000_000 {
            tags.leave(Tag(2 * i), 0);
            tags.forget();
        }
        assert!(tags.known.capacity() <= 2 * SPARSE * IDLE_TAGS, "{}", tags.known.capacity());
    }
}
