use std::path::Path;
use std::sync::Arc;

use action::{Action, ActionDigest};
use jsonl_storage::{Backend, Recovery};

use crate::commands::known;
use crate::journal::{Journal, Step};
use crate::second_factor::Verifier;
use crate::view::View;
use crate::{
    AuditEntry, Binding, Claim, Decision, DenyReason, Directory, Error, Event, IdempotencyKey,
    Listing, NewRequest, Page, Permission, PersonId, Policy, Receipt, Request, RequestId, Review,
    Rulebook, Statistics, Status, Timestamp, Use, names,
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
        self.begin(policy, |view| Journal::open(dir.as_ref(), view))
    }

    /// As [`open`](Self::open), over files that are kept by something else than the operating
    /// system: a simulated disk that fails, or memory.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(
        self,
        backend: Arc<dyn Backend>,
        policy: Policy,
    ) -> Result<ApprovalWorkflow, Error> {
        self.begin(policy, |view| Journal::open_on(backend, view))
    }

    fn begin(
        self,
        policy: Policy,
        open: impl FnOnce(View) -> Result<Journal, Error>,
    ) -> Result<ApprovalWorkflow, Error> {
        let rulebook = Arc::new(Rulebook::new(policy)?);
        let verifier = self.directory.as_ref().map(Verifier::new).transpose()?;
        let verifier = verifier.map(Arc::new);
        let people = verifier.as_deref().map(Verifier::everyone);
        rulebook.check_people(&people.unwrap_or_default())?;
        let view = View::new(Arc::clone(&rulebook), verifier.clone());
        Ok(ApprovalWorkflow {
            journal: open(view)?,
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
    pub(crate) journal: Journal,
    pub(crate) rulebook: Arc<Rulebook>,
    pub(crate) verifier: Option<Arc<Verifier>>,
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
    /// start, and its [`rule`](crate::Submission::rule) says by which rule. An action that no rule covers
    /// waits for a person, on the terms of the policy's default.
    ///
    /// # Errors
    ///
    /// [`Error::Action`], [`Error::Text`], [`Error::TooLarge`] or [`Error::ContextTooDeep`] for what
    /// could not be bound, shown or read back; [`Error::RequestExists`]; [`Error::Log`].
    pub fn request(&self, new: NewRequest) -> Result<Arc<Request>, Error> {
        self.submit(new, None, None, Binding::default())
    }

    /// As [`request`](Self::request), but a call that is repeated under the same key makes no second
    /// request: it returns the first one as it stands now.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request); [`Error::KeyConflict`] if the key was used for anything else.
    pub fn request_once(
        &self,
        key: &IdempotencyKey,
        new: NewRequest,
    ) -> Result<Arc<Request>, Error> {
        self.submit(new, Some(key), None, Binding::default())
    }

    /// As [`request`](Self::request), for an approval that is bound to more than its action, and
    /// under a key if there is one, as [`request_once`](Self::request_once).
    ///
    /// An approval of a plan covers its steps: each can be [claimed](Self::claim_use) with the proof
    /// that it belongs.
    ///
    /// # Errors
    ///
    /// As [`request_once`](Self::request_once), also for the texts of the read set.
    pub fn request_bound(
        &self,
        new: NewRequest,
        binding: Binding,
        key: Option<&IdempotencyKey>,
    ) -> Result<Arc<Request>, Error> {
        self.submit(new, key, None, binding)
    }

    /// Asks for something else instead of what was asked for before: the earlier request can no
    /// longer be decided.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request); for the earlier request [`Error::UnknownRequest`],
    /// [`Error::NotRequester`], [`Error::AlreadySettled`] or [`Error::Expired`], in which case
    /// nothing was asked for.
    pub fn supersede(&self, earlier: &RequestId, new: NewRequest) -> Result<Arc<Request>, Error> {
        self.submit(new, None, Some(earlier), Binding::default())
    }

    /// Takes a request back that nobody decided yet.
    ///
    /// # Errors
    ///
    /// [`Error::NotRequester`], [`Error::AlreadySettled`] or [`Error::Expired`];
    /// [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn withdraw(
        &self,
        id: &RequestId,
        by: PersonId,
        at: Timestamp,
    ) -> Result<Arc<Request>, Error> {
        self.journal.commit(id, |current, _| {
            let at = at.max(known(current, id)?.changed_at);
            let id = id.clone();
            Ok(Step::Record(Event::Withdrawn { id, at, by }))
        })
    }

    /// Decides a request. One person has one vote; the request is settled as soon as the votes meet
    /// what its terms require, or somebody who may denies it. What settled it stands.
    ///
    /// A decision that is dated before the request's last event counts as made at that event.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySettled`] with the decision that stands; [`Error::AlreadyVoted`];
    /// [`Error::Expired`];
    /// [`Error::SelfReview`], [`Error::DelegateOfRequester`], [`Error::UnknownReviewer`],
    /// [`Error::ReasonMissing`] and the errors of
    /// the second factor; [`Error::Text`] or [`Error::TooLarge`] for a reason that could not be
    /// shown; [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn decide(&self, id: &RequestId, decision: Decision) -> Result<Arc<Request>, Error> {
        self.vote(id, decision, None, None)
    }

    /// As [`decide`](Self::decide), but a call that is repeated under the same key is one vote: it
    /// returns the request as it stands now.
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide); [`Error::KeyConflict`] if the key was used for anything else.
    pub fn decide_once(
        &self,
        key: &IdempotencyKey,
        id: &RequestId,
        decision: Decision,
    ) -> Result<Arc<Request>, Error> {
        self.vote(id, decision, Some(key), None)
    }

    /// As [`decide`](Self::decide), in the place of somebody who [delegated](crate::Delegation) it: it
    /// is that person's vote, with that person's groups. A second factor is that of whoever decides.
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide); [`Error::NotDelegate`]; [`Error::AlreadyVoted`] also if the one
    /// in whose place the vote is given voted, or somebody else in the same place.
    pub fn decide_for(
        &self,
        principal: &PersonId,
        id: &RequestId,
        decision: Decision,
    ) -> Result<Arc<Request>, Error> {
        self.vote(id, decision, None, Some(principal))
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

    /// Takes an approval to use it: of any number of callers, before or after a restart, one succeeds,
    /// or as many as the terms allow [uses](crate::Terms::uses), each under a token of its own.
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
        self.take(id, Use::new(action.clone(), claimant, at))
    }

    /// As [`claim`](Self::claim), but a call that is repeated under the same key returns the claim
    /// that the first one made.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim); [`Error::KeyConflict`] if the key was used for anything else.
    pub fn claim_once(
        &self,
        key: &IdempotencyKey,
        id: &RequestId,
        action: &Action,
        claimant: PersonId,
        at: Timestamp,
    ) -> Result<Claim, Error> {
        let wanted = Use::new(action.clone(), claimant, at);
        self.take(id, wanted.with_key(key.clone()))
    }

    /// As [`claim`](Self::claim), for an approval that is bound to more than its action: the claim
    /// says what is true now, and is refused if any of it is not what was approved.
    ///
    /// For a step of an approved plan, the policy must put the step on the terms on which the plan
    /// was approved, or say that it is not sensitive.
    ///
    /// # Errors
    ///
    /// As [`claim_once`](Self::claim_once). The reason names what differs:
    /// [`PlanChanged`](DenyReason::PlanChanged), [`StepNotCovered`](DenyReason::StepNotCovered),
    /// [`ReportChanged`](DenyReason::ReportChanged), [`EffectsChanged`](DenyReason::EffectsChanged)
    /// or [`ReadsChanged`](DenyReason::ReadsChanged).
    pub fn claim_use(&self, id: &RequestId, wanted: Use) -> Result<Claim, Error> {
        self.take(id, wanted)
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

    /// Takes an approval back before it was used, or what is left of its uses. The requester may, and whoever may review.
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

    /// The requests that were approved in an emergency and owe a review, the oldest first.
    #[must_use]
    pub fn open_reviews(&self, page: Page) -> Listing {
        self.journal.view().owing(page)
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
}
