//! Commands for several servers, sent together: for each server as few requests as their size allows, all enqueued in the
//! same moment, so that they travel in one round trip.

use super::protocol::Reply;
use super::store::{Place, Store};
use crate::error::{Code, Error, Result};
use crate::model::ttl::Ttl;
use futures_util::future::{Either, join_all};
use memcache::exp::{
    ArithmeticOptions, DeleteOptions, Error as WireError, GetOptions, MetaCommand, SetMode, SetOptions,
    build_arithmetic, build_delete, build_get, build_set,
};
use std::future::Future;

/// Which of a read's answers are wanted beside the version.
#[derive(Clone, Copy, Default)]
pub struct Want {
    pub value: bool,
    pub ttl: bool,
    pub size: bool,
    /// Leave a stub of this many seconds where nothing is.
    pub vivify: Option<u32>,
    /// Give it this life.
    pub touch: Option<u32>,
}

impl Want {
    pub const VALUE: Want = Want { value: true, ttl: false, size: false, vivify: None, touch: None };
    pub const VALUE_TTL: Want = Want { ttl: true, ..Want::VALUE };
    pub const SIZE: Want = Want { value: false, ttl: false, size: true, vivify: None, touch: None };
    pub const SIZE_TTL: Want = Want { ttl: true, ..Want::SIZE };
}

/// What a set stores beside its value.
#[derive(Clone, Copy, Default)]
pub struct Put {
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

/// A request that has grown to so many bytes is followed by another: some 1,500 records' commands. Only a single large
/// value makes one longer.
const REQUEST: usize = 64 * 1024;

/// Where a command's reply will be.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    server: usize,
    request: usize,
    at: usize,
}

#[derive(Default)]
struct Request {
    bytes: Vec<u8>,
    replies: usize,
    /// Commands that name a version go over its connection or not at all, and with them the whole request.
    over: Option<u64>,
    /// Two commands named versions of different connections: one of them is gone, so nothing is sent.
    torn: bool,
}

pub struct Batch<'a> {
    store: &'a Store,
    /// Each server's, none of them empty.
    parts: Vec<Vec<Request>>,
}

impl<'a> Batch<'a> {
    pub fn new(store: &'a Store) -> Self {
        Batch { store, parts: store.nodes().iter().map(|_| Vec::new()).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Vec::is_empty)
    }

