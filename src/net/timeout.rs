//! Time limits of futures that a caller's thread may poll.

use super::poll_scope::is_inline;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// After this time without traffic a request goes by way of the connection's task, which looks whether the server hung up
/// meanwhile: idle connections are closed by servers, and a frozen process wakes up to that.
pub(super) const IDLE_AFTER: Duration = Duration::from_secs(1);

/// A bound has passed.
#[derive(Debug)]
pub struct Overdue;

pin_project! {
    /// Of `timeout_at`. No `async fn`, which would keep its argument twice: futures that are bounded at every level would
    /// double at each.
    pub struct Bounded<F> {
        #[pin]
        work: F,
        at: Instant,
        #[pin]
        timer: Option<Sleep>,
    }
}

/// `tokio::time::timeout_at`, but for what `poll_inline` polls.
pub fn timeout_at<F: Future>(at: Instant, work: F) -> Bounded<F> {
    Bounded { work, at, timer: None }
}

impl<F: Future> Future for Bounded<F> {
    type Output = Result<F::Output, Overdue>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut me = self.project();
        if let Poll::Ready(output) = me.work.poll(context) {
            return Poll::Ready(Ok(output));
        }
        if is_inline() {
            return Poll::Pending;
        }
        if me.timer.is_none() {
            me.timer.set(Some(sleep_until(*me.at)));
        }
        match me.timer.as_pin_mut() {
            Some(sleep) => sleep.poll(context).map(|()| Err(Overdue)),
            None => Poll::Pending,
        }
    }
}
