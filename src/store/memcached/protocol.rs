//! The meta protocol's replies, without I/O. The wire layer of the `memcache` crate reads a header's flags; here is
//! what it leaves to its user: where a reply ends, and what the handshake's older commands answer.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use crate::error::{Code, Error, Result};
use crate::model::ttl::Ttl;
use crate::net::protocol::Protocol;
use bytes::{Buf, Bytes, BytesMut};
use memcache::exp::{Error as WireError, MetaResponse, ReturnCode, parse_meta_result};

/// Longest line a server sends us: a return code and a handful of numbers, or an error's sentence. Anything longer
/// is not memcached.
const MAX_LINE: usize = 2048;

/// Header of the binary protocol's replies, and the byte they begin with; only the handshake ever asks for one.
const BINARY_HEADER: usize = 24;
const BINARY_MAGIC: u8 = 0x81;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `HD`, `VA`.
    Done,
    /// `EN`: a read found nothing.
    Miss,
    /// `NS`: an add found something, or an append nothing (or no room).
    NotStored,
    /// `EX`: another version is there.
    Exists,
    /// `NF`: nothing is there.
    NotFound,
    /// `MN`.
    Noop,
    /// `STORED`: the authentication was accepted.
    Stored,
    /// `VERSION <text>`.
    Version(String),
    /// `CLIENT_ERROR <text>`, or a bare `ERROR` (empty text): the server does not take the command.
    Rejected(String),
    /// `SERVER_ERROR <text>`: it takes the command but cannot do it.
    Failed(String),
    /// A reply of the binary protocol.
    Binary,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub outcome: Outcome,
    pub value: Option<Bytes>,
    /// `None` also for 0, which a server without CAS answers.
    pub cas: Option<u64>,
    /// Client flags; 0 where none were asked for.
    pub flags: u32,
    /// Remaining seconds; -1 = no expiry.
    pub ttl: Option<i64>,
    /// Bytes of the value.
    pub size: Option<u64>,
    /// A stub that a miss left for whoever sets first (`W`, `Z`).
    pub stub: bool,
    /// Number of the connection that brought it.
    pub link: u64,
}

impl Reply {
    fn bare(outcome: Outcome, link: u64) -> Self {
        Reply { outcome, value: None, cas: None, flags: 0, ttl: None, size: None, stub: false, link }
    }

    pub fn done(&self) -> bool {
        self.outcome == Outcome::Done
    }

    /// The life an item has left. One that ends within this second has one: 0 would mean that it never ends.
    pub fn remaining(&self) -> Ttl {
        match self.ttl {
            Some(seconds) if seconds >= 0 => Ttl::Ms(seconds.max(1) as u64 * 1000),
            _ => Ttl::Forever,
        }
    }

    /// The error of an answer that no step of ours expects.
    pub fn unexpected(&self) -> Error {
        Error::new(
            Code::Server,
            format!("memcached: expected success or a version's answer, got {:?}.", self.outcome),
        )
    }
}

pub struct Meta {
    link: u64,
    max_value: usize,
    /// Bytes the reply at the front has in all, once its header has said so.
    needs: usize,
}

impl Meta {
    /// `max_value`: the longest value a reply may announce.
    pub fn new(max_value: usize) -> Self {
        Meta { link: 0, max_value, needs: 0 }
    }

    fn binary(&self, buffer: &mut BytesMut) -> Option<Reply> {
        let body = buffer.get(8..)?.first_chunk()?;
        let total = BINARY_HEADER + u32::from_be_bytes(*body) as usize;
        if buffer.len() < total.min(MAX_LINE) {
            return None;
        }
        buffer.advance(total.min(buffer.len()));
        Some(Reply::bare(Outcome::Binary, self.link))
    }

    /// A header line whose value, if it announces one, lies between `line + 2` and the reply's end.
    fn reply(&self, line: &[u8], value: Option<Bytes>) -> Result<Reply> {
        let outcome = match line {
            b"STORED" => Some(Outcome::Stored),
            _ => line.strip_prefix(b"VERSION ").map(|text| Outcome::Version(lossy(text))),
        };
        if let Some(outcome) = outcome {
            return Ok(Reply::bare(outcome, self.link));
        }
        let header = match MetaResponse::parse_header(line) {
            Ok(header) => header,
            Err(WireError::Rejected(text)) => {
                let text = if line == b"ERROR" { String::new() } else { text };
                return Ok(Reply::bare(Outcome::Rejected(text), self.link));
            }
            Err(WireError::Server(text)) => return Ok(Reply::bare(Outcome::Failed(text), self.link)),
            Err(_) => return Err(garbage(line)),
        };
        let parsed = parse_meta_result(header).map_err(|_| garbage(line))?;
        let outcome = match parsed.rc {
            ReturnCode::Hd | ReturnCode::Va => Outcome::Done,
            ReturnCode::En => Outcome::Miss,
            ReturnCode::Ns => Outcome::NotStored,
            ReturnCode::Ex => Outcome::Exists,
            ReturnCode::Nf => Outcome::NotFound,
            ReturnCode::Mn => Outcome::Noop,
            _ => return Err(garbage(line)),
        };
        Ok(Reply {
            outcome,
            value,
            cas: parsed.cas.filter(|cas| *cas != 0),
            flags: parsed.client_flags.unwrap_or(0),
            ttl: parsed.ttl,
            size: parsed.size,
            stub: parsed.won || parsed.busy,
            link: self.link,
        })
    }
}

