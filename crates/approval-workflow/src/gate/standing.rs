//! What the gate needs to know of a request.

use action::{ActionDigest, Timestamp};

use crate::model::emergency::BrokenGlass;
use crate::model::permission::{DenyReason, Permission};
use crate::model::request::{Request, State};
use crate::model::terms::Disposition;

/// What the answer depends on, small and without pointers, so that asking touches little memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) digest: ActionDigest,
    pub(crate) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Open { since: Timestamp, until: Timestamp },
    Undecided { until: Timestamp },
    Shut(DenyReason),
}

impl Gate {
    pub(crate) fn of(request: &Request) -> Self {
        let unsigned = |glass: &BrokenGlass| {
            glass.signature.is_none() && request.submission.demands_signature_of(&glass.by)
        };
        let standing = match (request.state, request.execute_by()) {
            (State::Approved { .. }, _) if request.glass.as_ref().is_some_and(unsigned) => {
                Standing::Shut(DenyReason::ReviewersChanged)
            }
            (State::Approved { at: since }, Some(until)) => Standing::Open { since, until },
            (State::Approved { .. }, None) => Standing::Shut(DenyReason::Lapsed),
            (State::Pending, _) => Standing::Undecided {
                until: request.submission.decide_by(),
            },
            (State::Denied { .. }, _) if request.submission.need == Disposition::AutoDenied => {
                Standing::Shut(DenyReason::DeniedByPolicy)
            }
            (State::Denied { .. }, _) => Standing::Shut(DenyReason::Denied),
            (State::Expired { .. }, _) => Standing::Shut(DenyReason::Expired),
            (State::Withdrawn { .. } | State::Superseded { .. }, _) => {
                Standing::Shut(DenyReason::Withdrawn)
            }
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

    /// Shuts an open gate for a reason that lies outside of the request.
    pub(crate) fn shut(mut self, reason: DenyReason) -> Self {
        if self.is_open() {
            self.standing = Standing::Shut(reason);
        }
        self
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Open { .. })
    }

    pub(crate) fn ask(&self, digest: &ActionDigest, now: Timestamp) -> Permission {
        if self.digest != *digest {
            return Permission::Denied(DenyReason::ActionChanged);
        }
        self.standing.ask(now)
    }
}

impl Standing {
    pub(crate) fn ask(self, now: Timestamp) -> Permission {
        match self {
            Self::Open { since, until } if now < until => Permission::Allowed {
                approved_at: since,
                execute_by: until,
            },
            Self::Open { .. } => Permission::Denied(DenyReason::Lapsed),
            Self::Undecided { until } if now < until => Permission::Denied(DenyReason::Pending),
            Self::Undecided { .. } => Permission::Denied(DenyReason::Expired),
            Self::Shut(reason) => Permission::Denied(reason),
        }
    }
}
