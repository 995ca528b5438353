//! Background reclaiming: removes what clears and expiry left behind, in small pages, and nothing that is valid.
//!
//! A tag's index is swept after the tag was cleared, when it has outgrown its entries, and again when half of the entries that
//! the last sweep left have expired, if they were many. The index that all entries of many tags share is swept likewise, by a
//! task of its own and with rests between: its entries are large, and one sweep of it serves every clear that came before. What
//! has merely expired leaves it without its entries being read.

use super::Engine;
use super::list::read_at_once;
use super::read::Judged;
use crate::model::tag::Tag;
use crate::model::time::UnixMs;
use crate::model::ttl::NEVER;
use crate::store::{Backend, Dead};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Weak;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Indexes that wait for a sweep. More are dropped: expiry ends what they leave, and the next clear asks again.
const WAITING: usize = 1024;
/// Entries judged at a time.
const PAGE: usize = 100;
/// The pause after them is so many times as long as they took, so that reclaiming takes a small part of the server's time.
const PAUSES: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
/// And the next sweep of the shared index begins so many times as long after one as that took.
const RESTS: u32 = 4;
/// From a clear to its sweep. Most of what is still read is replaced within this time, which leaves less to remove.
const REST: Duration = Duration::from_secs(1);
/// An index of this size is looked at again later; a smaller one costs nothing worth the look.
const LOOK_AGAIN_FROM: usize = 500;
/// Bounds of the time until that look.
const LOOK_AGAIN_MS: (u64, u64) = (1_000, 600_000);

pub(super) struct Reclaimer {
    own: Task,
    wide: Task,
}

struct Task {
    asked: mpsc::Sender<(Tag, Duration)>,
    task: AbortHandle,
}

impl Reclaimer {
    pub fn start<B: Backend>(engine: Weak<Engine<B>>, runtime: &Handle) -> Self {
        let task = |engine, is_wide| {
            let (asked, receiver) = mpsc::channel(WAITING);
            Task { asked, task: runtime.spawn(work(engine, receiver, is_wide)).abort_handle() }
        };
        Reclaimer { own: task(engine.clone(), false), wide: task(engine, true) }
    }

    /// Soon: what is still read will have been set anew by then.
    pub fn sweep(&self, index: Tag) {
        let task = if index == Tag::WIDE { &self.wide } else { &self.own };
        task.ask(index, REST);
    }

    /// An index has outgrown its entries.
    pub fn sweep_now(&self, index: Tag) {
        self.own.ask(index, Duration::ZERO);
    }

    pub fn stop(&self) {
        self.own.task.abort();
        self.wide.task.abort();
    }
}

impl Task {
    fn ask(&self, index: Tag, rest: Duration) {
        // Full: see WAITING.
        let _ = self.asked.try_send((index, rest));
    }
}

impl Drop for Reclaimer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `is_wide`: the task of the shared index. To the other it is one to be pruned.
async fn work<B: Backend>(
    engine: Weak<Engine<B>>,
    mut asked: mpsc::Receiver<(Tag, Duration)>,
    is_wide: bool,
) {
    let mut later = Later::default();
    loop {
        let mut due = HashSet::new();
        tokio::select! {
            first = asked.recv() => {
                let Some(first) = first else { return };
                let mut next = Some(first);
                // One sweep serves all who asked meanwhile.
                while let Some((index, rest)) = next {
                    if rest.is_zero() {
                        due.insert(index);
                    } else {
                        later.add(Instant::now() + rest, index);
                    }
                    next = asked.try_recv().ok();
                }
            }
            () = sleep_until(later.due()) => due.extend(later.take()),
        }
        for index in due {
            let Some(strong) = engine.upgrade() else { return };
            later.forget(index);
            let began = Instant::now();
            let again = match index == Tag::WIDE && !is_wide {
                true => strong.prune(index).await,
                false => strong.sweep(index).await,
            };
            drop(strong);
            if is_wide {
                tokio::time::sleep(began.elapsed() * RESTS).await;
            } else if let Some(again) = again {
                later.add(Instant::now() + again, index);
            }
        }
    }
}

/// Indexes that are swept at their time, each once.
#[derive(Default)]
struct Later {
    by_time: BTreeSet<(Instant, Tag)>,
    by_tag: HashMap<Tag, Instant>,
}

