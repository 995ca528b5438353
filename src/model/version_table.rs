//! What a store and the values kept in JavaScript (L1) share: a table of counters, one slot for many names.
//!
//! A value kept in JavaScript carries a stamp: the slots of its key, of its tags and of `*`, and the sum of their
//! counters, each read before that was read which the value depends on (docs/internals/local-cache.md). A counter only
//! grows, so an equal sum says that nothing of it changed since. Rust counts at the moment at which it learns of a change, from its own thread;
//! JavaScript only reads, and no event has to reach its loop.

use crate::model::tag::Tag;
use crate::model::time::UnixMs;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Weak};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A slot fits one UTF-16 unit of a stamp. 256 KB a store; a write to an unrelated name ends a value with four names once
/// in 16,384.
pub const SLOTS: usize = 65_536;

/// Words before the slots. As js/local-cache/local-cache.ts reads them.
const HEADER: usize = 8;
/// Takes part in every sum: everything kept is over when it moves.
const ALL: usize = 0;
/// Moves with every clear by tag, before its slot does.
const TAGS: usize = 1;
/// The lower 32 bits of the wall-clock millisecond up to which everything that the server acknowledged is known here.
const HEARD: usize = 2;
/// Set by JavaScript whenever it serves a value.
const USED: usize = 3;
/// For so many milliseconds after `HEARD` values are served; 0 = without such a bound.
const LEASH: usize = 4;
/// Not 0: something was cleared, and what is not known yet.
const BEHIND: usize = 5;

/// A silent connection is asked every second and lost after `commandTimeout` (a second); the third is for a busy machine.
/// It is also the longest that a frozen process or one cut off from the server can serve what others have cleared.
const LEASH_MS: u32 = 3_000;

/// Life of a value in L1 where nothing tells of other processes' changes and nobody said how long.
pub const UNHEARD_MS: u64 = 1_000;

/// Seeds that keep a key and a tag of one name apart.
const KEYS: u64 = 1;
const TAG_NAMES: u64 = 2;

/// Units of a stamp before its slots: the sum, the expiry, and the form of the text.
const HEAD: usize = 7;
/// The greatest whole number of JavaScript: as good as never.
const LATEST: u64 = (1 << 53) - 1;

pub struct VersionTable {
    words: Box<[AtomicU32]>,
}

impl VersionTable {
    /// `tells`: the server tells of changes, over a connection that may fall silent.
    pub fn new(tells: bool) -> Arc<Self> {
        let slots = VersionTable { words: (0..HEADER + SLOTS).map(|_| AtomicU32::new(0)).collect() };
        slots.words[LEASH].store(if tells { LEASH_MS } else { 0 }, SeqCst);
        Arc::new(slots)
    }

    /// For JavaScript to read from, as long as this lives.
    pub fn words(&self) -> &[AtomicU32] {
        &self.words
    }

    pub fn of_key(key: &[u8]) -> u16 {
        xxh3_64_with_seed(key, KEYS) as u16
    }

    pub fn of_tag(tag: Tag) -> u16 {
        xxh3_64_with_seed(&tag.0.to_le_bytes(), TAG_NAMES) as u16
    }

    fn counter(&self, slot: u16) -> &AtomicU32 {
        &self.words[HEADER + usize::from(slot)]
    }

    pub fn key_changed(&self, slot: u16) {
        self.counter(slot).fetch_add(1, SeqCst);
    }

    pub fn tag_changed(&self, slot: u16) {
        self.words[TAGS].fetch_add(1, SeqCst);
        self.counter(slot).fetch_add(1, SeqCst);
    }

    /// Nobody knows what changed.
    pub fn all_changed(&self) {
        self.words[ALL].fetch_add(1, SeqCst);
    }

    /// A request that was sent then has been answered: the server's word of what it acknowledged before has come.
    pub fn heard(&self, at: UnixMs) {
        self.words[HEARD].store(at as u32, SeqCst);
        self.words[BEHIND].store(0, SeqCst);
    }

    /// Whether values may be served at this moment.
    #[cfg(test)]
    pub fn is_heard(&self, now: UnixMs) -> bool {
        self.words[BEHIND].load(SeqCst) == 0
            && (now as u32).wrapping_sub(self.words[HEARD].load(SeqCst)) < self.words[LEASH].load(SeqCst)
    }

    /// Something was cleared, and what is not known yet: nothing is served before the next `heard`.
    pub fn unheard(&self) {
        self.words[BEHIND].store(1, SeqCst);
    }

    /// Whether JavaScript served values since this was last asked.
    pub fn take_used(&self) -> bool {
        self.words[USED].swap(0, Relaxed) != 0
    }

