//! How requests, votes and claims become events.

pub(crate) mod awaited;
pub(crate) mod emergency;
pub(crate) mod factor;

use std::sync::Arc;

use action::Timestamp;

use crate::commands::factor::{Factor, wrong_code};
use crate::error::Error;
use crate::journal::answer::Answer;
use crate::journal::commit::Step;
use crate::journal::staging::Staging;
use crate::model::binding::Use;
use crate::model::event::{ChangeRequest, Event, Review, Submission};
use crate::model::grant::{Claim, Receipt};
use crate::model::input::{self, Decision, NewRequest};
use crate::model::keys::Body;
use crate::model::names::{self, IdempotencyKey, PersonId, RequestId};
use crate::model::permission::DenyReason;
use crate::model::request::{Request, State, known};
use crate::model::secrets;
use crate::model::signature::ReviewSignature;
use crate::model::terms::Disposition;
use crate::review::signed::Proof;
use crate::state::lifecycle;
use crate::workflow::ApprovalWorkflow;

impl ApprovalWorkflow {
    pub(crate) fn submit(
        &self,
        mut new: NewRequest,
        claimant: Option<&PersonId>,
    ) -> Result<Answer, Error> {
        new.binding.check()?;
        input::check_action(&new.action)?;
        input::check_context(&new.context)?;
        let digest = new.action.digest()?;
        // One policy for all of it, whatever replaces it meanwhile.
        let basis = self.basis.load();
        let rulebook = basis.engine.rulebook();
        let decided = basis.engine.judge(&new.action, &new.context);
        let (rule, need) = (
            decided.rule.map(|rule| rule.label().to_owned()),
            decided.need,
        );
        let terms = decided.terms.clone();
        let names = &rulebook.policy().secrets;
        let hidden = secrets::hide(&mut new, names, self.secret_key.as_deref(), digest)?;
        let keyed = new.key.as_ref().map(|key| {
            let body = Body::request(&new.requester, digest, &new.context, &new.binding);
            (key.clone(), body)
        });
        let replaced = new.supersedes.map(|id| (id, new.requester.clone()));
        self.journal
            .begin_new(new.id, keyed, replaced, claimant, |id, earliest| {
                Submission {
                    id,
                    at: new.at.max(earliest),
                    requester: new.requester,
                    action: new.action,
                    digest,
                    context: new.context,
                    policy: rulebook.digest(),
                    rule,
                    need,
                    terms,
                    key: new.key,
                    binding: new.binding,
                    hidden,
                }
            })
    }

    pub(crate) fn vote(&self, id: &RequestId, decision: Decision) -> Result<Answer, Error> {
        if let Some(reason) = &decision.reason {
            names::check_text("reason", reason, Self::MAX_REASON_BYTES)?;
        }
        let factor = self.verify(&decision.reviewer, decision.second_factor.as_ref())?;
        let Decision {
            verdict,
            reviewer,
            on_behalf_of,
            reason,
            at,
            signature,
            key,
            ..
        } = decision;
        let principal = on_behalf_of.as_ref();
        let keyed = key.clone().map(|key| {
            let body = Body::review(id, &reviewer, verdict, reason.as_deref(), principal);
            (key, body)
        });
        let voice = principal.unwrap_or(&reviewer);
        let basis = self.basis.load();
        let verifier = basis.verifier.as_ref();
        let groups = verifier.and_then(|known| known.groups(voice));
        let review = Review {
            id: id.clone(),
            at,
            groups: groups.unwrap_or_default().to_vec(),
            reviewer,
            verdict,
            reason,
            key,
            factor_step: None,
            on_behalf_of,
            signature: signature.map(|value| ReviewSignature { at, value }),
        };
        let proof = self.prove(&review)?;
        let make = |current: Option<&Request>, staging: &Staging| -> Result<Step, Error> {
            let current = known(current, id)?;
            if let Some(repeat) = self.repeat(staging, keyed.as_ref())? {
                return Ok(repeat);
            }
            let at = factor
                .moment(at)
                .max(current.changed_at)
                .max(staging.earliest());
            if matches!(current.state, State::Pending) && current.is_overdue(at) {
                let event = Event::Expired { id: id.clone(), at };
                return Ok(Step::RecordAndRefuse(event, lifecycle::expired(current)));
            }
            if let Some(refusal) = factor.lock(staging, &review.reviewer) {
                return Ok(refusal);
            }
            let factor_step = match factor {
                Factor::None => None,
                Factor::Step { step, .. } => Some(step),
                Factor::Wrong { .. } => return Ok(wrong_code(id, review.reviewer, at)),
            };
            let principal = review.on_behalf_of.as_ref();
            self.check_delegation(current, &review.reviewer, principal, at)?;
            Ok(Step::Record(Event::Reviewed(Review {
                at,
                factor_step,
                ..review
            })))
        };
        self.journal.begin(id, proof.as_ref(), make)
    }

