//! Storing entries. The ordinary set is one round trip: the epoch, the records of its tags, the entry and its place in
//! the indexes travel in one batch. More only where a record is missing, where another set of the same miss was
//! faster, or where an unguarded set was stamped with an epoch that is no longer the current one.

use super::commands::{MetaGetFlags, MetaSetFlags, Version, seconds};
use super::core::{Core, Counter};
use super::index::Joining;
use super::parts::{ITEM_HEADER, Parts, hindrance};
use super::protocol::{Outcome, Reply};
use super::records::{Needed, RecordState, record_state};
use super::write_log::{Superseded, WriteGuard};
use crate::codec::envelope;
use crate::error::{Code, Error, Result};
use crate::model::tag::{Epoch, Tag};
use crate::model::time::UnixMs;
use crate::net::cluster::router::Location;
use crate::store::form::Wire;
use crate::store::guard::Lease;
use crate::store::request::{Write, WriteOutcome};
use foldhash::HashMap;
use futures_util::FutureExt;
use std::sync::atomic::Ordering::Relaxed;

/// Turns of a set that finds a later set of its own line in its place each time; more than a few mean a crowd of
/// writers, one of whose values will do.
const MAX_TURNS: usize = 8;

/// An entry on its way.
struct Entry {
    key: String,
    names: Vec<Tag>,
    place: Location,
    bytes: Vec<u8>,
    /// Of one that is larger than an item.
    parts: Parts,
    put: MetaSetFlags,
    /// False: no miss guards it, and it takes whatever place it finds.
    guarded: bool,
    /// It replaces what its read found and nothing else.
    exact: bool,
    /// The connection of its lease.
    link: u64,
    stamp: Epoch,
    tags: Vec<usize>,
    state: State,
}

enum State {
    /// To be stored, in place of this version if one is named.
    Next(Option<Version>),
    /// To be looked at: another version is there.
    Look,
    Over(Result<WriteOutcome>),
    /// Over, and what is there must go.
    Drop(Error),
}

impl Core {
    pub async fn write(&self, writes: Vec<Write<Wire>>, now: UnixMs) -> Vec<Result<WriteOutcome>> {
        let count = writes.len();
        let under_way = self.writes.begin(writes.iter().map(|write| write.key.as_str()));
        let lacks_epoch =
            self.last_epoch() == Epoch::NONE && writes.iter().any(|write| write.guard.is_none());
        let written = if lacks_epoch {
            self.within(self.write_first(writes, &under_way, now).boxed()).await.and_then(|result| result)
        } else {
            self.in_order(self.write_all(writes, &under_way, now)).await
        };
        written.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
    }

    pub async fn write_all(
        &self,
        writes: Vec<Write<Wire>>,
        under_way: &WriteGuard<'_>,
        now: UnixMs,
    ) -> Vec<Result<WriteOutcome>> {
        self.caller_clock.store(now, Relaxed);
        let current = self.last_epoch();
        let mut needed: Vec<Needed> = Vec::new();
        let mut names: HashMap<Tag, usize> = HashMap::default();
        let mut joining = Joining::default();
        let mut entries: Vec<Entry> = Vec::with_capacity(writes.len());
        for write in writes {
            let mut entry = self.entry_of(&write, current);
            if let State::Next(_) = &entry.state {
                let bytes = write.body.into_bytes();
                let length = bytes.len();
                match self.split(&entry.place, bytes, write.ttl) {
                    Some((bytes, parts)) => (entry.bytes, entry.parts) = (bytes, parts),
                    None => {
                        entry.state = State::Drop(self.too_large(length, &entry.place, write.tags.len()));
                    }
                }
            }
            if matches!(entry.state, State::Next(_)) {
                for tag in write.tags.iter().copied().chain([Tag::ROOT]) {
                    let at = *names.entry(tag).or_insert_with(|| {
                        needed.push(Needed {
                            place: self.record(tag),
                            held: RecordState::Missing,
                            entry: write.ttl,
                        });
                        needed.len() - 1
                    });
                    needed[at].entry = needed[at].entry.max(write.ttl);
                    entry.tags.push(at);
                }
                joining.add(&write.tags, &write.key, write.ttl, now);
            }
            (entry.key, entry.names) = (write.key, write.tags);
            entries.push(entry);
        }
        self.first(&mut entries, current, needed, joining, under_way).await;
        entries
            .into_iter()
            .map(|entry| match entry.state {
                State::Over(result) => result,
                State::Drop(error) => Err(error),
                // The turns ran out among other sets of this line: the last of them stands, as if it came after ours.
                State::Next(_) | State::Look => Ok(WriteOutcome::Stored(None)),
            })
            .collect()
    }

