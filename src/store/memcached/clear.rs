//! Clearing, and the clears that an outage kept from a server.
//!
//! A tag is cleared by advancing the epoch's counter to N and then raising the tag's record to N: by compare-and-swap,
//! so that nothing is lowered; a record that is pending or of another generation is deleted, one that is absent stays
//! absent. (A record made here would let an entry live that another clear has to end.) A key is cleared by a plain
//! delete, which ends the line of every lease on it.
//!
//! What an outage keeps from a server waits for that server alone, and is replayed before anything else is read from
//! or written to it. What was acknowledged of a large clear stays done, so that replays of it come to an end however
//! short their time is.

use super::batch::{Put, Version, Want, seconds};
use super::protocol::{Outcome, Reply};
use super::records::remaining;
use super::store::{Counter, Place, Store};
use crate::error::{Code, Error, Result};
use crate::events::Events;
use crate::model::tag::{Epoch, Invalidation, Record, Tag};
use crate::store::deferred_clears::{DeferredClears, FailedReplay};
use crate::store::request::Clear;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

/// Tags whose records are raised at a time, in two round trips: it bounds what a large clear takes of memory, and what of it
/// is done again when its time is over.
const RAISED_AT_ONCE: usize = 8_192;

/// Clears that wait for one server.
pub struct Waiting {
    clears: Mutex<DeferredClears>,
    /// True from the moment a clear waits until it was replayed, also while it is being replayed.
    any: AtomicBool,
    /// One replay at a time; the others wait for its end.
    turn: tokio::sync::Mutex<FailedReplay>,
}

impl Waiting {
    /// `server` as the events name it.
    pub fn new(server: String, events: Events) -> Self {
        Waiting {
            clears: Mutex::new(DeferredClears::new(server, events)),
            any: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    fn add(&self, clear: Clear) {
        let mut clears = self.clears.lock();
        clears.add(clear);
        self.any.store(!clears.is_empty(), Ordering::Release);
    }

    /// What waits; what is left of it is given back when it is dropped, so that a cancelled replay loses nothing.
    fn take(&self) -> Option<Taken<'_>> {
        let mut clears = self.clears.lock();
        if clears.is_empty() {
            clears.settled();
            self.any.store(false, Ordering::Release);
            return None;
        }
        Some(Taken { from: self, left: clears.take().into_iter().map(Left::of).collect() })
    }
}

struct Taken<'a> {
    from: &'a Waiting,
    left: Vec<Left>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for Left { keys, tags, invalidation } in self.left.drain(..).filter(|left| !left.is_empty()) {
            let (keys, tags) = (keys.into_iter().collect(), tags.into_iter().collect());
            self.from.add(Clear { keys, tags, invalidation });
        }
    }
}

/// What of a clear is not yet acknowledged.
struct Left {
    keys: BTreeSet<String>,
    tags: BTreeSet<Tag>,
    invalidation: Invalidation,
}

impl Left {
    fn of(clear: Clear) -> Self {
        Left {
            keys: clear.keys.into_iter().collect(),
            tags: clear.tags.into_iter().collect(),
            invalidation: clear.invalidation,
        }
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tags.is_empty()
    }
}

/// A tag whose record is still to be raised.
struct Raising {
    tag: Tag,
    place: Place,
    /// The server could not store the raised record: delete it, which is as safe.
    delete: bool,
}

impl Store {
    pub async fn clear(&self, clear: Clear) -> Result<()> {
        self.clear_or_keep(clear).await.map_err(|(error, _)| error)
    }

    /// Of each key what became of it.
    pub async fn remove(&self, keys: Vec<String>) -> Vec<Result<()>> {
        let clear = Clear { keys: keys.clone(), tags: Vec::new(), invalidation: Invalidation::Hard };
        let Err((error, kept)) = self.clear_or_keep(clear).await else { return vec![Ok(()); keys.len()] };
        keys.iter().map(|key| if kept.contains(key) { Err(error.clone()) } else { Ok(()) }).collect()
    }

