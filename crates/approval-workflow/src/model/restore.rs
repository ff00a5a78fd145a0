//! What an opening records when the directory was restored from an older copy.

use action::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::names::PersonId;
use crate::model::token::FencingToken;

/// The directory was restored from an older copy. What happened after the copy was made is not in it:
/// approvals may have been used, or revoked. So no approval from before the restore is used any more,
/// and the claims that follow have tokens above all that can have been given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// When, and not before any event of the log.
    pub at: Timestamp,
    /// Who restored it.
    pub by: PersonId,
    /// Every later claim has a token above this one.
    pub token: FencingToken,
}

impl Restored {
    /// Between two restores, fewer claims are made.
    const CLAIMS: u64 = 1 << 32;

    /// A token above all that can have been given out since a copy was made: above the highest that is
    /// known, whether from the copy or from the systems that executors act on, by 2^32 claims.
    pub(crate) fn token_above(known: FencingToken) -> FencingToken {
        FencingToken((known.0 / Self::CLAIMS + 1).saturating_mul(Self::CLAIMS))
    }
}
