//! The commands that are used, by the wire layer of the `memcache` crate, gathered for several servers.

use super::protocol::Reply;
use crate::error::Result;
use crate::model::ttl::Ttl;
use crate::net::cluster::router::Location;
use crate::net::cluster::scatter::{Gathered, Request, Scatter, Slot};
use memcache::exp::{
    ArithmeticOptions, DeleteOptions, Error as WireError, GetOptions, MetaCommand, SetMode, SetOptions,
    build_arithmetic, build_delete, build_get, build_set,
};

/// Which of a read's answers are wanted beside the version.
#[derive(Clone, Copy, Default)]
pub struct MetaGetFlags {
    pub value: bool,
    pub ttl: bool,
    pub size: bool,
    /// Leave a stub of this many seconds where nothing is.
    pub vivify: Option<u32>,
    /// Give it this life.
    pub touch: Option<u32>,
}

impl MetaGetFlags {
    pub const VALUE: MetaGetFlags =
        MetaGetFlags { value: true, ttl: false, size: false, vivify: None, touch: None };
    pub const VALUE_TTL: MetaGetFlags = MetaGetFlags { ttl: true, ..MetaGetFlags::VALUE };
    pub const SIZE: MetaGetFlags =
        MetaGetFlags { value: false, ttl: false, size: true, vivify: None, touch: None };
    pub const SIZE_TTL: MetaGetFlags = MetaGetFlags { ttl: true, ..MetaGetFlags::SIZE };
}

/// What a set stores beside its value.
#[derive(Clone, Copy, Default)]
pub struct MetaSetFlags {
    pub flags: u32,
    /// As `seconds` gives it.
    pub life: u32,
}

/// A version of an item, and the connection on which its number means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub cas: u64,
    pub link: u64,
}

impl Version {
    pub fn of(reply: &Reply) -> Option<Self> {
        Some(Version { cas: reply.cas?, link: reply.link })
    }
}

/// The replies to a batch.
pub type Replies = Gathered<Reply>;

/// Commands that travel together.
pub struct Batch {
    scatter: Scatter,
}

impl Batch {
    /// For so many servers.
    pub fn new(servers: usize) -> Self {
        Batch { scatter: Scatter::new(servers) }
    }

    pub fn is_empty(&self) -> bool {
        self.scatter.is_empty()
    }

    pub fn get(&mut self, place: &Location, want: MetaGetFlags) -> Slot {
        let mut options = GetOptions::default();
        options.value = want.value;
        options.return_client_flags = true;
        options.return_cas = true;
        options.return_ttl = want.ttl;
        options.return_size = want.size;
        options.vivify_ttl = want.vivify;
        options.touch = want.touch;
        self.push(place, build_get(&place.key, &options))
    }

    pub fn set(&mut self, place: &Location, value: &[u8], put: MetaSetFlags) -> Slot {
        self.put(place, value, SetMode::Set, Some(put), None)
    }

    /// Stores only in place of this version.
    pub fn replace(&mut self, place: &Location, version: Version, value: &[u8], put: MetaSetFlags) -> Slot {
        self.put(place, value, SetMode::Set, Some(put), Some(version))
    }

    /// Stores only where nothing is.
    pub fn add(&mut self, place: &Location, value: &[u8], put: MetaSetFlags) -> Slot {
        self.put(place, value, SetMode::Add, Some(put), None)
    }

    pub fn append(&mut self, place: &Location, value: &[u8]) -> Slot {
        self.put(place, value, SetMode::Append, None, None)
    }

    fn put(
        &mut self,
        place: &Location,
        value: &[u8],
        mode: SetMode,
        put: Option<MetaSetFlags>,
        version: Option<Version>,
    ) -> Slot {
        let mut options = SetOptions::default();
        options.mode = mode;
        options.return_cas = true;
        options.client_flags = put.map(|put| put.flags);
        options.ttl = put.map(|put| put.life);
        options.compare_cas = version.map(|version| version.cas);
        self.push_bound(place, build_set(&place.key, value, &options), version)
    }

    pub fn delete(&mut self, place: &Location) -> Slot {
        self.push(place, build_delete(&place.key, &DeleteOptions::default()))
    }

    /// Deletes only this version.
    pub fn delete_version(&mut self, place: &Location, version: Version) -> Slot {
        let mut options = DeleteOptions::default();
        options.compare_cas = Some(version.cas);
        self.push_bound(place, build_delete(&place.key, &options), Some(version))
    }

    pub fn increment(&mut self, place: &Location) -> Slot {
        self.push(place, build_arithmetic(&place.key, &ArithmeticOptions::default()))
    }

    fn push(&mut self, place: &Location, command: Result<MetaCommand, WireError>) -> Slot {
        self.push_bound(place, command, None)
    }

    fn push_bound(
        &mut self,
        place: &Location,
        command: Result<MetaCommand, WireError>,
        version: Option<Version>,
    ) -> Slot {
        // Only a key that memcached cannot hold is refused, and `Keyspace::memcached` gives none.
        self.scatter.push(place.node, version.map(|version| version.link), |bytes| {
            command.and_then(|command| command.encode_into(bytes))
        })
    }

    /// The requests of each node, in order.
    pub fn into_parts(self) -> Vec<Vec<Request>> {
        self.scatter.into_parts()
    }
}

/// For the `T` flag: a second more than asked for, since the server counts in whole seconds of its own and may end an
/// item up to one early; the envelope's expiry keeps the exact moment. By the system's clock: the absolute times that
/// long lives need are the server's, whatever clock the caller keeps.
pub fn seconds(ttl: Ttl) -> u32 {
    match ttl {
        Ttl::Forever => 0,
        Ttl::Ms(ms) => Ttl::Ms(ms.saturating_add(1000)).memcached(crate::model::time::now()),
    }
}
