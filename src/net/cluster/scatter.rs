//! Commands for several nodes, sent together: for each node as few requests as their size allows, all enqueued in the same moment, so
//! that they travel in one round trip.

use crate::error::{Code, Error, Result};
use crate::net::client::{Client, Reply};
use crate::net::handshake::Server;
use futures_util::future::{Either, join_all};
use std::future::Future;

/// A request that has grown to so many bytes is followed by another: some 1,500 short commands. Only a single large value makes one
/// longer.
const REQUEST: usize = 64 * 1024;

/// Where a command's reply will be.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    node: usize,
    request: usize,
    at: usize,
}

#[derive(Default)]
pub struct Request {
    bytes: Vec<u8>,
    replies: usize,
    /// Commands that are bound to a connection go over that one or not at all, and with them the whole request.
    over: Option<u64>,
    /// Two commands were bound to different connections: one of them is gone, so nothing is sent.
    is_torn: bool,
}

pub struct Scatter {
    /// The requests of each node, none of them empty.
    parts: Vec<Vec<Request>>,
}

impl Scatter {
    pub fn new(nodes: usize) -> Self {
        Scatter { parts: (0..nodes).map(|_| Vec::new()).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Vec::is_empty)
    }

    /// Adds a command for a node. `encode` appends its bytes, or fails; `over`: the connection that it is bound to.
    pub fn push<E>(
        &mut self,
        node: usize,
        over: Option<u64>,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Slot {
        let never = Slot { node, request: usize::MAX, at: usize::MAX };
        let Some(part) = self.parts.get_mut(node) else { return never };
        if part.last().is_none_or(|last| last.bytes.len() >= REQUEST) {
            part.push(Request::default());
        }
        let at = part.len() - 1;
        let Some(request) = part.last_mut() else { return never };
        if over.is_some() {
            request.is_torn |= request.over.is_some() && request.over != over;
            request.over = over;
        }
        let start = request.bytes.len();
        match encode(&mut request.bytes) {
            Ok(()) => {
                request.replies += 1;
                Slot { node, request: at, at: request.replies - 1 }
            }
            Err(_) => {
                request.bytes.truncate(start);
                never
            }
        }
    }

    /// The requests of each node, in order.
    pub fn into_parts(self) -> Vec<Vec<Request>> {
        self.parts
    }
}

/// The answers to one request.
type Answers<R> = Result<Vec<Option<R>>>;

/// The replies to a scatter.
pub struct Gathered<R> {
    parts: Vec<Vec<Answers<R>>>,
}

impl<R> Gathered<R> {
    pub async fn of(sends: Vec<impl Future<Output = Vec<Answers<R>>>>) -> Self {
        Gathered { parts: join_all(sends).await }
    }

    /// Takes the reply of a command, once.
    pub fn take(&mut self, slot: Slot) -> Result<R> {
        match self.parts.get_mut(slot.node).and_then(|part| part.get_mut(slot.request)) {
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(replies)) => replies.get_mut(slot.at).and_then(Option::take).ok_or_else(lost),
            None => Err(lost()),
        }
    }
}

/// Enqueues a node's requests now.
pub fn dispatch<S: Server>(
    client: &Client<S>,
    part: Vec<Request>,
) -> impl Future<Output = Vec<Answers<Reply<S>>>> + Send + 'static + use<S> {
    let sent: Vec<_> = part
        .into_iter()
        .map(|Request { bytes, replies, over, is_torn }| match (replies, is_torn, over) {
            (0, _, _) => Err(Ok(Vec::new())),
            (_, true, _) => Err(Err(replaced())),
            (_, _, Some(over)) => Ok(Either::Left(client.send_on(over, bytes, replies))),
            (_, _, None) => Ok(Either::Right(client.send(bytes, replies))),
        })
        .collect();
    join_all(sent.into_iter().map(|sent| async move {
        match sent {
            Err(known) => known,
            Ok(sent) => Ok(sent.await?.into_iter().map(Some).collect()),
        }
    }))
}

/// Fails all requests of a node.
pub fn failed<R>(part: &[Request], error: &Error) -> Vec<Answers<R>> {
    part.iter().map(|_| Err(error.clone())).collect()
}

fn replaced() -> Error {
    Error::connection("The connection was replaced while a compare-and-swap was prepared; try again.")
}

fn lost() -> Error {
    Error::new(
        Code::Internal,
        "A command could not be encoded, or its answer was taken twice; please report it.",
    )
}
