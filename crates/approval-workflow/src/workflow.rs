use std::path::Path;
use std::sync::Arc;

use action::{Action, ActionDigest};
use jsonl_storage::Recovery;

use crate::journal::{Journal, Step};
use crate::second_factor::Verifier;
use crate::{
    AuditEntry, Claim, Decision, DenyReason, Directory, Error, Event, Listing, NewRequest, Page,
    Permission, PersonId, Policy, Receipt, Request, RequestId, Review, Rulebook, State, Statistics,
    Status, Submission, Timestamp, input, lifecycle, names,
};

/// How a workflow is opened; ends in [`Options::open`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    directory: Option<Directory>,
}

impl Options {
    /// Lists who may review, and the secrets of their second factors (default: anyone but the
    /// requester may review, and nobody has a second factor).
    #[must_use]
    pub fn directory(mut self, directory: Directory) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Opens the workflow whose log is in `dir`, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] or [`Error::Secret`] for what could not work; [`Error::Log`] when the log
    /// cannot be opened; [`Error::Replay`] when it holds an event that cannot have happened.
    pub fn open(self, dir: impl AsRef<Path>, policy: Policy) -> Result<ApprovalWorkflow, Error> {
        let rulebook = Arc::new(Rulebook::new(policy)?);
        let verifier = self.directory.as_ref().map(Verifier::new).transpose()?;
        let journal = Journal::open(dir.as_ref(), Arc::clone(&rulebook))?;
        Ok(ApprovalWorkflow {
            journal,
            rulebook,
            verifier,
        })
    }
}

/// The gate before real actions. Share it by reference or in an [`Arc`].
///
/// Every call that changes something returns when the change is on disk. What a call shows is on
/// disk, so nobody acts on an approval that a power cut could take back.
#[derive(Debug)]
pub struct ApprovalWorkflow {
    journal: Journal,
    rulebook: Arc<Rulebook>,
    verifier: Option<Verifier>,
}

impl ApprovalWorkflow {
    /// The largest action, in bytes of JSON.
    pub const MAX_ACTION_BYTES: usize = 256 << 10;
    /// The largest context, in bytes of JSON.
    pub const MAX_CONTEXT_BYTES: usize = 64 << 10;
    /// The deepest nesting of a context, in levels.
    pub const MAX_CONTEXT_DEPTH: usize = 32;
    /// The longest reason, in bytes.
    pub const MAX_REASON_BYTES: usize = 16 << 10;

    /// Opens a workflow without a directory of reviewers; see [`Options::open`].
    ///
    /// # Errors
    ///
    /// As [`Options::open`].
    pub fn open(dir: impl AsRef<Path>, policy: Policy) -> Result<Self, Error> {
        Self::options().open(dir, policy)
    }