    /// Fails with the keys that were not cleared, which are kept unless it is closed.
    async fn clear_or_keep(&self, clear: Clear) -> Result<(), (Error, BTreeSet<String>)> {
        let (keys, tags) = (&clear.keys, &clear.tags);
        self.asked.clears(keys.iter().map(String::as_str), tags.iter().copied());
        let mut left = Left::of(clear);
        let done = self.in_order(self.attempt(&mut left)).await.and_then(|result| result);
        let Err(error) = done else { return Ok(()) };
        let keys = left.keys.clone();
        if error.code == Code::Closed {
            return Err((error, keys));
        }
        self.keep(left);
        Err((error.queued(), keys))
    }

    pub fn owe(&self, clear: Clear) {
        self.keep(Left::of(clear));
    }

    async fn attempt(&self, left: &mut Left) -> Result<()> {
        let mut blocked: HashMap<usize, Error> = HashMap::new();
        if !self.nodes().iter().any(|node| node.waiting.any()) {
            return self.run(left, &blocked).await;
        }
        let concerned: BTreeSet<usize> = left
            .keys
            .iter()
            .map(|key| self.entry(key).server)
            .chain(left.tags.iter().map(|tag| self.record(*tag).server))
            .collect();
        for at in concerned {
            if self.nodes()[at].waiting.any()
                && let Err(error) = self.replay(at).await
            {
                blocked.insert(at, error);
            }
        }
        self.run(left, &blocked).await
    }

    /// What is left waits for its servers.
    fn keep(&self, left: Left) {
        let mut parts: HashMap<usize, Clear> = HashMap::new();
        let empty = || Clear { keys: Vec::new(), tags: Vec::new(), invalidation: left.invalidation };
        for key in left.keys {
            parts.entry(self.entry(&key).server).or_insert_with(empty).keys.push(key);
        }
        for tag in left.tags {
            parts.entry(self.record(tag).server).or_insert_with(empty).tags.push(tag);
        }
        for (at, clear) in parts {
            self.nodes()[at].waiting.add(clear);
        }
    }