    fn entry_of(&self, write: &Write<Wire>, current: Epoch) -> Entry {
        let place = self.entry(&write.key);
        let life = seconds(write.ttl);
        let lease = write.guard.and_then(|guard| guard.lease);
        let outage = write.guard.and_then(|_| self.nodes()[place.node].client.outage());
        let state = match (&write.guard, lease) {
            (Some(guard), _) if guard.epoch == Epoch::NONE => State::Over(Ok(WriteOutcome::Stale)),
            (Some(_), None) => State::Over(Ok(WriteOutcome::Stale)),
            // Of another connection: its number may mean another version by now.
            (Some(_), Some(lease)) if lease.link != self.nodes()[place.node].client.connection_id() => {
                State::Over(Ok(WriteOutcome::Stale))
            }
            (Some(_), Some(lease)) => State::Next(Some(Version { cas: lease.cas, link: lease.link })),
            (None, _) => State::Next(None),
        };
        let state = match outage {
            // Nobody was asked: it failed. Its miss holds for another try, as a refusal would not let it.
            Some(error) if matches!(state, State::Over(Ok(WriteOutcome::Stale))) => State::Over(Err(error)),
            _ => state,
        };
        // A set that no miss guards begins a line of its own, which no waiting set can take for its own.
        let line = lease.map_or_else(|| rand::random::<u32>().max(1), |lease| lease.line);
        Entry {
            key: String::new(),
            names: Vec::new(),
            place,
            bytes: Vec::new(),
            parts: Parts::default(),
            put: MetaSetFlags { flags: line, life },
            guarded: write.guard.is_some(),
            exact: write.guard.is_some_and(|guard| guard.found.is_some()),
            link: lease.map_or(0, |lease| lease.link),
            stamp: write.guard.map_or(current, |guard| guard.epoch),
            tags: Vec::new(),
            state,
        }
    }

