//! What is known of the server over the present connection, taken in with its replies and pushes in their order: the clears
//! (`clear_table`), the newest epoch, and, where values are kept in JavaScript, which of those are outdated.

use super::clear_table::{Advance, ClearTable, Delta, LookUp, Member, Observed};
use super::history::{History, Identity};
use super::local::{Heard, Local};
use super::subscriptions::Subscriptions;
use crate::events::Events;
use crate::model::key::Keyspace;
use crate::model::tag::{Epoch, Invalidation, Tag};
use crate::model::time::UnixMs;
use crate::model::version_table::VersionTable;
use parking_lot::Mutex;
use redis::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

pub struct State {
    pub(super) clears: Mutex<ClearTable>,
    /// Locked after `clears`, where both are.
    pub(super) history: Mutex<History>,
    /// The connection that is being handshaking.
    handshaking: AtomicU64,
    pub(super) channels: Subscriptions,
    local: Option<Local>,
}

impl State {
    pub fn new(space: &Keyspace, events: Events, l1: Option<Arc<VersionTable>>) -> Self {
        State {
            clears: Mutex::default(),
            history: Mutex::default(),
            handshaking: AtomicU64::new(0),
            channels: Subscriptions::new(space.channel_prefix(), events),
            local: l1.map(|versions| Local {
                versions,
                entries: space.entry_prefix().into_bytes(),
                epoch: space.epoch().into_bytes(),
                is_tracked: AtomicBool::new(false),
                heard: Mutex::default(),
            }),
        }
    }

    pub fn versions(&self) -> Option<&Arc<VersionTable>> {
        self.local.as_ref().map(|local| &local.versions)
    }

    /// Whether the server tells of every change by anyone at present.
    pub fn is_tracked(&self) -> bool {
        self.local.as_ref().is_some_and(|local| local.is_tracked.load(SeqCst))
    }

    /// It does so from now on.
    pub fn set_tracked(&self) {
        if let Some(local) = &self.local {
            local.is_tracked.store(true, SeqCst);
        }
    }

    /// The newest epoch of the server's history, also while there is no connection.
    pub fn max_epoch_seen(&self) -> Epoch {
        self.history.lock().max_epoch_seen()
    }

    /// A connection of that number is about to be handshaking.
    pub fn begins_handshake(&self, connection_id: u64) {
        self.handshaking.store(connection_id, SeqCst);
    }

    /// The connection is gone: nothing that was true while it lived is true any more.
    pub fn lost(&self) {
        let known_to = {
            let mut clears = self.clears.lock();
            let known_to = clears.known_to();
            clears.forget();
            known_to
        };
        self.history.lock().lost(known_to);
        if let Some(local) = &self.local {
            local.is_tracked.store(false, SeqCst);
            *local.heard.lock() = Heard::default();
            local.versions.all_changed();
        }
    }

    /// The history and the epoch of a new connection, and the whole log, if it is there.
    pub fn begin(&self, identity: Option<Identity>, epoch: Epoch, log: Option<&Delta>) {
        {
            let mut history = self.history.lock();
            history.serve(identity, self.handshaking.load(SeqCst), epoch, Instant::now());
            if let Some(log) = log.filter(|log| log.is_of(epoch.generation)) {
                history.note(log.members.iter().copied());
                history.note_first_floor(log.floor);
            }
        }
        if let Some(log) = log {
            self.clears.lock().start(epoch, log);
        }
        if let Some(local) = &self.local
            && epoch != Epoch::NONE
        {
            local.caught_up(epoch);
        }
    }

    /// A reply tells the epoch, `NONE` = there is none.
    pub fn observe_epoch(&self, epoch: Epoch) -> Observed {
        let observed = self.clears.lock().observe_epoch(epoch);
        self.history.lock().heard(epoch);
        if let Some(local) = &self.local {
            match observed {
                Observed::Complete => local.caught_up(epoch),
                Observed::Behind { .. } => {}
                Observed::Unusable => local.lost_track(),
            }
        }
        observed
    }

