use std::fmt;
use std::sync::Arc;

use action::{Action, ActionDigest, Timestamp};
use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::error::Error;
use crate::journal::Journal;
use crate::journal::commit::Step;
use crate::model::binding::Use;
use crate::model::event::Event;
use crate::model::grant::{Claim, Receipt};
use crate::model::input::{Decision, NewRequest};
use crate::model::limits;
use crate::model::names::{self, PersonId, RequestId};
use crate::model::permission::{DenyReason, Permission};
use crate::model::request::{Request, known};
use crate::policy::Policy;
use crate::policy::rulebook::Rulebook;
use crate::review::second_factor::Directory;
use crate::state::basis::Basis;

/// Decides whether actions may run, and records who approved them. Share it by reference or in an [`Arc`].
///
/// Every call that changes something returns when the change is on disk. What a call shows is on
/// disk, so no caller acts on an approval that a power cut could take back.
pub struct ApprovalWorkflow {
    pub(crate) journal: Journal,
    pub(crate) basis: Arc<ArcSwap<Basis>>,
    pub(crate) secret_key: Option<Zeroizing<[u8; 32]>>,
    pub(crate) clock: Clock,
}

impl fmt::Debug for ApprovalWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApprovalWorkflow")
            .field("journal", &self.journal)
            .field("basis", &self.basis.load())
            .finish_non_exhaustive()
    }
}

impl ApprovalWorkflow {
    /// The largest action, in bytes of JSON.
    pub const MAX_ACTION_BYTES: usize = limits::MAX_ACTION_BYTES;
    /// The largest context, in bytes of JSON.
    pub const MAX_CONTEXT_BYTES: usize = limits::MAX_CONTEXT_BYTES;
    /// The deepest nesting of a context, in levels.
    pub const MAX_CONTEXT_DEPTH: usize = limits::MAX_CONTEXT_DEPTH;
    /// The longest reason, in bytes.
    pub const MAX_REASON_BYTES: usize = limits::MAX_REASON_BYTES;

    /// Asks for an approval.
    ///
    /// Every request is recorded, also one that needs no approval: it is then approved from the start, and
    /// its [`rule`](crate::Submission::rule) says by which rule. An action that no rule covers waits
    /// for a person, on the terms of the policy's default.
    ///
    /// # Errors
    ///
    /// [`Error::Action`], [`Error::Text`], [`Error::TooLarge`] or [`Error::ContextTooDeep`] for what
    /// cannot be bound, shown or read back; [`Error::SecretKeyMissing`] or [`Error::SecretRepeated`]
    /// for a secret that cannot be hidden; [`Error::RequestExists`]; [`Error::KeyConflict`] if the key
    /// was used for anything else; [`Error::Log`].
    ///
    /// For a request to [supersede](NewRequest::supersedes): [`Error::UnknownRequest`],
    /// [`Error::NotRequester`], [`Error::AlreadySettled`] or [`Error::Expired`], in which case nothing
    /// was asked for.
    pub fn request(&self, new: NewRequest) -> Result<Arc<Request>, Error> {
        self.journal.wait(self.submit(new, None)?)
    }

    /// Asks for an approval, and claims it at once if it needs nobody: both with one sync. The claim is
    /// none if a person has to decide, or a rule denied the request.
    ///
    /// Under a [key](NewRequest::with_key), a call that is repeated returns the request as it is now and
    /// the claimant's claim.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn request_and_claim(
        &self,
        new: NewRequest,
        claimant: &PersonId,
    ) -> Result<(Arc<Request>, Option<Claim>), Error> {
        let request = self.journal.wait(self.submit(new, Some(claimant))?)?;
        let claim = request.claim_by(claimant);
        Ok((request, claim))
    }

    /// Replaces the policy and the directory of reviewers by others, while requests come and go.
    ///
    /// When it returns, every approval is judged by the new ones: the gate of one that they do not allow
    /// is shut. Requests keep the terms that they were made under; votes that were given keep counting as
    /// far as their people still may. Nothing of it is recorded: give the same at the next opening.
    ///
    /// # Errors
    ///
    /// As [`Options::open`](crate::Options::open) for what could not work, in which case nothing was
    /// replaced; as [`get`](Self::get) for an approval that cannot be read, in which case later ones may
    /// still be open by the old policy: close the workflow then.
    pub fn replace_policy(
        &self,
        policy: Policy,
        directory: Option<&Directory>,
    ) -> Result<(), Error> {
        let engine = Arc::new(Rulebook::new(policy)?);
        let basis = Basis::new(engine, directory, self.secret_key.is_some())?;
        self.basis.store(Arc::new(basis));
        self.journal.judge_all_again()
    }

    /// Withdraws a request that was not decided yet.
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
    /// what its terms require, or a person with a veto denies it. The first decision counts.
    ///
    /// A decision that is dated before the request's last event counts as made at that event.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySettled`] with the decision that counts; [`Error::AlreadyVoted`], also if the
    /// one in whose place the vote is given voted, or another person in the same place;
    /// [`Error::Expired`]; [`Error::SelfReview`], [`Error::DelegateOfRequester`],
    /// [`Error::NotDelegate`], [`Error::UnknownReviewer`], [`Error::ReasonMissing`],
    /// [`Error::Signature`] and the errors of the second factor; [`Error::Text`] or
    /// [`Error::TooLarge`] for a reason that cannot be shown; [`Error::KeyConflict`] if the key was
    /// used for anything else; [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn decide(&self, id: &RequestId, decision: Decision) -> Result<Arc<Request>, Error> {
        self.journal.wait(self.vote(id, decision)?)
    }

    /// Returns whether an action may run now, given a request.
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
    /// Where the approval is bound to more than its action, the claim states the circumstances of now
    /// ([`Use::seeing`]), and is refused if any of it is not what was approved. For a
    /// [step](Use::as_step) of an approved plan, the policy must put the step on the terms on which
    /// the plan was approved, or say that it is not sensitive.
    ///
    /// # Errors
    ///
    /// [`Error::NotExecutable`] with the reason that [`can_execute`](Self::can_execute) would give, or
    /// with what differs: [`PlanChanged`](DenyReason::PlanChanged),
    /// [`StepNotCovered`](DenyReason::StepNotCovered), [`ReportChanged`](DenyReason::ReportChanged),
    /// [`EffectsChanged`](DenyReason::EffectsChanged) or [`ReadsChanged`](DenyReason::ReadsChanged);
    /// [`Error::Action`], [`Error::Text`] or [`Error::TooLarge`] for what cannot be written;
    /// [`Error::KeyConflict`] if the key was used for anything else; [`Error::UnknownRequest`];
    /// [`Error::Log`].
    pub fn claim(&self, id: &RequestId, wanted: Use) -> Result<Claim, Error> {
        let claimed = self.journal.wait(self.take(id, &wanted)?)?;
        Ok(claimed.claim_made(wanted.key.as_ref()))
    }

    /// Reports what came of a claim. The first report counts.
    ///
    /// # Errors
    ///
    /// [`Error::NotClaimed`], [`Error::WrongToken`], [`Error::AlreadyFinished`] with the first
    /// report; [`Error::Text`] or [`Error::TooLarge`] for an observation that could not be shown;
    /// [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn finish(&self, receipt: Receipt) -> Result<Arc<Request>, Error> {
        self.journal.wait(self.report(receipt)?)
    }

    /// Takes an approval back before it was used, or what is left of its uses. Allowed to the requester and to every reviewer.
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
}
