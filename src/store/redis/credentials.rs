//! Who connections log in as. As configured, or, for credentials that change, as JavaScript says meanwhile.

use super::command::Pipeline;
use super::protocol::Reply;
use super::reply;
use crate::config::RedisConfig;
use crate::error::Error;
use crate::events::{Event, Events};
use redis::Value;
use tokio::sync::watch;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

pub(super) struct Credentials {
    /// `None` = not known yet.
    current: watch::Sender<Option<Login>>,
    changes: bool,
    events: Events,
}

impl Credentials {
    pub(super) fn new(config: &RedisConfig, events: Events) -> Self {
        let configured = Login { username: config.username.clone(), password: config.password.clone() };
        let known = (!config.credentials).then_some(configured);
        Credentials { current: watch::Sender::new(known), changes: config.credentials, events }
    }

    /// Waits until they are known.
    pub(super) async fn login(&self) -> Login {
        let mut current = self.current.subscribe();
        match current.wait_for(|login| login.is_some()).await {
            Ok(login) => login.clone().unwrap_or_default(),
            // Not while this is borrowed.
            Err(_) => Login::default(),
        }
    }

    pub(super) fn set(&self, login: Login) {
        self.current.send_replace(Some(login));
    }

    /// The server refused them: it is time to ask for others, if there are any.
    pub(super) fn refused(&self) {
        if self.changes {
            (self.events)(Event::CredentialsRefused {});
        }
    }

    /// No word that is said may hold the password.
    pub(super) fn hide(&self, text: String) -> String {
        match self.current.borrow().as_ref().and_then(|login| login.password.as_deref()) {
            Some(password) if !password.is_empty() => text.replace(password, "***"),
            _ => text,
        }
    }
}

impl Login {
    pub(super) fn auth(&self) -> Option<Pipeline> {
        let password = self.password.as_ref()?;
        let mut parts: Vec<&[u8]> = vec![b"AUTH"];
        parts.extend(self.username.as_deref().map(str::as_bytes));
        parts.push(password.as_bytes());
        Some(Pipeline::one(&parts))
    }
}

/// What a connection that is up answered to new ones. An error ends it: the next one logs in anew.
pub(super) fn accepted(replies: &[Reply]) -> Result<(), Error> {
    match replies.first() {
        Some(Reply::Other(Value::ServerError(error))) if !reply::is_outage(error) => {
            Err(Error::connection(format!("the renewed credentials were refused ({})", error.code())))
        }
        _ => Ok(()),
    }
}
