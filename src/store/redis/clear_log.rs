//! The clear log as commands and replies: what was cleared since an epoch, and when some tags were last cleared. No I/O.

use super::clear_table::{Delta, LookUp, Member};
use super::command::{Pipeline, decimal};
use super::reply;
use crate::error::Result;
use crate::model::tag::{Invalidation, Tag};
use redis::Value;

/// Members asked for at once: half a millisecond of the server's time. Who is further behind begins anew with look-ups.
pub const MOST: usize = 1_000;

/// A tag's kind and its bytes.
pub const MEMBER_LEN: usize = 9;
const FLOOR: &[u8] = b"#f";
const GENERATION: &[u8] = b"#g";

pub fn member_bytes(member: Member) -> [u8; MEMBER_LEN] {
    let mut out = [0; MEMBER_LEN];
    out[0] = match member.kind {
        Invalidation::Hard => b'h',
        Invalidation::Soft => b's',
    };
    // The greatest byte first: tags in their order then lie side by side in the log, where many are cleared at once.
    out[1..].copy_from_slice(&member.tag.0.to_be_bytes());
    out
}

fn member_of(bytes: &[u8]) -> Option<Member> {
    let (kind, tag) = bytes.split_first()?;
    let kind = match kind {
        b'h' => Invalidation::Hard,
        b's' => Invalidation::Soft,
        _ => return None,
    };
    Some(Member { tag: Tag(u64::from_be_bytes(tag.try_into().ok()?)), kind })
}

fn generation_member(generation: u64) -> Vec<u8> {
    [GENERATION, format!("{generation:016x}").as_bytes()].concat()
}

/// Asks for what was cleared after this number; `None` = for the whole log.
pub fn put_delta(pipeline: &mut Pipeline, log: &str, after: Option<u64>) {
    pipeline.begin(8);
    // Known to every server since 1.0.5; ZRANGE … BYSCORE is not, before 6.2.
    pipeline.arg(b"ZRANGEBYSCORE");
    pipeline.arg(log.as_bytes());
    match after {
        Some(after) => decimal(after, |digits| pipeline.arg_of(&[b"(", digits])),
        None => pipeline.arg(b"-inf"),
    }
    pipeline.arg(b"+inf");
    pipeline.arg(b"WITHSCORES");
    pipeline.arg(b"LIMIT");
    pipeline.arg(b"0");
    pipeline.number(MOST as u64);
}

pub fn delta(reply: Value) -> Result<Delta> {
    let pairs = pairs(reply::array(reply)?);
    let mut out = Delta { is_cut: pairs.len() >= MOST, ..Delta::default() };
    for (name, score) in pairs {
        match (name.as_slice(), score, member_of(&name)) {
            (FLOOR, Some(n), _) => out.floor = Some(n),
            (_, Some(n), Some(member)) => out.members.push((member, n)),
            (name, n, _) => {
                let generation = name.strip_prefix(GENERATION).and_then(|hex| std::str::from_utf8(hex).ok());
                let generation =
                    generation.and_then(|hex| u64::from_str_radix(hex, 16).ok()).filter(|_| n.is_some());
                // What cannot be read makes the answer another generation's: of no use.
                out.generations.push((generation.unwrap_or(0), n.unwrap_or(0)));
            }
        }
    }
    Ok(out)
}

/// Members and scores: in one row (RESP2), or pair by pair (RESP3).
fn pairs(items: Vec<Value>) -> Vec<(Vec<u8>, Option<u64>)> {
    let mut out = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    while let Some(item) = items.next() {
        let (name, score) = match item {
            Value::Array(pair) => {
                let mut pair = pair.into_iter();
                (pair.next(), pair.next())
            }
            name => (Some(name), items.next()),
        };
        let name = match name {
            Some(Value::BulkString(name)) => name,
            _ => Vec::new(),
        };
        out.push((name, score.as_ref().and_then(score_of)));
    }
    out
}

/// A whole number as a sorted set gives it: exact, being below 2^53.
fn score_of(value: &Value) -> Option<u64> {
    let score = match value {
        Value::Double(score) => *score,
        Value::Int(score) => *score as f64,
        other => reply::text(other)?.parse().ok()?,
    };
    (score >= 0.0 && score.fract() == 0.0).then_some(score as u64)
}

