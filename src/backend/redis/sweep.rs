//! Removes what clears left behind, in small steps: entries that carry tags or never end, found by the index. Everything else
//! the server removes when it expires.
//!
//! Up to which epoch the prefix was swept stands on the server, and a lock there keeps it to one process at a time. So a process
//! that ends leaves its work to the others, or to whoever comes next.

use super::Core;
use super::command::{Call, Pipeline};
use super::reply;
use crate::codec::envelope::{self, FIXED};
use crate::error::Result;
use crate::tags::{Clearance, Epoch};
use redis::Value;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

/// From a clear to its sweep. Most of what is still read is replaced within this time, which leaves less to remove.
const REST: Duration = Duration::from_secs(1);
/// So often a process that had nothing to clear looks whether another left something.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The pause after a step is so many times as long as the step, so that sweeping takes a small part of the server's time.
const PAUSES: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
/// And the next sweep begins so many times as long as one took after it at the earliest.
const RESTS: u32 = 10;
/// A step in which another process's sweep lets go of the lock, should it have died.
const LOCK_MS: u64 = 10_000;
/// Expired members taken out at a time: half a millisecond of the server's time.
const SHED: u64 = 1_000;
/// Entries whose first bytes are read at a time.
const STEP: usize = 250;

/// A key of the index, and the first bytes of what was judged there; none = nothing was there.
type Dead<'k> = (&'k String, Vec<u8>);

/// What there is to do behind.
#[derive(Default)]
pub(super) struct Sweeper {
    wake: Notify,
    is_cleared: AtomicBool,
    has_expired: AtomicBool,
}