    /// Replays what waits for this server.
    pub async fn replay(&self, at: usize) -> Result<()> {
        let waiting = &self.nodes()[at].waiting;
        let mut failed = waiting.turn.lock().await;
        let link = &self.nodes()[at].link;
        if let Some(error) = failed.again(link.connection_id()).filter(|_| waiting.any()) {
            return Err(error);
        }
        while let Some(mut taken) = waiting.take() {
            for left in &mut taken.left {
                if let Err(error) = self.run(left, &HashMap::new()).await {
                    failed.note(link.connection_id(), &error);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Takes out of `left` what was acknowledged. The first failure is told once the others had their chance.
    async fn run(&self, left: &mut Left, blocked: &HashMap<usize, Error>) -> Result<()> {
        let mut failure = None;
        let mut batch = self.batch();
        let mut deletes = Vec::new();
        for key in &left.keys {
            let place = self.entry(key);
            match blocked.get(&place.server) {
                Some(error) => failure = Some(error.clone()),
                None => deletes.push((key.clone(), batch.delete(&place))),
            }
        }
        let counter = (!left.tags.is_empty())
            .then(|| (batch.increment(&self.epoch), batch.get(&self.epoch, Want::VALUE)));
        let mut replies = batch.send_now().await;
        for (key, slot) in deletes {
            match replies.take(slot) {
                Ok(Reply { outcome: Outcome::Done | Outcome::NotFound, .. }) => {
                    left.keys.remove(&key);
                }
                Ok(reply) => failure = Some(refused(&reply)),
                Err(error) => failure = Some(error),
            }
        }
        if let Some((advanced, read)) = counter {
            let raised = match (replies.take(advanced), replies.take(read)) {
                (Ok(advanced), Ok(read)) => match self.advanced(&advanced, &read).await {
                    Ok(epoch) => self.raise(left, epoch, blocked).await,
                    Err(error) => Err(error),
                },
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            failure = raised.err().or(failure);
        }
        match failure {
            Some(error) if !left.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    /// The epoch after the counter was advanced. The number is the read's, which tells generation and count as they
    /// were together. A counter that is lost is made anew: whatever was stamped before is of another generation.
    async fn advanced(&self, advanced: &Reply, read: &Reply) -> Result<Epoch> {
        let mut was = match (&advanced.outcome, self.counter(read)) {
            (Outcome::Done, Counter::At(epoch)) => return Ok(epoch),
            // It cannot be advanced (no memory for a longer number): give it up as well.
            (Outcome::Failed(_) | Outcome::Rejected(_), Counter::At(_)) => {
                Counter::Foreign(Version::of(read))
            }
            // Made by another process since.
            (_, Counter::At(epoch)) => return Ok(epoch),
            (_, other) => other,
        };
        // One turn creates; more only meet a counter lost in between.
        for _ in 0..3 {
            let mut batch = self.batch();
            self.create_counter(&mut batch, &was);
            let slot = batch.get(&self.epoch, Want::VALUE);
            let reply = batch.send_now().await.take(slot)?;
            match self.counter(&reply) {
                Counter::At(epoch) => return Ok(epoch),
                other => was = other,
            }
        }
        Err(Error::new(
            Code::Server,
            format!("memcached {}: the epoch cannot be advanced.", self.nodes()[self.epoch.server].name),
        ))
    }

    async fn raise(&self, left: &mut Left, epoch: Epoch, blocked: &HashMap<usize, Error>) -> Result<()> {
        let mut failure = None;
        let tags: Vec<Tag> = left.tags.iter().copied().collect();
        for some in tags.chunks(RAISED_AT_ONCE) {
            let mut raising: Vec<Raising> = Vec::with_capacity(some.len());
            for tag in some {
                let place = self.record(*tag);
                match blocked.get(&place.server) {
                    Some(error) => failure = Some(error.clone()),
                    None => raising.push(Raising { tag: *tag, place, delete: false }),
                }
            }
            failure = self.raise_some(left, raising, epoch).await.err().or(failure);
        }
        failure.map_or(Ok(()), Err)
    }

    async fn raise_some(&self, left: &mut Left, raising: Vec<Raising>, epoch: Epoch) -> Result<()> {
        let mut failure = None;
        let mut raising = raising;
        // Bounded by the operation's deadline: each turn that fails, another clear or a set has succeeded.
        while !raising.is_empty() {
            let mut batch = self.batch();
            let reads: Vec<_> = raising.iter().map(|r| batch.get(&r.place, Want::VALUE_TTL)).collect();
            let mut replies = batch.send_now().await;
            let mut batch = self.batch();
            let mut steps = Vec::new();
            for (raising, slot) in raising.into_iter().zip(reads) {
                let reply = match replies.take(slot) {
                    Ok(reply) => reply,
                    Err(error) => {
                        failure = Some(error);
                        continue;
                    }
                };
                let Some(version) = Version::of(&reply) else {
                    // Absent, and left so: a missing record lets nothing live.
                    if reply.outcome == Outcome::Miss {
                        left.tags.remove(&raising.tag);
                    } else {
                        failure = Some(refused(&reply));
                    }
                    continue;
                };
                let record = reply.value.as_deref().and_then(Record::parse);
                let slot =
                    match record.filter(|record| record.generation == epoch.generation && !raising.delete) {
                        Some(record) => {
                            let raised = record.raised(left.invalidation, epoch.n).to_string();
                            let put = Put { flags: 0, life: seconds(remaining(&reply)) };
                            batch.replace(&raising.place, version, raised.as_bytes(), put)
                        }
                        None => batch.delete_version(&raising.place, version),
                    };
                steps.push((raising, slot));
            }
            let mut replies = batch.send_now().await;
            raising = Vec::new();
            for (mut step, slot) in steps {
                match replies.take(slot) {
                    Ok(reply) => match reply.outcome {
                        Outcome::Done | Outcome::NotFound => {
                            left.tags.remove(&step.tag);
                        }
                        Outcome::Failed(_) if !step.delete => {
                            step.delete = true;
                            raising.push(step);
                        }
                        Outcome::Exists => raising.push(step),
                        _ => failure = Some(refused(&reply)),
                    },
                    Err(error) => failure = Some(error),
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// An answer that no step of ours expects.
pub fn refused(reply: &Reply) -> Error {
    Error::new(
        Code::Server,
        format!("memcached: expected success or a version's answer, got {:?}.", reply.outcome),
    )
}
