//! Clearing, and the clears that an outage kept back.

use super::clear_table::{Advance, Member};
use super::command::{Call, Pipeline};
use super::core::Core;
use super::deadline::Deadline;
use super::reply;
use super::state::members_of;
use crate::error::{Code, Error, Result};
use crate::model::tag::{Invalidation, Tag};
use crate::store::fifo_gate::Permit;
use crate::store::request::Clear;
use futures_util::future::join_all;
use redis::Value;
use std::future::Future;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// Keys, and tags, in one call of the script: half a millisecond to a millisecond of the server's time each.
pub(super) const NAMES_A_CALL: usize = 500;
/// A clear of more names travels in rounds of so many calls, so that the server's others wait two milliseconds or so; what is asked
/// for meanwhile waits behind it. A smaller one, or many that were asked for at once and travel together, is sent as a whole.
const AT_ONCE: usize = 4_000;
const PARTS_A_ROUND: usize = 2;
/// Longer than this a round takes only where the way to the server does, or where it is busy with others.
const FAR: Duration = Duration::from_millis(8);

/// A call of the script: some of the keys, some of the tags.
struct Part<'a> {
    keys: &'a [String],
    tags: &'a [Tag],
    root: bool,
    kind: Invalidation,
}

impl Core {
    /// Whatever is owed is cleared; at once if nothing is, and nobody waits for that. The turn is to be kept until the
    /// first command is sent.
    pub async fn wait_for_deferred(&self, deadline: Deadline) -> Result<Option<Permit<'_>>> {
        self.activity.used();
        if !self.deferred.any() && self.gate.is_empty() {
            return Ok(None);
        }
        let waiting = async {
            let permit = self.gate.acquire().await;
            self.replay().await?;
            Ok(Some(permit))
        };
        deadline.bound(waiting).await
    }

    async fn replay(&self) -> Result<()> {
        let mut failed = self.deferred.replay.lock().await;
        if !self.deferred.any() {
            return Ok(());
        }
        if let Some(error) = failed.again(self.client.connection_id()) {
            return Err(error);
        }
        let mut taken = self.deferred.take();
        while let Some(clear) = taken.clears.last() {
            if let Err(error) = self.clear_now(clear, None).await {
                failed.note(self.client.connection_id(), &error);
                return Err(error);
            }
            taken.clears.pop();
        }
        Ok(())
    }

    pub async fn clear(&self, clear: Clear) -> Result<()> {
        let work = async {
            let permit = match names(&clear) > AT_ONCE {
                true => Some(self.gate.acquire().await),
                false => self.gate.acquire_behind().await,
            };
            self.clear_now(&clear, permit).await
        };
        let outcome = self.deadline().bound(work).await;
        let Err(error) = outcome else { return Ok(()) };
        // The latter two are a connection's: rights or a database taken away may be given back, and entries are there.
        if !error.code.is_outage() && !matches!(error.code, Code::Config | Code::Unsupported) {
            return Err(error);
        }
        self.defer_clear(clear);
        Err(error.queued())
    }

    pub fn defer_clear(&self, clear: Clear) {
        self.deferred.add(clear);
        self.wake.notify_one();
    }

    /// A part that fails leaves the whole to be made again; to clear twice does no harm. `turn`: to be given on when the last
    /// part is sent.
    async fn clear_now(&self, clear: &Clear, mut permit: Option<Permit<'_>>) -> Result<()> {
        let mut left = parts(clear);
        let mut how = Call::Sha;
        let mut round = if names(clear) > AT_ONCE { PARTS_A_ROUND } else { left.len().max(1) };
        while !left.is_empty() {
            let rest = left.split_off(round.min(left.len()));
            let began = Instant::now();
            // All parts of a round travel at once, so that their order among other requests is kept.
            let sent: Vec<_> = left.iter().map(|part| self.send_part(part, how)).collect();
            if rest.is_empty() {
                permit = None;
            }
            let forgotten = self.acknowledged(left, join_all(sent).await, how)?;
            // A server that is far away would take too long for many rounds; then its pauses matter less.
            if began.elapsed() >= FAR {
                round *= 2;
            }
            // A server that has forgotten the script is told its text, and then knows it.
            how = if forgotten.is_empty() { Call::Sha } else { Call::Text };
            left = forgotten.into_iter().chain(rest).collect();
        }
        drop(permit);
        if !clear.tags.is_empty() {
            self.sweeper.sweep();
        }
        Ok(())
    }

    /// Those of the parts that must be sent again, since the server has forgotten the script.
    fn acknowledged<'a>(
        &self,
        parts: Vec<Part<'a>>,
        replies: Vec<Result<Vec<Value>>>,
        how: Call,
    ) -> Result<Vec<Part<'a>>> {
        let mut forgotten = Vec::new();
        let mut failed = None;
        for (part, replies) in parts.into_iter().zip(replies) {
            let reply = reply::only(replies?);
            if how == Call::Sha && reply::forgot_script(&reply) {
                forgotten.push(part);
                continue;
            }
            match reply::array(reply) {
                Ok(fields) => self.count_lost(fields.get(3)),
                Err(error) => failed = Some(worse(failed, error)),
            }
        }
        failed.map_or(Ok(forgotten), Err)
    }

    /// The reply is taken in in the order of the connection: what follows knows of the clear.
    fn send_part(&self, part: &Part<'_>, how: Call) -> impl Future<Output = Result<Vec<Value>>> + use<> {
        let mut pipeline = Pipeline::default();
        self.server.put_clear(&mut pipeline, how, part.keys, part.tags, part.root, part.kind);
        let mut members = members_of(part.tags, part.kind);
        members.extend(part.root.then_some(Member { tag: Tag::ROOT, kind: part.kind }));
        let keys = part.keys.to_vec();
        let state = self.server.state.clone();
        self.send_observed(pipeline, move |replies| {
            if let Some(advance) = replies.last().and_then(|reply| advance(reply, members)) {
                state.observe_advance(&advance, keys);
            }
        })
    }

    /// `rose`: the floor of the log rose to what living entries may need: they became misses.
    fn count_lost(&self, rose: Option<&Value>) {
        if rose.is_some_and(|rose| reply::integer(rose).is_ok_and(|rose| rose == 1)) {
            self.stats.log_overflows.add(1);
            if !self.server.told_overflow.swap(true, SeqCst) {
                self.server.warn(Code::Server, format!(
                    "More than {} tags were cleared within the life of the entries: the oldest entries became misses before \
                     their time (stats().logOverflows counts how often). Shorter lifetimes, or fewer tags a clear, avoid it.",
                    self.server.clear_log_max()
                ));
            }
        }
    }
}

