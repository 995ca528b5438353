//! Removes what clears left behind, in small steps: entries that carry tags or never end, found by the index. Everything else
//! the server removes when it expires.
//!
//! How far the prefix was swept stands on the server (`progress`), and a lock there keeps it to one process at a time. So a
//! process that ends leaves its work to the others, or to whoever comes next.

use super::clear_log;
use super::command::{Call, Pipeline};
use super::core::Core;
use super::progress::{Log, Progress};
use super::reply;
use super::sweeper::REST;
use crate::codec::envelope::{self, FIXED};
use crate::error::Result;
use crate::model::tag::{Clearance, Epoch};
use redis::Value;
use std::sync::Weak;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The pause after a step is so many times as long as the step, so that sweeping takes a small part of the server's time.
const PAUSES: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
/// And the next sweep begins so many times as long as one took after it at the earliest.
const RESTS: u32 = 10;
/// A step in which another process's sweep lets go of the lock, should it have died.
const LOCK_MS: u64 = 10_000;
/// What a closing process gives to what it cleared; the rest is another's.
const AT_CLOSE: Duration = Duration::from_millis(250);
/// Expired members taken out at a time: half a millisecond of the server's time.
const SHED: u64 = 1_000;
/// Entries whose first bytes are read at a time.
const STEP: usize = 250;
/// Bytes of entries before their values, tags above all, that are judged at a time. One entry passes whatever it has.
const STUBS: usize = 64 * 1024;

/// A key of the index, and the first bytes of what was judged there; none = nothing was there.
type Candidate<'k> = (&'k String, Vec<u8>);

/// What was found at the last look.
struct LastSweep {
    /// Nothing that was cleared up to it is left.
    swept: Epoch,
    again_at: Option<Instant>,
}

impl Default for LastSweep {
    fn default() -> Self {
        LastSweep { swept: Epoch::NONE, again_at: None }
    }
}

/// Until the store is dropped.
pub async fn run(core: Weak<Core>) {
    let (mut next, mut last) = (Instant::now(), LastSweep::default());
    loop {
        let Some(core) = core.upgrade() else { return };
        core.sweeper.work(next).await;
        next = core.sweep(next, &mut last).await;
    }
}

impl Core {
    /// Does what there is to do, and answers when the next sweep may be. An outage ends it: what is left is left on the server.
    async fn sweep(&self, next: Instant, last: &mut LastSweep) -> Instant {
        self.shed_if_due().await;
        let began = Instant::now();
        if began < next || self.client.connection_id() == 0 {
            return next;
        }
        self.sweeper.is_cleared.store(false, Relaxed);
        let is_used = self.sweeper.is_used.swap(false, Relaxed);
        let again = last.again_at.is_some_and(|at| at <= began);
        // Else nothing was cleared since, as far as is known here, and nobody asks.
        if is_used || again || last.swept != self.server.state.max_epoch_seen() {
            // What has merely expired need not be last at.
            let _ = self.shed().await;
            if let Ok(Some(found)) = self.sweep_if_due().await {
                *last = found;
            }
        }
        Instant::now() + (began.elapsed() * RESTS).max(REST)
    }