impl Later {
    fn due(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn take(&mut self) -> Option<Tag> {
        let (_, tag) = self.by_time.pop_first()?;
        self.by_tag.remove(&tag);
        Some(tag)
    }

    fn forget(&mut self, tag: Tag) {
        if let Some(at) = self.by_tag.remove(&tag) {
            self.by_time.remove(&(at, tag));
        }
    }

    /// The earlier time of two counts.
    fn add(&mut self, at: Instant, tag: Tag) {
        if self.by_tag.get(&tag).is_some_and(|waiting| *waiting <= at) {
            return;
        }
        self.forget(tag);
        if self.by_tag.len() < WAITING {
            self.by_tag.insert(tag, at);
            self.by_time.insert((at, tag));
        }
    }
}

async fn pause(since: Instant) {
    tokio::time::sleep((since.elapsed() * PAUSES).max(SHORTEST_PAUSE)).await;
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl<B: Backend> Engine<B> {
    /// Sweeps one index; says when to look again. An outage ends it: the next clear or set asks again.
    async fn sweep(&self, index: Tag) -> Option<Duration> {
        let mut cursor = Some(0);
        let mut expiries = Vec::new();
        while let Some(at) = cursor {
            let began = Instant::now();
            let page = self.backend.members(index, &[], at, self.caller_clock.load(Relaxed)).await.ok()?;
            cursor = page.next;
            pause(began).await;
            let mut dead = Vec::new();
            for keys in page.keys.chunks(read_at_once(index, PAGE)) {
                let began = Instant::now();
                let (_, judged) = self.look(keys, None, self.caller_clock.load(Relaxed), &mut []).await;
                for (key, judged) in keys.iter().zip(judged) {
                    let (seen, retagged) = match judged {
                        Judged::Failed(_) => return None,
                        Judged::Gone { lease, seen } => (seen.map(|_| lease), false),
                        Judged::Live(live) if B::lists(index, live.tags.all()) => {
                            expiries.push(live.expires_at);
                            continue;
                        }
                        Judged::Live(live) => (Some(live.seen.lease()), true),
                    };
                    dead.push(Dead { key: key.clone(), seen, retagged });
                }
                pause(began).await;
            }
            if !dead.is_empty() {
                let began = Instant::now();
                let count = dead.iter().filter(|dead| dead.seen.is_some() && !dead.retagged).count();
                self.backend.bury(index, dead).await.ok()?;
                self.stats.reclaimed.add(count as u64);
                pause(began).await;
            }
        }
        self.again(expiries)
    }

    /// Drops members without an entry from an index; says when to look again.
    async fn prune(&self, index: Tag) -> Option<Duration> {
        let mut cursor = Some(0);
        let mut expiries = Vec::new();
        while let Some(at) = cursor {
            let began = Instant::now();
            let page = self.backend.presence(index, at, self.caller_clock.load(Relaxed)).await.ok()?;
            cursor = page.next;
            expiries.extend(page.ends);
            pause(began).await;
            if !page.absent.is_empty() {
                let began = Instant::now();
                let dead = page.absent.into_iter().map(|key| Dead { key, seen: None, retagged: false });
                self.backend.bury(index, dead.collect()).await.ok()?;
                pause(began).await;
            }
        }
        self.again(expiries)
    }

    /// When half of many members will have expired.
    fn again(&self, mut expiries: Vec<UnixMs>) -> Option<Duration> {
        expiries.retain(|at| *at != NEVER);
        if expiries.len() < LOOK_AGAIN_FROM {
            return None;
        }
        let half = expiries.len() / 2;
        let (_, median, _) = expiries.select_nth_unstable(half);
        let (least, most) = LOOK_AGAIN_MS;
        Some(Duration::from_millis(median.saturating_sub(self.caller_clock.load(Relaxed)).clamp(least, most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_waits_once_for_the_earlier_of_its_times() {
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        let mut later = Later::default();
        for (ms, tag) in [(30, "a"), (10, "b"), (10, "c"), (20, "a"), (40, "b")] {
            later.add(at(ms), Tag::of(tag));
        }
        assert_eq!(later.due(), Some(at(10)));
        later.forget(Tag::of("c"));
        assert_eq!(
            [later.take(), later.take(), later.take()],
            [Some(Tag::of("b")), Some(Tag::of("a")), None]
        );
        assert!(later.by_tag.is_empty());
        for i in 0..2 * WAITING {
            later.add(now, Tag(i as u64));
        }
        assert_eq!((later.by_tag.len(), later.by_time.len()), (WAITING, WAITING));
    }
}
