//! Lifetimes. One type inside (milliseconds, or for ever), converted at the edges to what each server takes.

use crate::model::time::UnixMs;

/// How long an entry lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    Forever,
    /// Milliseconds, at least 1. Zero is not a lifetime: the engine turns it into a delete before it gets here.
    Ms(u64),
}

/// What an entry says of its age, beside its expiry. One that has times is kept while it is stale: it is not served by
/// a plain get, but a reader that can do with it is given it (docs/decisions/0006).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub created: UnixMs,
    /// Stale from then on; `NEVER` = fresh as long as it lives.
    pub fresh_until: UnixMs,
    /// Milliseconds that its making took.
    pub cost: u32,
}

/// The envelope's value for "never expires".
pub const NEVER: UnixMs = u64::MAX;

/// Memcached reads a larger number as an absolute Unix time (protocol.txt, "Expiration times").
const MEMCACHED_RELATIVE_MAX_SECS: u64 = 30 * 24 * 60 * 60;
/// The largest absolute time every memcached takes: a signed 32-bit number of seconds.
const MEMCACHED_ABSOLUTE_MAX_SECS: u64 = i32::MAX as u64;
/// Redis rejects an expiry whose absolute milliseconds overflow a signed 64-bit number; a thousand years is enough.
const REDIS_MAX_MS: u64 = 1000 * 365 * 24 * 60 * 60 * 1000;

impl Ttl {
    /// The logical expiry to put into the envelope.
    pub fn expires_at(self, now: UnixMs) -> UnixMs {
        match self {
            Ttl::Forever => NEVER,
            Ttl::Ms(ms) => now.saturating_add(ms).min(NEVER - 1),
        }
    }

    /// What is left at `now` of a life that ends then.
    pub fn until(expires_at: UnixMs, now: UnixMs) -> Self {
        if expires_at == NEVER { Ttl::Forever } else { Ttl::Ms(expires_at.saturating_sub(now).max(1)) }
    }

    /// For `PX`: `None` = no expiry.
    pub fn redis_px(self) -> Option<u64> {
        match self {
            Ttl::Forever => None,
            Ttl::Ms(ms) => Some(ms.clamp(1, REDIS_MAX_MS)),
        }
    }

    /// For the meta protocol's `T` flag: whole seconds, rounded up (the envelope's expiry keeps the exact moment), and
    /// an absolute time from 30 days on. 0 = no expiry. Beyond January 2038 the entry is stored without expiry there,
    /// and the envelope alone ends it.
    pub fn memcached(self, now: UnixMs) -> u32 {
        let Ttl::Ms(ms) = self else { return 0 };
        let secs = ms.div_ceil(1000).max(1);
        if secs < MEMCACHED_RELATIVE_MAX_SECS {
            return secs as u32;
        }
        let at = (now / 1000).saturating_add(secs);
        if at > MEMCACHED_ABSOLUTE_MAX_SECS { 0 } else { at as u32 }
    }

    /// The longer of the two.
    pub fn max(self, other: Ttl) -> Ttl {
        match (self, other) {
            (Ttl::Ms(a), Ttl::Ms(b)) => Ttl::Ms(a.max(b)),
            _ => Ttl::Forever,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_700_000_000_000;

    #[test]
    fn memcached_seconds_round_up_and_turn_absolute_at_thirty_days() {
        assert_eq!(Ttl::Ms(1).memcached(NOW), 1);
        assert_eq!(Ttl::Ms(1001).memcached(NOW), 2);
        assert_eq!(Ttl::Ms((MEMCACHED_RELATIVE_MAX_SECS - 1) * 1000).memcached(NOW), 2_591_999);
        assert_eq!(Ttl::Ms(MEMCACHED_RELATIVE_MAX_SECS * 1000).memcached(NOW), 1_702_592_000);
        assert_eq!(Ttl::Forever.memcached(NOW), 0);
        assert_eq!(Ttl::Ms(u64::MAX).memcached(NOW), 0);
    }

    #[test]
    fn redis_lifetimes_never_overflow() {
        assert_eq!(Ttl::Ms(u64::MAX).redis_px(), Some(REDIS_MAX_MS));
        assert_eq!(Ttl::Ms(u64::MAX).expires_at(NOW), NEVER - 1);
        assert_eq!(Ttl::Forever.redis_px(), None);
    }
}
