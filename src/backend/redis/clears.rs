//! Clearing, and the clears that an outage kept back.

use super::Core;
use super::command::{Call, Pipeline};
use super::deadline::Deadline;
use super::reply;
use crate::backend::Clear;
use crate::backend::line::{Turn, begun};
use crate::backend::pending::{Failed, PendingClears};
use crate::error::{Code, Error, Result};
use crate::key::{STAR, bucket};
use crate::tags::{Epoch, Raise};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Names in one call of the script: about a millisecond of the server's time.
const NAMES_A_CALL: usize = 500;

/// What is still to be cleared.
#[derive(Default)]
pub(super) struct Owed {
    clears: Mutex<PendingClears>,
    /// Set before the clear that is owed rejects, unset after the server has acknowledged all.
    any: AtomicBool,
    /// Held by the one who replays; the others wait for it.
    replay: tokio::sync::Mutex<Failed>,
}

impl Owed {
    pub fn any(&self) -> bool {
        self.any.load(SeqCst)
    }

    pub fn add(&self, clear: Clear) {
        let mut clears = self.clears.lock();
        clears.add(clear);
        self.any.store(true, SeqCst);
    }
}

/// Clears taken for replay: what was not acknowledged goes back, also when the replay is given up half-way.
struct Taken<'a> {
    owed: &'a Owed,
    clears: Vec<Clear>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut clears = self.owed.clears.lock();
        for clear in self.clears.drain(..) {
            clears.add(clear);
        }
        self.owed.any.store(!clears.is_empty(), SeqCst);
    }
}

/// A call of the script: how many of the keys and tags it takes, from where.
struct Chunk<'a> {
    keys: &'a [String],
    tags: Vec<&'a str>,
    raise: Raise,
    star: bool,
}

