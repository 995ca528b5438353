//! What a miss leaves behind for the set that follows it.

use crate::codec::envelope::EntryVersion;
use crate::model::tag::Epoch;

/// Names the stub that a miss left in the entry's place, on a server without scripts (docs/internals/tags.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The server's number of the stub, or of what replaced it since.
    pub cas: u64,
    /// Which stub a value descends from; a delete ends the line.
    pub line: u32,
    /// The connection over which it was got: another one may lead to a restarted server, whose numbers begin again. On Redis the
    /// server's history, which is all of a lease there.
    pub link: u64,
}

/// Refuses a set whose data was read before a clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    pub epoch: Epoch,
    pub lease: Option<Lease>,
    /// The version that the read found, where the set may replace nothing else: a later set of the key stands.
    pub found: Option<EntryVersion>,
}

impl Guard {
    /// The guard of a read that found nothing to name, or whose set may replace whatever it finds.
    pub fn at(epoch: Epoch) -> Self {
        Guard { epoch, lease: None, found: None }
    }

    /// Whether it is of a later epoch, as far as the two can be compared.
    pub fn is_later_than(&self, other: Guard) -> bool {
        self.is_comparable_to(other) && self.epoch.is_later_than(other.epoch)
    }

    /// Numbers of two generations, connections or histories cannot be compared.
    pub fn is_comparable_to(&self, other: Guard) -> bool {
        let link = |guard: &Guard| guard.lease.map(|lease| lease.link);
        link(self) == link(&other) && self.epoch.generation == other.epoch.generation
    }
}