impl Sweeper {
    /// Something was cleared.
    pub fn sweep(&self) {
        self.is_cleared.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// More than a few members of the index have expired.
    pub fn shed(&self) {
        self.has_expired.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// Returns when there is something to do. `next`: the earliest time of a sweep.
    pub async fn work(&self, next: Instant) {
        let mut look_at = next.max(Instant::now() + LOOK_EVERY);
        while !self.has_expired.load(Relaxed) {
            if self.is_cleared.load(Relaxed) {
                look_at = look_at.min(next.max(Instant::now() + REST));
            }
            if timeout_at(look_at, self.wake.notified()).await.is_err() {
                return;
            }
        }
    }
}

impl Core {
    /// Does what there is to do, and answers when the next sweep may be; `swept`: up to which epoch nothing is left. An outage
    /// ends it: what is left is left on the server.
    pub async fn sweep(&self, next: Instant, swept: &mut Epoch) -> Instant {
        self.shed_if_due().await;
        let began = Instant::now();
        if began < next || self.link.incarnation() == 0 {
            return next;
        }
        self.sweeper.is_cleared.store(false, Relaxed);
        // Nothing was cleared since, as far as is known here.
        if *swept != self.server.state.newest()
            && let Ok(Some(upto)) = self.sweep_if_due().await
        {
            *swept = upto;
        }
        Instant::now() + (began.elapsed() * RESTS).max(REST)
    }

    async fn shed_if_due(&self) {
        if self.sweeper.has_expired.swap(false, Relaxed) {
            // Failed: the next count says so again.
            let _ = self.shed().await;
        }
    }

    async fn shed(&self) -> Result<()> {
        loop {
            let mut pipeline = Pipeline::default();
            pipeline.call(&self.server.scripts.shed, Call::Text, 1, 1);
            pipeline.arg(self.names.index.as_bytes());
            pipeline.number(SHED);
            if reply::integer(&self.ask_one(pipeline).await?)? == 0 {
                return Ok(());
            }
            sleep(SHORTEST_PAUSE).await;
        }
    }

    async fn ask_one(&self, pipeline: Pipeline) -> Result<Value> {
        Ok(reply::only(self.deadline().bound(self.send(pipeline)).await?))
    }

    /// The epoch up to which nothing cleared is left; `None`: another process is at it, or the server does not say.
    async fn sweep_if_due(&self) -> Result<Option<Epoch>> {
        let key = self.space.swept();
        let mut pipeline = Pipeline::one(&[b"MGET", self.names.epoch.as_bytes(), key.as_bytes()]);
        // The newest two members: the generation's, and the last tag that was cleared, or the floor.
        pipeline.push(&[b"ZREVRANGE", self.names.log.as_bytes(), b"0", b"1", b"WITHSCORES"]);
        let mut replies = self.deadline().bound(self.send(pipeline)).await?.into_iter();
        let texts = reply::array(replies.next().unwrap_or(Value::Nil))?;
        let epoch_of = |text: Option<&Value>| match text {
            Some(Value::BulkString(text)) => reply::epoch_text(text),
            _ => Epoch::NONE,
        };
        let (epoch, swept) = (epoch_of(texts.first()), epoch_of(texts.get(1)));
        if epoch == Epoch::NONE {
            return Ok(None);
        }
        let log = super::clear_log::delta(replies.next().unwrap_or(Value::Nil))?;
        let last = log.members.iter().map(|(_, n)| *n).chain(log.floor).max();
        if swept.generation == epoch.generation && last.is_some_and(|last| last <= swept.n) {
            return Ok(Some(epoch));
        }
        let owner = format!("{:016x}", rand::random::<u64>());
        let lock = self.space.own("sweep");
        if !self.lock_of(&lock, &owner, Some(LOCK_MS)).await? {
            return Ok(None);
        }
        let done = self.sweep_all(&lock, &owner).await;
        if matches!(done, Ok(true)) {
            let text = format!("{:016x} {}", epoch.generation, epoch.n);
            self.ask_one(Pipeline::one(&[b"SET", key.as_bytes(), text.as_bytes()])).await?;
        }
        self.lock_of(&lock, &owner, None).await?;
        done.map(|is_whole| is_whole.then_some(epoch))
    }

    /// False: another process took the lock, and goes on.
    async fn sweep_all(&self, lock: &str, owner: &str) -> Result<bool> {
        self.shed().await?;
        let mut cursor = Some(0);
        let mut locked = Instant::now();
        while let Some(at) = cursor {
            let page = self.indexed(at, self.deadline()).await?;
            cursor = page.next;
            for keys in page.keys.chunks(STEP) {
                self.shed_if_due().await;
                let began = Instant::now();
                self.sweep_step(keys).await?;
                if locked.elapsed() > Duration::from_millis(LOCK_MS / 3) {
                    if !self.lock_of(lock, owner, Some(LOCK_MS)).await? {
                        return Ok(false);
                    }
                    locked = Instant::now();
                }
                sleep((began.elapsed() * PAUSES).max(SHORTEST_PAUSE)).await;
            }
        }
        Ok(true)
    }

    async fn sweep_step(&self, keys: &[String]) -> Result<()> {
        let mut pipeline = Pipeline::default();
        for key in keys {
            self.put_head(&mut pipeline, key, FIXED);
        }
        let heads = self.deadline().bound(self.send(pipeline)).await?;
        let (mut dead, doubtful) = self.first_look(keys, heads);
        if !doubtful.is_empty() {
            let mut pipeline = Pipeline::one(&[b"GET", self.names.epoch.as_bytes()]);
            for (key, len) in &doubtful {
                self.put_head(&mut pipeline, key, *len);
            }
            let reading = self.judged(pipeline, doubtful.len(), None, self.deadline()).await?;
            let judged = reading.entries.into_iter().zip(reading.clearances);
            for ((key, _), (entry, clearance)) in doubtful.iter().zip(judged) {
                let (Some(entry), true) = (entry, reading.is_judged) else { continue };
                let is_dead = match clearance {
                    Clearance::None => false,
                    Clearance::Soft => envelope::peek(&entry).is_some_and(|stub| !stub.has_times),
                    Clearance::Hard => envelope::peek(&entry).is_some(),
                };
                if is_dead {
                    dead.push((*key, entry[..entry.len().min(FIXED)].to_vec()));
                }
            }
        }
        self.remove_dead(&dead).await
    }

    /// What is not there, and what must be looked at more closely, with the length of its first bytes: those of most say that no
    /// clear can concern them.
    fn first_look<'k>(
        &self,
        keys: &'k [String],
        heads: Vec<Value>,
    ) -> (Vec<Dead<'k>>, Vec<(&'k String, usize)>) {
        let clears = self.server.state.clears.lock();
        let (mut dead, mut doubtful) = (Vec::new(), Vec::new());
        for (key, head) in keys.iter().zip(heads) {
            let Value::BulkString(head) = head else { continue };
            if head.is_empty() {
                dead.push((key, head));
            } else if let Some(len) = envelope::stub_len(&head)
                && !envelope::epoch_of(&head).is_some_and(|epoch| clears.is_untouched(epoch))
            {
                doubtful.push((key, len));
            }
        }
        (dead, doubtful)
    }

    fn put_head(&self, pipeline: &mut Pipeline, key: &str, len: usize) {
        pipeline.begin(4);
        pipeline.arg(b"GETRANGE");
        pipeline.arg_of(&[self.names.entry.as_bytes(), key.as_bytes()]);
        pipeline.arg(b"0");
        pipeline.number(len as u64 - 1);
    }

    /// Those that still are what was judged.
    async fn remove_dead(&self, dead: &[Dead<'_>]) -> Result<()> {
        if dead.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::default();
        pipeline.call(&self.server.scripts.bury, Call::Text, 1 + dead.len(), 1 + dead.len());
        pipeline.arg(self.names.index.as_bytes());
        for (key, _) in dead {
            pipeline.arg_of(&[self.names.entry.as_bytes(), key.as_bytes()]);
        }
        pipeline.number(self.names.entry.len() as u64 + 1);
        for (_, head) in dead {
            pipeline.arg(head);
        }
        let removed = reply::integer(&self.ask_one(pipeline).await?)?;
        self.stats.reclaimed.add(removed.unsigned_abs());
        Ok(())
    }
}
