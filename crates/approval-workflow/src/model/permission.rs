use std::fmt;

use action::Timestamp;
use serde::{Deserialize, Serialize};

/// The answer to "may this run now?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Permission {
    /// It may.
    Allowed {
        /// Since when it is approved.
        approved_at: Timestamp,
        /// The moment from which on the approval can no longer be used.
        execute_by: Timestamp,
    },
    /// It may not.
    Denied(DenyReason),
}

impl Permission {
    /// Whether it may run.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Why something may not run: a closed list, so that no answer hides in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DenyReason {
    /// There is no such request, or it is not on disk yet.
    UnknownRequest,
    /// The action is not the one that was asked for: another path, name, description or argument.
    ActionChanged,
    /// The action has no canonical form, so it cannot be the one that was asked for.
    ActionInvalid,
    /// Not decided yet, or the decision is not on disk yet.
    Pending,
    /// A person denied it.
    Denied,
    /// A rule of the policy denied it, whatever a person would say: [`Submission::rule`] names it.
    ///
    /// [`Submission::rule`]: crate::Submission::rule
    DeniedByPolicy,
    /// Not decided in time.
    Expired,
    /// It was approved, and the time to run it is over.
    Lapsed,
    /// The requester withdrew it, or asked for something else instead.
    Withdrawn,
    /// It was approved, and that was taken back.
    Revoked,
    /// Its approval was used, as often as its terms allow: it runs, or ran.
    Claimed,
    /// Today's policy decides otherwise about this action than the one it was approved under.
    PolicyChanged,
    /// The plan is not the one that was approved, or the action is not that step of it, or the step
    /// was used before.
    PlanChanged,
    /// The step of the plan is approved on other terms than the plan was: it needs its own approval.
    StepNotCovered,
    /// The report of the simulation is not the one that the approval rests on, or was not shown.
    ReportChanged,
    /// Other effects are predicted now than when it was approved, or none were stated.
    EffectsChanged,
    /// Something that was read has another version now, or its version was not shown.
    ReadsChanged,
    /// Of those who approved, too many are no longer in the directory or in the group they were in; or
    /// one who approved alone in an emergency did not sign, and the policy lists a key.
    ReviewersChanged,
    /// The directory was restored from an older copy since it was approved, so that the approval may
    /// have been used: ask again.
    Restored,
}

impl DenyReason {
    /// Its name in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownRequest => "unknown request",
            Self::ActionChanged => "action changed",
            Self::ActionInvalid => "action invalid",
            Self::Pending => "pending",
            Self::Denied => "denied",
            Self::DeniedByPolicy => "denied by policy",
            Self::Expired => "expired",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
            Self::Revoked => "revoked",
            Self::Claimed => "claimed",
            Self::PolicyChanged => "policy changed",
            Self::PlanChanged => "plan changed",
            Self::StepNotCovered => "step not covered",
            Self::ReportChanged => "report changed",
            Self::EffectsChanged => "effects changed",
            Self::ReadsChanged => "reads changed",
            Self::ReviewersChanged => "reviewers changed",
            Self::Restored => "restored",
        }
    }
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