    /// Starts with every default.
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }

    /// Asks for an approval.
    ///
    /// Every request is recorded, also one that needs nobody: its state is then approved from the
    /// start, and its [`rule`](Submission::rule) says by which rule. An action that no rule covers
    /// waits for a person, on the terms of the policy's default.
    ///
    /// # Errors
    ///
    /// [`Error::Action`], [`Error::Text`], [`Error::TooLarge`] or [`Error::ContextTooDeep`] for what
    /// could not be bound, shown or read back; [`Error::RequestExists`]; [`Error::Log`].
    pub fn request(&self, new: NewRequest) -> Result<Arc<Request>, Error> {
        input::check_action(&new.action)?;
        input::check_context(&new.context)?;
        let digest = new.action.digest()?;
        let ruling = self.rulebook.judge(&new.action, &new.context);
        let (rule, need) = (ruling.rule.map(|rule| rule.label().to_owned()), ruling.need);
        let terms = ruling.terms.clone();
        let submit = |id: RequestId| {
            Event::Requested(Arc::new(Submission {
                id,
                at: new.at,
                requester: new.requester,
                action: new.action,
                digest,
                context: new.context,
                policy: self.rulebook.digest(),
                rule,
                need,
                terms,
            }))
        };
        match new.id {
            Some(id) => {
                let event = submit(id.clone());
                self.journal.commit(&id, |_, _| Ok(Step::Record(event)))
            }
            None => self.journal.commit_new(submit),
        }
    }

    /// Decides a request. The first decision stands.
    ///
    /// A decision that is dated before the request's last event counts as made at that event.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySettled`] with the decision that stands; [`Error::Expired`];
    /// [`Error::SelfReview`], [`Error::UnknownReviewer`], [`Error::ReasonMissing`] and the errors of
    /// the second factor; [`Error::Text`] or [`Error::TooLarge`] for a reason that could not be
    /// shown; [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn decide(&self, id: &RequestId, decision: Decision) -> Result<Arc<Request>, Error> {
        if let Some(reason) = &decision.reason {
            names::check_text("reason", reason, Self::MAX_REASON_BYTES)?;
        }
        let factor = self.verify(&decision)?;
        self.journal.commit(id, |current, _| {
            let current = known(current, id)?;
            let at = decision.at.max(current.changed_at);
            if matches!(current.state, State::Pending) && current.is_overdue(at) {
                let event = Event::Expired { id: id.clone(), at };
                return Ok(Step::RecordAndRefuse(event, lifecycle::expired(current)));
            }
            Ok(match factor {
                Factor::Wrong => wrong_code(id, decision.reviewer, at),
                Factor::None => Step::Record(review(id, decision, at, None)),
                Factor::Step(step) => Step::Record(review(id, decision, at, Some(step))),
            })
        })
    }

    /// Says whether an action may run now on the strength of a request.
    ///
    /// It may if the request is approved, the approval is on disk and not over, and the action is
    /// exactly the one that was asked for.
    pub fn can_execute(&self, id: &RequestId, action: &Action, now: Timestamp) -> Permission {
        match action.digest() {
            Ok(digest) => self.can_execute_digest(id, &digest, now),
            Err(_) => Permission::Denied(DenyReason::ActionInvalid),
        }
    }

    /// As [`can_execute`](Self::can_execute), for a caller that has the action's digest.
    ///
    /// Takes no lock that a writer holds while it waits or works, and its time does not depend on
    /// the number of requests.
    pub fn can_execute_digest(
        &self,
        id: &RequestId,
        digest: &ActionDigest,
        now: Timestamp,
    ) -> Permission {
        self.journal.view().ask(id, digest, now)
    }

    /// Takes an approval to use it: of any number of callers, before or after a restart, one succeeds.
    ///
    /// The claim is on disk when this returns. Run the action then, hand the
    /// [token](crate::FencingToken) to what it acts on, and [`finish`](Self::finish). A claim whose
    /// executor died stays a claim: whether the action took effect is for a person to find out.
    ///
    /// # Errors
    ///
    /// [`Error::NotExecutable`] with the reason that [`can_execute`](Self::can_execute) would give;
    /// [`Error::Action`]; [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn claim(
        &self,
        id: &RequestId,
        action: &Action,
        claimant: PersonId,
        at: Timestamp,
    ) -> Result<Claim, Error> {
        let digest = action.digest()?;
        let claimed = self.journal.commit(id, |current, staging| {
            let current = known(current, id)?;
            let at = at.max(current.changed_at);
            let claim = Claim {
                id: id.clone(),
                at,
                claimant,
                digest,
                token: staging.next_token(),
            };
            match self.journal.view().gate(current).ask(&digest, at) {
                Permission::Allowed { .. } => Ok(Step::Record(Event::Claimed(claim))),
                Permission::Denied(reason) => {
                    let id = id.clone();
                    Err(Error::NotExecutable { id, reason })
                }
            }
        })?;
        Ok(claimed
            .claim
            .clone()
            .expect("a claimed request has its claim"))
    }

    /// Reports what came of a claim. The first report stands.
    ///
    /// # Errors
    ///
    /// [`Error::NotClaimed`], [`Error::WrongToken`], [`Error::AlreadyFinished`] with the first
    /// report; [`Error::Text`] or [`Error::TooLarge`] for an observation that could not be shown;
    /// [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn finish(&self, receipt: Receipt) -> Result<Arc<Request>, Error> {
        names::check_text("observation", &receipt.observed, Self::MAX_REASON_BYTES)?;
        let id = receipt.id.clone();
        self.journal.commit(&id, |current, _| {
            let mut receipt = receipt;
            receipt.at = receipt.at.max(known(current, &id)?.changed_at);
            Ok(Step::Record(Event::Finished(receipt)))
        })
    }

    /// Takes an approval back before anybody used it. The requester may, and whoever may review.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySettled`] if there is no approval, or it was used; [`Error::UnknownReviewer`];
    /// [`Error::Text`] or [`Error::TooLarge`] for the reason; [`Error::UnknownRequest`];
    /// [`Error::Log`].
    pub fn revoke(
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
            Ok(Step::Record(Event::Revoked {
                id: id.clone(),
                at: at.max(current.changed_at),
                by,
                reason: reason.to_owned(),
            }))
        })
    }

    /// Where a request stands at a moment; none if there is no such request.
    #[must_use]
    pub fn status(&self, id: &RequestId, now: Timestamp) -> Option<Status> {
        self.get(id).map(|request| request.status(now))
    }

    /// A request and its decisions; none if there is no such request.
    #[must_use]
    pub fn get(&self, id: &RequestId) -> Option<Arc<Request>> {
        self.journal.view().get(id)
    }

    /// The requests that wait for a decision, the oldest first. Its time does not depend on how many
    /// are settled.
    #[must_use]
    pub fn pending(&self, page: Page, now: Timestamp) -> Listing {
        self.journal.view().pending(page, now)
    }

    /// Records every request as expired that nobody decided in time, and says how many.
    ///
    /// Nothing depends on it but the trail: an overdue request is expired whether or not an event
    /// says so.
    ///
    /// # Errors
    ///
    /// [`Error::Log`].
    pub fn expire_due(&self, now: Timestamp) -> Result<usize, Error> {
        let mut expired = 0;
        for id in self.journal.view().overdue(now) {
            let event = Event::Expired {
                id: id.clone(),
                at: now,
            };
            match self.journal.commit(&id, |_, _| Ok(Step::Record(event))) {
                Ok(_) => expired += 1,
                Err(error @ Error::Log(_)) => return Err(error),
                // Somebody else recorded it meanwhile.
                Err(_) => {}
            }
        }
        Ok(expired)
    }

    /// Everything that happened to a request, in order; none if there is no such request.
    #[must_use]
    pub fn audit_trail(&self, id: &RequestId) -> Option<Vec<AuditEntry>> {
        self.journal.view().trail(id)
    }

    /// Everything that happened, in order, read from the log.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] when the log cannot be read; each entry may fail likewise.
    pub fn audit_log(&self) -> Result<impl Iterator<Item = Result<AuditEntry, Error>>, Error> {
        let entries = self.journal.scan()?;
        Ok(entries.map(|record| {
            let record = record?;
            Ok(AuditEntry {
                seq: record.seq,
                event: record.data,
            })
        }))
    }

    /// Counts over all requests. Its time does not depend on how many are settled.
    #[must_use]
    pub fn statistics(&self, now: Timestamp) -> Statistics {
        self.journal.view().statistics(now)
    }

    /// Every request in the order in which they were asked, while others may be added.
    pub fn requests(&self) -> impl Iterator<Item = Arc<Request>> {
        /// So many at a time, to hold the lock shortly.
        const CHUNK: usize = 256;
        (0..)
            .map(|chunk| self.journal.view().slice(chunk * CHUNK, CHUNK))
            .take_while(|requests| !requests.is_empty())
            .flatten()
    }

    /// Every decision of every request, in the order of the requests.
    pub fn decisions(&self) -> impl Iterator<Item = Review> {
        self.requests().flat_map(|request| request.reviews.clone())
    }

    /// The policy that new requests are judged by.
    #[must_use]
    pub fn rulebook(&self) -> &Rulebook {
        &self.rulebook
    }

    /// What opening the log found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        self.journal.recovery()
    }

    /// Closes the log and gives its directory free.
    ///
    /// # Errors
    ///
    /// [`Error::Log`]. Nothing that was acknowledged is lost by it.
    pub fn close(self) -> Result<(), Error> {
        self.journal.close()
    }

    fn check_reviewer(&self, person: &PersonId) -> Result<(), Error> {
        match &self.verifier {
            Some(verifier) if !verifier.knows(person) => Err(Error::UnknownReviewer {
                person: person.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn verify(&self, decision: &Decision) -> Result<Factor, Error> {
        let person = &decision.reviewer;
        self.check_reviewer(person)?;
        match (&decision.second_factor, &self.verifier) {
            (None, _) => Ok(Factor::None),
            (Some(_), None) => Err(Error::SecondFactorUnregistered {
                person: person.clone(),
            }),
            (Some(code), Some(verifier)) => {
                let step = verifier.step(person, code, decision.at)?;
                Ok(step.map_or(Factor::Wrong, Factor::Step))
            }
        }
    }
}

/// What became of the second factor.
enum Factor {
    None,
    Step(u64),
    Wrong,
}

fn review(id: &RequestId, decision: Decision, at: Timestamp, factor_step: Option<u64>) -> Event {
    Event::Reviewed(Review {
        id: id.clone(),
        at,
        reviewer: decision.reviewer,
        verdict: decision.verdict,
        reason: decision.reason,
        factor_step,
    })
}

/// The request as it is, or the answer that there is none.
pub(crate) fn known<'a>(
    current: Option<&'a Request>,
    id: &RequestId,
) -> Result<&'a Request, Error> {
    current.ok_or_else(|| Error::UnknownRequest { id: id.clone() })
}

fn wrong_code(id: &RequestId, reviewer: PersonId, at: Timestamp) -> Step {
    let refusal = Error::SecondFactorWrong {
        person: reviewer.clone(),
    };
    let id = id.clone();
    Step::RecordAndRefuse(Event::FactorFailed { id, at, reviewer }, refusal)
}
