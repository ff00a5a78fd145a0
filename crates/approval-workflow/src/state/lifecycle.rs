//! The life of a request: one pure function from a state and an event to the next state, or to the
//! reason why the event cannot happen.
//!
#![doc = include_str!("lifecycle.md")]

use std::sync::Arc;

use action::{StepProof, Timestamp};

use crate::error::Error;
use crate::gate::standing::Gate;
use crate::model::binding;
use crate::model::emergency::{Attestation, BrokenGlass};
use crate::model::event::{ChangeRequest, Event, Review, Submission, Vote};
use crate::model::grant::{Claim, Receipt, ReceiptOutcome, Used};
use crate::model::names::PersonId;
use crate::model::permission::{DenyReason, Permission};
use crate::model::request::{Request, State};
use crate::model::terms::{Disposition, Terms};
use crate::review::signed::{self, Proof};

/// The transition function. See the [table](self).
pub(crate) fn apply(current: Option<&Request>, event: &Event) -> Result<Request, Error> {
    apply_proven(current, event, None)
}

/// As [`apply`], with a review's signature verified before.
pub(crate) fn apply_proven(
    current: Option<&Request>,
    event: &Event,
    proof: Option<&Proof>,
) -> Result<Request, Error> {
    let id = event.id().ok_or(Error::NoRequest)?;
    let Some(current) = current else {
        return match event {
            Event::Requested(submission) => Ok(begin(submission)),
            _ => Err(Error::UnknownRequest { id: id.clone() }),
        };
    };
    match event {
        Event::Requested(submission) => Err(Error::RequestExists {
            id: submission.id.clone(),
        }),
        Event::Reviewed(review) => decide(pending(current, review.at)?, review, proof),
        Event::FactorFailed { at, .. } => Ok(step(pending(current, *at)?, State::Pending, *at)),
        Event::Escalated {
            at, reason, level, ..
        } => escalate(pending(current, *at)?, *at, reason, *level),
        Event::ChangesRequested(change) => ask_for_changes(pending(current, change.at)?, change),
        Event::Expired { at, .. } => expire(current, *at),
        Event::BrokeGlass(glass) => break_glass(pending(current, glass.at)?, glass),
        Event::Attested(attestation) => attest(current, attestation),
        Event::Claimed(claim) => take(current, claim),
        Event::Finished(receipt) => finish(current, receipt),
        Event::Withdrawn { at, by, .. } => {
            let current = own(pending(current, *at)?, by)?;
            Ok(step(current, State::Withdrawn { at: *at }, *at))
        }
        Event::Superseded { at, by, .. } => {
            let current = own(pending(current, *at)?, by)?;
            Ok(step(current, State::Superseded { at: *at }, *at))
        }
        Event::Restored(_) => Err(Error::NoRequest),
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
            Disposition::Approval => State::Pending,
            Disposition::NotSensitive | Disposition::AutoApproved => State::Approved { at },
            Disposition::AutoDenied => State::Denied { at },
        },
        submission: Arc::clone(submission),
        reviews: Vec::new(),
        level: 0,
        changes: None,
        glass: None,
        attestation: None,
        earlier: Vec::new(),
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

/// The request, if this person made it.
fn own<'a>(current: &'a Request, person: &PersonId) -> Result<&'a Request, Error> {
    if current.submission.requester == *person {
        return Ok(current);
    }
    Err(Error::NotRequester {
        id: current.submission.id.clone(),
        person: person.clone(),
    })
}

fn step(current: &Request, state: State, at: Timestamp) -> Request {
    Request {
        state,
        changed_at: at,
        ..current.clone()
    }
}

fn decide(current: &Request, review: &Review, proof: Option<&Proof>) -> Result<Request, Error> {
    let Submission { id, terms, .. } = &*current.submission;
    let at = review.at;
    let requester = &current.submission.requester;
    if review.reviewer == *requester || review.on_behalf_of.as_ref() == Some(requester) {
        return Err(Error::SelfReview {
            id: id.clone(),
            person: requester.clone(),
        });
    }
    let mut votes = current.reviews.iter();
    if let Some(first) = votes.find(|first| first.shares_a_voice_with(review)) {
        let first = Box::new(first.clone());
        return Err(Error::AlreadyVoted { first });
    }
    signed::check(&current.submission, review, proof)?;
    let reason = review.reason.as_deref().unwrap_or_default();
    if terms.requires_reason && reason.trim().is_empty() {
        return Err(Error::ReasonMissing { id: id.clone() });
    }
    let needs_factor = terms.requires_second_factor && review.verdict == Vote::Approve;
    if needs_factor && review.factor_step.is_none() {
        return Err(Error::SecondFactorMissing { id: id.clone() });
    }
    let mut next = step(current, State::Pending, at);
    next.reviews.push(review.clone());
    next.state = match review.verdict {
        Vote::Approve if terms.requires.is_met_by(&next.reviews) => State::Approved { at },
        Vote::Deny if may_veto(terms, review) => State::Denied { at },
        Vote::Approve | Vote::Deny => State::Pending,
    };
    Ok(next)
}

fn break_glass(current: &Request, glass: &BrokenGlass) -> Result<Request, Error> {
    let Submission { id, terms, .. } = &*current.submission;
    if !glass
        .groups
        .iter()
        .any(|group| terms.break_glass.contains(group))
    {
        let (id, person) = (id.clone(), glass.by.clone());
        return Err(Error::GlassNotAllowed { id, person });
    }
    if glass.reason.trim().is_empty() {
        return Err(Error::ReasonMissing { id: id.clone() });
    }
    if terms.requires_second_factor && glass.factor_step.is_none() {
        return Err(Error::SecondFactorMissing { id: id.clone() });
    }
    signed::check_glass(&current.submission, glass)?;
    let mut next = step(current, State::Approved { at: glass.at }, glass.at);
    next.glass = Some(glass.clone());
    Ok(next)
}

