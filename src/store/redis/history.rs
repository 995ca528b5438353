//! The clears of the last minutes that this process made or saw, and the history of the server that they belong to. Pure.
//!
//! A failover, or a restart from a snapshot, may forget clears that were acknowledged: then the server begins another history,
//! by its `master_replid`, and these are made again before anything is read. The rules were checked by exhaustive search
//! (docs/internals/tags.md); unlike the clear table, this outlives connections.

use super::clear_table::{LookUp, Member};
use crate::model::tag::{Epoch, Invalidation, Tag};
use crate::store::guard::Lease;
use foldhash::HashMap;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

/// Tags and keys kept at most, some 3 MB. Of more the oldest become one clear of everything.
const MAX_NAMES: usize = 32_768;

/// So much longer than any replica lags that still is promoted, in units of the epoch's number (microseconds).
const WINDOW: u64 = 10 * 60 * 1_000_000;

/// So long data may be under way from its read to its set (a ticket's lease, and some).
pub const UNDER_WAY: Duration = Duration::from_secs(310);

/// A hash of a server's `master_replid`. A promotion draws another, and so does the restart of a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u64);

impl Identity {
    /// As `INFO replication` tells it. `None`: it does not.
    pub fn of(info: &str) -> Option<Self> {
        let id = info.lines().find_map(|line| line.strip_prefix("master_replid:"))?.trim();
        let is_drawn = id.bytes().any(|byte| byte != b'0');
        is_drawn.then(|| Identity(xxh3_64(id.as_bytes())))
    }

    /// Whether this is only another name of the history that a living connection has led to: a primary draws one for its first
    /// replica, too. One that was a replica meanwhile keeps the name that it had then.
    pub fn is_renamed(info: &str) -> bool {
        let second = info.lines().find_map(|line| line.strip_prefix("master_replid2:"));
        second.is_some_and(|id| id.trim().bytes().all(|byte| byte == b'0'))
    }
}

/// The names in `clear-log.md`, where the rules come from, are given in brackets.
#[derive(Debug)]
pub struct History {
    /// `None`: the server does not tell it, or nothing was connected yet.
    identity: Option<Identity>,
    /// The connection that serves; 0 = none.
    connection_id: u64,
    has_served: bool,
    /// The newest epoch heard of in this history (g, N).
    newest: Epoch,
    /// Up to here the clear table of the last connection knew every clear.
    known_to: Epoch,
    members: HashMap<Member, u64>,
    /// Keys that this process cleared itself.
    keys: HashMap<String, u64>,
    /// Up to this number everything must be cleared (h*); 0 = nothing.
    everything: u64,
    changed_at: Option<Instant>,
    max_names: usize,
}

/// What must be done before a new connection may serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// The history is the same, as far as is known, but older than it was: everything is to be cleared.
    ClearAll,
    /// Another history: these are to be cleared again.
    ClearAgain(Again),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// All of it, and then nothing else.
    pub everything: bool,
    pub hard: Vec<Tag>,
    /// May hold the root.
    pub soft: Vec<Tag>,
    pub keys: Vec<String>,
}

impl Default for History {
    fn default() -> Self {
        Self::with_room(MAX_NAMES)
    }
}

impl History {
    pub fn with_room(max_names: usize) -> Self {
        History {
            identity: None,
            connection_id: 0,
            has_served: false,
            newest: Epoch::NONE,
            known_to: Epoch::NONE,
            members: HashMap::default(),
            keys: HashMap::default(),
            everything: 0,
            changed_at: None,
            max_names,
        }
    }

    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub fn connection_id(&self) -> u64 {
        self.connection_id
    }

    /// The newest epoch of this history, also while there is no connection.
    pub fn max_epoch_seen(&self) -> Epoch {
        self.newest
    }

    /// What a miss of this history leaves to its set.
    pub fn lease(&self) -> Option<Lease> {
        self.identity.map(|Identity(link)| Lease { cas: 0, line: 0, link })
    }

    /// Whether a set after a miss of that lease may be sent over the present connection. Data read in another history may be
    /// older than a clear which only that one knew.
    pub fn accepts(&self, lease: Option<Lease>, now: Instant) -> bool {
        match lease {
            Some(lease) => self.lease() == Some(lease),
            None => self.changed_at.is_none_or(|at| now.duration_since(at) >= UNDER_WAY),
        }
    }

    /// What must be done on a new connection, of this identity and epoch, before it serves.
    pub fn before(&self, identity: Option<Identity>, epoch: Epoch) -> Before {
        if !self.has_served {
            return Before::Nothing;
        }
        if identity == self.identity {
            let went_back = epoch.generation == self.newest.generation && epoch.n < self.newest.n;
            return if went_back { Before::ClearAll } else { Before::Nothing };
        }
        let again = self.again();
        if again == Again::default() { Before::Nothing } else { Before::ClearAgain(again) }
    }

