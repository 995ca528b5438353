//! Reading: the store judges entries by their tags; here they are decoded and judged by their age.

use super::op::{Outcome, TicketedRead};
use super::state::{Engine, L1};
use super::ticket;
use crate::codec::envelope::EntryVersion;
use crate::codec::text::Value;
use crate::codec::value::StoredValue;
use crate::error::{Code, Error};
use crate::model::tag::{Epoch, Validity};
use crate::model::time::UnixMs;
use crate::model::ttl::Times;
use crate::model::version_table::{Stamp, UNHEARD_MS, VersionTable};
use crate::net::poll_scope::leave_caller_thread;
use crate::store::form::{Decoded, DecodedEntry, EntryForm};
use crate::store::guard::{Guard, Lease};
use crate::store::request::{KeyRead, ReadEntry, SeenVersion};
use crate::store::traits::Store;
use std::time::{Duration, Instant};

/// How long the set after a ticketed read may take, whose caller is not bound to the memory of misses: a report that takes
/// minutes can still be stored. Not longer, since each such read of a key that is never set holds some 100 bytes of the server
/// so long.
const TICKET_LEASE_TTL: Duration = Duration::from_secs(300);

/// What is wanted of the entries read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadMode {
    /// The value. `remember`: a set may follow a miss. `stamp`: a hit with a stamp for L1, here and below.
    Value { remember: bool, stamp: bool },
    /// Whether there is one.
    Presence,
    /// The value, and the guard of a set. `times`: also how old a fresh one is.
    Ticket { times: bool, stamp: bool },
}

impl ReadMode {
    pub fn stamps(self) -> bool {
        matches!(self, ReadMode::Value { stamp: true, .. } | ReadMode::Ticket { stamp: true, .. })
    }
}

/// What a read made of one key, and the epoch of its scope.
pub(super) struct Keyed<F: EntryForm> {
    pub epoch: Epoch,
    pub lookup: Lookup<F>,
}

pub(super) enum Lookup<F: EntryForm> {
    Live(Live<F>),
    /// Nothing is there, or nothing valid: then what was seen.
    Gone {
        seen: SeenVersion<F>,
    },
    Failed(Error),
}

pub(super) struct Live<F: EntryForm> {
    pub value: StoredValue,
    pub tags: F::Tags,
    pub version: F::Version,
    pub expires_at: UnixMs,
    pub times: Option<Times>,
    /// A miss for all who did not ask for it.
    pub stale: bool,
}

