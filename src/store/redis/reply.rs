//! What replies mean: values, epochs, and which of the server's errors are an outage.

use crate::error::{Code, Error, Result};
use crate::model::tag::Epoch;
use bytes::Bytes;
use redis::{ServerError, Value};

/// Errors by which a server says that it cannot serve now, or is not the one to ask: the same to a caller as no server.
const OUTAGES: [&str; 11] = [
    "LOADING",
    "READONLY",
    "CLUSTERDOWN",
    "MASTERDOWN",
    "NOREPLICAS",
    "MISCONF",
    "BUSY",
    "TRYAGAIN",
    "NOAUTH",
    "UNKILLABLE",
    "REDIRECT",
];

/// Of these, the ones that stay so for as long as the connection leads to this server. A replica goes on answering reads.
const NOT_THE_ONE: [&str; 4] = ["READONLY", "MASTERDOWN", "LOADING", "REDIRECT"];

/// Codes that a script's error may hide behind `ERR Error running script … -CODE`, and one in a script's answer behind
/// `@user_script: 1: -CODE` (Redis 6).
fn code_of(error: &ServerError) -> &str {
    let details = error.details().unwrap_or_default();
    let is_of_script = error.code() == "ERR" && details.starts_with("Error running script");
    if (is_of_script || error.code().starts_with("@user_script"))
        && let Some((_, inner)) = details.rsplit_once(" -")
    {
        return inner.split(' ').next().unwrap_or("ERR");
    }
    error.code()
}

const ALLOW_IT: &str =
    " Allow it to this user: ACL LOG names it, docs/redis-acl.md lists all that a cache needs (ACL SETUSER).";

pub(super) fn is_outage(error: &ServerError) -> bool {
    OUTAGES.contains(&code_of(error))
}

/// The error, alone or in a script's answer, by which a server says that it is not the one to be connected to.
pub(super) fn unfit(value: &Value) -> Option<&ServerError> {
    match value {
        Value::ServerError(error) => NOT_THE_ONE.contains(&code_of(error)).then_some(error),
        Value::Array(items) => items.iter().find_map(unfit),
        _ => None,
    }
}

pub(super) fn forgot_script(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "NOSCRIPT")
}

pub(super) fn is_unknown_command(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.details().is_some_and(|text| text.starts_with("unknown command")))
}

pub(super) fn failure(error: &ServerError) -> Error {
    let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
    if is_outage(error) {
        return Error::connection(format!("Redis cannot serve now: {}", text.trim()));
    }
    let advice = match code_of(error) {
        "OOM" => " Raise maxmemory, or set maxmemory-policy to allkeys-lru.",
        "NOPERM" => ALLOW_IT,
        // In a script (Redis 7).
        _ if text.contains("user executing the script can't") => ALLOW_IT,
        _ => "",
    };
    Error::new(
        Code::Server,
        format!("Redis answered with an error: {}.{advice}", text.trim().trim_end_matches('.')),
    )
}

pub(super) fn unexpected(expected: &str, value: &Value) -> Error {
    // The kind alone: a reply may hold a user's data.
    let got = match value {
        Value::Nil => "nil",
        Value::Int(_) => "an integer",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a string",
        Value::Array(_) | Value::Set(_) => "an array",
        Value::Map(_) => "a map",
        _ => "another type",
    };
    Error::new(
        Code::Server,
        format!("Redis answered with {got} where {expected} was expected; is a proxy in between?"),
    )
}

pub(super) fn array(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) | Value::Set(items) => Ok(items),
        Value::ServerError(error) => Err(failure(&error)),
        other => Err(unexpected("an array", &other)),
    }
}

pub(super) fn integer(value: &Value) -> Result<i64> {
    match value {
        Value::Int(n) => Ok(*n),
        Value::ServerError(error) => Err(failure(error)),
        other => Err(unexpected("an integer", other)),
    }
}

/// A string of an array; anything else in its place counts as absent.
pub(super) fn string(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        _ => None,
    }
}

/// The only reply of a request that asked for one.
pub(super) fn only(replies: Vec<Value>) -> Value {
    replies.into_iter().next_back().unwrap_or(Value::Nil)
}

/// Text of a string reply, lossless.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        Value::Okay => Some("OK"),
        _ => None,
    }
}

/// `<generation> <n>`: the epoch. Anything else counts as missing.
pub(super) fn epoch_text(raw: &[u8]) -> Epoch {
    let Ok(raw) = std::str::from_utf8(raw) else { return Epoch::NONE };
    let found = raw.split_once(' ').and_then(|(generation, n)| epoch_of(generation, n));
    found.filter(|epoch| epoch.generation != 0).unwrap_or(Epoch::NONE)
}

/// The epoch in a script's answer: its generation and number as texts.
pub(super) fn epoch(generation: Option<&Value>, n: Option<&Value>) -> Option<Epoch> {
    epoch_of(text(generation?)?, text(n?)?)
}

pub(super) fn epoch_of(generation: &str, n: &str) -> Option<Epoch> {
    Some(Epoch { generation: u64::from_str_radix(generation, 16).ok()?, n: n.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_epoch_is_two_words() {
        assert_eq!(epoch_text(b"00000000000000ff 12"), Epoch { generation: 255, n: 12 });
        for noise in [&b""[..], b"ff", b"ff 1 2", b"0 1", b"ff -1", b"\xFF 1", b"ff 99999999999999999999"] {
            assert_eq!(epoch_text(noise), Epoch::NONE, "{noise:?}");
        }
    }

    #[test]
    fn a_server_that_cannot_serve_is_an_outage() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write",
            "@user_script: 8: -READONLY You can't write against a read only replica.",
        ] {
            assert_eq!(failure(&error(line)).code, Code::Connection, "{line}");
        }
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed",
            "@user_script: 8: -OOM command not allowed when used memory > 'maxmemory'.",
        ] {
            assert_eq!(failure(&error(line)).code, Code::Server, "{line}");
        }
    }

    #[test]
    fn a_server_that_is_not_the_one_says_so_alone_or_within() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Client with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "LOADING Redis is loading the dataset in memory",
            "REDIRECT 127.0.0.1:6380",
            "@user_script: 8: -READONLY You can't write against a read only replica.",
        ] {
            let alone = Value::ServerError(error(line));
            let within = Value::Array(vec![Value::Int(1), Value::Array(vec![alone.clone()])]);
            assert!(unfit(&alone).is_some() && unfit(&within).is_some(), "{line}");
        }
        for line in ["OOM command not allowed", "BUSY Redis is busy", "ERR unknown command 'READONLY'"] {
            assert!(unfit(&Value::Array(vec![Value::ServerError(error(line))])).is_none(), "{line}");
        }
        assert!(unfit(&Value::BulkString(b"READONLY".to_vec())).is_none());
    }
}
