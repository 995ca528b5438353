//! Messages between processes.

use super::op::Outcome;
use super::state::Engine;
use crate::error::{Code, Error, Result};
use crate::store::traits::Store;

impl<S: Store> Engine<S> {
    pub(super) async fn publish(&self, channel: &str, payload: &str) -> Outcome {
        if payload.len() > self.max_value as usize {
            return self.told(Err(Error::new(
                Code::TooLarge,
                format!(
                    "A message of {} bytes is over maxValueBytes ({}); nothing was sent.",
                    payload.len(),
                    self.max_value
                ),
            )));
        }
        self.told(self.store.publish(channel, payload).await)
    }

    pub(super) async fn subscribe(&self, channel: &str) -> Outcome {
        self.told(self.store.subscribe(channel).await)
    }

    pub(super) async fn unsubscribe(&self, channel: &str) -> Outcome {
        self.told(self.store.unsubscribe(channel).await)
    }

    fn told(&self, result: Result<()>) -> Outcome {
        match result {
            Ok(()) => Outcome::Done,
            Err(error) => {
                self.stats.failed(&error);
                Outcome::Failed(error)
            }
        }
    }
}