    /// Verifies the signature of a review before anybody has to wait for it.
    fn prove(&self, review: &Review) -> Result<Option<Proof>, Error> {
        if review.signature.is_none() {
            return Ok(None);
        }
        let asked = self.journal.asked(&review.id)?;
        Ok(asked.and_then(|asked| Proof::of(&asked, review)))
    }

    /// Refuses a delegate of the requester, and a person who is no delegate of the one in
    /// whose place the vote is given.
    fn check_delegation(
        &self,
        current: &Request,
        person: &PersonId,
        principal: Option<&PersonId>,
        at: Timestamp,
    ) -> Result<(), Error> {
        let asked = &*current.submission;
        let basis = self.basis.load();
        let stands_in = |principal: &PersonId| {
            let verifier = basis.verifier.as_ref();
            verifier.is_some_and(|known| known.stands_in(person, principal, asked, at))
        };
        let (id, person) = (asked.id.clone(), person.clone());
        if stands_in(&asked.requester) {
            let requester = asked.requester.clone();
            return Err(Error::DelegateOfRequester {
                id,
                person,
                requester,
            });
        }
        match principal.filter(|principal| !stands_in(principal)) {
            None => Ok(()),
            Some(principal) => Err(Error::NotDelegate {
                id,
                person,
                principal: principal.clone(),
            }),
        }
    }