    /// The batch that is all of an ordinary set, and what follows from its answers.
    async fn first(
        &self,
        entries: &mut [Entry],
        current: Epoch,
        mut needed: Vec<Needed>,
        joining: Joining,
        under_way: &WriteGuard<'_>,
    ) {
        let mut batch = self.batch();
        let stored = entries.iter().any(|entry| matches!(entry.state, State::Next(_)));
        let epoch = stored.then(|| batch.get(&self.epoch, MetaGetFlags::VALUE));
        let records: Vec<_> =
            needed.iter().map(|need| batch.get(&need.place, MetaGetFlags::VALUE_TTL)).collect();
        let (mut sets, mut parts, mut drops) = (Vec::new(), Vec::new(), Vec::new());
        for (at, entry) in entries.iter_mut().enumerate() {
            match &entry.state {
                State::Next(version) => {
                    if !entry.guarded {
                        // The engine stamped it with what it knew.
                        envelope::restamp(&mut entry.bytes, current);
                    }
                    parts.push((at, entry.parts.append(self, &mut batch)));
                    sets.push((
                        at,
                        match version {
                            Some(version) => batch.replace(&entry.place, *version, &entry.bytes, entry.put),
                            None => batch.set(&entry.place, &entry.bytes, entry.put),
                        },
                    ));
                }
                // No older value may stay behind.
                State::Drop(_) => drops.push((at, batch.delete(&entry.place))),
                _ => {}
            }
        }
        let joined = joining.append(self, &mut batch);
        if batch.is_empty() {
            return;
        }
        let mut replies = self.send(batch).await;
        let epoch = epoch.map(|slot| self.epoch_from(&mut replies, slot));
        let mut lost: Vec<Option<Error>> = needed.iter().map(|_| None).collect();
        for ((need, slot), lost) in needed.iter_mut().zip(records).zip(&mut lost) {
            match replies.take(slot) {
                Ok(reply) => need.held = record_state(&reply),
                Err(error) => *lost = Some(error),
            }
        }
        let now = match &epoch {
            Some(Ok(Counter::At(epoch))) => Some(*epoch),
            _ => None,
        };
        for (at, slot) in sets {
            let entry = &mut entries[at];
            entry.state = match replies.take(slot) {
                Ok(reply) => self.after_set(entry, &reply, now, under_way),
                Err(error) => State::Over(Err(error)),
            };
        }
        for (at, slots) in parts {
            let entry = &mut entries[at];
            match hindrance(slots, &mut replies) {
                Ok(Outcome::Done) => {}
                // Its first bytes may be there, and are a miss until they are gone.
                Ok(other) => entry.state = State::Drop(self.hindered(entry, &other)),
                Err(error) => entry.state = State::Over(Err(error)),
            }
        }
        for (at, slot) in drops {
            dropped(&mut entries[at], replies.take(slot));
        }
        let grown = joined.grown(&mut replies);
        let epoch = match epoch {
            None => return,
            Some(Ok(Counter::At(epoch))) => Ok(epoch),
            // It was lost: what was stamped with it is worth nothing.
            Some(Ok(other)) => self.read_epoch(Some(other)).await.inspect(|epoch| {
                entries.iter_mut().for_each(|entry| entry.renew(*epoch, under_way));
            }),
            Some(Err(error)) => Err(error),
        };
        let records = async {
            match epoch {
                Ok(epoch) => {
                    let alive = needed.len() - lost.iter().flatten().count();
                    let mut at = Vec::with_capacity(alive);
                    let mut open = Vec::with_capacity(alive);
                    for (i, need) in needed.into_iter().enumerate() {
                        if lost[i].is_none() {
                            at.push(i);
                            open.push(need);
                        }
                    }
                    for (i, result) in at.into_iter().zip(self.settle(open, epoch).await) {
                        lost[i] = result.err();
                    }
                }
                Err(error) => lost.fill(Some(error)),
            }
            lost
        };
        let (lost, _, _) = tokio::join!(records, self.later(entries, under_way), self.grow(grown));
        // An entry whose record could not be made is invalid: say why, rather than that it was stored.
        for entry in entries {
            if let State::Over(Ok(WriteOutcome::Stored(_))) = entry.state
                && let Some(error) = entry.tags.iter().find_map(|tag| lost[*tag].clone())
            {
                entry.state = State::Over(Err(error));
            }
        }
    }

    /// The turns after the first, of the few entries that need them.
    async fn later(&self, entries: &mut [Entry], under_way: &WriteGuard<'_>) {
        for _ in 0..MAX_TURNS {
            let mut batch = self.batch();
            let mut steps = Vec::new();
            for (at, entry) in entries.iter().enumerate() {
                match &entry.state {
                    State::Look => steps.push((at, batch.get(&entry.place, MetaGetFlags::SIZE))),
                    State::Next(Some(version)) => {
                        steps.push((at, batch.replace(&entry.place, *version, &entry.bytes, entry.put)));
                    }
                    State::Drop(_) => steps.push((at, batch.delete(&entry.place))),
                    State::Next(None) | State::Over(_) => {}
                }
            }
            if steps.is_empty() {
                return;
            }
            let mut replies = self.send(batch).await;
            for (at, slot) in steps {
                let entry = &mut entries[at];
                let reply = replies.take(slot);
                entry.state = match (&entry.state, reply) {
                    (State::Drop(_), reply) => {
                        dropped(entry, reply);
                        continue;
                    }
                    (_, Err(error)) => State::Over(Err(error)),
                    (State::Look, Ok(reply)) => look(entry, &reply, under_way),
                    (_, Ok(reply)) => self.after_set(entry, &reply, None, under_way),
                };
            }
        }
    }

