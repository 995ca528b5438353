//! Background reclaiming: removes what clears and expiry left behind, in small pages, and nothing that is valid.
//!
//! A tag is swept after it was cleared, when its index has outgrown its entries, and again when half of the entries that
//! the last sweep left have expired, if they were many.

use super::Engine;
use super::read::Judged;
use crate::backend::{Backend, Dead};
use crate::tags::Tag;
use crate::ttl::NEVER;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Weak;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Tags that wait for a sweep. More are dropped: expiry ends what they leave, and the next clear asks again.
const WAITING: usize = 1024;
/// Entries judged at a time, and the pause after them: reclaiming takes at most a small part of the server's time.
const PAGE: usize = 100;
const PAUSE: Duration = Duration::from_millis(2);
/// From a clear to its sweep. Most of what is still read is replaced within this time, which leaves less to remove.
const REST: Duration = Duration::from_secs(1);
/// An index of this size is looked at again later; a smaller one costs nothing worth the look.
const LOOK_AGAIN_FROM: usize = 500;
/// Bounds of the time until that look.
const LOOK_AGAIN_MS: (u64, u64) = (1_000, 600_000);

pub(super) struct Reclaimer {
    tags: mpsc::Sender<(Tag, Duration)>,
    task: AbortHandle,
}

impl Reclaimer {
    pub fn start<B: Backend>(engine: Weak<Engine<B>>, runtime: &Handle) -> Self {
        let (tags, asked) = mpsc::channel(WAITING);
        let task = runtime.spawn(work(engine, asked)).abort_handle();
        Reclaimer { tags, task }
    }

    /// Soon: what is still read will have been set anew by then.
    pub fn sweep(&self, tag: Tag) {
        // Full: see WAITING.
        let _ = self.tags.try_send((tag, REST));
    }

    pub fn sweep_now(&self, tag: Tag) {
        let _ = self.tags.try_send((tag, Duration::ZERO));
    }

    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Reclaimer {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn work<B: Backend>(engine: Weak<Engine<B>>, mut asked: mpsc::Receiver<(Tag, Duration)>) {
    let mut later = Later::default();
    loop {
        let mut tags = HashSet::new();
        tokio::select! {
            first = asked.recv() => {
                let Some(first) = first else { return };
                let mut next = Some(first);
                // One sweep serves all who asked meanwhile.
                while let Some((tag, rest)) = next {
                    if rest.is_zero() {
                        tags.insert(tag);
                    } else {
                        later.add(Instant::now() + rest, tag);
                    }
                    next = asked.try_recv().ok();
                }
            }
            () = sleep_until(later.due()) => tags.extend(later.take()),
        }
        for tag in tags {
            let Some(engine) = engine.upgrade() else { return };
            later.forget(tag);
            if let Some(again) = engine.sweep(tag).await {
                later.add(Instant::now() + again, tag);
            }
        }
    }
}

/// Tags that are swept at their time, each once.
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

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl<B: Backend> Engine<B> {
    /// Sweeps one tag; says when to look again. An outage ends it: the next clear or set asks again.
    async fn sweep(&self, tag: Tag) -> Option<Duration> {
        let mut cursor = Some(0);
        let mut expiries = Vec::new();
        while let Some(at) = cursor {
            let page = self.backend.members(tag, at, self.caller_clock.load(Relaxed)).await.ok()?;
            cursor = page.next;
            for keys in page.keys.chunks(PAGE) {
                let (_, judged) = self.look(keys, None, self.caller_clock.load(Relaxed), &mut []).await;
                let mut dead = Vec::new();
                for (key, judged) in keys.iter().zip(judged) {
                    let (seen, retagged) = match judged {
                        Judged::Failed(_) => return None,
                        Judged::Gone { lease, seen } => (seen.map(|bytes| (bytes, lease)), false),
                        Judged::Live(live) if live.tags.holds(tag) => {
                            expiries.push(live.expires_at);
                            continue;
                        }
                        Judged::Live(live) => (live.seen.wire(), true),
                    };
                    dead.push(Dead { key: key.clone(), seen, retagged });
                }
                if !dead.is_empty() {
                    let count = dead.iter().filter(|dead| dead.seen.is_some() && !dead.retagged).count();
                    self.backend.bury(tag, dead).await.ok()?;
                    self.stats.reclaimed.add(count as u64);
                }
                tokio::time::sleep(PAUSE).await;
            }
            // A page may be without keys: of `*`, where others' keys are looked through.
            tokio::time::sleep(PAUSE).await;
        }
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
