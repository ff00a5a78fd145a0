//! Approvals by one person alone, and the reviews that they owe.

use std::sync::Arc;

use crate::commands::factor::{Factor, wrong_code};
use crate::error::Error;
use crate::journal::commit::Step;
use crate::model::emergency::{Attestation, BrokenGlass};
use crate::model::event::Event;
use crate::model::input::{EmergencyApproval, EmergencyReview};
use crate::model::names::{self, RequestId};
use crate::model::request::{Request, known};
use crate::model::signature::ReviewSignature;
use crate::review::signed;
use crate::workflow::ApprovalWorkflow;

impl ApprovalWorkflow {
    /// Approves a request alone, in an emergency, where its terms let a group of the person do so. It is
    /// approved at once, and owes a review by another person until that is [attested](Self::attest).
    ///
    /// # Errors
    ///
    /// [`Error::GlassNotAllowed`]; [`Error::ReasonMissing`], [`Error::Signature`] and the errors of the
    /// second factor; [`Error::AlreadySettled`]; [`Error::Expired`]; [`Error::Text`] or
    /// [`Error::TooLarge`] for the reason; [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn break_glass(
        &self,
        id: &RequestId,
        approval: EmergencyApproval,
    ) -> Result<Arc<Request>, Error> {
        names::check_text("reason", &approval.reason, Self::MAX_REASON_BYTES)?;
        let factor = self.verify(&approval.by, approval.second_factor.as_ref())?;
        let signature = |value| ReviewSignature {
            at: approval.at,
            value,
        };
        let signature = approval.signature.map(signature);
        let EmergencyApproval { by, reason, at, .. } = approval;
        self.journal.commit(id, |current, staging| {
            let current = known(current, id)?;
            let at = factor
                .moment(at)
                .max(current.changed_at)
                .max(staging.earliest());
            if let Some(refusal) = factor.lock(staging, &by) {
                return Ok(refusal);
            }
            let factor_step = match factor {
                Factor::None => None,
                Factor::Step { step, .. } => Some(step),
                Factor::Wrong { .. } => return Ok(wrong_code(id, by, at)),
            };
            signed::demand(&current.submission, &by, signature.as_ref())?;
            let basis = self.basis.load();
            let groups = basis.verifier.as_ref().and_then(|known| known.groups(&by));
            Ok(Step::Record(Event::BrokeGlass(BrokenGlass {
                id: id.clone(),
                at,
                groups: groups.unwrap_or_default().to_vec(),
                by,
                reason,
                factor_step,
                signature,
            })))
        })
    }

    /// Records that another person reviewed what was done in an emergency: neither the requester
    /// nor the one who broke the glass.
    ///
    /// # Errors
    ///
    /// [`Error::NothingToAttest`], [`Error::SelfReview`], [`Error::UnknownReviewer`],
    /// [`Error::Signature`]; [`Error::ReasonMissing`], [`Error::Text`] or [`Error::TooLarge`] for the
    /// finding; [`Error::UnknownRequest`]; [`Error::Log`].
    pub fn attest(&self, id: &RequestId, review: EmergencyReview) -> Result<Arc<Request>, Error> {
        names::check_text("finding", &review.finding, Self::MAX_REASON_BYTES)?;
        self.check_reviewer(&review.by)?;
        let signature = |value| ReviewSignature {
            at: review.at,
            value,
        };
        let signature = review.signature.map(signature);
        let EmergencyReview {
            by, finding, at, ..
        } = review;
        self.journal.commit(id, |current, _| {
            let current = known(current, id)?;
            let at = at.max(current.changed_at);
            self.check_delegation(current, &by, None, at)?;
            signed::demand(&current.submission, &by, signature.as_ref())?;
            Ok(Step::Record(Event::Attested(Attestation {
                id: id.clone(),
                at,
                by,
                finding,
                signature,
            })))
        })
    }
}
