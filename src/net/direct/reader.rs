//! What a thread of a caller needs, to wait for replies itself and to read them.

use super::direct_socket::DirectSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a caller's thread found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// Nothing yet: another thread was faster, or it was a false alarm.
    Nothing,
    /// Replies, and nothing is left.
    Replies,
    /// The task reads from now on, until the next request is written by a caller.
    Task,
    /// The connection is gone.
    Closed,
}

/// The read side of some connection, for a thread that waits for it to become readable.
pub trait DirectReader: Send + Sync {
    /// The connection's number.
    fn connection_id(&self) -> u64;

    /// What to wait on; `None` = the connection is gone.
    fn socket(&self) -> Option<Arc<DirectSocket>>;

    /// Without blocking: reads a little, and answers what it answers.
    fn read(&self) -> ReadOutcome;

    /// Nobody will call `read`. `back_off`: nor soon again.
    fn release(&self, back_off: bool);
}

/// Connections closed so far, in the whole process.
static CLOSED_CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Whether it is the same as before: then no connection has closed since.
pub fn closed_connections() -> u64 {
    CLOSED_CONNECTIONS.load(Ordering::Acquire)
}

pub(in crate::net) fn closed() {
    CLOSED_CONNECTIONS.fetch_add(1, Ordering::AcqRel);
}
