//! What is known of the server over the present connection, taken in with its replies and messages in their order: the clears
//! (`clear_table`), the newest epoch, and, where values are kept in JavaScript, which of those are outdated.

use super::channels::Channels;
use super::clear_log;
use super::clear_table::{Advance, ClearTable, Member};
use crate::events::Events;
use crate::key::Keyspace;
use crate::l1::Slots;
use crate::tags::{Epoch, Invalidation, Tag};
use parking_lot::Mutex;
use redis::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

pub struct State {
    pub(super) clears: Mutex<ClearTable>,
    /// The newest epoch ever seen, over any connection.
    newest: Mutex<Epoch>,
    /// The channel of what is cleared.
    pub(super) advances: String,
    pub(super) channels: Channels,
    local: Option<Local>,
}

/// What tells values kept in JavaScript from outdated ones.
struct Local {
    slots: Arc<Slots>,
    /// What the server's names of entries begin with.
    entries: Vec<u8>,
    /// The server tells of every change over the present connection.
    is_told: AtomicBool,
    /// The epoch up to which every clear was heard of; `NONE` = nothing was heard yet.
    heard: Mutex<Epoch>,
}

impl State {
    pub fn new(space: &Keyspace, events: Events, l1: Option<Arc<Slots>>) -> Self {
        State {
            clears: Mutex::default(),
            newest: Mutex::new(Epoch::NONE),
            advances: space.advances(),
            channels: Channels::new(space.channel_prefix(), events),
            local: l1.map(|slots| Local {
                slots,
                entries: space.entry_prefix().into_bytes(),
                is_told: AtomicBool::new(false),
                heard: Mutex::new(Epoch::NONE),
            }),
        }
    }

    pub fn slots(&self) -> Option<&Arc<Slots>> {
        self.local.as_ref().map(|local| &local.slots)
    }

    /// Whether the server tells of every change by anyone at present.
    pub fn is_told(&self) -> bool {
        self.local.as_ref().is_some_and(|local| local.is_told.load(SeqCst))
    }

    /// It does so from now on.
    pub fn set_told(&self) {
        if let Some(local) = &self.local {
            local.is_told.store(true, SeqCst);
        }
    }

    /// The newest epoch ever seen, also while there is no connection.
    pub fn newest(&self) -> Epoch {
        *self.newest.lock()
    }

    /// The connection is gone: nothing that was true while it lived is true any more.
    pub fn lost(&self) {
        self.clears.lock().forget();
        if let Some(local) = &self.local {
            local.is_told.store(false, SeqCst);
            *local.heard.lock() = Epoch::NONE;
            local.slots.all_changed();
        }
    }

    /// A reply tells the epoch: every clear up to it was told before.
    pub fn observe_epoch(&self, epoch: Epoch) {
        if epoch == Epoch::NONE {
            return;
        }
        {
            let mut newest = self.newest.lock();
            if newest.generation != epoch.generation || newest.n < epoch.n {
                *newest = epoch;
            }
        }
        if let Some(local) = &self.local {
            let mut heard = local.heard.lock();
            // A message was lost, or the server went back.
            if *heard != Epoch::NONE && *heard != epoch {
                local.slots.all_changed();
            }
            *heard = epoch;
        }
    }

    /// The reply to a clear of this process, which may have been published to it before.
    pub fn observe_advance(&self, advance: &Advance, keys: impl Iterator<Item = u16>) {
        self.clears.lock().observe_advance(advance);
        if let Some(local) = &self.local {
            local.hear(advance, keys);
        }
        self.observe_epoch(advance.epoch);
    }

    /// A message on a channel.
    pub fn message(&self, data: Vec<Value>) {
        match data.as_slice() {
            [Value::BulkString(channel), Value::BulkString(payload)]
                if *channel == self.advances.as_bytes() =>
            {
                // What is no message of ours is found out by the next epoch.
                if let Some((advance, keys)) = clear_log::published(payload) {
                    self.observe_advance(&advance, keys.into_iter().map(|hash| hash as u16));
                }
            }
            _ => self.channels.heard(data),
        }
    }

    /// Keys that were changed, as client tracking tells; `None` = the server's databases were flushed.
    pub fn invalidated(&self, keys: Option<Vec<Value>>) {
        let Some(local) = &self.local else { return };
        let Some(keys) = keys else { return local.slots.all_changed() };
        for key in keys {
            if let Value::BulkString(key) = key
                && let Some(key) = key.strip_prefix(&local.entries[..])
            {
                local.slots.key_changed(Slots::of_key(key));
            }
        }
    }
}

