//! A deadline that is moved with every request.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

/// A deadline that is moved with every request. Its timer is armed once and moved only when it fires,
/// so that a request costs no timer of its own.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Deadline {
    pub(crate) fn new(at: Instant) -> Self {
        Self {
            at,
            sleep: Box::pin(tokio::time::sleep_until(at.into())),
        }
    }

    pub(crate) fn set(&mut self, at: Instant) {
        // A later one is seen when the timer fires; an earlier one would be missed.
        if at < self.sleep.deadline().into_std() {
            self.sleep.as_mut().reset(at.into());
        }
        self.at = at;
    }

    /// Ready once the deadline has passed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= self.at {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.at.into());
        }
        Poll::Pending
    }
}