/// A louder call changes neither the state nor what an approval takes.
fn escalate(current: &Request, at: Timestamp, reason: &str, level: u32) -> Result<Request, Error> {
    let id = current.submission.id.clone();
    if reason.trim().is_empty() {
        return Err(Error::ReasonMissing { id });
    }
    let expected = current.level.saturating_add(1);
    if level != expected {
        return Err(Error::LevelOutOfOrder {
            id,
            level,
            expected,
        });
    }
    let next = step(current, current.state, at);
    Ok(Request { level, ..next })
}

/// A wish for changes is no vote.
fn ask_for_changes(current: &Request, change: &ChangeRequest) -> Result<Request, Error> {
    let (id, person) = (change.id.clone(), change.by.clone());
    if change.by == current.submission.requester {
        return Err(Error::SelfReview { id, person });
    }
    if change.reason.trim().is_empty() {
        return Err(Error::ReasonMissing { id });
    }
    let mut next = step(current, current.state, change.at);
    next.changes = Some(change.clone());
    Ok(next)
}

/// The review that an emergency owes changes no state: what was done is done.
fn attest(current: &Request, attestation: &Attestation) -> Result<Request, Error> {
    let Attestation {
        id,
        at,
        by,
        finding,
        ..
    } = attestation;
    let Some(glass) = current.glass.as_ref().filter(|_| current.owes_review()) else {
        return Err(Error::NothingToAttest { id: id.clone() });
    };
    if *by == glass.by || *by == current.submission.requester {
        let (id, person) = (id.clone(), by.clone());
        return Err(Error::SelfReview { id, person });
    }
    if finding.trim().is_empty() {
        return Err(Error::ReasonMissing { id: id.clone() });
    }
    signed::check_attestation(&current.submission, attestation)?;
    let mut next = step(current, current.state, *at);
    next.attestation = Some(attestation.clone());
    Ok(next)
}

fn may_veto(terms: &Terms, review: &Review) -> bool {
    terms.veto.is_empty() || review.groups.iter().any(|group| terms.veto.contains(group))
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
    if let Some(reason) = obstacle(current, Gate::of(current), claim) {
        let id = claim.id.clone();
        return Err(Error::NotExecutable { id, reason });
    }
    let state = match current.state {
        State::Approved { .. } if current.uses_left() > 1 => current.state,
        _ => State::Claimed { at: claim.at },
    };
    let mut next = step(current, state, claim.at);
    let (newest, receipt) = (next.claim.replace(claim.clone()), next.receipt.take());
    let before = newest.map(|claim| Arc::new(Used { claim, receipt }));
    next.earlier.extend(before);
    Ok(next)
}

/// Why a claim cannot be made; none if it can.
pub(crate) fn obstacle(current: &Request, gate: Gate, claim: &Claim) -> Option<DenyReason> {
    let Submission {
        digest, binding, ..
    } = &*current.submission;
    // A step stands for the action that was asked for once it proved that it belongs to the plan.
    let asked = match &claim.step {
        None => &claim.digest,
        Some(_) => digest,
    };
    if let Permission::Denied(reason) = gate.ask(asked, claim.at) {
        return Some(reason);
    }
    if let Some(proof) = &claim.step
        && (!binding::belongs(binding, proof, &claim.digest) || was_done(current, proof))
    {
        return Some(DenyReason::PlanChanged);
    }
    binding.differs(&claim.seen, claim.step.is_some())
}

/// Whether a step of the plan was claimed before; each is good for one use.
fn was_done(current: &Request, proof: &StepProof) -> bool {
    let mut steps = current.uses().filter_map(|(claim, _)| claim.step.as_ref());
    steps.any(|done| done.step == proof.step)
}

/// A report is taken as long as there is a claim without one, also of an approval that was revoked
/// since, or that has uses left. When the last use is reported the request is finished.
fn finish(current: &Request, receipt: &Receipt) -> Result<Request, Error> {
    let Receipt { id, at, token, .. } = receipt.clone();
    let Some(newest) = &current.claim else {
        return Err(Error::NotClaimed { id });
    };
    let claimed = current.uses().find(|(claim, _)| claim.token == token);
    match claimed {
        None => {
            let (given, token) = (token, newest.token);
            return Err(Error::WrongToken { id, given, token });
        }
        Some((_, Some(first))) => {
            let first = Box::new(first.clone());
            return Err(Error::AlreadyFinished { id, first });
        }
        Some((_, None)) => {}
    }
    let mut next = step(current, current.state, at);
    let mut earlier = next.earlier.iter_mut();
    match earlier.find(|used| used.claim.token == token) {
        Some(used) => Arc::make_mut(used).receipt = Some(receipt.clone()),
        None => next.receipt = Some(receipt.clone()),
    }
    if let (State::Claimed { .. }, Some(outcome)) = (next.state, worst(&next)) {
        next.state = State::Finished { at, outcome };
    }
    Ok(next)
}

/// The worst outcome of all uses; none as long as one is not reported. Outcomes are in rising order.
fn worst(request: &Request) -> Option<ReceiptOutcome> {
    let mut outcomes = request.uses().map(|(_, receipt)| Some(receipt?.outcome));
    outcomes.try_fold(ReceiptOutcome::Succeeded, |worst, outcome| {
        Some(worst.max(outcome?))
    })
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
