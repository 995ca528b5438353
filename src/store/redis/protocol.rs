//! RESP2 and RESP3 replies, without I/O. Pushes become no replies: what they tell of changes and messages is taken in here, in
//! the order of the stream. The exception is a push that confirms a subscription or its end, each made for one channel: it is
//! the command's reply.

use super::reading::Reading;
use super::reply;
use super::state::State;
use super::strings::{self, Found};
use crate::error::{Error, Result};
use crate::net::protocol::Protocol;
use bytes::{Bytes, BytesMut};
use redis::{PushKind, Value, ValueCodec};
use std::sync::Arc;
use tokio_util::codec::Decoder;

/// More than this of an array that is not whole yet goes to the crate's parser, which takes it element by element: the
/// bytes that wait unparsed are bounded.
const WAITING: usize = 1024 * 1024;

#[derive(Debug)]
pub enum Reply {
    /// An array of strings and nils: slices of what was read.
    Strings(Vec<Option<Bytes>>),
    Other(Value),
    /// What a read's replies were made into, in the order of the connection.
    Read(Box<Result<Reading>>),
}

impl Reply {
    pub(super) fn into_value(self) -> Value {
        match self {
            Reply::Other(value) => value,
            Reply::Read(_) => Value::Nil,
            Reply::Strings(strings) => {
                let item = |string: Option<Bytes>| {
                    string.map_or(Value::Nil, |bytes| Value::BulkString(bytes.into()))
                };
                Value::Array(strings.into_iter().map(item).collect())
            }
        }
    }
}

pub struct Resp {
    codec: ValueCodec,
    /// The codec has begun a reply, and keeps what it has of it.
    is_midway: bool,
    state: Arc<State>,
}

impl Resp {
    pub(super) fn new(state: Arc<State>) -> Self {
        Resp { codec: ValueCodec::default(), is_midway: false, state }
    }
}

impl Protocol for Resp {
    type Reply = Reply;

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>> {
        loop {
            if !self.is_midway {
                match strings::take(buffer) {
                    Found::Whole(strings) => return Ok(Some(Reply::Strings(strings))),
                    Found::Part if buffer.len() <= WAITING => return Ok(None),
                    Found::Part | Found::Other => {}
                }
            }
            // Why it does not parse stays unsaid: the parser's text quotes the bytes, which may be a user's data.
            let reply = self.codec.decode(buffer).map_err(|_| {
                Error::connection("The server's bytes are no Redis protocol; is it the right port?")
            })?;
            self.is_midway = reply.is_none();
            match reply {
                Some(Value::Push { kind, data }) => match kind {
                    PushKind::Invalidate => match data.into_iter().next() {
                        Some(Value::Array(keys)) => self.state.invalidated(Some(keys)),
                        // No names: the server's databases were flushed.
                        _ => self.state.invalidated(None),
                    },
                    PushKind::Message => self.state.channels.deliver(data),
                    PushKind::Subscribe | PushKind::Unsubscribe => {
                        return Ok(Some(Reply::Other(Value::Okay)));
                    }
                    _ => {}
                },
                Some(Value::Attribute { data, .. }) => return fit(*data),
                Some(reply) => return fit(reply),
                None => return Ok(None),
            }
        }
    }

    fn serves(&mut self, connection_id: u64) {
        self.state.begins_handshake(connection_id);
    }
}

/// A server that became a replica ends its connection: what it still answers may be outdated.
fn fit(reply: Value) -> Result<Option<Reply>> {
    match reply::unfit(&reply) {
        Some(error) => Err(reply::failure(error)),
        None => Ok(Some(Reply::Other(reply))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::Keyspace;
    use crate::model::version_table::VersionTable;
    use proptest::prelude::*;

    fn state() -> (Arc<VersionTable>, Arc<State>) {
        let versions = VersionTable::new(true);
        let space = Keyspace::new("p").unwrap();
        (versions.clone(), Arc::new(State::new(&space, crate::events::silent(), Some(versions))))
    }

    fn sum(versions: &Arc<VersionTable>, key: &str) -> Vec<u16> {
        versions.stamp(key).units(0, false)[..2].to_vec()
    }

    const STREAM: &[u8] =
        b"+OK\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\np::a\r\n*2\r\n$1\r\nx\r\n_\r\n:7\r\n-ERR no\r\n";

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_replies(cuts in proptest::collection::vec(0..STREAM.len(), 0..6)) {
            let (versions, state) = state();
            let mut resp = Resp::new(state);
            let (before, other) = (sum(&versions, "a"), sum(&versions, "b"));
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
            for pair in cuts.windows(2) {
                buffer.extend_from_slice(&STREAM[pair[0]..pair[1]]);
                while let Some(reply) = resp.next(&mut buffer).unwrap() {
                    // A push is handled by the time the reply after it is out.
                    prop_assert_eq!(sum(&versions, "a") == before, got.is_empty());
                    got.push(reply.into_value());
                }
            }
            prop_assert_eq!(got.len(), 4);
            prop_assert_eq!(&got[0], &Value::Okay);
            prop_assert_eq!(&got[1], &Value::Array(vec![Value::BulkString(b"x".to_vec()), Value::Nil]));
            prop_assert_eq!(&got[2], &Value::Int(7));
            prop_assert!(matches!(got[3], Value::ServerError(_)));
            prop_assert_eq!(sum(&versions, "b"), other);
        }

        #[test]
        fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut resp = Resp::new(state().1);
            let mut buffer = BytesMut::from(&noise[..]);
            while let Ok(Some(_)) = resp.next(&mut buffer) {}
        }
    }

    #[test]
    fn declared_lengths_allocate_nothing() {
        for hostile in [
            "*9223372036854775807\r\n",
            "%9223372036854775807\r\n",
            "$9223372036854775807\r\n",
            "*-5\r\n",
            ">-1\r\n",
        ] {
            let mut resp = Resp::new(state().1);
            let _ = resp.next(&mut BytesMut::from(hostile.as_bytes()));
        }
    }

    #[test]
    fn a_flush_outdates_everything() {
        let (versions, state) = state();
        let mut resp = Resp::new(state);
        let before = [sum(&versions, "a"), sum(&versions, "b")];
        let reply = resp.next(&mut BytesMut::from(&b">2\r\n$10\r\ninvalidate\r\n_\r\n+OK\r\n"[..])).unwrap();
        assert_eq!(reply.map(Reply::into_value), Some(Value::Okay));
        assert!(before[0] != sum(&versions, "a") && before[1] != sum(&versions, "b"));
    }

    #[test]
    fn a_confirmed_subscription_is_a_reply_and_a_message_is_none() {
        let mut resp = Resp::new(state().1);
        let mut buffer = BytesMut::from(
            &b">3\r\n$9\r\nsubscribe\r\n$5\r\np!c:a\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$5\r\np!c:a\r\n$1\r\nx\r\n:7\r\n\
               >3\r\n$11\r\nunsubscribe\r\n$5\r\np!c:a\r\n:0\r\n"[..],
        );
        let mut replies = Vec::new();
        while let Some(reply) = resp.next(&mut buffer).unwrap() {
            replies.push(reply.into_value());
        }
        assert_eq!(replies, [Value::Okay, Value::Int(7), Value::Okay]);
    }
}
