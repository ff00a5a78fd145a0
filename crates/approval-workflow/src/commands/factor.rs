//! One-time codes, checked at the moment at which they are recorded.

use action::Timestamp;

use crate::error::Error;
use crate::journal::commit::Step;
use crate::journal::staging::Staging;
use crate::model::event::Event;
use crate::model::input::OneTimeCode;
use crate::model::names::{PersonId, RequestId};
use crate::workflow::ApprovalWorkflow;

/// What became of the second factor, and when.
#[derive(Clone, Copy)]
pub(crate) enum Factor {
    None,
    Step { step: u64, now: Timestamp },
    Wrong { now: Timestamp },
}

impl Factor {
    fn checked_at(self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Step { now, .. } | Self::Wrong { now } => Some(now),
        }
    }

    /// When a decision counts as made: with a code, when the code was checked.
    pub(crate) fn moment(self, stated: Timestamp) -> Timestamp {
        self.checked_at().unwrap_or(stated)
    }

    /// The refusal of a code while the person's codes are not taken.
    pub(crate) fn lock(self, staging: &Staging, person: &PersonId) -> Option<Step> {
        let (reason, refusal) = staging.factors.locked(person, self.checked_at()?)?;
        Some(Step::Refuse(reason, refusal))
    }
}

impl ApprovalWorkflow {
    pub(crate) fn verify(
        &self,
        person: &PersonId,
        code: Option<&OneTimeCode>,
    ) -> Result<Factor, Error> {
        self.check_reviewer(person)?;
        match (code, &self.basis.load().verifier) {
            (None, _) => Ok(Factor::None),
            (Some(_), None) => Err(Error::SecondFactorUnregistered {
                person: person.clone(),
            }),
            (Some(code), Some(verifier)) => {
                // Not at the caller's time: a code that was seen an hour ago would be good again.
                let now = self.clock.now();
                let step = verifier.step(person, code, now)?;
                Ok(step.map_or(Factor::Wrong { now }, |step| Factor::Step { step, now }))
            }
        }
    }
}

pub(crate) fn wrong_code(id: &RequestId, reviewer: PersonId, at: Timestamp) -> Step {
    let refusal = Error::SecondFactorWrong {
        person: reviewer.clone(),
    };
    let id = id.clone();
    Step::RecordAndRefuse(Event::FactorFailed { id, at, reviewer }, refusal)
}
