//! The life of a request: one pure function from a state and an event to the next state, or to the
//! reason why the event cannot happen.
//!
//! | state ↓ event → | requested | reviewed: approve | reviewed: deny | expired | factor failed |
//! | --- | --- | --- | --- | --- | --- |
//! | *(none)* | **Pending**, or **Approved** by a rule | no such request | no such request | no such request | no such request |
//! | Pending, in time | exists | **Approved** ¹ | **Denied** ² | not due | Pending |
//! | Pending, overdue | exists | expired | expired | **Expired** | expired |
//! | Approved | exists | settled | settled | settled | settled |
//! | Denied | exists | settled | settled | settled | settled |
//! | Expired | exists | expired | expired | expired | expired |
//!
//! ¹ not by the requester; with a reason and a second factor where the terms demand them.
//! ² not by the requester; with a reason where the terms demand one.
//!
//! The same function runs when an event is about to be written and when the log is read back, so a
//! log that holds an impossible event is refused as a whole. An approval that was not used in time
//! is [`Status::Lapsed`]: that follows from the clock alone and is no event.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, Event, Need, Review, Submission, Timestamp, Verdict};

/// A request and everything that was decided about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    /// What was asked for.
    #[serde(flatten)]
    pub submission: Arc<Submission>,
    /// Where it stands.
    pub state: State,
    /// The decisions that were recorded, in their order.
    pub reviews: Vec<Review>,
    /// When the last event happened. Later events are never recorded as earlier ones.
    pub changed_at: Timestamp,
}

/// Where a request stands, by the events so far. [`Request::status`] says where it stands at a
/// moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody decided yet.
    Pending,
    /// It may run, within its time.
    Approved {
        /// Since when.
        at: Timestamp,
    },
    /// It may not run.
    Denied {
        /// Since when.
        at: Timestamp,
    },
    /// Nobody decided in time.
    Expired {
        /// When this was recorded.
        at: Timestamp,
    },
}

/// Where a request stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a decision.
    Pending,
    /// It may run.
    Approved,
    /// It was refused.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// It was approved, and not run in time.
    Lapsed,
}

impl Status {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Lapsed => "lapsed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Request {
    /// Where the request stands at a moment.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        match self.state {
            State::Pending if self.is_overdue(now) => Status::Expired,
            State::Pending => Status::Pending,
            State::Approved { .. } if self.execute_by().is_some_and(|end| now >= end) => {
                Status::Lapsed
            }
            State::Approved { .. } => Status::Approved,
            State::Denied { .. } => Status::Denied,
            State::Expired { .. } => Status::Expired,
        }
    }

    /// The moment from which on an approval can no longer be used; none without an approval.
    #[must_use]
    pub fn execute_by(&self) -> Option<Timestamp> {
        match self.state {
            State::Approved { at } => Some(at.after(self.submission.terms.execute_within)),
            State::Pending | State::Denied { .. } | State::Expired { .. } => None,
        }
    }

    /// The review that settled the request; none if a rule did, or nobody.
    #[must_use]
    pub fn decision(&self) -> Option<&Review> {
        match self.state {
            State::Approved { .. } | State::Denied { .. } => self.reviews.last(),
            State::Pending | State::Expired { .. } => None,
        }
    }

    /// Whether the time to decide is over.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        now >= self.submission.decide_by()
    }

    fn settle(&self, state: State, at: Timestamp) -> Self {
        Self {
            submission: Arc::clone(&self.submission),
            state,
            reviews: self.reviews.clone(),
            changed_at: at,
        }
    }
}

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
        _ if !matches!(current.state, State::Pending) => Err(already_settled(current)),
        Event::Expired { at, .. } if current.is_overdue(*at) => {
            Ok(current.settle(State::Expired { at: *at }, *at))
        }
        Event::Expired { .. } => Err(Error::NotDue {
            id: current.submission.id.clone(),
            decide_by: current.submission.decide_by(),
        }),
        _ if current.is_overdue(event.at()) => Err(expired(current)),
        Event::FactorFailed { at, .. } => Ok(current.settle(State::Pending, *at)),
        Event::Reviewed(review) => decide(current, review),
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
        changed_at: at,
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
    let mut next = current.settle(state, at);
    next.reviews.push(review.clone());
    Ok(next)
}

pub(crate) fn expired(current: &Request) -> Error {
    Error::Expired {
        id: current.submission.id.clone(),
        decide_by: current.submission.decide_by(),
    }
}

fn already_settled(current: &Request) -> Error {
    match current.state {
        // "Expired" is one answer, whether it was recorded before or is noticed now.
        State::Expired { .. } => expired(current),
        _ => Error::AlreadySettled {
            id: current.submission.id.clone(),
            status: current.status(current.changed_at),
            first: current.decision().cloned().map(Box::new),
        },
    }
}
