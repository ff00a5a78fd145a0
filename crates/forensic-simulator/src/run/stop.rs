use crate::run::report::PredictedOutcome;

/// Why a handler did not play an action to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub(crate) outcome: PredictedOutcome, // never Success
    pub(crate) reason: String,
    pub(crate) remedy: Option<String>,
}

impl Stop {
    /// The action would be tried, and fail.
    pub fn would_fail(reason: impl Into<String>) -> Self {
        Self::new(PredictedOutcome::WouldFail, reason)
    }

    /// The action could not begin.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self::new(PredictedOutcome::Blocked, reason)
    }

    /// The action should not be done, and what it would do is not modelled further. An action
    /// whose effects are known is played to its end after `Context::mark_unsafe`.
    pub fn unsafe_because(reason: impl Into<String>) -> Self {
        Self::new(PredictedOutcome::Unsafe, reason)
    }

    /// Nothing can be said.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::new(PredictedOutcome::Unknown, reason)
    }

    /// Adds what would make it better.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn new(outcome: PredictedOutcome, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            reason: reason.into(),
            remedy: None,
        }
    }
}