/// A script's answer: the generation, the number before, and the number after its advance.
pub(super) fn advance(reply: &Value, members: Vec<Member>) -> Option<Advance> {
    let Value::Array(fields) = reply else { return None };
    let epoch = reply::epoch(fields.first(), fields.get(2))?;
    let before = reply::text(fields.get(1)?)?.parse().ok()?;
    Some(Advance { epoch, before, members })
}

/// An outage outranks the rest: the clear is then kept and made again.
fn worse(before: Option<Error>, error: Error) -> Error {
    match before {
        Some(before) if before.code.is_outage() => before,
        _ => error,
    }
}

fn names(clear: &Clear) -> usize {
    clear.keys.len().max(clear.tags.len())
}

fn parts(clear: &Clear) -> Vec<Part<'_>> {
    let kind = clear.invalidation;
    let root = clear.tags.contains(&Tag::ROOT);
    // Whoever clears everything need not be told the rest.
    let tags: &[Tag] = if root { &[] } else { &clear.tags };
    let mut keys = clear.keys.chunks(NAMES_A_CALL);
    let mut tags = tags.chunks(NAMES_A_CALL);
    let mut out = Vec::new();
    loop {
        match (keys.next(), tags.next()) {
            (None, None) => break,
            (keys, tags) => out.push(Part {
                keys: keys.unwrap_or_default(),
                tags: tags.unwrap_or_default(),
                root: false,
                kind,
            }),
        }
    }
    match out.last_mut() {
        Some(last) => last.root = root,
        None if root => out.push(Part { keys: &[], tags: &[], root, kind }),
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
            tags: tags.iter().map(|tag| Tag::selected(tag)).collect(),
            invalidation: Invalidation::Hard,
        }
    }

    #[test]
    fn a_small_clear_is_one_call_and_a_large_one_several() {
        let shape = |clear: &Clear| {
            parts(clear).iter().map(|p| (p.keys.len(), p.tags.len(), p.root)).collect::<Vec<_>>()
        };
        assert_eq!(shape(&clear(1, &["a", "b"])), [(1, 2, false)]);
        assert_eq!(shape(&clear(1, &["a", "*", "b"])), [(1, 0, true)]);
        assert_eq!(shape(&clear(0, &["*"])), [(0, 0, true)]);
        assert_eq!(shape(&clear(1001, &["a"])), [(500, 1, false), (500, 0, false), (1, 0, false)]);
        assert_eq!(shape(&clear(0, &[])), []);
    }
}
