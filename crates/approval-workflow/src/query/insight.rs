//! Explains the state of a request, and what it would be under another policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use action::Timestamp;

use crate::error::Error;
use crate::model::event::{Submission, Vote};
use crate::model::names::{GroupId, PersonId, RequestId};
use crate::model::permission::{DenyReason, Permission};
use crate::model::request::{Request, Status};
use crate::model::terms::{Disposition, Sensitivity};
use crate::policy::Policy;
use crate::policy::rulebook::Rulebook;
use crate::workflow::ApprovalWorkflow;

/// The explanation of a request's state; made by [`ApprovalWorkflow::explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The request.
    pub id: RequestId,
    /// Its state.
    pub status: Status,
    /// The rule that decided; none if the policy's default did.
    pub rule: Option<String>,
    /// How much harm the action could do.
    pub sensitivity: Sensitivity,
    /// Whether a person is needed.
    pub need: Disposition,
    /// Who approved so far.
    pub approved_by: Vec<PersonId>,
    /// Who is missing, while the request waits for a decision.
    pub missing: Vec<Missing>,
    /// Why the action may not run now; none if it may.
    pub denied: Option<DenyReason>,
}

/// People whose approval is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// How many.
    pub people: usize,
    /// Of which group; none for anybody.
    pub of: Option<GroupId>,
    /// Who could; none if there is no directory, so that anybody but the requester could.
    pub candidates: Option<BTreeSet<PersonId>>,
}

/// A request about which another policy decides otherwise; made by [`ApprovalWorkflow::what_if`].
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The request.
    pub id: RequestId,
    /// What was decided.
    pub then: Said,
    /// What the other policy decides.
    pub instead: Said,
    /// Whether an approval that people gave would meet the other policy's terms; none if no approval
    /// was given, or it would not need one.
    pub votes_suffice: Option<bool>,
}

/// What a policy decided about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The rule that decided; none if the policy's default did.
    pub rule: Option<String>,
    /// Whether a person is needed.
    pub need: Disposition,
    /// How much harm the action could do.
    pub sensitivity: Sensitivity,
}

impl ApprovalWorkflow {
    /// Explains a request: which rule decided, who approved, and who is missing; none if there is no
    /// such request.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn explain(&self, id: &RequestId, now: Timestamp) -> Result<Option<Explanation>, Error> {
        let Some(request) = self.get(id)? else {
            return Ok(None);
        };
        let Submission {
            rule,
            need,
            terms,
            digest,
            ..
        } = &*request.submission;
        let status = request.status(now);
        let denied = match self.can_execute_digest(id, digest, now) {
            Permission::Allowed { .. } => None,
            Permission::Denied(reason) => Some(reason),
        };
        Ok(Some(Explanation {
            id: id.clone(),
            status,
            rule: rule.clone(),
            sensitivity: terms.sensitivity,
            need: *need,
            approved_by: approvers(&request).cloned().collect(),
            missing: match status {
                Status::Pending => self.missing(&request, now),
                _ => Vec::new(),
            },
            denied,
        }))
    }

    /// Judges every request again by another policy, and lists those about which it decides
    /// otherwise. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] for a policy that contradicts itself; as [`get`](Self::get) for a
    /// request that cannot be read.
    pub fn what_if(&self, policy: Policy) -> Result<Vec<Difference>, Error> {
        let other = Rulebook::new(policy)?;
        let mut differences = Vec::new();
        for request in self.requests() {
            let request = request?;
            if !other.agrees_with(&request.submission) {
                differences.push(difference(&request, &other));
            }
        }
        Ok(differences)
    }

    /// Whose approval a request still lacks, in the way that lacks the fewest. Reads nothing from the log.
    #[must_use]
    pub fn missing(&self, request: &Request, now: Timestamp) -> Vec<Missing> {
        let yes = request
            .reviews
            .iter()
            .filter(|review| review.verdict == Vote::Approve);
        let people: Vec<&[GroupId]> = yes.map(|review| &*review.groups).collect();
        let mut places: BTreeMap<Option<&GroupId>, usize> = BTreeMap::new();
        for place in request.submission.terms.requires.missing(&people) {
            *places.entry(place).or_default() += 1;
        }
        let entries = places.into_iter().map(|(of, people)| Missing {
            people,
            of: of.cloned(),
            candidates: self.candidates(request, of, now),
        });
        entries.collect()
    }

    fn candidates(
        &self,
        request: &Request,
        of: Option<&GroupId>,
        now: Timestamp,
    ) -> Option<BTreeSet<PersonId>> {
        let voted = |person: &PersonId| request.reviews.iter().any(|vote| vote.reviewer == *person);
        let basis = self.basis.load();
        let members = basis.verifier.as_ref()?.members(of);
        let asked = &*request.submission;
        let stands_in = |person: &PersonId| {
            let verifier = basis.verifier.as_ref();
            verifier.is_some_and(|known| known.stands_in(person, &asked.requester, asked, now))
        };
        let left = members
            .filter(|person| **person != asked.requester && !voted(person) && !stands_in(person));
        Some(left.cloned().collect())
    }
}

