//! Background reclaiming: removes what clears and expiry left behind, in small pages, and nothing that is valid.
//!
//! A tag's index is swept after the tag was cleared, when it has outgrown its entries, and again when half of the entries that
//! the last sweep left have expired, if they were many. The index that all entries of many tags share is swept likewise, by a
//! task of its own and with rests between: its entries are large, and one sweep of it serves every clear that came before. What
//! has merely expired leaves it without its entries being read.

use super::list::read_at_once;
use super::read::{Keyed, Lookup, lease_of};
use super::state::Engine;
use super::sweep_queue::{SweepRequest, SweepRequests, WAITING};
use crate::model::tag::Tag;
use crate::model::time::UnixMs;
use crate::model::ttl::NEVER;
use crate::store::form::EntryForm;
use crate::store::request::{SeenVersion, StaleMember};
use crate::store::traits::Store;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Entries judged at a time.
const PAGE: usize = 100;
/// The pause after them is so many times as long as they took, so that reclaiming takes a small part of the server's time.
const PAUSES: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
/// And the next sweep of the shared index begins so many times as long after one as that took.
const RESTS: u32 = 4;
/// An index of this size is looked at again later; a smaller one costs nothing worth the look.
const LOOK_AGAIN_FROM: usize = 500;
/// Bounds of the time until that look.
const LOOK_AGAIN_MS: (u64, u64) = (1_000, 600_000);

/// Starts the tasks that serve an engine's queue: one for the indexes of tags, one for the index that entries of many tags share.
pub fn spawn<S: Store>(engine: &Arc<Engine<S>>, requests: SweepRequests, runtime: &Handle) {
    let Some(sweeps) = &engine.sweeps else { return };
    let task =
        |requests, is_wide| runtime.spawn(work(Arc::downgrade(engine), requests, is_wide)).abort_handle();
    sweeps.serve_by([task(requests.own, false), task(requests.wide, true)]);
}

/// `is_wide`: the task of the shared index. To the other it is one to be pruned.
async fn work<S: Store>(engine: Weak<Engine<S>>, mut asked: mpsc::Receiver<SweepRequest>, is_wide: bool) {
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

impl<S: Store> Engine<S> {
    /// Sweeps one index; says when to look again. An outage ends it: the next clear or set asks again.
    async fn sweep(&self, index: Tag) -> Option<Duration> {
        let mut cursor = Some(0);
        let mut expiries = Vec::new();
        while let Some(at) = cursor {
            let began = Instant::now();
            let page = self.store.members(index, &[], at, self.caller_clock.load(Relaxed)).await.ok()?;
            cursor = page.next;
            pause(began).await;
            let mut stale = Vec::new();
            for keys in page.keys.chunks(read_at_once(index, PAGE)) {
                let began = Instant::now();
                let lookups = self.lookup(keys, None, self.caller_clock.load(Relaxed), &mut []).await;
                for (key, Keyed { lookup, .. }) in keys.iter().zip(lookups) {
                    let (seen, retagged) = match lookup {
                        Lookup::Failed(_) => return None,
                        Lookup::Gone { seen: SeenVersion::Absent(_) } => (None, false),
                        Lookup::Gone { seen } => (Some(lease_of(&seen)), false),
                        Lookup::Live(live) if S::is_listed(index, live.tags.as_ref()) => {
                            expiries.push(live.expires_at);
                            continue;
                        }
                        Lookup::Live(live) => (Some(S::Form::lease(&live.version)), true),
                    };
                    stale.push(StaleMember { key: key.clone(), seen, retagged });
                }
                pause(began).await;
            }
            if !stale.is_empty() {
                let began = Instant::now();
                let count = stale.iter().filter(|member| member.seen.is_some() && !member.retagged).count();
                self.store.prune_index(index, stale).await.ok()?;
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
            let page = self.store.presence(index, at, self.caller_clock.load(Relaxed)).await.ok()?;
            cursor = page.next;
            expiries.extend(page.ends);
            pause(began).await;
            if !page.absent.is_empty() {
                let began = Instant::now();
                let stale =
                    page.absent.into_iter().map(|key| StaleMember { key, seen: None, retagged: false });
                self.store.prune_index(index, stale.collect()).await.ok()?;
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
