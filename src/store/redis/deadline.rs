//! One deadline over the several requests of one call.

use crate::error::{Error, Result};
use crate::net::timeout::timeout_at;
use futures_util::FutureExt;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    ms: u64,
}

impl Deadline {
    pub fn after(ms: u64) -> Self {
        Deadline { at: Instant::now() + Duration::from_millis(ms), ms }
    }

    /// No `async fn`, which would keep its argument twice.
    pub fn bound<T>(self, work: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
        timeout_at(self.at, work).map(move |outcome| {
            outcome.unwrap_or_else(|_| {
                Err(Error::timeout(format!("Redis did not answer within {} ms (commandTimeout).", self.ms)))
            })
        })
    }
}
