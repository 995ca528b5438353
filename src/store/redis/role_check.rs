//! Asks a server in use whether it still is the primary that was handshaking: one that was demoted goes on answering reads.

use super::command::Pipeline;
use super::core::Core;
use super::history::Identity;
use super::protocol::Reply;
use super::reply;
use crate::error::{Error, Result};
use redis::Value;
use std::sync::Weak;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::time::sleep;

/// Between two questions. A reader may be served by a demoted primary for so long.
const EVERY: Duration = Duration::from_secs(1);

/// Of these questions, one so often goes to a sentinel too.
const SENTINELS_EVERY: u64 = 3;

/// Until the store is dropped.
pub(super) async fn run(core: Weak<Core>) {
    for round in 1u64.. {
        let Some(core) = core.upgrade() else { return };
        core.activity.wake.notified().await;
        core.activity.is_used.store(false, SeqCst);
        core.sweeper.used();
        core.ask_role(round).await;
        sleep(EVERY).await;
    }
}

impl Core {
    /// An answer that the server is another now ends the connection, before any reply that comes after it is taken in.
    async fn ask_role(&self, round: u64) {
        let (connection_id, identity) = {
            let history = self.server.state.history.lock();
            (history.connection_id(), history.identity())
        };
        if connection_id == 0 || self.activity.refused_over.load(SeqCst) == connection_id {
            return;
        }
        let question = match identity {
            // It tells the role too.
            Some(_) => Pipeline::one(&[b"INFO", b"replication"]),
            None => Pipeline::one(&[b"ROLE"]),
        };
        // A primary that was cut off knows nothing of its successor.
        let is_succeeded = match &self.sentinels {
            Some(sentinels) if round.is_multiple_of(SENTINELS_EVERY) => sentinels.have_moved().await,
            _ => false,
        };
        let state = self.server.state.clone();
        let check = Box::new(move |_, replies: &mut Vec<Reply>| {
            let values: Vec<Value> = std::mem::take(replies).into_iter().map(Reply::into_value).collect();
            if is_succeeded {
                return Err(Error::connection("Sentinel names another primary."));
            }
            if let Some(renamed) = check(values.first().unwrap_or(&Value::Nil), identity)? {
                state.history.lock().rename(Some(renamed));
            }
            replies.extend(values.into_iter().map(Reply::Other));
            Ok(())
        });
        let asked = self.client.send_observed(Some(connection_id), question.bytes, question.replies, check);
        if let Ok(replies) = self.deadline().bound(asked).await
            && replies.iter().any(|reply| matches!(reply, Reply::Other(Value::ServerError(_))))
        {
            self.activity.refused_over.store(connection_id, SeqCst);
        }
    }
}

/// Answers the history's name, if it has another. What tells neither role nor history says nothing.
fn check(answer: &Value, identity: Option<Identity>) -> Result<Option<Identity>> {
    let info = reply::text(answer);
    let is_replica = match (answer, info) {
        (Value::Array(role), _) => role.first().and_then(reply::text) == Some("slave"),
        (_, Some(info)) => info.lines().any(|line| line == "role:slave"),
        _ => false,
    };
    if is_replica {
        return Err(Error::connection("it is a replica now; the address must lead to the primary"));
    }
    let Some((info, found)) = info.and_then(|info| Some((info, Identity::of(info)?))) else {
        return Ok(None);
    };
    if Some(found) == identity {
        return Ok(None);
    }
    if !Identity::is_renamed(info) {
        return Err(Error::connection(
            "its data are of another history now (master_replid); it was a replica meanwhile",
        ));
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn info(role: &str, id: &str, second: &str) -> Value {
        bulk(&format!("# Replication\r\nrole:{role}\r\nmaster_replid:{id}\r\nmaster_replid2:{second}\r\n"))
    }

    #[test]
    fn a_replica_and_another_history_are_found_out() {
        let identity = Identity::of("master_replid:aa");
        let fit = [info("master", "aa", "00"), info("master", "aa", "bb"), bulk("role:master"), Value::Nil];
        for fit in fit {
            assert_eq!(check(&fit, identity).unwrap(), None, "{fit:?}");
        }
        let unfit =
            [info("slave", "aa", "00"), info("master", "ab", "aa"), Value::Array(vec![bulk("slave")])];
        for unfit in unfit {
            assert!(check(&unfit, identity).is_err(), "{unfit:?}");
        }
        assert!(check(&bulk("master_replid:ab\r\n"), identity).is_err());
        // Its first replica has come.
        let renamed = check(&info("master", "ab", "00"), identity).unwrap();
        assert_eq!(renamed, Identity::of("master_replid:ab"));
        assert!(check(&Value::Array(vec![bulk("master"), Value::Int(0)]), None).is_ok());
    }

    #[test]
    fn a_history_is_known_by_what_is_drawn() {
        let of =
            |id: &str| Identity::of(&format!("role:master\r\nmaster_replid:{id}\r\nmaster_replid2:{id}\r\n"));
        assert!(of("aa").is_some() && of("aa") == of("aa") && of("aa") != of("ab"));
        assert_eq!((of("0000"), of(""), Identity::of("role:master\r\n")), (None, None, None));
    }
}
