//! The index of entries that carry tags of a caller or never end, scored by their end: for reading by tags and for removing what
//! is dead, never for validity. An entry is one member of it, whatever its tags.

use super::command::{Call, Pipeline};
use super::core::Core;
use super::deadline::Deadline;
use super::reply;
use crate::codec::envelope::FIXED;
use crate::error::Result;
use crate::model::tag::Tag;
use crate::store::request::Page;
use redis::Value;

/// Members of a page.
pub(super) const PAGE: &[u8] = b"1000";
/// Keys looked at for a page of the whole prefix; on a shared server most may be others'.
const SCAN: &[u8] = b"512";
/// Entries whose tags one call of the script looks through for one tag: some 200 microseconds of the server's time where they have
/// hundreds of tags. For several tags, as many fewer.
const LOOKED_THROUGH: usize = 64;
/// Calls that are sent at once: whoever else the server has waits for no more.
const CALLS_AT_ONCE: usize = 2;

impl Core {
    /// Keys of entries that carry any of the tags, of one page of the index. The cursor is the server's own: what stays a member
    /// from the first page to the last is given, whatever is added or removed meanwhile.
    pub async fn members(&self, wanted: &[Tag], cursor: u64) -> Result<Page> {
        let deadline = self.deadline();
        let Page { keys, next } = self.indexed(cursor, deadline).await?;
        let mut found = Vec::new();
        let parts: Vec<&[String]> = keys.chunks((LOOKED_THROUGH / wanted.len().max(1)).max(1)).collect();
        for round in parts.chunks(CALLS_AT_ONCE) {
            let mut how = Call::Sha;
            let mut replies = deadline.bound(self.send(self.tagged(round, wanted, how))).await?;
            if replies.iter().any(reply::forgot_script) {
                how = Call::Text;
                replies = deadline.bound(self.send(self.tagged(round, wanted, how))).await?;
            }
            for (part, reply) in round.iter().zip(replies) {
                for place in reply::array(reply)? {
                    let at = usize::try_from(reply::integer(&place)? - 1).unwrap_or(usize::MAX);
                    found.extend(part.get(at).cloned());
                }
            }
        }
        Ok(Page { keys: found, next })
    }

    fn tagged(&self, parts: &[&[String]], wanted: &[Tag], how: Call) -> Pipeline {
        let mut pipeline = Pipeline::default();
        for part in parts {
            pipeline.call(&self.server.scripts.tagged, how, part.len(), 1 + wanted.len());
            for key in *part {
                pipeline.arg_of(&[self.names.entry.as_bytes(), key.as_bytes()]);
            }
            pipeline.number(FIXED as u64);
            for tag in wanted {
                pipeline.arg(&tag.0.to_le_bytes());
            }
        }
        pipeline
    }

    /// One page of the index.
    pub async fn indexed(&self, cursor: u64, deadline: Deadline) -> Result<Page> {
        let at = cursor.to_string();
        let scan = Pipeline::one(&[b"ZSCAN", self.names.index.as_bytes(), at.as_bytes(), b"COUNT", PAGE]);
        let Some((listed, next)) = self.scanned(scan, deadline).await? else { return Ok(Page::default()) };
        // A member is followed by its score.
        let keys = listed.iter().step_by(2).filter_map(reply::text).map(str::to_owned).collect();
        Ok(Page { keys, next })
    }

    /// Keys of entries that begin with this text; those of others are looked through on the way.
    pub async fn keys(&self, prefix: &str, cursor: u64) -> Result<Page> {
        let (pattern, at) = (literal(&self.space.entry(prefix)) + "*", cursor.to_string());
        let pipeline = Pipeline::one(&[b"SCAN", at.as_bytes(), b"MATCH", pattern.as_bytes(), b"COUNT", SCAN]);
        let Some((listed, next)) = self.scanned(pipeline, self.deadline()).await? else {
            return Ok(Page::default());
        };
        let entries = &self.names.entry;
        let names = listed.iter().filter_map(reply::text);
        let keys = names.filter_map(|name| name.strip_prefix(entries)).map(str::to_owned).collect();
        Ok(Page { keys, next })
    }

    /// What a scan lists, and where it goes on; `None` where a foreign type is in the index's place.
    async fn scanned(&self, scan: Pipeline, deadline: Deadline) -> Result<Option<(Vec<Value>, Option<u64>)>> {
        let permit = self.wait_for_deferred(deadline).await?;
        let reply = self.send(scan);
        drop(permit);
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
    fn a_prefix_is_no_pattern() {
        assert_eq!(literal("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\");
    }
}