impl Local {
    /// Advances are told in their order, each once by a message, and one's own by a reply as well.
    fn hear(&self, advance: &Advance, keys: impl Iterator<Item = u16>) {
        let Advance { epoch, before, members } = advance;
        let mut heard = self.heard.lock();
        let is_same = heard.generation == epoch.generation;
        if is_same && epoch.n <= heard.n {
            return;
        }
        if is_same && *before == heard.n {
            for Member { tag, .. } in members {
                self.slots.tag_changed(Slots::of_tag(*tag));
            }
            keys.for_each(|slot| self.slots.key_changed(slot));
        } else {
            self.slots.all_changed();
        }
        *heard = *epoch;
    }
}

/// Of a clear: what the log and the channel are told.
pub fn members_of(tags: &[Tag], kind: Invalidation) -> Vec<Member> {
    tags.iter().map(|tag| Member { tag: *tag, kind }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (Arc<Slots>, State) {
        let slots = Slots::new(true);
        let space = Keyspace::new("p").unwrap();
        (slots.clone(), State::new(&space, crate::events::silent(), Some(slots)))
    }

    const GENERATION: u64 = 255;

    fn epoch(n: u64) -> Epoch {
        Epoch { generation: GENERATION, n }
    }

    fn message(before: u64, n: u64, tag: &str) -> Vec<Value> {
        let member = Member { tag: Tag::selected(tag), kind: Invalidation::Soft };
        let payload =
            [format!("{GENERATION:016x} {before} {n} ").as_bytes(), &clear_log::member_bytes(member)]
                .concat();
        vec![Value::BulkString(b"p!n".to_vec()), Value::BulkString(payload)]
    }

    /// Of an entry tagged `t`, one tagged `u` and an untagged one: whether values kept of them are outdated by that.
    fn outdated(slots: &Arc<Slots>, what: impl FnOnce()) -> [bool; 3] {
        let of = |key: &str, tag: Option<&str>| {
            let mut stamp = slots.stamp(key);
            stamp.tags(slots, tag.map(Tag::of).into_iter());
            stamp.units(0, false)[..2].to_vec()
        };
        let all = || [of("a", Some("t")), of("b", Some("u")), of("c", None)];
        let before = all();
        what();
        let after = all();
        [0, 1, 2].map(|at| before[at] != after[at])
    }

    #[test]
    fn a_message_outdates_what_it_names_and_a_lost_one_everything() {
        let (slots, state) = state();
        let told = |data: Vec<Value>| outdated(&slots, || state.message(data));
        state.observe_epoch(epoch(5));
        assert_eq!(told(message(5, 6, "t")), [true, false, false]);
        assert_eq!(told(message(5, 6, "t")), [false; 3], "once");
        assert_eq!(told(message(6, 7, "*")), [true; 3]);
        assert_eq!(told(message(8, 9, "t")), [true; 3], "one was lost");
        assert_eq!(outdated(&slots, || state.observe_epoch(epoch(9))), [false; 3]);
        assert_eq!(outdated(&slots, || state.observe_epoch(epoch(10))), [true; 3], "one was lost");
        let other = Epoch { generation: 1, n: 10 };
        assert_eq!(outdated(&slots, || state.observe_epoch(other)), [true; 3]);
        assert_eq!(outdated(&slots, || state.lost()), [true; 3]);
    }

    #[test]
    fn the_reply_to_ones_own_clear_outdates_as_its_message_does() {
        let (slots, state) = state();
        state.observe_epoch(epoch(5));
        let members = members_of(&[Tag::of("t")], Invalidation::Hard);
        let advance = Advance { epoch: epoch(6), before: 5, members };
        let key = Slots::of_key(b"c");
        let reply = || state.observe_advance(&advance, std::iter::once(key));
        assert_eq!(outdated(&slots, reply), [true, false, true]);
        assert_eq!(outdated(&slots, || state.message(message(5, 6, "t"))), [false; 3]);
    }

    #[test]
    fn tracking_outdates_the_keys_it_names_and_a_flush_everything() {
        let (slots, state) = state();
        let told = |key: &str| vec![Value::BulkString(key.as_bytes().to_vec())];
        for (key, expected) in
            [("p:a", [true, false, false]), ("p2:a", [false; 3]), ("p!e", [false; 3]), ("", [false; 3])]
        {
            assert_eq!(outdated(&slots, || state.invalidated(Some(told(key)))), expected, "{key}");
        }
        assert_eq!(outdated(&slots, || state.invalidated(None)), [true; 3]);
    }
}