    /// What was cleared after this number, as asked for after a reply of this epoch. False: the entries of that reply cannot be
    /// judged.
    pub fn observe_delta(&self, epoch: Epoch, after: u64, delta: &Delta) -> bool {
        let (is_usable, known_to) = {
            let mut clears = self.clears.lock();
            (clears.observe_delta(epoch, delta), clears.known_to())
        };
        if is_usable {
            let mut history = self.history.lock();
            history.heard(known_to);
            if delta.is_of(known_to.generation) && epoch.generation == known_to.generation {
                history.note(delta.members.iter().copied());
                history.note_floor(delta.floor, after);
            }
        }
        if let Some(local) = &self.local {
            if is_usable {
                local.learn(delta, known_to);
            } else {
                local.lost_track();
            }
        }
        is_usable
    }

    /// When members were last cleared, as asked for after a reply of this epoch, while every clear up to `asked_at` was known.
    pub fn observe_look_up(&self, epoch: Epoch, asked_at: u64, found: &LookUp) -> bool {
        let is_known = self.clears.lock().observe_look_up(epoch, found);
        if is_known {
            self.history.lock().note_look_up(found, asked_at);
        }
        is_known
    }

    /// The reply to a clear of this process, which cleared these keys too.
    pub fn observe_advance(&self, advance: &Advance, keys: Vec<String>) {
        self.clears.lock().observe_advance(advance);
        if let Some(local) = &self.local {
            local.advance(advance, keys.iter().map(|key| VersionTable::of_key(key.as_bytes())));
        }
        let Advance { epoch, before, members } = advance;
        let mut history = self.history.lock();
        history.heard(*epoch);
        if *before == 0 {
            history.note_everything(epoch.n);
        }
        history.note(members.iter().map(|member| (*member, epoch.n)));
        history.note_keys(keys, epoch.n);
    }

    /// Keys that were changed, as client tracking tells; `None` = the server's databases were flushed.
    pub fn invalidated(&self, keys: Option<Vec<Value>>) {
        let Some(local) = &self.local else { return };
        let Some(keys) = keys else { return local.lost_track() };
        for key in keys {
            let Value::BulkString(key) = key else { continue };
            if key == local.epoch {
                local.heard.lock().is_behind = true;
                local.versions.unheard();
            } else if let Some(key) = key.strip_prefix(&local.entries[..]) {
                local.versions.key_changed(VersionTable::of_key(key));
            }
        }
    }

    /// A request that was sent then has been answered with the epoch: what the server acknowledged before is known here.
    pub fn answered(&self, sent_at: UnixMs) {
        if let Some(local) = &self.local {
            let heard = local.heard.lock();
            if !heard.is_behind {
                local.versions.heard(sent_at);
            }
        }
    }
}

