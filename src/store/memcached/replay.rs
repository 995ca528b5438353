//! Sending behind the clears that an outage kept from a server: those are made first.

use super::commands::{Batch, Replies};
use super::core::Core;
use crate::error::Result;
use crate::net::cluster::scatter::{dispatch, failed};
use futures_util::future::{Either, join_all};
use std::collections::HashMap;

impl Core {
    /// Sends, but first makes the clears that are deferred for a server.
    pub async fn send(&self, batch: Batch) -> Replies {
        if !self.nodes().iter().any(|node| node.deferred.any()) {
            return self.send_now(batch).await;
        }
        let sends: Vec<_> = batch
            .into_parts()
            .into_iter()
            .zip(self.nodes())
            .enumerate()
            .map(|(at, (part, node))| {
                if part.is_empty() || !node.deferred.any() {
                    return Either::Left(dispatch(&node.client, part));
                }
                Either::Right(async move {
                    match self.replay(at).await {
                        Ok(()) => dispatch(&node.client, part).await,
                        Err(error) => failed(&part, &error),
                    }
                })
            })
            .collect();
        Replies::of(sends).await
    }

    /// Replays what waits for this server.
    pub async fn replay(&self, at: usize) -> Result<()> {
        let waiting = &self.nodes()[at].deferred;
        let mut failed = waiting.turn.lock().await;
        let link = &self.nodes()[at].client;
        if let Some(error) = failed.again(link.connection_id()).filter(|_| waiting.any()) {
            return Err(error);
        }
        while let Some(mut taken) = waiting.take() {
            for left in &mut taken.left {
                if let Err(error) = self.run(left, &HashMap::new()).await {
                    failed.note(link.connection_id(), &error);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// A server that is back has its deferred clears made, and so has every other: they may have waited for this one.
    pub fn replay_all(&self) {
        for (at, node) in self.nodes().iter().enumerate() {
            if node.deferred.any() {
                self.in_background(move |core| async move {
                    let _ = core.replay(at).await;
                });
            }
        }
    }

    pub async fn close(&self) {
        // A last chance for clears that an outage kept back; without a connection it fails at once.
        let deferring = (0..self.nodes().len()).filter(|at| self.nodes()[*at].deferred.any());
        let _ = self.within(join_all(deferring.map(|at| self.replay(at)))).await;
        join_all(self.nodes().iter().map(|node| node.client.close())).await;
    }
}