/// Asks when these members were last cleared. `at_once`: by one command, which Redis has since 6.2; else member by member, and
/// only then for what tells whether their absence means anything.
pub fn put_look_up(pipeline: &mut Pipeline, log: &str, generation: u64, members: &[Member], at_once: bool) {
    let own = generation_member(generation);
    if !at_once {
        for member in members {
            pipeline.push(&[b"ZSCORE", log.as_bytes(), &member_bytes(*member)]);
        }
        pipeline.push(&[b"ZSCORE", log.as_bytes(), FLOOR]);
        pipeline.push(&[b"ZSCORE", log.as_bytes(), &own]);
        return;
    }
    pipeline.begin(4 + members.len());
    pipeline.arg(b"ZMSCORE");
    pipeline.arg(log.as_bytes());
    for member in members {
        pipeline.arg(&member_bytes(*member));
    }
    pipeline.arg(FLOOR);
    pipeline.arg(&own);
}

/// `replies`: the one of ZMSCORE, or those of each ZSCORE.
pub fn look_up(members: &[Member], replies: Vec<Value>) -> Result<LookUp> {
    let mut scores = match <[Value; 1]>::try_from(replies) {
        Ok([only]) => reply::array(only)?,
        Err(each) => each,
    };
    if let Some(Value::ServerError(error)) =
        scores.iter().find(|score| matches!(score, Value::ServerError(_)))
    {
        return Err(reply::failure(error));
    }
    let generation = scores.pop().as_ref().and_then(score_of);
    let floor = scores.pop().as_ref().and_then(score_of);
    // Every score is a number, or nil.
    let is_whole = scores.len() == members.len()
        && scores.iter().all(|score| matches!(score, Value::Nil) || score_of(score).is_some());
    let scores = members.iter().copied().zip(scores.iter().map(score_of)).collect::<Vec<_>>();
    Ok(LookUp { is_there: generation.is_some() && floor.is_some() && is_whole, floor, scores })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hard(name: &str) -> Member {
        Member { tag: Tag::of(name), kind: Invalidation::Hard }
    }

    fn bulk(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.to_vec())
    }

    #[test]
    fn a_delta_reads_alike_in_both_protocols() {
        let rows = [(b"#f".to_vec(), 5u64), (member_bytes(hard("a")).to_vec(), 7), (generation_member(3), 7)];
        let resp2 = rows.iter().flat_map(|(name, n)| [bulk(name), bulk(n.to_string().as_bytes())]);
        let resp3 = rows.iter().map(|(name, n)| Value::Array(vec![bulk(name), Value::Double(*n as f64)]));
        let expected =
            Delta { members: vec![(hard("a"), 7)], floor: Some(5), generations: vec![(3, 7)], is_cut: false };
        assert_eq!(delta(Value::Array(resp2.collect())).unwrap(), expected);
        assert_eq!(delta(Value::Array(resp3.collect())).unwrap(), expected);
        let foreign = delta(Value::Array(vec![bulk(b"x"), bulk(b"7")])).unwrap();
        assert_eq!(foreign.generations, [(0, 7)]);
        let many = (0..MOST as u64)
            .flat_map(|i| [bulk(&member_bytes(Member { tag: Tag(i), ..hard("") })), bulk(b"7")]);
        assert!(delta(Value::Array(many.collect())).unwrap().is_cut);
    }

    #[test]
    fn a_look_up_reads_alike_by_one_command_and_by_many() {
        let members = [hard("a"), hard("b")];
        let answers = [bulk(b"7"), Value::Nil, bulk(b"5"), bulk(b"9")];
        let expected = LookUp {
            is_there: true,
            floor: Some(5),
            scores: vec![(members[0], Some(7)), (members[1], None)],
        };
        assert_eq!(look_up(&members, vec![Value::Array(answers.to_vec())]).unwrap(), expected);
        assert_eq!(look_up(&members, answers.to_vec()).unwrap(), expected);
        let lost = vec![Value::Array(vec![Value::Nil; 4])];
        assert!(!look_up(&members, lost).unwrap().is_there);
        assert!(!look_up(&members, vec![Value::Array(vec![])]).unwrap().is_there);
    }
}