    /// Calls for more attention to a request that waits: raises its level by one, and changes
    /// nothing else. Allowed to the requester and to every reviewer.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySettled`] or [`Error::Expired`]; [`Error::UnknownReviewer`];
    /// [`Error::ReasonMissing`], [`Error::Text`] or [`Error::TooLarge`] for the reason;
    /// [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn escalate(
        &self,
        id: &RequestId,
        by: PersonId,
        reason: &str,
        at: Timestamp,
    ) -> Result<Arc<Request>, Error> {
        names::check_text("reason", reason, Self::MAX_REASON_BYTES)?;
        self.journal.commit(id, |current, _| {
            let current = known(current, id)?;
            if by != current.submission.requester {
                self.check_reviewer(&by)?;
            }
            Ok(Step::Record(Event::Escalated {
                id: id.clone(),
                at: at.max(current.changed_at),
                by,
                reason: reason.to_owned(),
                level: current.level.saturating_add(1),
            }))
        })
    }

    /// Asks the requester to ask for something else. It is no vote: the request waits on, and the reviewer
    /// can still decide. The requester [supersedes](NewRequest::superseding) or withdraws it, or not.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySettled`] or [`Error::Expired`]; [`Error::SelfReview`],
    /// [`Error::DelegateOfRequester`], [`Error::UnknownReviewer`]; [`Error::ReasonMissing`],
    /// [`Error::Text`] or [`Error::TooLarge`] for the reason; [`Error::UnknownRequest`];
    /// [`Error::Log`].
    pub fn request_changes(
        &self,
        id: &RequestId,
        by: PersonId,
        reason: &str,
        at: Timestamp,
    ) -> Result<Arc<Request>, Error> {
        names::check_text("reason", reason, Self::MAX_REASON_BYTES)?;
        self.check_reviewer(&by)?;
        self.journal.commit(id, |current, _| {
            let current = known(current, id)?;
            let at = at.max(current.changed_at);
            self.check_delegation(current, &by, None, at)?;
            Ok(Step::Record(Event::ChangesRequested(ChangeRequest {
                id: id.clone(),
                at,
                by,
                reason: reason.to_owned(),
            })))
        })
    }

    pub(crate) fn take(&self, id: &RequestId, wanted: &Use) -> Result<Answer, Error> {
        let digest = wanted.action.digest()?;
        wanted.seen.check()?;
        let (key, step) = (wanted.key.as_ref(), wanted.step.as_ref());
        let keyed = key.map(|key| {
            let body = Body::claim(id, &wanted.claimant, digest, step);
            (key.clone(), body)
        });
        self.journal.begin(id, None, |current, staging| {
            let current = known(current, id)?;
            if let Some(repeat) = self.repeat(staging, keyed.as_ref())? {
                return Ok(repeat);
            }
            let given = staging.last_token;
            if let Some(seen) = wanted.seen_token.filter(|seen| *seen > given) {
                return Err(Error::OlderThanSeen { seen, given });
            }
            let claim = Claim {
                id: id.clone(),
                at: wanted.at.max(current.changed_at),
                claimant: wanted.claimant.clone(),
                digest,
                token: staging.next_token(),
                key: key.cloned(),
                seen: wanted.seen.clone(),
                step: wanted.step.clone(),
            };
            let gate = self.journal.view().gate(current);
            let obstacle = lifecycle::obstacle(current, gate, &claim);
            match obstacle.or_else(|| self.uncovered(current, wanted)) {
                Some(reason) => Err(Error::NotExecutable {
                    id: id.clone(),
                    reason,
                }),
                None => Ok(Step::Record(Event::Claimed(claim))),
            }
        })
    }

    pub(crate) fn report(&self, receipt: Receipt) -> Result<Answer, Error> {
        names::check_text("observation", &receipt.observed, Self::MAX_REASON_BYTES)?;
        let id = receipt.id.clone();
        self.journal.begin(&id, None, |current, _| {
            let mut receipt = receipt;
            receipt.at = receipt.at.max(known(current, &id)?.changed_at);
            Ok(Step::Record(Event::Finished(receipt)))
        })
    }

    /// Who approved a plan saw the terms of the request. A step that the policy puts on other terms,
    /// and that needs a person at all, is not covered by that.
    fn uncovered(&self, current: &Request, wanted: &Use) -> Option<DenyReason> {
        wanted.step.as_ref()?;
        let Submission { context, terms, .. } = &*current.submission;
        let basis = self.basis.load();
        let decided = basis.engine.judge(&wanted.action, context);
        let covered = decided.need == Disposition::NotSensitive
            || (*decided.terms == *terms && current.submission.need == decided.need);
        (!covered).then_some(DenyReason::StepNotCovered)
    }

    /// What was done before under the same key, if it was.
    fn repeat(
        &self,
        staging: &Staging,
        keyed: Option<&(IdempotencyKey, Body)>,
    ) -> Result<Option<Step>, Error> {
        let Some((key, body)) = keyed else {
            return Ok(None);
        };
        let done = self.journal.used_key(staging, key, *body)?;
        Ok(done.map(Step::Repeat))
    }

    pub(crate) fn check_reviewer(&self, person: &PersonId) -> Result<(), Error> {
        match &self.basis.load().verifier {
            Some(verifier) if !verifier.knows(person) => Err(Error::UnknownReviewer {
                person: person.clone(),
            }),
            _ => Ok(()),
        }
    }
}
