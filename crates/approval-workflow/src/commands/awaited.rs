//! The commands of every action's way, for async code: each is checked and has its place in the log when its
//! method returns, and is answered when it is on disk.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::journal::answer::Answer;
use crate::model::binding::Use;
use crate::model::grant::{Claim, Receipt};
use crate::model::input::{Decision, NewRequest};
use crate::model::names::{PersonId, RequestId};
use crate::model::request::Request;
use crate::workflow::ApprovalWorkflow;

impl ApprovalWorkflow {
    /// As [`request`](Self::request), to be awaited. Any number of commands that are under way at a time
    /// share a sync, and none holds a thread.
    pub fn request_async(&self, new: NewRequest) -> Command<'_, Arc<Request>> {
        Command::new(self, self.submit(new, None), |request| request)
    }

    /// As [`request_and_claim`](Self::request_and_claim), to be awaited.
    pub fn request_and_claim_async(
        &self,
        new: NewRequest,
        claimant: PersonId,
    ) -> Command<'_, (Arc<Request>, Option<Claim>)> {
        let answer = self.submit(new, Some(&claimant));
        Command::new(self, answer, move |request| {
            let claim = request.claim_by(&claimant);
            (request, claim)
        })
    }

    /// As [`decide`](Self::decide), to be awaited.
    pub fn decide_async(&self, id: &RequestId, decision: Decision) -> Command<'_, Arc<Request>> {
        Command::new(self, self.vote(id, decision), |request| request)
    }

    /// As [`claim`](Self::claim), to be awaited.
    pub fn claim_async(&self, id: &RequestId, wanted: Use) -> Command<'_, Claim> {
        let answer = self.take(id, &wanted);
        Command::new(self, answer, move |claimed| {
            claimed.claim_made(wanted.key.as_ref())
        })
    }

    /// As [`finish`](Self::finish), to be awaited.
    pub fn finish_async(&self, receipt: Receipt) -> Command<'_, Arc<Request>> {
        Command::new(self, self.report(receipt), |request| request)
    }
}

/// A command under way; made by [`ApprovalWorkflow::request_async`] and its kin.
///
/// It has its place in the log already, before those that are made after it. Dropping it takes nothing back:
/// that waits for the disk instead, since others may wait for what it did.
#[must_use = "it is not on disk before it was awaited"]
pub struct Command<'a, T> {
    workflow: &'a ApprovalWorkflow,
    answer: Option<Answer>,
    /// Why there is none.
    failure: Option<Error>,
    /// Its place among those to be woken.
    place: Option<u64>,
    then: Option<Then<'a, T>>,
}

/// What a caller is told of a request.
type Then<'a, T> = Box<dyn FnOnce(Arc<Request>) -> T + Send + 'a>;

impl<'a, T> Command<'a, T> {
    fn new(
        workflow: &'a ApprovalWorkflow,
        answer: Result<Answer, Error>,
        then: impl FnOnce(Arc<Request>) -> T + Send + 'a,
    ) -> Self {
        let (answer, failure) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(failure) => (None, Some(failure)),
        };
        Self {
            workflow,
            answer,
            failure,
            place: None,
            then: Some(Box::new(then)),
        }
    }
}

impl<T> Future for Command<'_, T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(failure) = this.failure.take() {
            return Poll::Ready(Err(failure));
        }
        let journal = &this.workflow.journal;
        let answer = journal.poll(&mut this.answer, &mut this.place, context);
        answer.map_ok(|request| {
            let then = this.then.take().expect("it is answered once");
            then(request)
        })
    }
}

impl<T> Drop for Command<'_, T> {
    fn drop(&mut self) {
        let journal = &self.workflow.journal;
        if let Some(place) = self.place {
            journal.publisher().notify.leave(place);
        }
        if let Some(answer @ Answer::Event { .. }) = self.answer.take() {
            // Nobody is left to be told; a failure is kept by the workflow.
            let _ = journal.wait(answer);
        }
    }
}

impl<T> fmt::Debug for Command<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}
