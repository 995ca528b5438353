//! Runs a batch: starts its parts in order and delivers their outcomes.

use super::op::{Op, Outcome};
use super::parts::{CHUNK, CHUNK_IN_MEMORY, Part, split};
use super::read::ReadMode;
use super::state::Engine;
use crate::error::Error;
use crate::model::time::UnixMs;
use crate::store::form::EntryForm;
use crate::store::traits::Store;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use std::sync::atomic::Ordering::Relaxed;
use tokio::task::unconstrained;

impl<S: Store> Engine<S> {
    /// Every part sends its first command at its first poll, and they are first polled in order: operations reach the
    /// server in the order in which they were asked for.
    pub async fn run(&self, ops: Vec<Op>, now: UnixMs, deliver: impl Fn(usize, Vec<Outcome>) + Send + Sync) {
        if self.closed.load(Relaxed) {
            deliver(0, ops.iter().map(|_| Outcome::Failed(Error::closed())).collect());
            return;
        }
        self.caller_clock.store(now, Relaxed);
        let chunk = if S::Form::IS_REMOTE { CHUNK } else { CHUNK_IN_MEMORY };
        let mut parts = split(ops, chunk, self.max_value as usize);
        if parts.len() > 1 {
            return self.all(parts, now, &deliver).await;
        }
        let Some(only) = parts.pop() else { return };
        drop(parts);
        deliver(0, self.part(only, now).await);
    }

    /// In the heap, so that the usual batch, of one part, is not as large as several.
    fn all<'a>(
        &'a self,
        parts: Vec<Part>,
        now: UnixMs,
        deliver: &'a (impl Fn(usize, Vec<Outcome>) + Send + Sync),
    ) -> BoxFuture<'a, ()> {
        let mut first = 0;
        let parts = parts.into_iter().map(move |part| {
            let at = first;
            first += part.len();
            async move { deliver(at, self.part(part, now).await) }
        });
        // Without the runtime's budget for a turn: where it is used up, the parts that are left would be started after
        // those of the next batch.
        unconstrained(join_all(parts)).map(|_| ()).boxed()
    }

    async fn part(&self, part: Part, now: UnixMs) -> Vec<Outcome> {
        // Counted when the part ends, whatever became of it, and before anyone hears of that. Process memory counts by
        // itself, for all its handles.
        let _change = self.peers.as_ref().and_then(|peers| part.change(peers));
        match part {
            Part::Gets { keys, mode } => self.gets(&keys, mode, now).await,
            Part::Sets(sets) => self.sets(sets, now).await,
            other => self.rare(other, now).await,
        }
    }

    /// In the heap, so that a get is not as large as the largest of these.
    fn rare(&self, part: Part, now: UnixMs) -> BoxFuture<'_, Vec<Outcome>> {
        let answer = async move {
            match part {
                Part::Gets { .. } | Part::Sets(_) => Vec::new(),
                Part::Many(keys) => {
                    let mode = ReadMode::Value { remember: true, stamp: false };
                    vec![Outcome::Many(self.gets(&keys, mode, now).await)]
                }
                Part::Tags(tags) => vec![self.get_tags(&tags, now).await],
                Part::TooLarge { key, len } => vec![Outcome::Failed(self.refuse(key, len, now).await)],
                Part::Clears { clear, count } => match self.clear(clear, now).await {
                    Ok(()) => (0..count).map(|_| Outcome::Done).collect(),
                    Err(error) => (0..count).map(|_| Outcome::Failed(error.clone())).collect(),
                },
                Part::Take(key) => vec![self.take(key, now).await],
                Part::Removes(keys) => self.removes(keys, now).await,
                Part::Expires(keys) => self.expires(keys, now).await,
                Part::Keys { prefix, cursor } => vec![self.keys(&prefix, cursor, now).await],
                Part::Lock { key, owner, ms } => vec![self.lock(&key, &owner, ms, now).await],
                Part::Unlock { key, owner } => vec![self.unlock(&key, &owner, now).await],
                Part::Publish { channel, payload } => vec![self.publish(&channel, &payload).await],
                Part::Subscribe(channel) => vec![self.subscribe(&channel).await],
                Part::Unsubscribe(channel) => vec![self.unsubscribe(&channel).await],
            }
        };
        answer.boxed()
    }
}