impl<S: Store> Engine<S> {
    pub(super) async fn gets(&self, keys: &[String], mode: ReadMode, now: UnixMs) -> Vec<Outcome> {
        let remember = self.misses.is_on() && matches!(mode, ReadMode::Value { remember: true, .. });
        let l1 = self.l1.as_ref().filter(|_| mode.stamps());
        // Before anything is sent: what changes from now on makes the stamp worthless.
        let mut stamps: Vec<Stamp> =
            l1.map_or_else(Vec::new, |l1| keys.iter().map(|key| l1.versions.stamp(key)).collect());
        let exact = self.store.observes_all_changes();
        let lease = match mode {
            ReadMode::Ticket { .. } => Some(TICKET_LEASE_TTL),
            _ => remember.then_some(self.lease_ttl),
        };
        let lookups = match self.in_time(self.lookup(keys, lease, now, &mut stamps)).await {
            Ok(lookups) => lookups,
            Err(error) => keys.iter().map(|_| Keyed::failed(error.clone())).collect(),
        };
        let clock = Instant::now();
        let mut out = Vec::with_capacity(keys.len());
        let mut stamps = stamps.into_iter();
        for (key, Keyed { epoch, lookup }) in keys.iter().zip(lookups) {
            let stamp = stamps.next();
            let (live, lease, version) = match lookup {
                Lookup::Live(live) => {
                    let (lease, id) = (S::Form::lease(&live.version), S::Form::version_id(&live.version));
                    (Some(live), lease, id)
                }
                Lookup::Gone { seen } => (None, lease_of(&seen), id_of(&seen)),
                Lookup::Failed(error) => {
                    self.stats.failed(&error);
                    if remember {
                        self.remember_failed(key, clock);
                    }
                    out.push(Outcome::Failed(error));
                    continue;
                }
            };
            let guard = Guard { lease, ..Guard::at(epoch) };
            let fresh = live.as_ref().is_some_and(|live| !live.stale);
            let ends = live.as_ref().map_or(0, |live| live.fresh_until());
            let outcome = match (mode, live) {
                (ReadMode::Presence, _) => Outcome::Is(fresh),
                (ReadMode::Ticket { times, .. }, live) => {
                    self.ticketed(live, Guard { found: Some(version), ..guard }, times)
                }
                (ReadMode::Value { .. }, Some(live)) if fresh => self.unpack(live.value),
                (ReadMode::Value { .. }, _) => Outcome::Miss,
            };
            let outcome = match (outcome, l1, stamp) {
                (Outcome::Hit(value), Some(l1), Some(stamp)) => l1.stamped(value, stamp, ends, now, exact),
                (outcome, ..) => outcome,
            };
            let hit = match &outcome {
                Outcome::Hit(_) | Outcome::Stamped(..) | Outcome::Is(true) => true,
                Outcome::Read(reading) => fresh && reading.value.is_some(),
                _ => false,
            };
            if hit {
                self.stats.hits.add(1);
            } else {
                self.stats.misses.add(1);
                if remember {
                    self.misses.remember(key, guard, clock);
                }
            }
            out.push(outcome);
        }
        out
    }

    /// The caller takes a get that failed for a miss. What was cleared before it nobody knows, and since the epoch that
    /// was last seen it shows when the set comes.
    pub(super) fn remember_failed(&self, key: &str, clock: Instant) {
        self.misses.remember_failed(key, self.store.last_epoch(key), clock);
    }

    fn ticketed(&self, live: Option<Live<S::Form>>, guard: Guard, wanted: bool) -> Outcome {
        let reading = |value: Option<Value>, stale, times| {
            Outcome::Read(Box::new(TicketedRead { value, ticket: ticket::write(guard), stale, times }))
        };
        let Some(Live { value, stale, times, .. }) = live else { return reading(None, false, None) };
        match self.unpack(value) {
            Outcome::Hit(value) if !stale && !wanted => Outcome::Hit(value),
            Outcome::Hit(value) => reading(Some(value), stale, times),
            Outcome::Miss => reading(None, false, None),
            failed => failed,
        }
    }

    /// Reads and judges. `stamps`: of the keys, or none.
    pub(super) async fn lookup(
        &self,
        keys: &[String],
        lease: Option<Duration>,
        now: UnixMs,
        stamps: &mut [Stamp],
    ) -> Vec<Keyed<S::Form>> {
        let reads = match self.store.read(keys, now, lease).await {
            Ok(reads) => reads,
            Err(error) => return keys.iter().map(|_| Keyed::failed(error.clone())).collect(),
        };
        let judge = |(key, KeyRead { epoch, entry }): (&String, _)| {
            let lookup = entry.map_or_else(Lookup::Failed, |entry| self.judge(key, entry, now));
            Keyed { epoch, lookup }
        };
        let lookups: Vec<_> = keys.iter().zip(reads).map(judge).collect();
        if let Some(versions) = self.versions() {
            lookups.iter().zip(stamps).for_each(|(keyed, stamp)| keyed.lookup.stamp(versions, stamp));
        }
        if lookups.iter().any(|keyed| keyed.lookup.is_compressed()) {
            leave_caller_thread().await;
        }
        lookups
    }

