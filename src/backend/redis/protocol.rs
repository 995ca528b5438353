//! RESP2 and RESP3 replies, without I/O. Pushes never become replies: those that name tag records go to the near cache
//! here, in the order of the stream, which is what makes it exact.

use super::near::Near;
use crate::error::{Error, Result};
use crate::net::link::Protocol;
use bytes::BytesMut;
use redis::{PushKind, Value, ValueCodec};
use std::sync::Arc;
use tokio_util::codec::Decoder;

pub struct Resp {
    codec: ValueCodec,
    near: Arc<Near>,
}

impl Resp {
    pub(super) fn new(near: Arc<Near>) -> Self {
        Resp { codec: ValueCodec::default(), near }
    }

    fn pushed(&self, kind: PushKind, data: Vec<Value>) {
        if kind != PushKind::Invalidate {
            return;
        }
        match data.into_iter().next() {
            Some(Value::Array(keys)) => {
                for key in keys {
                    if let Value::BulkString(key) = key {
                        self.near.invalidate(&key);
                    }
                }
            }
            // No names: the server's databases were flushed.
            _ => self.near.drop_all(),
        }
    }
}

impl Protocol for Resp {
    type Reply = Value;

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Value>> {
        loop {
            // Why it does not parse stays unsaid: the parser's text quotes the bytes, which may be a user's data.
            let reply = self.codec.decode(buffer).map_err(|_| {
                Error::connection("The server's bytes are no Redis protocol; is it the right port?")
            })?;
            match reply {
                Some(Value::Push { kind, data }) => self.pushed(kind, data),
                Some(Value::Attribute { data, .. }) => return Ok(Some(*data)),
                other => return Ok(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tags::Record;
    use proptest::prelude::*;

    const R: Record = Record { generation: 1, all: 2, auto: 3 };

    fn near_with(tags: &[&str]) -> Arc<Near> {
        let near = Arc::new(Near::new("p!t:".into()));
        near.track();
        let looked = near.look(tags);
        let found: Vec<_> = tags.iter().map(|_| Some(R)).collect();
        near.keep(tags, &looked.missing, &found);
        near
    }

    fn held(near: &Near, tag: &str) -> bool {
        near.look(&[tag]).missing.is_empty()
    }

    const STREAM: &[u8] =
        b"+OK\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$5\r\np!t:a\r\n*2\r\n$1\r\nx\r\n_\r\n:7\r\n-ERR no\r\n";

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_replies(cuts in proptest::collection::vec(0..STREAM.len(), 0..6)) {
            let near = near_with(&["a", "b"]);
            let mut resp = Resp::new(near.clone());
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
            for pair in cuts.windows(2) {
                buffer.extend_from_slice(&STREAM[pair[0]..pair[1]]);
                while let Some(reply) = resp.next(&mut buffer).unwrap() {
                    // A push is handled by the time the reply after it is out.
                    prop_assert_eq!(held(&near, "a"), got.is_empty());
                    got.push(reply);
                }
            }
            prop_assert_eq!(got.len(), 4);
            prop_assert_eq!(&got[0], &Value::Okay);
            prop_assert_eq!(&got[1], &Value::Array(vec![Value::BulkString(b"x".to_vec()), Value::Nil]));
            prop_assert_eq!(&got[2], &Value::Int(7));
            prop_assert!(matches!(got[3], Value::ServerError(_)));
            prop_assert!(held(&near, "b"));
        }

        #[test]
        fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut resp = Resp::new(near_with(&[]));
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
            let mut resp = Resp::new(near_with(&[]));
            let _ = resp.next(&mut BytesMut::from(hostile.as_bytes()));
        }
    }

    #[test]
    fn a_flush_drops_every_record() {
        let near = near_with(&["a", "b"]);
        let mut resp = Resp::new(near.clone());
        let reply = resp.next(&mut BytesMut::from(&b">2\r\n$10\r\ninvalidate\r\n_\r\n+OK\r\n"[..])).unwrap();
        assert_eq!(reply, Some(Value::Okay));
        assert!(!held(&near, "a") && !held(&near, "b"));
    }
}
