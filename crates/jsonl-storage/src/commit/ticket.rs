use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::commit::Committer;
use crate::commit::queue::Place;
use crate::error::Error;
use crate::format::seq::Seq;

/// A record on its way to the disk, to be waited for by [`Ticket::wait`] in a thread or by
/// `.await` in async code of any runtime.
///
/// Dropping it loses nothing: the record is written with the next sync or at the close.
///
/// In async code nobody may block, so the first ticket that is polled starts one thread,
/// `jsonl-storage:flusher`, which leads the commits that no other thread leads. It ends with the
/// log. A ticket that is still pending when the log is closed is answered by the close.
#[derive(Debug)]
#[must_use = "the record is durable only once the ticket was waited for"]
pub struct Ticket {
    place: Place,
    committer: Arc<Committer>,
    /// Its place among those to be woken, once it was polled.
    waker: Option<u64>,
}

impl Ticket {
    pub(crate) fn new(place: Place, committer: Arc<Committer>) -> Self {
        Self {
            place,
            committer,
            waker: None,
        }
    }

    /// The record's number. Final once the ticket was waited for: after a full disk, the number
    /// of a record that was refused is given to another one.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.place.seq
    }

    /// What became of the record, when that is known without waiting: with
    /// [`Durability::Buffered`](crate::Durability::Buffered) it is at once.
    ///
    /// # Errors
    ///
    /// As [`Ticket::wait`], inside.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<Seq, Error>> {
        let outcome = self.committer.outcome(&self.place)?;
        Some(outcome.map(|()| self.place.seq))
    }

    /// Blocks until the record, and so every one before it, is as durable as the log's
    /// [`Durability`](crate::Durability) says.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] when there was no room for it, and it is not in the log; [`Error::Io`] when
    /// the write or the sync failed, [`Error::Poisoned`] when an earlier one did.
    pub fn wait(self) -> Result<Seq, Error> {
        self.committer.wait(&self.place)
    }
}

impl Future for Ticket {
    type Output = Result<Seq, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.committer.outcome(&self.place) {
            return Poll::Ready(outcome.map(|()| self.place.seq));
        }
        if self.waker.is_none() {
            self.committer.arrive();
        }
        let id = self.committer.wakers.register(self.waker, context.waker());
        self.waker = Some(id);
        // The commit may have ended between the look and the registration.
        if let Some(outcome) = self.committer.outcome(&self.place) {
            return Poll::Ready(outcome.map(|()| self.place.seq));
        }
        if let Err(error) = self.committer.ask_for_a_leader() {
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(id) = self.waker {
            self.committer.wakers.forget(id);
        }
    }
}