    pub fn get(&mut self, place: &Place, want: Want) -> Slot {
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

    pub fn set(&mut self, place: &Place, value: &[u8], put: Put) -> Slot {
        self.put(place, value, SetMode::Set, Some(put), None)
    }

    /// Stores only in place of this version.
    pub fn replace(&mut self, place: &Place, version: Version, value: &[u8], put: Put) -> Slot {
        self.put(place, value, SetMode::Set, Some(put), Some(version))
    }

    /// Stores only where nothing is.
    pub fn add(&mut self, place: &Place, value: &[u8], put: Put) -> Slot {
        self.put(place, value, SetMode::Add, Some(put), None)
    }

    pub fn append(&mut self, place: &Place, value: &[u8]) -> Slot {
        self.put(place, value, SetMode::Append, None, None)
    }

    fn put(
        &mut self,
        place: &Place,
        value: &[u8],
        mode: SetMode,
        put: Option<Put>,
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

    pub fn delete(&mut self, place: &Place) -> Slot {
        self.push(place, build_delete(&place.key, &DeleteOptions::default()))
    }

    /// Deletes only this version.
    pub fn delete_version(&mut self, place: &Place, version: Version) -> Slot {
        let mut options = DeleteOptions::default();
        options.compare_cas = Some(version.cas);
        self.push_bound(place, build_delete(&place.key, &options), Some(version))
    }

    pub fn increment(&mut self, place: &Place) -> Slot {
        self.push(place, build_arithmetic(&place.key, &ArithmeticOptions::default()))
    }

    fn push(&mut self, place: &Place, command: Result<MetaCommand, WireError>) -> Slot {
        self.push_bound(place, command, None)
    }

    fn push_bound(
        &mut self,
        place: &Place,
        command: Result<MetaCommand, WireError>,
        version: Option<Version>,
    ) -> Slot {
        let part = &mut self.parts[place.server];
        if part.last().is_none_or(|last| last.bytes.len() >= REQUEST) {
            part.push(Request::default());
        }
        let at = part.len() - 1;
        let request = &mut part[at];
        if let Some(version) = version {
            request.torn |= request.over.is_some_and(|link| link != version.link);
            request.over = Some(version.link);
        }
        let start = request.bytes.len();
        match command.and_then(|command| command.encode_into(&mut request.bytes)) {
            Ok(()) => {
                request.replies += 1;
                Slot { server: place.server, request: at, at: request.replies - 1 }
            }
            Err(_) => {
                // Only a key that memcached cannot hold is refused, and `Keyspace::memcached` gives none.
                request.bytes.truncate(start);
                Slot { server: place.server, request: at, at: usize::MAX }
            }
        }
    }

    /// Sends at once, whatever waits for these servers.
    pub fn send_now(self) -> impl Future<Output = Replies> + Send + 'static {
        let store = self.store;
        let sends: Vec<_> =
            self.parts.into_iter().enumerate().map(|(at, part)| dispatch(store, at, part)).collect();
        async move { Replies { parts: join_all(sends).await } }
    }

    /// Sends, but first replays the clears that an outage kept from a server.
    pub async fn send(self) -> Replies {
        let store = self.store;
        let open = |at: usize| !store.nodes()[at].waiting.any();
        let concerned = |part: &Vec<Request>| !part.is_empty();
        if self.parts.iter().enumerate().all(|(at, part)| !concerned(part) || open(at)) {
            return self.send_now().await;
        }
        let sends: Vec<_> = self
            .parts
            .into_iter()
            .enumerate()
            .map(|(at, part)| {
                if !concerned(&part) || open(at) {
                    return Either::Left(dispatch(store, at, part));
                }
                Either::Right(async move {
                    match store.replay(at).await {
                        Ok(()) => dispatch(store, at, part).await,
                        Err(error) => part.iter().map(|_| Err(error.clone())).collect(),
                    }
                })
            })
            .collect();
        Replies { parts: join_all(sends).await }
    }
}

/// Of one request.
type Answers = Result<Vec<Option<Reply>>>;

/// Enqueues a server's requests now.
fn dispatch(
    store: &Store,
    at: usize,
    part: Vec<Request>,
) -> impl Future<Output = Vec<Answers>> + Send + 'static {
    let link = &store.nodes()[at].link;
    let sent: Vec<_> = part
        .into_iter()
        .map(|Request { bytes, replies, over, torn }| match (replies, torn, over) {
            (0, _, _) => Err(Ok(Vec::new())),
            (_, true, _) => Err(Err(replaced())),
            (_, _, Some(over)) => Ok(Either::Left(link.send_on(over, bytes, replies))),
            (_, _, None) => Ok(Either::Right(link.send(bytes, replies))),
        })
        .collect();
    join_all(sent.into_iter().map(|sent| async move {
        match sent {
            Err(known) => known,
            Ok(sent) => Ok(sent.await?.into_iter().map(Some).collect()),
        }
    }))
}

fn replaced() -> Error {
    Error::connection(
        "memcached: the connection was replaced while a compare-and-swap was prepared; try again.",
    )
}

pub struct Replies {
    parts: Vec<Vec<Answers>>,
}

impl Replies {
    pub fn take(&mut self, slot: Slot) -> Result<Reply> {
        match self.parts[slot.server].get_mut(slot.request) {
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(replies)) => replies.get_mut(slot.at).and_then(Option::take).ok_or_else(lost),
            None => Err(lost()),
        }
    }
}

fn lost() -> Error {
    Error::new(
        Code::Internal,
        "memcached: a command could not be encoded or was answered twice; please report it.",
    )
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
