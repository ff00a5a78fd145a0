//! The life of a request: one pure function from a state and an event to the next state, or to the
//! reason why the event cannot happen.
//!
#![doc = include_str!("lifecycle.md")]

use std::sync::Arc;

use crate::permission::Gate;
use crate::{
    Claim, Error, Event, Need, Permission, Receipt, Request, Review, State, Submission, Timestamp,
    Verdict,
};

/// The transition function. See the [table](self).
pub(crate) fn apply(current: Option<&Request>, event: &Event) -> Result<Request, Error> {
    let Some(current) = current else {
        return match event {
            Event::Requested(submission) => Ok(begin(submission)),
            _ => Err(Error::UnknownRequest {
                id: event.id().clone(),
            }),
        };
    };
    match event {
        Event::Requested(submission) => Err(Error::RequestExists {
            id: submission.id.clone(),
        }),
        Event::Reviewed(review) => decide(pending(current, review.at)?, review),
        Event::FactorFailed { at, .. } => Ok(step(pending(current, *at)?, State::Pending, *at)),
        Event::Expired { at, .. } => expire(current, *at),
        Event::Claimed(claim) => take(current, claim),
        Event::Finished(receipt) => finish(current, receipt),
        Event::Revoked { at, .. } => match current.state {
            State::Approved { .. } => Ok(step(current, State::Revoked { at: *at }, *at)),
            _ => Err(settled(current)),
        },
    }
}

fn begin(submission: &Arc<Submission>) -> Request {
    let at = submission.at;
    Request {
        state: match submission.need {
            Need::Approval => State::Pending,
            Need::NotSensitive | Need::AutoApproved => State::Approved { at },
        },
        submission: Arc::clone(submission),
        reviews: Vec::new(),
        claim: None,
        receipt: None,
        changed_at: at,
    }
}

/// The request, if it can still be decided.
fn pending(current: &Request, at: Timestamp) -> Result<&Request, Error> {
    match current.state {
        State::Pending if current.is_overdue(at) => Err(expired(current)),
        State::Pending => Ok(current),
        _ => Err(settled(current)),
    }
}

fn step(current: &Request, state: State, at: Timestamp) -> Request {
    Request {
        state,
        changed_at: at,
        ..current.clone()
    }
}

fn decide(current: &Request, review: &Review) -> Result<Request, Error> {
    let Submission { id, terms, .. } = &*current.submission;
    let at = review.at;
    if review.reviewer == current.submission.requester {
        return Err(Error::SelfReview {
            id: id.clone(),
            person: review.reviewer.clone(),
        });
    }
    let reason = review.reason.as_deref().unwrap_or_default();
    if terms.requires_reason && reason.trim().is_empty() {
        return Err(Error::ReasonMissing { id: id.clone() });
    }
    let state = match review.verdict {
        Verdict::Approve if terms.requires_second_factor && review.factor_step.is_none() => {
            return Err(Error::SecondFactorMissing { id: id.clone() });
        }
        Verdict::Approve => State::Approved { at },
        Verdict::Deny => State::Denied { at },
    };
    let mut next = step(current, state, at);
    next.reviews.push(review.clone());
    Ok(next)
}

fn expire(current: &Request, at: Timestamp) -> Result<Request, Error> {
    match current.state {
        State::Pending if current.is_overdue(at) => Ok(step(current, State::Expired { at }, at)),
        State::Pending => Err(Error::NotDue {
            id: current.submission.id.clone(),
            decide_by: current.submission.decide_by(),
        }),
        _ => Err(settled(current)),
    }
}

/// A claim is the permission to execute, asked and used up in one step.
fn take(current: &Request, claim: &Claim) -> Result<Request, Error> {
    match Gate::of(current).ask(&claim.digest, claim.at) {
        Permission::Allowed { .. } => {
            let mut next = step(current, State::Claimed { at: claim.at }, claim.at);
            next.claim = Some(claim.clone());
            Ok(next)
        }
        Permission::Denied(reason) => Err(Error::NotExecutable {
            id: claim.id.clone(),
            reason,
        }),
    }
}

fn finish(current: &Request, receipt: &Receipt) -> Result<Request, Error> {
    let Receipt {
        id, at, outcome, ..
    } = receipt.clone();
    let token = match (current.state, &current.claim) {
        (State::Claimed { .. } | State::Finished { .. }, Some(claim)) => claim.token,
        _ => return Err(Error::NotClaimed { id }),
    };
    if token != receipt.token {
        let given = receipt.token;
        return Err(Error::WrongToken { id, given, token });
    }
    if let Some(first) = &current.receipt {
        let first = Box::new(first.clone());
        return Err(Error::AlreadyFinished { id, first });
    }
    let mut next = step(current, State::Finished { at, outcome }, at);
    next.receipt = Some(receipt.clone());
    Ok(next)
}

pub(crate) fn expired(current: &Request) -> Error {
    Error::Expired {
        id: current.submission.id.clone(),
        decide_by: current.submission.decide_by(),
    }
}

fn settled(current: &Request) -> Error {
    match current.state {
        // "Expired" is one answer, whether it was recorded before or is noticed now.
        State::Expired { .. } => expired(current),
        state => Error::AlreadySettled {
            id: current.submission.id.clone(),
            status: state.status(),
            first: current.decision().cloned().map(Box::new),
        },
    }
}