    fn judge(&self, key: &str, entry: ReadEntry<S::Form>, now: UnixMs) -> Lookup<S::Form> {
        let entry = match entry {
            ReadEntry::Absent(lease) => return Lookup::Gone { seen: SeenVersion::Absent(lease) },
            ReadEntry::Present(entry) => entry,
        };
        let decoded = S::Form::decode(&entry, key, self.max_value, now);
        let version = S::Form::into_version(entry);
        let DecodedEntry { value, tags, expires_at, times, validity } = match decoded {
            Decoded::Entry(entry) => entry,
            Decoded::OtherKey => {
                return Lookup::Gone { seen: SeenVersion::Absent(S::Form::lease(&version)) };
            }
            Decoded::Incomplete => return Lookup::Gone { seen: SeenVersion::Present(version) },
            Decoded::Corrupt(error) => {
                self.count_corrupt(&error);
                return Lookup::Gone { seen: SeenVersion::Present(version) };
            }
        };
        if S::COARSE_EXPIRY && expires_at <= now {
            self.stats.expired.add(1);
            return Lookup::Gone { seen: SeenVersion::Present(version) };
        }
        match validity {
            Validity::Valid => {}
            Validity::Stale => self.stats.stale.add(1),
            Validity::Invalid => {
                self.stats.invalidated.add(1);
                return Lookup::Gone { seen: SeenVersion::Present(version) };
            }
        }
        Lookup::Live(Live { value, tags, version, expires_at, times, stale: validity == Validity::Stale })
    }

    pub(super) fn unpack(&self, value: StoredValue) -> Outcome {
        match value.unpack() {
            Ok(value) => Outcome::Hit(value),
            Err(error) if error.code == Code::Corrupt => {
                self.count_corrupt(&error);
                Outcome::Miss
            }
            Err(error) => Outcome::Failed(error),
        }
    }
}

impl<F: EntryForm> Keyed<F> {
    fn failed(error: Error) -> Self {
        Keyed { epoch: Epoch::NONE, lookup: Lookup::Failed(error) }
    }
}

impl<F: EntryForm> Lookup<F> {
    fn stamp(&self, versions: &VersionTable, stamp: &mut Stamp) {
        if let Lookup::Live(live) = self {
            stamp.tags(versions, live.tags.as_ref().iter().copied());
        }
    }

    /// What is small on the wire may be large.
    fn is_compressed(&self) -> bool {
        matches!(self, Lookup::Live(live) if live.value.is_compressed())
    }
}

pub(super) fn lease_of<F: EntryForm>(seen: &SeenVersion<F>) -> Option<Lease> {
    match seen {
        SeenVersion::Absent(lease) => *lease,
        SeenVersion::Present(version) => F::lease(version),
    }
}

fn id_of<F: EntryForm>(seen: &SeenVersion<F>) -> EntryVersion {
    match seen {
        SeenVersion::Absent(_) => EntryVersion::NONE,
        SeenVersion::Present(version) => F::version_id(version),
    }
}

impl<F: EntryForm> Live<F> {
    /// Until when a plain get is given it.
    fn fresh_until(&self) -> UnixMs {
        self.times.map_or(self.expires_at, |times| times.fresh_until.min(self.expires_at))
    }
}

impl L1 {
    /// A value with what it takes to keep it, unless it can no longer be kept. `exact`: when the read was sent, every
    /// change by anyone was told.
    fn stamped(&self, value: Value, stamp: Stamp, ends: UnixMs, now: UnixMs, exact: bool) -> Outcome {
        // Tags are judged in the read, before their counters were looked at: one may have been cleared in between.
        if self.versions.tags_changed(&stamp) {
            return Outcome::Hit(value);
        }
        let bound = self.ttl_ms.or((!exact).then_some(UNHEARD_MS));
        let ends = bound.map_or(ends, |ms| ends.min(now.saturating_add(ms)));
        let wide = matches!(value, Value::Utf16(_));
        Outcome::Stamped(value, stamp.units(ends, wide))
    }
}