    /// `current`: the epoch read with the set, if it was.
    fn after_set(
        &self,
        entry: &mut Entry,
        reply: &Reply,
        current: Option<Epoch>,
        under_way: &WriteGuard<'_>,
    ) -> State {
        match &reply.outcome {
            Outcome::Done => match (Version::of(reply), current) {
                (Some(version), Some(current)) if !entry.guarded && current != entry.stamp => {
                    entry.restamped(version, current, under_way)
                }
                (version, _) => State::Over(Ok(WriteOutcome::Stored(version.map(|v| Lease {
                    cas: v.cas,
                    line: entry.put.flags,
                    link: v.link,
                })))),
            },
            // A later set or a delete has taken the place of this one, which nothing guarded.
            Outcome::Exists | Outcome::NotFound if !entry.guarded => {
                State::Over(Ok(WriteOutcome::Stored(None)))
            }
            Outcome::Exists => State::Look,
            // A delete or an eviction has ended the line.
            Outcome::NotFound => State::Over(Ok(WriteOutcome::Stale)),
            other => State::Drop(self.hindered(entry, other)),
        }
    }

    fn hindered(&self, entry: &Entry, outcome: &Outcome) -> Error {
        match outcome {
            Outcome::Failed(text) if text.contains("too large") => {
                self.too_large(entry.bytes.len(), &entry.place, entry.names.len())
            }
            other => Error::new(
                Code::Server,
                format!(
                    "memcached {}: the entry was not stored: {other:?}. If the server is out of memory, give it more (-m), or let it evict (without -M).",
                    self.nodes()[entry.place.node].name
                ),
            ),
        }
    }

    fn too_large(&self, length: usize, place: &Location, tags: usize) -> Error {
        Error::new(
            Code::TooLarge,
            format!(
                "memcached {}: an entry of {} bytes with its key, header and {tags} tags is more than the server takes ({} configured). Store less, raise the server's item limit (-I, for example -I 4m), or set maxItemBytes to what it is.",
                self.nodes()[place.node].name,
                length + place.key.len() + ITEM_HEADER,
                self.max_item
            ),
        )
    }
}

impl Entry {
    /// To be stored once more in place of the version that was stored, at this epoch; not if what was asked for since has
    /// cleared it.
    fn restamped(&mut self, version: Version, epoch: Epoch, under_way: &WriteGuard<'_>) -> State {
        match under_way.superseded(&self.key, &self.names) {
            Superseded::ByKey | Superseded::ByTag => return State::Over(Ok(WriteOutcome::Stored(None))),
            // Of the same generation, the server's own order decides.
            Superseded::Unknown if epoch.generation != self.stamp.generation => {
                return State::Over(Ok(WriteOutcome::Stale));
            }
            Superseded::Unknown | Superseded::No => {}
        }
        envelope::restamp(&mut self.bytes, epoch);
        self.stamp = epoch;
        State::Next(Some(version))
    }

    /// An entry that no miss guards is stored again, where it was stored at an epoch that is not this one.
    fn renew(&mut self, epoch: Epoch, under_way: &WriteGuard<'_>) {
        if let (false, State::Over(Ok(WriteOutcome::Stored(Some(lease))))) = (self.guarded, &self.state)
            && self.stamp != epoch
        {
            let version = Version { cas: lease.cas, link: lease.link };
            self.state = self.restamped(version, epoch, under_way);
        }
    }
}

/// What must not stay has been deleted; if that failed, it is the failure that counts.
fn dropped(entry: &mut Entry, reply: Result<Reply>) {
    if let State::Drop(error) = &entry.state {
        entry.state = State::Over(Err(reply.err().unwrap_or_else(|| error.clone())));
    }
}

/// A leased set found another version in its place. If that descends from the same stub, it came of the same miss and
/// ours is the later, or it is what reclaiming left of the entry that was leased; anything else is none of ours. Nor is a value
/// that came since, where the set replaces only what its read found.
fn look(entry: &Entry, reply: &Reply, under_way: &WriteGuard<'_>) -> State {
    // Over another connection the server may be a restarted one, where the line's number means another line.
    let same_line = reply.flags == entry.put.flags && reply.link == entry.link;
    match (Version::of(reply), under_way.superseded(&entry.key, &entry.names)) {
        (Some(_), Superseded::ByKey) if same_line => State::Over(Ok(WriteOutcome::Stored(None))),
        // A clear by tag shows when it is read.
        (Some(version), Superseded::No | Superseded::ByTag)
            if same_line && (!entry.exact || reply.size == Some(0)) =>
        {
            State::Next(Some(version))
        }
        _ => State::Over(Ok(WriteOutcome::Stale)),
    }
}