fn approvers(request: &Request) -> impl Iterator<Item = &PersonId> {
    let yes = request
        .reviews
        .iter()
        .filter(|review| review.verdict == Vote::Approve);
    yes.map(|review| &review.reviewer)
}

fn difference(request: &Request, other: &Rulebook) -> Difference {
    let submission = &*request.submission;
    let decided = other.judge(&submission.action, &submission.context);
    let was_approved = approvers(request).next().is_some() && request.decision().is_some();
    let suffices = || {
        let reasons = !decided.terms.requires_reason
            || request.reviews.iter().all(|vote| vote.reason.is_some());
        let factors = !decided.terms.requires_second_factor
            || request
                .reviews
                .iter()
                .all(|vote| vote.factor_step.is_some());
        reasons && factors && decided.terms.requires.is_met_by(&request.reviews)
    };
    Difference {
        id: submission.id.clone(),
        then: Said {
            rule: submission.rule.clone(),
            need: submission.need,
            sensitivity: submission.terms.sensitivity,
        },
        instead: Said {
            rule: decided.rule.map(|rule| rule.label().to_owned()),
            need: decided.need,
            sensitivity: decided.terms.sensitivity,
        },
        votes_suffice: (was_approved && decided.need == Disposition::Approval).then(suffices),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            status,
            sensitivity,
            ..
        } = self;
        write!(f, "request {id} is {status}: {sensitivity} by ")?;
        match &self.rule {
            Some(rule) => write!(f, "rule {rule:?}")?,
            None => f.write_str("the policy's default, since no rule covers it")?,
        }
        match self.need {
            Disposition::Approval => {}
            Disposition::NotSensitive => f.write_str("; needs no approval")?,
            Disposition::AutoApproved => f.write_str("; the rule's condition granted it")?,
            Disposition::AutoDenied => f.write_str("; the rule's condition denied it")?,
        }
        let names = |people: &mut dyn Iterator<Item = &PersonId>| {
            people.map(PersonId::as_str).collect::<Vec<_>>().join(", ")
        };
        if !self.approved_by.is_empty() {
            write!(f, "; approved by {}", names(&mut self.approved_by.iter()))?;
        }
        for missing in &self.missing {
            write!(f, "; missing {} of ", missing.people)?;
            match &missing.of {
                Some(group) => write!(f, "{group}")?,
                None => f.write_str("anyone")?,
            }
            if let Some(candidates) = &missing.candidates {
                write!(f, " ({})", names(&mut candidates.iter()))?;
            }
        }
        match self.denied {
            None => f.write_str("; may run"),
            Some(reason) => write!(f, "; may not run: {reason}"),
        }
    }
}