    /// A connection serves from now on; what had to be done before is done. Its epoch may be `NONE`.
    pub fn serve(&mut self, identity: Option<Identity>, connection_id: u64, epoch: Epoch, now: Instant) {
        self.connection_id = connection_id;
        if !self.has_served || identity != self.identity {
            self.changed_at = self.has_served.then_some(now);
            (self.newest, self.known_to) = (epoch, epoch);
        }
        (self.has_served, self.identity) = (true, identity);
        self.heard(epoch);
    }

    /// What was cleared again has this epoch now. `began`: a clear found no epoch and began a generation.
    pub fn cleared_again(&mut self, epoch: Epoch, began: bool) {
        let horizon = self.horizon();
        self.newest = epoch;
        if began || self.everything > horizon {
            self.members.clear();
            self.keys.clear();
            self.everything = epoch.n;
            return;
        }
        self.everything = 0;
        let again = |n: &mut u64| std::mem::replace(n, epoch.n) > horizon;
        self.members.retain(|_, n| again(n));
        self.keys.retain(|_, n| again(n));
    }

    pub fn rename(&mut self, identity: Option<Identity>) {
        self.identity = identity;
    }

    /// The connection is gone, whose table knew every clear up to here.
    pub fn lost(&mut self, known_to: Epoch) {
        self.connection_id = 0;
        if known_to.generation == self.newest.generation {
            self.known_to = known_to;
        }
    }

    /// A reply tells the epoch.
    pub fn heard(&mut self, epoch: Epoch) {
        if epoch == Epoch::NONE {
            return;
        }
        if epoch.generation == self.newest.generation {
            self.newest.n = self.newest.n.max(epoch.n);
            return;
        }
        let is_first = self.newest == Epoch::NONE;
        self.newest = epoch;
        if !is_first {
            // Whatever was stored before has ended.
            self.note_everything(epoch.n);
        }
    }

    /// These were cleared, in the present generation.
    pub fn note(&mut self, members: impl IntoIterator<Item = (Member, u64)>) {
        let horizon = self.horizon();
        for (member, n) in members {
            if member == (Member { tag: Tag::ROOT, kind: Invalidation::Hard }) {
                self.note_everything(n);
            } else if n > horizon && n > self.everything {
                let noted = self.members.entry(member).or_default();
                *noted = n.max(*noted);
            }
        }
        self.bound();
    }

    pub fn note_keys(&mut self, keys: impl IntoIterator<Item = String>, n: u64) {
        if n > self.everything {
            self.keys.extend(keys.into_iter().map(|key| (key, n)));
            self.bound();
        }
    }

    pub fn note_everything(&mut self, n: u64) {
        self.everything = self.everything.max(n);
        let everything = self.everything;
        self.members.retain(|_, n| *n > everything);
        self.keys.retain(|_, n| *n > everything);
    }

    /// The floor of the log, from an answer to what was asked when every clear up to `asked_at` was known. A higher one stands
    /// for clears that have no name any more.
    pub fn note_floor(&mut self, floor: Option<u64>, asked_at: u64) {
        if let Some(floor) = floor.filter(|floor| *floor > asked_at) {
            self.note_everything(floor);
        }
    }

    /// The floor of the whole log as a new connection reads it.
    pub fn note_first_floor(&mut self, floor: Option<u64>) {
        if self.known_to.generation == self.newest.generation {
            self.note_floor(floor, self.known_to.n);
        }
    }

    pub fn note_look_up(&mut self, found: &LookUp, asked_at: u64) {
        if found.is_there {
            self.note(found.scores.iter().filter_map(|(member, n)| Some((*member, (*n)?))));
            self.note_floor(found.floor, asked_at);
        }
    }

    fn again(&self) -> Again {
        let horizon = self.horizon();
        if self.everything > horizon {
            return Again { everything: true, ..Again::default() };
        }
        let of = |kind| {
            let members = self.members.iter().filter(move |(member, n)| member.kind == kind && **n > horizon);
            let mut tags: Vec<Tag> = members.map(|(member, _)| member.tag).collect();
            tags.sort_unstable();
            tags
        };
        let keys = self.keys.iter().filter(|(_, n)| **n > horizon).map(|(key, _)| key.clone()).collect();
        Again { everything: false, hard: of(Invalidation::Hard), soft: of(Invalidation::Soft), keys }
    }

    /// What is not younger may be forgotten. By the newest number of this same history: time in which this process heard
    /// nothing does not count.
    fn horizon(&self) -> u64 {
        self.newest.n.saturating_sub(WINDOW)
    }

    /// When there are too many, the oldest go until a quarter is free: so the work is a small part of each note's.
    fn bound(&mut self) {
        if self.members.len() + self.keys.len() <= self.max_names {
            return;
        }
        let horizon = self.horizon();
        self.members.retain(|_, n| *n > horizon);
        self.keys.retain(|_, n| *n > horizon);
        if self.everything <= horizon {
            self.everything = 0;
        }
        let keep = self.max_names - self.max_names / 4;
        let mut numbers: Vec<u64> = self.members.values().chain(self.keys.values()).copied().collect();
        if numbers.len() > keep {
            let last = numbers.len() - keep - 1;
            let (_, lost, _) = numbers.select_nth_unstable(last);
            self.note_everything(*lost);
        }
    }
}

#[cfg(test)]
mod tests;
