//! Background reclaiming: removes what clears and expiry left behind, in small pages, and nothing that is valid.
//!
//! A tag is swept after it was cleared, when its index has outgrown its entries, and again when half of the entries that
//! the last sweep left have expired, if they were many.

use super::Engine;
use super::read::Judged;
use crate::backend::{Backend, Dead};
use crate::clock;
use crate::ttl::NEVER;
use std::collections::{BTreeMap, HashSet};
use std::sync::Weak;
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
/// An index of this size is looked at again later; a smaller one costs nothing worth the look.
const LOOK_AGAIN_FROM: usize = 500;
/// Bounds of the time until that look.
const LOOK_AGAIN_MS: (u64, u64) = (1_000, 600_000);

pub(super) struct Reclaimer {
    tags: mpsc::Sender<String>,
    task: AbortHandle,
}

impl Reclaimer {
    pub fn start<B: Backend>(engine: Weak<Engine<B>>, runtime: &Handle) -> Self {
        let (tags, asked) = mpsc::channel(WAITING);
        let task = runtime.spawn(work(engine, asked)).abort_handle();
        Reclaimer { tags, task }
    }

    pub fn sweep(&self, tag: &str) {
        // Full: see WAITING.
        let _ = self.tags.try_send(tag.to_owned());
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

async fn work<B: Backend>(engine: Weak<Engine<B>>, mut asked: mpsc::Receiver<String>) {
    let mut later: BTreeMap<Instant, String> = BTreeMap::new();
    loop {
        let due = later.first_key_value().map(|(at, _)| *at);
        let tag = tokio::select! {
            tag = asked.recv() => match tag {
                Some(tag) => tag,
                None => return,
            },
            () = sleep_until(due) => match later.pop_first() {
                Some((_, tag)) => tag,
                None => continue,
            },
        };
        // One sweep serves all who asked meanwhile.
        let mut tags = HashSet::from([tag]);
        while let Ok(tag) = asked.try_recv() {
            tags.insert(tag);
        }
        for tag in tags {
            let Some(engine) = engine.upgrade() else { return };
            later.retain(|_, waiting| *waiting != tag);
            if let Some(again) = engine.sweep(&tag).await
                && later.len() < WAITING
            {
                later.insert(Instant::now() + again, tag);
            }
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
    async fn sweep(&self, tag: &str) -> Option<Duration> {
        let mut cursor = Some(0);
        let mut expiries = Vec::new();
        while let Some(at) = cursor {
            let page = self.backend.members(tag, at, clock::now()).await.ok()?;
            cursor = page.next;
            for keys in page.keys.chunks(PAGE) {
                let (_, judged) = self.look(keys, false, clock::now()).await;
                let mut dead = Vec::new();
                for (key, judged) in keys.iter().zip(judged) {
                    let (seen, retagged) = match judged {
                        Judged::Failed(_) => return None,
                        Judged::Gone { lease, seen } => (seen.map(|bytes| (bytes, lease)), false),
                        Judged::Live(live) if tag == crate::key::STAR || live.tags.holds(tag) => {
                            expiries.push(live.expires_at);
                            continue;
                        }
                        Judged::Live(live) => (live.seen, true),
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
        }
        expiries.retain(|at| *at != NEVER);
        if expiries.len() < LOOK_AGAIN_FROM {
            return None;
        }
        let half = expiries.len() / 2;
        let (_, median, _) = expiries.select_nth_unstable(half);
        let (least, most) = LOOK_AGAIN_MS;
        Some(Duration::from_millis(median.saturating_sub(clock::now()).clamp(least, most)))
    }
}