    /// Removes what this process cleared, if that is soon done; who comes next need not wait for the lock of the rest.
    pub async fn sweep_at_close(&self) {
        if self.sweeper.owes.load(Relaxed) {
            let _ = timeout(AT_CLOSE, self.sweep_if_due()).await;
        }
        if self.sweeper.has_lock.swap(false, Relaxed) {
            let _ = timeout(AT_CLOSE, self.sweep_lock(None, None)).await;
        }
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

    /// How far the prefix was swept, and what was cleared; `None`: the server does not say.
    async fn progress(&self) -> Result<Option<(Progress, Log)>> {
        let (log, key) = (self.names.log.as_bytes(), self.space.swept());
        let mut pipeline = Pipeline::one(&[b"MGET", self.names.epoch.as_bytes(), key.as_bytes()]);
        // The newest two members: the generation's, and the last tag that was cleared, or the floor.
        pipeline.push(&[b"ZREVRANGE", log, b"0", b"1", b"WITHSCORES"]);
        pipeline.push(&[b"ZRANGE", log, b"0", b"0", b"WITHSCORES"]);
        pipeline.push(&[b"TIME"]);
        pipeline.push(&[b"ZCARD", self.names.index.as_bytes()]);
        let mut replies = self.deadline().bound(self.send(pipeline)).await?.into_iter();
        let mut reply = || replies.next().unwrap_or(Value::Nil);
        let texts = reply::array(reply())?;
        let text = |at: usize| match texts.get(at) {
            Some(Value::BulkString(text)) => text.as_slice(),
            _ => b"",
        };
        let (epoch, progress) = (reply::epoch_text(text(0)), Progress::of(text(1)));
        let (newest, oldest) = (clear_log::delta(reply())?, clear_log::delta(reply())?);
        let time = reply::array(reply())?;
        let time = |at: usize| time.get(at).and_then(reply::text)?.parse::<u64>().ok();
        let now = time(0).zip(time(1)).map(|(seconds, micros)| seconds * 1_000_000 + micros);
        let members = members_of(&reply());
        // The floor is the lowest member of every log. Without it nothing could be judged: the next clear begins another.
        let (Some(floor), Some(now)) = (oldest.floor, now) else { return Ok(None) };
        let last = newest.members.iter().map(|(_, n)| *n).chain(newest.floor).max().unwrap_or(floor);
        Ok((epoch != Epoch::NONE).then_some((progress, Log { epoch, last, floor, now, members })))
    }

    /// `None`: another process is at it, or not everything could be judged.
    async fn sweep_if_due(&self) -> Result<Option<LastSweep>> {
        let Some((progress, log)) = self.progress().await? else { return Ok(None) };
        let Some(progress) = progress.due(&log) else { return Ok(Some(self.swept(&progress, &log))) };
        if !self.sweep_lock(Some(LOCK_MS), None).await? {
            return Ok(None);
        }
        self.sweeper.has_lock.store(true, Relaxed);
        let swept = self.sweep_all(progress).await;
        let note = swept.as_ref().ok().and_then(Option::as_ref).map(Progress::text);
        if !matches!(swept, Ok(None)) {
            self.sweep_lock(None, note.as_deref()).await?;
        }
        self.sweeper.has_lock.store(false, Relaxed);
        let Some(swept) = swept? else { return Ok(None) };
        if swept.due(&Log { members: swept.members, ..log }).is_none() {
            return Ok(Some(self.swept(&swept, &log)));
        }
        if swept.upto > progress.upto {
            // It was another's that ended earlier.
            self.sweeper.is_cleared.store(true, Relaxed);
        }
        Ok(None)
    }

    fn swept(&self, progress: &Progress, log: &Log) -> LastSweep {
        self.sweeper.owes.store(self.sweeper.is_cleared.load(Relaxed), Relaxed);
        let again_at = progress.again(log).map(|micros| Instant::now() + Duration::from_micros(micros));
        LastSweep { swept: log.epoch, again_at }
    }

    /// Takes the lock for so long, or gives it back; writes down how far the sweep is, if it has it.
    async fn sweep_lock(&self, ms: Option<u64>, note: Option<&str>) -> Result<bool> {
        let (lock, swept) = (self.space.own("sweep"), self.space.swept());
        self.lock_of(&lock, &self.sweeper.owner, ms, note.map(|note| (swept.as_str(), note))).await
    }

    /// What it comes to; `None`: another process took the lock, and goes on.
    async fn sweep_all(&self, mut progress: Progress) -> Result<Option<Progress>> {
        // The table knows of every clear up to now, also of those of others that no reply has told yet.
        let epoch = Pipeline::one(&[b"GET", self.names.epoch.as_bytes()]);
        self.judged(epoch, 0, None, self.deadline()).await?;
        let mut is_whole = true;
        let mut locked = Instant::now();
        while let Some(sweep) = &mut progress.sweep {
            let page = self.indexed(sweep.cursor, self.deadline()).await?;
            for keys in page.keys.chunks(STEP) {
                self.shed_if_due().await;
                let Some(is_judged) = self.sweep_step(keys, &mut locked).await? else { return Ok(None) };
                is_whole &= is_judged;
            }
            let Some(next) = page.next else { break };
            sweep.cursor = next;
            if is_whole {
                if !self.sweep_lock(Some(LOCK_MS), Some(&progress.text())).await? {
                    return Ok(None);
                }
                locked = Instant::now();
            }
        }
        let card = Pipeline::one(&[b"ZCARD", self.names.index.as_bytes()]);
        let members = members_of(&self.ask_one(card).await?);
        Ok(Some(progress.done(is_whole, members)))
    }

    /// Whether everything could be judged; `None`: another process took the lock.
    async fn sweep_step(&self, keys: &[String], locked: &mut Instant) -> Result<Option<bool>> {
        let began = Instant::now();
        let mut pipeline = Pipeline::default();
        for key in keys {
            self.put_head(&mut pipeline, key, FIXED);
        }
        let heads = self.deadline().bound(self.send(pipeline)).await?;
        let (absent, doubtful) = self.first_look(keys, heads);
        self.remove_dead(&absent).await?;
        pause(began).await;
        let mut is_whole = true;
        let mut left = doubtful.as_slice();
        while !left.is_empty() {
            let began = Instant::now();
            let mut bytes = 0;
            let fits = left.iter().take_while(|(_, len)| {
                bytes += len;
                bytes <= STUBS
            });
            let (some, rest) = left.split_at(fits.count().max(1));
            left = rest;
            is_whole &= self.look_closely(some).await?;
            pause(began).await;
            if locked.elapsed() > Duration::from_millis(LOCK_MS / 3) {
                if !self.sweep_lock(Some(LOCK_MS), None).await? {
                    return Ok(None);
                }
                *locked = Instant::now();
            }
        }
        Ok(Some(is_whole))
    }

    /// Whether they could be judged; removes those that are dead.
    async fn look_closely(&self, doubtful: &[(&String, usize)]) -> Result<bool> {
        let mut pipeline = Pipeline::one(&[b"GET", self.names.epoch.as_bytes()]);
        for (key, len) in doubtful {
            self.put_head(&mut pipeline, key, *len);
        }
        let reading = self.judged(pipeline, doubtful.len(), None, self.deadline()).await?;
        if !reading.is_judged {
            return Ok(false);
        }
        let judged = reading.entries.into_iter().zip(reading.clearances);
        let mut dead = Vec::new();
        for ((key, _), (entry, clearance)) in doubtful.iter().zip(judged) {
            let Some(entry) = entry else { continue };
            let is_dead = match clearance {
                Clearance::None => false,
                Clearance::Soft => envelope::peek(&entry).is_some_and(|stub| !stub.has_times),
                Clearance::Hard => envelope::peek(&entry).is_some(),
            };
            if is_dead {
                dead.push((*key, entry.get(..FIXED).unwrap_or(&entry).to_vec()));
            }
        }
        self.remove_dead(&dead).await?;
        Ok(true)
    }

    /// What is not there, and what must be last at more closely, with the length of its first bytes: those of most say that no
    /// clear can concern them.
    fn first_look<'k>(
        &self,
        keys: &'k [String],
        heads: Vec<Value>,
    ) -> (Vec<Candidate<'k>>, Vec<(&'k String, usize)>) {
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
    async fn remove_dead(&self, dead: &[Candidate<'_>]) -> Result<()> {
        if dead.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::default();
        pipeline.call(&self.server.scripts.prune_index, Call::Text, 1 + dead.len(), 1 + dead.len());
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

/// Of the index; nothing else is one.
fn members_of(card: &Value) -> u64 {
    reply::integer(card).map_or(0, i64::unsigned_abs)
}

async fn pause(since: Instant) {
    sleep((since.elapsed() * PAUSES).max(SHORTEST_PAUSE)).await;
}
