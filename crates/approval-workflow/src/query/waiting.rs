//! Waiting for a decision, in a thread or in async code, and following the events as they come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jsonl_storage::{Follow, Seq};

use crate::error::Error;
use crate::model::event::{AuditEntry, Event};
use crate::model::names::RequestId;
use crate::model::request::{Request, State};
use crate::workflow::ApprovalWorkflow;

impl ApprovalWorkflow {
    /// Waits until a request is not pending any more, and returns it; none if that took longer than
    /// `limit`. A decision that was made before is returned at once, and giving up changes nothing.
    ///
    /// That the time to decide is over is no event: give a limit that is no longer than that, or
    /// have [`expire_due`](Self::expire_due) called.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRequest`]; as [`get`](Self::get) for a request that cannot be read;
    /// [`Error::Log`] when the log failed, so that nothing will come.
    pub fn wait_for_decision(
        &self,
        id: &RequestId,
        limit: Duration,
    ) -> Result<Option<Arc<Request>>, Error> {
        self.journal
            .publisher()
            .wait_within(limit, || self.settled(id))
    }

    /// As [`wait_for_decision`](Self::wait_for_decision), for async code of any runtime; the limit is
    /// the runtime's, by dropping the future.
    pub fn decision_of(&self, id: &RequestId) -> DecisionOf<'_> {
        DecisionOf {
            workflow: self,
            id: id.clone(),
            place: None,
        }
    }

    /// Follows all events from one on, in order and each once, as they come to be on disk.
    /// The first has the number 1; who goes on after a restart gives the one after the last seen.
    #[must_use]
    pub fn subscribe(&self, from: Seq) -> Subscription<'_> {
        Subscription(self.journal.follow(from))
    }

    fn settled(&self, id: &RequestId) -> Result<Option<Arc<Request>>, Error> {
        let request = self.get(id)?;
        let request = request.ok_or_else(|| Error::UnknownRequest { id: id.clone() })?;
        let is_pending = matches!(request.state, State::Pending);
        Ok((!is_pending).then_some(request))
    }

    fn look(&self, id: &RequestId) -> Poll<Result<Arc<Request>, Error>> {
        match self.settled(id) {
            Ok(Some(request)) => Poll::Ready(Ok(request)),
            Err(error) => Poll::Ready(Err(error)),
            Ok(None) => match self.journal.publisher().failure() {
                Some(failure) => Poll::Ready(Err(failure)),
                None => Poll::Pending,
            },
        }
    }
}

/// The decision of a request, to be awaited; made by [`ApprovalWorkflow::decision_of`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct DecisionOf<'a> {
    workflow: &'a ApprovalWorkflow,
    id: RequestId,
    /// Its place among those to be woken, once it was polled.
    place: Option<u64>,
}

impl Future for DecisionOf<'_> {
    type Output = Result<Arc<Request>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let notify = &self.workflow.journal.publisher().notify;
        let place = notify.register(self.place, context.waker());
        self.place = Some(place);
        // Looked at after the registration, so that no decision falls between the two.
        self.workflow.look(&self.id)
    }
}

impl Drop for DecisionOf<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.workflow.journal.publisher().notify.leave(place);
        }
    }
}

/// The events as they come; made by [`ApprovalWorkflow::subscribe`].
pub struct Subscription<'a>(Follow<'a, Event>);

impl Subscription<'_> {
    /// The next event; none if there was none for as long as `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::Log`]; the same event is tried again by the next call.
    pub fn next_within(&mut self, limit: Duration) -> Result<Option<AuditEntry>, Error> {
        let record = self.0.next_within(limit)?;
        Ok(record.map(|record| AuditEntry {
            seq: record.seq,
            event: record.data,
        }))
    }
}

impl fmt::Debug for Subscription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.0).finish()
    }
}