/// Of a clear: what the log is told.
pub fn members_of(tags: &[Tag], kind: Invalidation) -> Vec<Member> {
    tags.iter().map(|tag| Member { tag: *tag, kind }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATION: u64 = 255;

    fn epoch(n: u64) -> Epoch {
        Epoch { generation: GENERATION, n }
    }

    fn state() -> (Arc<VersionTable>, State) {
        let versions = VersionTable::new(true);
        let space = Keyspace::new("p").unwrap();
        let state = State::new(&space, crate::events::silent(), Some(versions.clone()));
        assert_eq!(state.observe_epoch(epoch(5)), Observed::Complete);
        (versions, state)
    }

    fn soft(tag: &str) -> Member {
        Member { tag: Tag::selected(tag), kind: Invalidation::Soft }
    }

    fn delta(tag: &str, n: u64) -> Delta {
        Delta {
            members: vec![(soft(tag), n)],
            floor: None,
            generations: vec![(GENERATION, n)],
            is_cut: false,
        }
    }

    /// Of an entry tagged `t`, one tagged `u` and an untagged one: whether values kept of them are outdated by that.
    fn outdated(versions: &Arc<VersionTable>, what: impl FnOnce()) -> [bool; 3] {
        let of = |key: &str, tag: Option<&str>| {
            let mut stamp = versions.stamp(key);
            stamp.tags(versions, tag.map(Tag::of).into_iter());
            stamp.units(0, false)[..2].to_vec()
        };
        let all = || [of("a", Some("t")), of("b", Some("u")), of("c", None)];
        let before = all();
        what();
        let after = all();
        [0, 1, 2].map(|at| before[at] != after[at])
    }

    fn serves(state: &State, versions: &Arc<VersionTable>) -> bool {
        let now = crate::model::time::now();
        state.answered(now);
        versions.is_heard(now)
    }

    fn pushed(state: &State, key: &str) {
        state.invalidated(Some(vec![Value::BulkString(key.as_bytes().to_vec())]));
    }

    #[test]
    fn a_clear_by_another_silences_all_until_its_tags_are_known_and_then_outdates_those() {
        let (versions, state) = state();
        assert!(serves(&state, &versions));
        pushed(&state, "p!e");
        assert!(!versions.is_heard(crate::model::time::now()) && !serves(&state, &versions));
        assert_eq!(state.observe_epoch(epoch(6)), Observed::Behind { after: 5 });
        assert!(!serves(&state, &versions));
        let learn = || assert!(state.observe_delta(epoch(6), 5, &delta("t", 6)));
        assert_eq!(outdated(&versions, learn), [true, false, false]);
        assert!(serves(&state, &versions));
        // What is known is not told again.
        pushed(&state, "p!e");
        assert_eq!(outdated(&versions, || _ = state.observe_epoch(epoch(6))), [false; 3]);
        assert!(serves(&state, &versions));
    }

    #[test]
    fn what_is_not_known_by_name_outdates_everything() {
        let everything: [fn(&State); 5] = [
            |state| _ = state.observe_delta(epoch(6), 5, &Delta { floor: Some(6), ..delta("t", 6) }),
            |state| _ = state.observe_delta(epoch(6), 5, &Delta { is_cut: true, ..delta("t", 6) }),
            |state| _ = state.observe_delta(epoch(6), 5, &Delta::default()),
            |state| _ = state.observe_delta(epoch(6), 5, &delta("*", 6)),
            State::lost,
        ];
        for what in everything {
            let (versions, state) = state();
            _ = state.observe_epoch(epoch(6));
            assert_eq!(outdated(&versions, || what(&state)), [true; 3]);
        }
        let others = [Epoch { generation: 1, n: 10 }, Epoch::NONE, epoch(4)];
        for other in others {
            let (versions, state) = state();
            assert_eq!(outdated(&versions, || _ = state.observe_epoch(other)), [true; 3], "{other:?}");
        }
        let (versions, state) = state();
        assert_eq!(outdated(&versions, || state.invalidated(None)), [true; 3]);
    }

    #[test]
    fn ones_own_clear_outdates_what_it_names_and_waits_for_those_of_others_before_it() {
        let (versions, state) = state();
        let advance = |before, n| Advance {
            epoch: epoch(n),
            before,
            members: members_of(&[Tag::of("t")], Invalidation::Hard),
        };
        let reply = |before, n| state.observe_advance(&advance(before, n), vec!["c".to_owned()]);
        assert_eq!(outdated(&versions, || reply(5, 6)), [true, false, true]);
        assert!(serves(&state, &versions));
        assert_eq!(outdated(&versions, || reply(8, 9)), [true, false, true]);
        assert!(!serves(&state, &versions));
        assert_eq!(state.observe_epoch(epoch(9)), Observed::Behind { after: 6 });
        let delta = Delta { members: vec![(soft("u"), 8), (soft("t"), 9)], ..delta("t", 9) };
        assert_eq!(outdated(&versions, || _ = state.observe_delta(epoch(9), 6, &delta)), [true, true, false]);
        assert!(serves(&state, &versions));
    }

    #[test]
    fn tracking_outdates_the_keys_it_names() {
        let (versions, state) = state();
        for (key, expected) in
            [("p::a", [true, false, false]), ("p:2::a", [false; 3]), ("p!e2", [false; 3]), ("", [false; 3])]
        {
            assert_eq!(outdated(&versions, || pushed(&state, key)), expected, "{key}");
        }
        assert!(serves(&state, &versions));
    }
}
