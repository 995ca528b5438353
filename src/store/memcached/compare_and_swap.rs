//! What changes exactly one thing: a version of an entry, or a lock.

use super::commands::{Batch, MetaGetFlags, MetaSetFlags, Version, seconds};
use super::core::Core;
use super::protocol::Outcome;
use crate::codec::envelope::retime;
use crate::error::Result;
use crate::model::time::UnixMs;
use crate::model::ttl::Ttl;
use crate::net::cluster::router::Location;
use crate::net::cluster::scatter::Slot;
use crate::store::form::Wire;
use crate::store::request::{SeenVersion, Swap};
use bytes::Bytes;

/// Turns of a lock that expires or changes hands under us each time.
const MAX_TURNS: usize = 4;

/// What a swap needs.
enum Step {
    /// Nothing: it is done, or cannot be.
    Known(bool),
    Asked(Slot),
}

impl Core {
    /// All in one batch.
    pub async fn swap_all(&self, swaps: &[Swap<Wire>], now: UnixMs) -> Vec<Result<bool>> {
        let mut batch = self.batch();
        let steps: Vec<_> = swaps.iter().map(|swap| self.put_swap(&mut batch, swap, now)).collect();
        let mut replies = self.send(batch).await;
        let swapped = steps.into_iter().map(|step| {
            let reply = match step? {
                Step::Known(done) => return Ok(done),
                Step::Asked(slot) => replies.take(slot)?,
            };
            match reply.outcome {
                Outcome::Done => Ok(true),
                Outcome::Exists | Outcome::NotFound => Ok(false),
                _ => Err(reply.unexpected()),
            }
        });
        swapped.collect()
    }

    fn put_swap(&self, batch: &mut Batch, swap: &Swap<Wire>, now: UnixMs) -> Result<Step> {
        let nothing = Bytes::new();
        let (bytes, lease) = match (&swap.seen, swap.times) {
            (SeenVersion::Present(seen), _) => (&seen.bytes, seen.lease),
            (SeenVersion::Absent(_), Some(_)) => return Ok(Step::Known(false)),
            // Without a stub no set is under way.
            (SeenVersion::Absent(None), None) => return Ok(Step::Known(true)),
            (SeenVersion::Absent(lease), None) => (&nothing, *lease),
        };
        // Nothing names the version that was seen.
        let Some(lease) = lease else { return Ok(Step::Known(false)) };
        let place = self.entry(&swap.key);
        let version = Version { cas: lease.cas, link: lease.link };
        let Some(times) = swap.times else { return Ok(Step::Asked(batch.delete_version(&place, version))) };
        let (entry, expires_at) = retime(bytes, times)?;
        // A line of its own: the sets under way were leased on another, and are refused.
        let flags = rand::random::<u32>().max(1);
        let life = Ttl::until(expires_at, now);
        let Some((entry, parts)) = self.split(&place, entry.into_bytes(), life) else {
            return Ok(Step::Known(false));
        };
        // Should one be refused, the entry is a miss.
        parts.append(self, batch);
        Ok(Step::Asked(batch.replace(&place, version, &entry, MetaSetFlags { flags, life: seconds(life) })))
    }

    /// On the server of the key itself, whose connection keeps the order of what a batch asks of both.
    fn lock_of(&self, key: &str) -> Location {
        Location { key: self.space.memcached(&self.space.lock(key)).0, node: self.entry(key).node }
    }

    pub async fn lock(&self, key: &str, owner: &str, ms: u64) -> Result<bool> {
        let place = self.lock_of(key);
        let put = MetaSetFlags { flags: 0, life: seconds(Ttl::Ms(ms)) };
        for _ in 0..MAX_TURNS {
            let mut batch = self.batch();
            let add = batch.add(&place, owner.as_bytes(), put);
            let look = batch.get(&place, MetaGetFlags::VALUE);
            let mut replies = self.send(batch).await;
            let added = replies.take(add)?;
            match added.outcome {
                Outcome::Done => return Ok(true),
                Outcome::NotStored => {}
                _ => return Err(added.unexpected()),
            }
            let held = replies.take(look)?;
            // It expired in between.
            let Some(version) = Version::of(&held) else { continue };
            if held.value.as_deref() != Some(owner.as_bytes()) {
                return Ok(false);
            }
            let mut batch = self.batch();
            let slot = batch.replace(&place, version, owner.as_bytes(), put);
            let extended = self.send(batch).await.take(slot)?;
            match extended.outcome {
                Outcome::Done => return Ok(true),
                Outcome::Exists | Outcome::NotFound => {}
                _ => return Err(extended.unexpected()),
            }
        }
        Ok(false)
    }

    pub async fn unlock(&self, key: &str, owner: &str) -> Result<()> {
        let place = self.lock_of(key);
        let mut batch = self.batch();
        let look = batch.get(&place, MetaGetFlags::VALUE);
        let held = self.send(batch).await.take(look)?;
        let Some(version) = Version::of(&held) else { return Ok(()) };
        if held.value.as_deref() == Some(owner.as_bytes()) {
            let mut batch = self.batch();
            let slot = batch.delete_version(&place, version);
            // Extended, expired or another's since: left alone.
            self.send(batch).await.take(slot)?;
        }
        Ok(())
    }
}