    /// Must be called before the read is sent.
    pub fn stamp(&self, key: &str) -> Stamp {
        let slots = vec![VersionTable::of_key(key.as_bytes()), VersionTable::of_tag(Tag::ROOT)];
        let sum = slots.iter().fold(self.words[ALL].load(SeqCst), |sum, slot| {
            sum.wrapping_add(self.counter(*slot).load(SeqCst))
        });
        Stamp { slots, sum, tags: self.words[TAGS].load(SeqCst) }
    }

    /// Whether a tag was cleared since the stamp was begun.
    pub fn tags_changed(&self, stamp: &Stamp) -> bool {
        self.words[TAGS].load(SeqCst) != stamp.tags
    }
}

/// What a value depends on, and how its counters stood.
#[derive(Debug)]
pub struct Stamp {
    slots: Vec<u16>,
    sum: u32,
    tags: u32,
}

impl Stamp {
    /// Comes after the tags were judged; `tags_changed` then tells whether that can be trusted.
    pub fn tags(&mut self, slots: &VersionTable, tags: impl Iterator<Item = Tag>) {
        for tag in tags {
            let slot = VersionTable::of_tag(tag);
            self.sum = self.sum.wrapping_add(slots.counter(slot).load(SeqCst));
            self.slots.push(slot);
        }
    }

    /// The form in which it travels, one UTF-16 unit each: the sum (2, the low one first), the millisecond at which the
    /// value ends (4), whether its text takes two bytes a unit, then the slots.
    pub fn units(&self, ends: UnixMs, wide: bool) -> Box<[u16]> {
        let ends = ends.min(LATEST);
        let mut units = Vec::with_capacity(HEAD + self.slots.len());
        units.extend([self.sum as u16, (self.sum >> 16) as u16]);
        units.extend([ends as u16, (ends >> 16) as u16, (ends >> 32) as u16, (ends >> 48) as u16]);
        units.push(wide.into());
        units.extend(&self.slots);
        units.into()
    }
}

/// The counters of all stores of this process, in whatever thread, that lie at one place: what one of them changes is
/// counted for all of them, so that a clear which has resolved in this process is never followed by an older value.
#[derive(Default)]
pub struct LocalPeers {
    slots: Mutex<Vec<Weak<VersionTable>>>,
    /// Whether any of them ever kept values. The others pay one look at this for a write.
    any: AtomicBool,
}

/// Weak: a place goes with its last store.
static PLACES: LazyLock<Mutex<HashMap<String, Weak<LocalPeers>>>> = LazyLock::new(Default::default);

impl LocalPeers {
    /// Of the place of this name.
    pub fn at(place: String, own: Option<&Arc<VersionTable>>) -> Arc<Self> {
        let mut places = PLACES.lock();
        places.retain(|_, neighbours| neighbours.strong_count() > 0);
        let known = places.get(&place).and_then(Weak::upgrade);
        let neighbours = known.unwrap_or_else(|| {
            let neighbours = Arc::<LocalPeers>::default();
            places.insert(place, Arc::downgrade(&neighbours));
            neighbours
        });
        if let Some(own) = own {
            let mut slots = neighbours.slots.lock();
            slots.retain(|slots| slots.strong_count() > 0);
            slots.push(Arc::downgrade(own));
            neighbours.any.store(true, SeqCst);
        }
        neighbours
    }

    /// What is changed from now until the answer is dropped.
    pub fn change<'a>(
        &self,
        keys: impl Iterator<Item = &'a str>,
        tags: impl Iterator<Item = Tag>,
    ) -> Change<'_> {
        let named = self.any.load(SeqCst).then(|| Named {
            keys: keys.map(|key| VersionTable::of_key(key.as_bytes())).collect(),
            tags: tags.map(VersionTable::of_tag).collect(),
        });
        Change { of: self, named }
    }
}

struct Named {
    keys: Vec<u16>,
    tags: Vec<u16>,
}

