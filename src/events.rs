//! What a person may want to know while nothing is returned: a connection's state, stored bytes that did not decode.
//! Once per change of state, so an outage is one line and not one a call.

use serde::Serialize;
use std::sync::Arc;

#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {
    /// A connection is ready (again).
    Connected { server: String },
    /// A connection was lost or could not be made; told once until it is back.
    Disconnected { server: String, code: &'static str, message: String },
    /// Another process, or this one, published it. Text; no state, and not a line for a log.
    Message { channel: String, payload: String },
    /// The server refused credentials that change; told with each attempt to connect. Not a line for a log.
    CredentialsRefused {},
    /// Anything else worth a line; the sender limits its rate.
    Warning { code: &'static str, message: String },
}

/// Where events go. Called from the runtime's thread; must not block.
pub type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// For tests and tools that do not listen.
pub fn silent() -> Events {
    Arc::new(|_| {})
}
