//! Commands for several servers, sent together: one request a server, all enqueued in the same moment.

use super::protocol::Reply;
use super::store::{Place, Store};
use crate::error::{Code, Error, Result};
use crate::ttl::Ttl;
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

/// Where a command's reply will be.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    server: usize,
    at: usize,
}

#[derive(Default)]
struct Part {
    bytes: Vec<u8>,
    replies: usize,
    /// Commands that name a version go over its connection or not at all, and with them the whole request.
    over: Option<u64>,
    /// Two commands named versions of different connections: one of them is gone, so nothing is sent.
    torn: bool,
}

pub struct Batch<'a> {
    store: &'a Store,
    parts: Vec<Part>,
}

impl<'a> Batch<'a> {
    pub fn new(store: &'a Store) -> Self {
        Batch { store, parts: store.nodes().iter().map(|_| Part::default()).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.replies == 0)
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
        if let Some(version) = version {
            self.bind(place, version);
        }
        self.push(place, build_set(&place.key, value, &options))
    }

    pub fn delete(&mut self, place: &Place) -> Slot {
        self.push(place, build_delete(&place.key, &DeleteOptions::default()))
    }

    /// Deletes only this version.
    pub fn delete_version(&mut self, place: &Place, version: Version) -> Slot {
        let mut options = DeleteOptions::default();
        options.compare_cas = Some(version.cas);
        self.bind(place, version);
        self.push(place, build_delete(&place.key, &options))
    }

    pub fn increment(&mut self, place: &Place) -> Slot {
        self.push(place, build_arithmetic(&place.key, &ArithmeticOptions::default()))
    }

    fn bind(&mut self, place: &Place, version: Version) {
        let part = &mut self.parts[place.server];
        part.torn |= part.over.is_some_and(|link| link != version.link);
        part.over = Some(version.link);
    }

    fn push(&mut self, place: &Place, command: Result<MetaCommand, WireError>) -> Slot {
        let part = &mut self.parts[place.server];
        let start = part.bytes.len();
        match command.and_then(|command| command.encode_into(&mut part.bytes)) {
            Ok(()) => {
                part.replies += 1;
                Slot { server: place.server, at: part.replies - 1 }
            }
            Err(_) => {
                // Only a key that memcached cannot hold is refused, and `Keyspace::memcached` gives none.
                part.bytes.truncate(start);
                Slot { server: place.server, at: usize::MAX }
            }
        }
    }

    /// Sends at once, whatever waits for these servers.
    pub fn send_now(self) -> impl Future<Output = Replies> + Send + 'static {
        let sends: Vec<_> =
            self.parts.into_iter().enumerate().map(|(at, part)| dispatch(self.store, at, part)).collect();
        async move { Replies { parts: join_all(sends).await } }
    }

    /// Sends, but first replays the clears that an outage kept from a server.
    pub async fn send(self) -> Replies {
        let store = self.store;
        let open = |at: &usize| !store.nodes()[*at].waiting.any();
        let concerned: Vec<usize> = (0..self.parts.len()).filter(|at| self.parts[*at].replies > 0).collect();
        if concerned.iter().all(open) {
            return self.send_now().await;
        }
        let sends: Vec<_> = self
            .parts
            .into_iter()
            .enumerate()
            .map(|(at, part)| {
                if part.replies == 0 || open(&at) {
                    return Either::Left(dispatch(store, at, part));
                }
                Either::Right(async move {
                    store.replay(at).await?;
                    dispatch(store, at, part).await
                })
            })
            .collect();
        Replies { parts: join_all(sends).await }
    }
}

type Answers = Result<Vec<Option<Reply>>>;

fn dispatch(store: &Store, at: usize, part: Part) -> impl Future<Output = Answers> + Send + 'static {
    let link = &store.nodes()[at].link;
    let sent = match (part.replies, part.torn, part.over) {
        (0, _, _) => None,
        (_, true, _) => Some(Err(replaced())),
        (_, _, Some(over)) => Some(Ok(Either::Left(link.send_over(over, part.bytes, part.replies)))),
        (_, _, None) => Some(Ok(Either::Right(link.send(part.bytes, part.replies)))),
    };
    async move {
        match sent {
            None => Ok(Vec::new()),
            Some(sent) => Ok(sent?.await?.into_iter().map(Some).collect()),
        }
    }
}

fn replaced() -> Error {
    Error::connection(
        "memcached: the connection was replaced while a compare-and-swap was prepared; try again.",
    )
}

pub struct Replies {
    parts: Vec<Answers>,
}

impl Replies {
    pub fn take(&mut self, slot: Slot) -> Result<Reply> {
        match &mut self.parts[slot.server] {
            Ok(replies) => replies.get_mut(slot.at).and_then(Option::take).ok_or_else(|| {
                Error::new(
                    Code::Internal,
                    "memcached: a command could not be encoded or was answered twice; please report it.",
                )
            }),
            Err(error) => Err(error.clone()),
        }
    }
}

/// For the `T` flag: a second more than asked for, since the server counts in whole seconds of its own and may end an
/// item up to one early; the envelope's expiry keeps the exact moment. By the system's clock: the absolute times that
/// long lives need are the server's, whatever clock the caller keeps.
pub fn seconds(ttl: Ttl) -> u32 {
    match ttl {
        Ttl::Forever => 0,
        Ttl::Ms(ms) => Ttl::Ms(ms.saturating_add(1000)).memcached(crate::clock::now()),
    }
}
