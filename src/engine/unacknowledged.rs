//! Counts the sets under way, so that a lock is given back only after them.

use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::Notify;

/// Keys whose sets are not acknowledged yet, so that a lock is not given back before its next owner can read what was
/// stored under it: on memcached an entry of a new tag is valid only some round trips after it was sent, and a script
/// that Redis has forgotten is sent twice. Only sets with a ticket are counted: who locks, reads with one.
#[derive(Default)]
pub struct Unacknowledged {
    keys: Mutex<HashMap<String, usize>>,
    fewer: Notify,
}

impl Unacknowledged {
    /// Counts until what is returned is dropped.
    pub fn begin(&self, keys: Vec<String>) -> Counted<'_> {
        if !keys.is_empty() {
            let mut counts = self.keys.lock();
            for key in &keys {
                *counts.entry(key.clone()).or_insert(0) += 1;
            }
        }
        Counted { of: self, keys }
    }

    pub async fn none(&self, key: &str) {
        loop {
            let mut fewer = std::pin::pin!(self.fewer.notified());
            // Before looking: what ends in between is heard.
            fewer.as_mut().enable();
            if !self.keys.lock().contains_key(key) {
                return;
            }
            fewer.await;
        }
    }
}

pub struct Counted<'a> {
    of: &'a Unacknowledged,
    keys: Vec<String>,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let mut counts = self.of.keys.lock();
        for key in &self.keys {
            if let Some(count) = counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
        drop(counts);
        self.of.fewer.notify_waiters();
    }
}
