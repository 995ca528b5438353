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

use super::commands::{MetaGetFlags, MetaSetFlags, Version, seconds};
use super::core::{Core, Counter};
use super::deferred::Left;
use super::protocol::{Outcome, Reply};

use crate::error::{Code, Error, Result};
use crate::model::tag::{Epoch, Invalidation, Record, Tag};
use crate::net::cluster::router::Location;
use crate::store::request::Clear;
use std::collections::{BTreeSet, HashMap};

/// Tags whose records are raised at a time, in two round trips: it bounds what a large clear takes of memory, and what of it
/// is done again when its time is over.
const RAISED_AT_ONCE: usize = 8_192;

/// A tag whose record is still to be raised.
struct Raising {
    tag: Tag,
    place: Location,
    /// The server could not store the raised record: delete it, which is as safe.
    delete: bool,
}

impl Core {
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
        self.writes.note_clears(keys.iter().map(String::as_str), tags.iter().copied());
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

    pub fn defer_clear(&self, clear: Clear) {
        self.keep(Left::of(clear));
    }

    async fn attempt(&self, left: &mut Left) -> Result<()> {
        let mut blocked: HashMap<usize, Error> = HashMap::new();
        if !self.nodes().iter().any(|node| node.deferred.any()) {
            return self.run(left, &blocked).await;
        }
        let concerned: BTreeSet<usize> = left
            .keys
            .iter()
            .map(|key| self.entry(key).node)
            .chain(left.tags.iter().map(|tag| self.record(*tag).node))
            .collect();
        for at in concerned {
            if self.nodes()[at].deferred.any()
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
            parts.entry(self.entry(&key).node).or_insert_with(empty).keys.push(key);
        }
        for tag in left.tags {
            parts.entry(self.record(tag).node).or_insert_with(empty).tags.push(tag);
        }
        for (at, clear) in parts {
            self.nodes()[at].deferred.add(clear);
        }
    }

    /// Takes out of `left` what was acknowledged. The first failure is told once the others had their chance.
    pub async fn run(&self, left: &mut Left, blocked: &HashMap<usize, Error>) -> Result<()> {
        let mut failure = None;
        let mut batch = self.batch();
        let mut deletes = Vec::new();
        for key in &left.keys {
            let place = self.entry(key);
            match blocked.get(&place.node) {
                Some(error) => failure = Some(error.clone()),
                None => deletes.push((key.clone(), batch.delete(&place))),
            }
        }
        let counter = (!left.tags.is_empty())
            .then(|| (batch.increment(&self.epoch), batch.get(&self.epoch, MetaGetFlags::VALUE)));
        let mut replies = self.send_now(batch).await;
        for (key, slot) in deletes {
            match replies.take(slot) {
                Ok(Reply { outcome: Outcome::Done | Outcome::NotFound, .. }) => {
                    left.keys.remove(&key);
                }
                Ok(reply) => failure = Some(reply.unexpected()),
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
            let slot = batch.get(&self.epoch, MetaGetFlags::VALUE);
            let reply = self.send_now(batch).await.take(slot)?;
            match self.counter(&reply) {
                Counter::At(epoch) => return Ok(epoch),
                other => was = other,
            }
        }
        Err(Error::new(
            Code::Server,
            format!("memcached {}: the epoch cannot be advanced.", self.nodes()[self.epoch.node].name),
        ))
    }

    async fn raise(&self, left: &mut Left, epoch: Epoch, blocked: &HashMap<usize, Error>) -> Result<()> {
        let mut failure = None;
        let tags: Vec<Tag> = left.tags.iter().copied().collect();
        for some in tags.chunks(RAISED_AT_ONCE) {
            let mut raising: Vec<Raising> = Vec::with_capacity(some.len());
            for tag in some {
                let place = self.record(*tag);
                match blocked.get(&place.node) {
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
            let reads: Vec<_> =
                raising.iter().map(|r| batch.get(&r.place, MetaGetFlags::VALUE_TTL)).collect();
            let mut replies = self.send_now(batch).await;
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
                        failure = Some(reply.unexpected());
                    }
                    continue;
                };
                let record = reply.value.as_deref().and_then(Record::parse);
                let slot =
                    match record.filter(|record| record.generation == epoch.generation && !raising.delete) {
                        Some(record) => {
                            let raised = record.raised(left.invalidation, epoch.n).to_string();
                            let put = MetaSetFlags { flags: 0, life: seconds(reply.remaining()) };
                            batch.replace(&raising.place, version, raised.as_bytes(), put)
                        }
                        None => batch.delete_version(&raising.place, version),
                    };
                steps.push((raising, slot));
            }
            let mut replies = self.send_now(batch).await;
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
                        _ => failure = Some(reply.unexpected()),
                    },
                    Err(error) => failure = Some(error),
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}
