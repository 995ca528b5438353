//! The channels that this store listens to, which every new connection takes up again.

use super::command::Pipeline;
use super::reply;
use crate::error::{Code, Error, Result};
use crate::events::{Event, Events};
use parking_lot::Mutex;
use redis::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Each is a command more in every handshake, which as a whole has `connectTimeout`; a bus needs one.
const MAX_CHANNELS: usize = 256;

pub struct Subscriptions {
    /// What every channel's name starts with on the server.
    pub prefix: String,
    /// Without the prefix.
    pub wanted: Mutex<BTreeSet<String>>,
    /// Whether the present connection can have subscriptions beside its other work.
    pub able: AtomicBool,
    told: AtomicBool,
    events: Events,
}

impl Subscriptions {
    pub fn new(prefix: String, events: Events) -> Self {
        Subscriptions {
            prefix,
            wanted: Mutex::default(),
            able: AtomicBool::new(false),
            told: AtomicBool::new(false),
            events,
        }
    }

    pub fn want(&self, channel: &str) -> Result<()> {
        let mut wanted = self.wanted.lock();
        if wanted.len() >= MAX_CHANNELS && !wanted.contains(channel) {
            return Err(Error::config(format!(
                "channel: expected at most {MAX_CHANNELS} subscriptions of one store; send what they carry over fewer."
            )));
        }
        wanted.insert(channel.to_owned());
        Ok(())
    }

    pub fn command(&self, name: &[u8], channel: &str) -> Pipeline {
        Pipeline::one(&[name, format!("{}{channel}", self.prefix).as_bytes()])
    }

    /// What a new connection has to say, if anything. `able`: whether it speaks RESP3.
    pub fn renewal(&self, able: bool) -> Option<Pipeline> {
        self.able.store(able, Relaxed);
        let wanted = self.wanted.lock();
        if wanted.is_empty() {
            return None;
        }
        if !able {
            self.tell(&unable());
            return None;
        }
        let mut pipeline = Pipeline::default();
        for channel in wanted.iter() {
            pipeline.push(&[b"SUBSCRIBE", format!("{}{channel}", self.prefix).as_bytes()]);
        }
        Some(pipeline)
    }

    /// A connection without its subscriptions is still a cache's: what the server refused is told, once.
    pub fn renewed(&self, replies: &[Value]) {
        for reply in replies {
            if let Value::ServerError(error) = reply {
                self.tell(&reply::failure(error));
                return;
            }
        }
        self.told.store(false, Relaxed);
    }

    fn tell(&self, error: &Error) {
        if !self.told.swap(true, Relaxed) {
            let message = format!("Messages of other processes do not arrive: {}", error.message);
            (self.events)(Event::Warning { code: error.code.as_str(), message });
        }
    }

    /// `[channel, payload]` of a push. What is not text, or of another channel than ours, is nobody's here.
    pub fn deliver(&self, data: Vec<Value>) {
        let mut parts = data.into_iter();
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(payload))) =
            (parts.next(), parts.next())
        else {
            return;
        };
        let (Ok(channel), Ok(payload)) = (String::from_utf8(channel), String::from_utf8(payload)) else {
            return;
        };
        let Some(channel) = channel.strip_prefix(&self.prefix) else { return };
        if self.wanted.lock().contains(channel) {
            (self.events)(Event::Message { channel: channel.to_owned(), payload });
        }
    }
}

pub fn unable() -> Error {
    Error::new(
        Code::Unsupported,
        "A subscription needs RESP3, which this connection does not speak. Set `tracking: true` (the default), and leave out \
         proxies that know only RESP2.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn channels() -> (Subscriptions, Arc<Mutex<Vec<Event>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let events = told.clone();
        (Subscriptions::new("p!c:".into(), Arc::new(move |event| events.lock().push(event))), told)
    }

    fn bulk(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    #[test]
    fn only_text_on_a_wanted_channel_is_heard() {
        let (channels, told) = channels();
        channels.want("a").unwrap();
        channels.deliver(vec![bulk(b"p!c:a"), bulk("é\r\n".as_bytes())]);
        for data in [
            vec![bulk(b"p!c:b"), bulk(b"1")],
            vec![bulk(b"a"), bulk(b"1")],
            vec![bulk(b"q!c:a"), bulk(b"1")],
            vec![bulk(b"p!c:a"), bulk(b"\xFF")],
            vec![bulk(b"p!c:a")],
            vec![Value::Nil, Value::Int(1)],
            vec![],
        ] {
            channels.deliver(data);
        }
        assert_eq!(*told.lock(), [Event::Message { channel: "a".into(), payload: "é\r\n".into() }]);
    }

    #[test]
    fn a_connection_takes_up_what_is_wanted_or_says_once_why_not() {
        let (channels, told) = channels();
        assert!(channels.renewal(true).is_none());
        channels.want("b").unwrap();
        channels.want("a").unwrap();
        let pipeline = channels.renewal(true).unwrap();
        assert_eq!(pipeline.replies, 2);
        let text = String::from_utf8(pipeline.bytes).unwrap();
        assert!(text.find("p!c:a").unwrap() < text.find("p!c:b").unwrap());
        assert!(channels.renewal(false).is_none());
        assert!(channels.renewal(false).is_none());
        assert_eq!(told.lock().len(), 1);
    }

    #[test]
    fn subscriptions_are_bounded() {
        let (channels, _) = channels();
        for n in 0..MAX_CHANNELS {
            channels.want(&n.to_string()).unwrap();
        }
        assert!(channels.want("0").is_ok());
        assert_eq!(channels.want("more").unwrap_err().code, Code::Config);
    }
}
