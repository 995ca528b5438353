//! One deadline over the several requests of one call.

use crate::error::{Error, Result};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

#[derive(Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    ms: u64,
}

impl Deadline {
    pub fn after(ms: u64) -> Self {
        Deadline { at: Instant::now() + Duration::from_millis(ms), ms }
    }

    pub async fn bound<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match timeout_at(self.at, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(Error::timeout(format!("Redis did not answer within {} ms (commandTimeout).", self.ms)))
            }
        }
    }
}