impl Protocol for Meta {
    type Reply = Reply;

    fn serves(&mut self, connection_id: u64) {
        self.link = connection_id;
    }

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>> {
        if buffer.is_empty() || buffer.len() < self.needs {
            return Ok(None);
        }
        if buffer.first() == Some(&BINARY_MAGIC) {
            return Ok(self.binary(buffer));
        }
        let Some(end) = buffer.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
            return if buffer.len() >= MAX_LINE { Err(garbage(buffer)) } else { Ok(None) };
        };
        let (first, _) = buffer.split_at(end);
        let Some(header) = first.strip_suffix(b"\r") else { return Err(garbage(first)) };
        let (line, head) = (header.len(), end + 1);
        let announced = match header.strip_prefix(b"VA ") {
            Some(rest) => Some(self.length(rest).ok_or_else(|| garbage(header))?),
            None => None,
        };
        let total = head + announced.map_or(0, |length| length + 2);
        if buffer.len() < total {
            self.needs = total;
            return Ok(None);
        }
        self.needs = 0;
        let bytes = buffer.split_to(total).freeze();
        let value = announced.map(|length| bytes.slice(head..head + length));
        let (header, _) = bytes.split_at(line);
        if announced.is_some() && !bytes.ends_with(b"\r\n") {
            return Err(garbage(header));
        }
        self.reply(header, value).map(Some)
    }
}

impl Meta {
    fn length(&self, rest: &[u8]) -> Option<usize> {
        let digits = rest.split(|byte| *byte == b' ').next()?;
        let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (length <= self.max_value).then_some(length)
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn garbage(line: &[u8]) -> Error {
    // What came may be anything, a value included: a few printable characters tell enough.
    let shown: String = lossy(line.get(..40).unwrap_or(line)).escape_default().collect();
    Error::connection(format!(
        "memcached: expected a reply of the meta protocol, got \"{shown}\"; the connection was dropped. Check that the address is memcached's."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(meta: &mut Meta, chunks: &[&[u8]]) -> Result<Vec<Reply>> {
        let mut buffer = BytesMut::new();
        let mut out = Vec::new();
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            while let Some(reply) = meta.next(&mut buffer)? {
                out.push(reply);
            }
        }
        Ok(out)
    }

    const STREAM: &[u8] = b"VERSION 1.6.18\r\nSTORED\r\nMN\r\nHD c12\r\nVA 4 f7 c9 t-1\r\n\r\nx\n\r\nVA 0 f0 c3 W\r\n\r\nEN\r\nNS c0\r\nEX\r\nNF c0\r\nERROR\r\nCLIENT_ERROR bad\r\nSERVER_ERROR out of memory storing object\r\nHD s12 t5\r\n";

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_replies(cuts in proptest::collection::vec(0..STREAM.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &STREAM[w[0]..w[1]]).collect();
            let mut meta = Meta::new(100);
            meta.serves(5);
            let replies = all(&mut meta, &chunks).unwrap();
            let outcomes: Vec<_> = replies.iter().map(|r| r.outcome.clone()).collect();
            prop_assert_eq!(outcomes, vec![
                Outcome::Version("1.6.18".into()), Outcome::Stored, Outcome::Noop, Outcome::Done, Outcome::Done,
                Outcome::Done, Outcome::Miss, Outcome::NotStored, Outcome::Exists, Outcome::NotFound,
                Outcome::Rejected("".into()), Outcome::Rejected("bad".into()),
                Outcome::Failed("out of memory storing object".into()), Outcome::Done,
            ]);
            prop_assert_eq!(replies[3].cas, Some(12));
            prop_assert_eq!(replies[4].value.as_deref(), Some(&b"\r\nx\n"[..]));
            prop_assert_eq!((replies[4].flags, replies[4].cas, replies[4].ttl), (7, Some(9), Some(-1)));
            prop_assert!(replies[5].stub && !replies[4].stub);
            prop_assert_eq!(replies[7].cas, None);
            prop_assert_eq!((replies[13].size, replies[13].ttl), (Some(12), Some(5)));
            prop_assert!(replies.iter().all(|r| r.link == 5));
        }

        #[test]
        fn noise_ends_the_connection_or_waits_but_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = all(&mut Meta::new(100), &[&noise]);
        }
    }

    #[test]
    fn bytes_that_make_no_sense_are_an_error() {
        let long = [b'x'; MAX_LINE];
        let hostile: [&[u8]; 9] = [
            b"+OK\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"VA x f0\r\n",
            b"VA 101 f0\r\n",
            b"VA 18446744073709551616\r\n",
            b"VA 2 f0\r\nabcd",
            b"HD cx\r\n",
            b"HD\n",
            &long,
        ];
        for bytes in hostile {
            assert!(all(&mut Meta::new(100), &[bytes]).is_err(), "{:?}", lossy(bytes));
        }
    }

    #[test]
    fn an_error_shows_no_more_than_a_few_escaped_characters() {
        let error =
            all(&mut Meta::new(100), &[b"\x1b[31m secret secret secret secret secret secret end\r\n"])
                .unwrap_err();
        assert!(error.message.contains("\\u{1b}") && !error.message.contains("end"), "{error}");
    }
}
