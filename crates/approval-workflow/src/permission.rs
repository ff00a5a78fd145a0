use std::fmt;

use action::ActionDigest;
use serde::{Deserialize, Serialize};

use crate::{Request, State, Timestamp};

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
    /// Nobody decided yet, or the decision is not on disk yet.
    Pending,
    /// A person denied it.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// It was approved, and the time to run it is over.
    Lapsed,
    /// It was approved, and that was taken back.
    Revoked,
    /// Its approval was used: it runs, or ran.
    Claimed,
    /// The policy of today says something else about this action than the one it was approved under.
    PolicyChanged,
}

impl DenyReason {
    /// The words that stand for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownRequest => "unknown request",
            Self::ActionChanged => "action changed",
            Self::ActionInvalid => "action invalid",
            Self::Pending => "pending",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Lapsed => "lapsed",
            Self::Revoked => "revoked",
            Self::Claimed => "claimed",
            Self::PolicyChanged => "policy changed",
        }
    }
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the answer depends on, small and without pointers, so that asking touches little memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    digest: ActionDigest,
    standing: Standing,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    Open { since: Timestamp, until: Timestamp },
    Undecided { until: Timestamp },
    Shut(DenyReason),
}

impl Gate {
    pub(crate) fn of(request: &Request) -> Self {
        let standing = match (request.state, request.execute_by()) {
            (State::Approved { at: since }, Some(until)) => Standing::Open { since, until },
            (State::Approved { .. }, None) => Standing::Shut(DenyReason::Lapsed),
            (State::Pending, _) => Standing::Undecided {
                until: request.submission.decide_by(),
            },
            (State::Denied { .. }, _) => Standing::Shut(DenyReason::Denied),
            (State::Expired { .. }, _) => Standing::Shut(DenyReason::Expired),
            (State::Revoked { .. }, _) => Standing::Shut(DenyReason::Revoked),
            (State::Claimed { .. } | State::Finished { .. }, _) => {
                Standing::Shut(DenyReason::Claimed)
            }
        };
        Self {
            digest: request.submission.digest,
            standing,
        }
    }

    /// The gate under a policy that says something else than the one of the request.
    pub(crate) fn under_changed_policy(mut self) -> Self {
        if matches!(self.standing, Standing::Open { .. }) {
            self.standing = Standing::Shut(DenyReason::PolicyChanged);
        }
        self
    }

    pub(crate) fn ask(&self, digest: &ActionDigest, now: Timestamp) -> Permission {
        if self.digest != *digest {
            return Permission::Denied(DenyReason::ActionChanged);
        }
        match self.standing {
            Standing::Open { since, until } if now < until => Permission::Allowed {
                approved_at: since,
                execute_by: until,
            },
            Standing::Open { .. } => Permission::Denied(DenyReason::Lapsed),
            Standing::Undecided { until } if now < until => Permission::Denied(DenyReason::Pending),
            Standing::Undecided { .. } => Permission::Denied(DenyReason::Expired),
            Standing::Shut(reason) => Permission::Denied(reason),
        }
    }
}