impl Core {
    /// Whatever is owed is cleared; at once if nothing is, and nobody waits for that. The turn is to be kept until the
    /// first command is sent.
    pub async fn settled(&self, deadline: Deadline) -> Result<Option<Turn<'_>>> {
        if !self.owed.any() && self.line.is_empty() {
            return Ok(None);
        }
        let settling = async {
            let turn = self.line.turn().await;
            self.replay().await?;
            Ok(Some(turn))
        };
        deadline.bound(settling).await
    }

    async fn replay(&self) -> Result<()> {
        let mut failed = self.owed.replay.lock().await;
        if !self.owed.any() {
            return Ok(());
        }
        if let Some(error) = failed.again(self.link.incarnation()) {
            return Err(error);
        }
        let clears = self.owed.clears.lock().take();
        let mut taken = Taken { owed: &self.owed, clears };
        while let Some(clear) = taken.clears.last() {
            if let Err(error) = self.clear_now(clear).await {
                failed.note(self.link.incarnation(), &error);
                return Err(error);
            }
            taken.clears.pop();
        }
        Ok(())
    }

    pub async fn clear(&self, clear: Clear) -> Result<()> {
        let (keys, tags) = (&clear.keys, &clear.tags);
        self.asked.clears(keys.iter().map(String::as_str), tags.iter().map(String::as_str));
        let work = async { begun(self.line.behind().await, self.clear_now(&clear)).await };
        let outcome = self.deadline().bound(work).await;
        let Err(error) = outcome else { return Ok(()) };
        // The latter two are a connection's: rights or a database taken away may be given back, and entries are there.
        if !error.code.is_outage() && !matches!(error.code, Code::Config | Code::Unsupported) {
            return Err(error);
        }
        self.owe(clear);
        Err(error.queued())
    }

    pub fn owe(&self, clear: Clear) {
        self.owed.add(clear);
        self.wake.notify_one();
    }

    async fn clear_now(&self, clear: &Clear) -> Result<()> {
        let mut chunks = chunks(clear);
        let mut how = Call::Sha;
        while !chunks.is_empty() {
            let mut pipeline = Pipeline::default();
            for chunk in &chunks {
                self.put_clear(&mut pipeline, chunk, how);
            }
            let replies = self.send(pipeline).await?;
            let mut forgotten = Vec::new();
            let mut failed = None;
            for (chunk, reply) in chunks.into_iter().zip(replies) {
                if how == Call::Sha && reply::forgot_script(&reply) {
                    forgotten.push(chunk);
                    continue;
                }
                match reply::array(reply) {
                    Ok(fields) => {
                        if let Some(epoch) = reply::epoch(fields.first(), fields.get(1)) {
                            self.server.saw(epoch);
                        }
                    }
                    Err(error) => failed = Some(worse(failed, error)),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            chunks = forgotten;
            how = Call::Text;
        }
        Ok(())
    }

    fn put_clear(&self, pipeline: &mut Pipeline, chunk: &Chunk<'_>, how: Call) {
        let space = &self.space;
        let keys = 2 + chunk.keys.len() + chunk.tags.len() + usize::from(chunk.star);
        pipeline.call(&self.server.scripts.clear, how, keys, 4 + chunk.keys.len());
        pipeline.arg(space.epoch().as_bytes());
        pipeline.arg(space.fences().as_bytes());
        for key in chunk.keys {
            pipeline.arg(space.entry(key).as_bytes());
        }
        for tag in &chunk.tags {
            let record = space.record(tag);
            // Not left to the server's push, which comes behind the replies to what is sent together with this.
            self.server.near.invalidate(record.as_bytes());
            pipeline.arg(record.as_bytes());
        }
        if chunk.star {
            pipeline.arg(space.record(STAR).as_bytes());
        }
        pipeline.arg(format!("{:016x}", Epoch::draw_generation()).as_bytes());
        pipeline.arg(if chunk.raise == Raise::All { b"all" } else { b"auto" });
        pipeline.arg(chunk.keys.len().to_string().as_bytes());
        pipeline.arg(if chunk.star { b"1" } else { b"0" });
        for key in chunk.keys {
            pipeline.arg(&bucket(key));
        }
    }
}

/// An outage outranks the rest: the clear is then kept and made again.
fn worse(before: Option<Error>, error: Error) -> Error {
    match before {
        Some(before) if before.code.is_outage() => before,
        _ => error,
    }
}

fn chunks(clear: &Clear) -> Vec<Chunk<'_>> {
    let named: Vec<&str> = clear.tags.iter().map(String::as_str).filter(|tag| *tag != STAR).collect();
    let star = named.len() < clear.tags.len();
    let raise = clear.raise;
    let mut out = Vec::new();
    for keys in clear.keys.chunks(NAMES_A_CALL) {
        out.push(Chunk { keys, tags: Vec::new(), raise, star: false });
    }
    for tags in named.chunks(NAMES_A_CALL) {
        match out.last_mut() {
            // One call for the usual small clear.
            Some(last) if last.keys.len() + last.tags.len() + tags.len() <= NAMES_A_CALL => {
                last.tags.extend(tags)
            }
            _ => out.push(Chunk { keys: &[], tags: tags.to_vec(), raise, star: false }),
        }
    }
    match out.last_mut() {
        Some(last) => last.star = star,
        None if star => out.push(Chunk { keys: &[], tags: Vec::new(), raise, star }),
        None => {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clear(keys: usize, tags: &[&str]) -> Clear {
        Clear {
            keys: (0..keys).map(|i| i.to_string()).collect(),
            tags: tags.iter().map(|tag| tag.to_string()).collect(),
            raise: Raise::All,
        }
    }

    #[test]
    fn a_small_clear_is_one_call_and_a_large_one_several() {
        let shape = |clear: &Clear| {
            chunks(clear).iter().map(|c| (c.keys.len(), c.tags.len(), c.star)).collect::<Vec<_>>()
        };
        assert_eq!(shape(&clear(1, &["a", "*", "b"])), [(1, 2, true)]);
        assert_eq!(shape(&clear(0, &["*"])), [(0, 0, true)]);
        assert_eq!(shape(&clear(1001, &["a"])), [(500, 0, false), (500, 0, false), (1, 1, false)]);
        assert_eq!(shape(&clear(0, &[])), []);
    }

    #[test]
    fn what_a_replay_did_not_finish_is_owed_again() {
        let owed = Owed::default();
        owed.add(clear(1, &["a"]));
        let clears = owed.clears.lock().take();
        drop(Taken { owed: &owed, clears });
        assert!(owed.any() && !owed.clears.lock().is_empty());
        let clears = owed.clears.lock().take();
        let mut taken = Taken { owed: &owed, clears };
        taken.clears.clear();
        drop(taken);
        assert!(!owed.any());
    }
}