/// Counts when it is dropped: a write whose outcome nobody knows counts as done.
pub struct Change<'a> {
    of: &'a LocalPeers,
    /// `None`: nobody kept values when it began.
    named: Option<Named>,
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.of.any.load(SeqCst) {
            return;
        }
        for slots in self.of.slots.lock().iter().filter_map(Weak::upgrade) {
            match &self.named {
                Some(Named { keys, tags }) => {
                    keys.iter().for_each(|slot| slots.key_changed(*slot));
                    tags.iter().for_each(|slot| slots.tag_changed(*slot));
                }
                None => slots.all_changed(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As js/local-cache/local-cache.ts does it.
    fn holds(slots: &VersionTable, units: &[u16]) -> bool {
        let sum = units[HEAD..].iter().fold(slots.words[ALL].load(SeqCst), |sum, slot| {
            sum.wrapping_add(slots.words[HEADER + usize::from(*slot)].load(SeqCst))
        });
        sum == u32::from(units[0]) | u32::from(units[1]) << 16
    }

    fn stamped(slots: &VersionTable, key: &str, tags: &[&str]) -> Box<[u16]> {
        let mut stamp = slots.stamp(key);
        stamp.tags(slots, tags.iter().map(|tag| Tag::of(tag)));
        stamp.units(u64::MAX, false)
    }

    #[derive(Clone, Debug)]
    enum Step {
        Key(String),
        Tag(String),
        All,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof!["[a-d]".prop_map(Step::Key), "[a-d*]".prop_map(Step::Tag), Just(Step::All),]
    }

    proptest! {
        /// Whatever counts between any two moments of stamping, a value holds if and only if nothing of its own did.
        #[test]
        fn a_value_holds_while_nothing_of_it_changes(
            before in proptest::collection::vec(step(), 0..4),
            between in proptest::collection::vec(step(), 0..4),
            after in proptest::collection::vec(step(), 0..4),
            tags in proptest::collection::btree_set("[a-d]", 0..4),
        ) {
            let slots = VersionTable::new(false);
            let run = |steps: &[Step]| for step in steps {
                match step {
                    Step::Key(key) => slots.key_changed(VersionTable::of_key(key.as_bytes())),
                    Step::Tag(tag) => slots.tag_changed(VersionTable::of_tag(Tag::selected(tag))),
                    Step::All => slots.all_changed(),
                }
            };
            run(&before);
            let mut stamp = slots.stamp("a");
            run(&between);
            stamp.tags(&slots, tags.iter().map(|tag| Tag::of(tag)));
            run(&after);
            let since = |of_tags: bool, step: &Step| match step {
                Step::Key(key) => key == "a",
                Step::Tag(tag) => tag == "*" || of_tags && tags.contains(tag),
                Step::All => true,
            };
            let changed = between.iter().any(|step| since(false, step)) || after.iter().any(|step| since(true, step));
            prop_assert_eq!(holds(&slots, &stamp.units(0, false)), !changed);
        }

        #[test]
        fn sums_wrap(start: u32, more in 1u32..100) {
            let slots = VersionTable::new(false);
            slots.counter(VersionTable::of_key(b"k")).store(start, SeqCst);
            slots.counter(VersionTable::of_tag(Tag::of("t"))).store(u32::MAX - 1, SeqCst);
            let units = stamped(&slots, "k", &["t"]);
            prop_assert!(holds(&slots, &units));
            for _ in 0..more {
                slots.tag_changed(VersionTable::of_tag(Tag::of("t")));
            }
            prop_assert!(!holds(&slots, &units));
        }
    }

    #[test]
    fn a_key_and_a_tag_of_one_name_are_two() {
        let slots = VersionTable::new(false);
        let units = stamped(&slots, "a", &["b"]);
        slots.tag_changed(VersionTable::of_tag(Tag::of("a")));
        slots.key_changed(VersionTable::of_key(b"b"));
        assert!(holds(&slots, &units));
        assert_eq!(units.len(), HEAD + 3);
        assert_eq!(units[2..7], [0xFFFF, 0xFFFF, 0xFFFF, 0x1F, 0]);
    }

    #[test]
    fn what_ends_counts_for_all_stores_of_the_place() {
        let (slots, other) = (VersionTable::new(true), VersionTable::new(true));
        let here = LocalPeers::at("here".into(), Some(&slots));
        let bare = LocalPeers::at("here".into(), None);
        let elsewhere = LocalPeers::at("elsewhere".into(), Some(&other));
        let of = |slots: &Arc<VersionTable>| (stamped(slots, "a", &[]), stamped(slots, "b", &["t"]));
        for by in [&here, &bare] {
            let ((key, tag), (other_key, _)) = (of(&slots), of(&other));
            let change = by.change(["a"].into_iter(), [Tag::of("t")].into_iter());
            assert!(holds(&slots, &key) && holds(&slots, &tag));
            drop(change);
            assert!(!holds(&slots, &key) && !holds(&slots, &tag));
            assert!(holds(&other, &other_key));
        }
        drop(elsewhere);
    }

    #[test]
    fn a_write_that_began_before_anyone_kept_values_ends_all_of_them() {
        let bare = LocalPeers::at("late".into(), None);
        let change = bare.change(["a"].into_iter(), std::iter::empty());
        let slots = VersionTable::new(false);
        let joined = LocalPeers::at("late".into(), Some(&slots));
        let (a, b) = (stamped(&slots, "a", &[]), stamped(&slots, "b", &[]));
        drop(change);
        assert!(!holds(&slots, &a) && !holds(&slots, &b));
        drop((bare, joined));
        assert_eq!(PLACES.lock().get("late").map_or(0, Weak::strong_count), 0);
    }

    #[test]
    fn a_clear_beside_the_reading_of_tags_is_noticed() {
        let slots = VersionTable::new(false);
        let stamp = slots.stamp("a");
        assert!(!slots.tags_changed(&stamp));
        slots.tag_changed(VersionTable::of_tag(Tag::of("t")));
        assert!(slots.tags_changed(&stamp));
    }
}
