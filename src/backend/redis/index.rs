//! The index of each tag's keys: for reading by tags and for reclaiming, never for validity.

use super::Core;
use super::command::{Call, Pipeline};
use super::reply;
use crate::backend::{Dead, Page};
use crate::codec::envelope::FIXED;
use crate::error::Result;
use crate::key::STAR;
use parking_lot::Mutex;
use redis::Value;
use std::collections::{HashMap, HashSet};

/// Members of a page: some 256 entries are then read at once.
const PAGE: &[u8] = b"256";
/// Keys looked at for a page of the whole prefix; on a shared server most may be others'.
const SCAN: &[u8] = b"512";
/// An index below this costs too little to be swept.
const SMALL: i64 = 1_000;
/// Tags whose sizes are remembered; about 100 bytes each. More forget all: each large one is then told once more.
const MAX_SIZES: usize = 8_192;

/// Which indexes have outgrown what a sweep left of them.
#[derive(Default)]
pub(super) struct Crowds {
    inner: Mutex<Sizes>,
}

#[derive(Default)]
struct Sizes {
    /// What was known when it was last told or swept.
    known: HashMap<String, i64>,
    crowded: HashSet<String>,
}

impl Crowds {
    pub fn stored(&self, tag: &str, size: i64) {
        if size <= SMALL {
            return;
        }
        let mut inner = self.inner.lock();
        let known = inner.known.get(tag).copied().unwrap_or(0);
        if size > 2 * known {
            inner.know(tag, size);
            inner.crowded.insert(tag.to_owned());
        }
    }

    fn swept(&self, tag: &str, size: i64) {
        let mut inner = self.inner.lock();
        if size > SMALL {
            inner.know(tag, size);
        } else {
            inner.known.remove(tag);
        }
    }

    pub fn take(&self) -> Vec<String> {
        self.inner.lock().crowded.drain().collect()
    }
}

impl Sizes {
    fn know(&mut self, tag: &str, size: i64) {
        if self.known.len() >= MAX_SIZES && !self.known.contains_key(tag) {
            self.known.clear();
            self.crowded.clear();
        }
        self.known.insert(tag.to_owned(), size);
    }
}

impl Core {
    /// The cursor is the server's own: what stays a member from the first page to the last is given, whatever is
    /// added or removed meanwhile.
    pub async fn members(&self, tag: &str, cursor: u64) -> Result<Page> {
        if tag == STAR {
            return self.keys("", cursor).await;
        }
        let (index, at) = (self.space.index(tag), cursor.to_string());
        let pipeline = Pipeline::one(&[b"ZSCAN", index.as_bytes(), at.as_bytes(), b"COUNT", PAGE]);
        let Some((listed, next)) = self.scanned(pipeline).await? else { return Ok(Page::default()) };
        // A member is followed by its score.
        let keys = listed.iter().step_by(2).filter_map(reply::text).map(str::to_owned).collect();
        Ok(Page { keys, next })
    }

    /// Keys of entries that begin with this text; those of others are looked through on the way.
    pub async fn keys(&self, prefix: &str, cursor: u64) -> Result<Page> {
        let (pattern, at) = (literal(&self.space.entry(prefix)) + "*", cursor.to_string());
        let pipeline = Pipeline::one(&[b"SCAN", at.as_bytes(), b"MATCH", pattern.as_bytes(), b"COUNT", SCAN]);
        let Some((listed, next)) = self.scanned(pipeline).await? else { return Ok(Page::default()) };
        let entries = self.space.entry_prefix();
        let names = listed.iter().filter_map(reply::text);
        let keys = names.filter_map(|name| name.strip_prefix(&entries)).map(str::to_owned).collect();
        Ok(Page { keys, next })
    }

    /// What a scan lists, and where it goes on; `None` where a foreign type is in the index's place.
    async fn scanned(&self, scan: Pipeline) -> Result<Option<(Vec<Value>, Option<u64>)>> {
        let deadline = self.deadline();
        let turn = self.settled(deadline).await?;
        let reply = self.send(scan);
        drop(turn);
        let reply = reply::only(deadline.bound(reply).await?);
        if matches!(&reply, Value::ServerError(error) if error.code() == "WRONGTYPE") {
            return Ok(None);
        }
        let mut fields = reply::array(reply)?.into_iter();
        let next =
            fields.next().as_ref().and_then(reply::text).and_then(|text| text.parse().ok()).unwrap_or(0);
        let listed = reply::array(fields.next().unwrap_or(Value::Array(Vec::new())))?;
        Ok(Some((listed, (next != 0).then_some(next))))
    }

    pub async fn bury(&self, tag: &str, dead: Vec<Dead>) -> Result<()> {
        if dead.is_empty() {
            return Ok(());
        }
        let deadline = self.deadline();
        let mut reply = reply::only(deadline.bound(self.send(self.burial(tag, &dead, Call::Sha))).await?);
        if reply::forgot_script(&reply) {
            reply = reply::only(deadline.bound(self.send(self.burial(tag, &dead, Call::Text))).await?);
        }
        self.crowds.swept(tag, reply::integer(&reply)?);
        Ok(())
    }

    fn burial(&self, tag: &str, dead: &[Dead], how: Call) -> Pipeline {
        let mut pipeline = Pipeline::default();
        pipeline.call(&self.server.scripts.bury, how, 1 + dead.len(), 3 * dead.len());
        pipeline.arg(self.space.index(tag).as_bytes());
        for one in dead {
            pipeline.arg(self.space.entry(&one.key).as_bytes());
        }
        for one in dead {
            let (verdict, head): (&[u8], &[u8]) = match &one.seen {
                None => (b"absent", b""),
                Some((bytes, _)) => {
                    (if one.retagged { b"retagged" } else { b"dead" }, &bytes[..bytes.len().min(FIXED)])
                }
            };
            pipeline.arg(one.key.as_bytes());
            pipeline.arg(verdict);
            pipeline.arg(head);
        }
        pipeline
    }
}

/// A pattern that matches this text alone.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_told_once_each_time_it_doubles() {
        let crowds = Crowds::default();
        let mut told = Vec::new();
        for size in 1..=4_000 {
            crowds.stored("t", size);
            told.extend(crowds.take().iter().map(|_| size));
        }
        assert_eq!(told, [1_001, 2_003]);
        crowds.swept("t", 1_200);
        crowds.stored("t", 2_400);
        assert!(crowds.take().is_empty());
        crowds.stored("t", 2_401);
        assert_eq!(crowds.take(), ["t"]);
    }

    #[test]
    fn a_prefix_is_no_pattern() {
        assert_eq!(literal("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\");
    }
}
