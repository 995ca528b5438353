//! What changes exactly one thing: a version of an entry, or a lock.

use super::clear_table::{Advance, Member};
use super::command::generation_text;
use super::command::{Call, Pipeline};
use super::core::Core;
use super::reply;
use crate::codec::envelope::{FIXED, retime};
use crate::error::Result;
use crate::model::key::bucket;
use crate::model::tag::{Epoch, Invalidation, Tag};
use crate::store::fifo_gate::run_with;
use crate::store::form::Wire;
use crate::store::request::{SeenVersion, Swap};
use redis::Value;

/// One call of the script.
struct Exchange<'a> {
    at: usize,
    key: &'a str,
    /// By which the version that was seen is known.
    head: &'a [u8],
    /// What takes its place; empty = nothing.
    entry: Vec<u8>,
}

/// What is there and what takes its place; `None`: there is nothing that could be given times.
type Entries<'a> = Option<(&'a [u8], Vec<u8>)>;

fn entries(swap: &Swap<Wire>) -> Result<Entries<'_>> {
    let (bytes, entry): (&[u8], _) = match (&swap.seen, swap.times) {
        (SeenVersion::Present(seen), Some(times)) => {
            (&seen.bytes, retime(&seen.bytes, times)?.0.into_bytes())
        }
        (SeenVersion::Present(seen), None) => (&seen.bytes, Vec::new()),
        // The script takes no bytes for no entry.
        (SeenVersion::Absent(_), None) => (&[], Vec::new()),
        (SeenVersion::Absent(_), Some(_)) => return Ok(None),
    };
    Ok(Some((bytes.get(..FIXED).unwrap_or(bytes), entry)))
}

fn set<T>(out: &mut [T], at: usize, outcome: T) {
    if let Some(out) = out.get_mut(at) {
        *out = outcome;
    }
}

/// What a swap that was done advanced.
fn swap_advance(reply: &Value) -> Option<Advance> {
    let Value::Array(fields) = reply else { return None };
    let epoch = reply::epoch(fields.get(1), fields.get(3))?;
    let before = reply::text(fields.get(2)?)?.parse().ok()?;
    // A generation that it began has nothing of before.
    let root = Member { tag: Tag::ROOT, kind: Invalidation::Hard };
    let members = if before == 0 { vec![root] } else { Vec::new() };
    Some(Advance { epoch, before, members })
}

impl Core {
    /// All in one pipeline.
    pub async fn swap_all(&self, swaps: &[Swap<Wire>]) -> Vec<Result<bool>> {
        let mut calls = Vec::with_capacity(swaps.len());
        let mut out = Vec::with_capacity(swaps.len());
        for (at, swap) in swaps.iter().enumerate() {
            match entries(swap) {
                Ok(found) => {
                    calls.extend(found.map(|(head, entry)| Exchange { at, key: &swap.key, head, entry }));
                    out.push(Ok(false));
                }
                Err(error) => out.push(Err(error)),
            }
        }
        let deadline = self.deadline();
        // Whatever the server has forgotten is known to it again after the first call by its text.
        for how in [Call::Sha, Call::Text] {
            if calls.is_empty() {
                break;
            }
            let mut pipeline = Pipeline::default();
            for (nth, call) in calls.iter().enumerate() {
                self.put_swap(&mut pipeline, call, if nth == 0 { how } else { Call::Sha });
            }
            let state = self.server.state.clone();
            let keys: Vec<String> = calls.iter().map(|call| call.key.to_owned()).collect();
            let sent = self.send_observed(pipeline, move |replies| {
                for (reply, key) in replies.iter().zip(keys) {
                    if let Some(advance) = swap_advance(reply) {
                        state.observe_advance(&advance, vec![key]);
                    }
                }
            });
            let replies = match deadline.bound(sent).await {
                Ok(replies) => replies,
                Err(error) => {
                    for call in &calls {
                        set(&mut out, call.at, Err(error.clone()));
                    }
                    return out;
                }
            };
            let mut forgotten = Vec::new();
            for (call, reply) in calls.into_iter().zip(replies) {
                if how == Call::Sha && reply::forgot_script(&reply) {
                    forgotten.push(call);
                } else {
                    set(&mut out, call.at, self.swapped(reply));
                }
            }
            calls = forgotten;
        }
        out
    }

    fn put_swap(&self, pipeline: &mut Pipeline, call: &Exchange<'_>, how: Call) {
        let names = &self.names;
        pipeline.call(&self.server.scripts.swap, how, 5, 6);
        for name in [&names.epoch, &names.log, &names.fences, &names.index] {
            pipeline.arg(name.as_bytes());
        }
        pipeline.arg_of(&[names.entry.as_bytes(), call.key.as_bytes()]);
        pipeline.arg(&generation_text(Epoch::draw_generation()));
        pipeline.number(self.server.state.max_epoch_seen().n);
        pipeline.arg(&bucket(call.key));
        pipeline.arg(call.head);
        pipeline.arg(&call.entry);
        pipeline.number(names.entry.len() as u64 + 1);
    }

    fn swapped(&self, reply: Value) -> Result<bool> {
        Ok(reply::integer(reply::array(reply)?.first().unwrap_or(&Value::Nil))? == 1)
    }

    /// `ms`: for how long; `None` = to give it back. Whether it is (or may be) the owner's.
    ///
    /// Sent as text, which is short, and not by name: a server that has forgotten the name would have the lock taken
    /// only after the read that follows it in its batch, which is to see what the last owner stored.
    pub async fn lock(&self, key: &str, owner: &str, ms: Option<u64>) -> Result<bool> {
        let deadline = self.deadline();
        // Like the read and the set beside it, so that they keep their order.
        let permit = self.wait_for_deferred(deadline).await?;
        let name = self.space.lock(key);
        let asked = self.lock_of(&name, owner, ms, None);
        deadline.bound(run_with(permit, asked)).await
    }

    /// The same of a lock by its own name. `note`: a key, and what is written there if the lock is theirs.
    pub async fn lock_of(
        &self,
        name: &str,
        owner: &str,
        ms: Option<u64>,
        note: Option<(&str, &str)>,
    ) -> Result<bool> {
        let mut pipeline = Pipeline::default();
        let noted = usize::from(note.is_some());
        pipeline.call(&self.server.scripts.lock, Call::Text, 1 + noted, 2 + noted);
        pipeline.arg(name.as_bytes());
        if let Some((key, _)) = note {
            pipeline.arg(key.as_bytes());
        }
        pipeline.arg(owner.as_bytes());
        pipeline.arg(ms.map(|ms| ms.to_string()).unwrap_or_default().as_bytes());
        if let Some((_, note)) = note {
            pipeline.arg(note.as_bytes());
        }
        let reply = reply::only(self.deadline().bound(self.send(pipeline)).await?);
        Ok(reply::integer(&reply)? == 1)
    }
}
