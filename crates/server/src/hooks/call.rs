//! A call of a tool, and what is remembered of calls until they are reported.

use action::Action;
use approval_workflow::{Claim, FencingToken, RequestId};
use dashmap::DashMap;

use crate::http::key::bound;

/// What a host is about to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) host: &'static str,
    pub(crate) action: Action,
    pub(crate) session: String,
    /// The host's id of this one call; empty if it gives none.
    pub(crate) id: String,
}

/// In memory, and bounded: what is forgotten costs time, or leaves a claim without a report, which then waits for
/// a person to look at it.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Of each call as it may be repeated in a session, how often it was used up.
    turns: DashMap<String, u64>,
    /// Claims that are not reported yet, by the call.
    claims: DashMap<String, (RequestId, FencingToken)>,
}

const MOST: usize = 100_000;

impl Calls {
    pub(crate) fn first_turn(&self, call: &str) -> u64 {
        self.turns.get(call).map_or(0, |turn| *turn)
    }

    pub(crate) fn used_up(&self, call: String, turn: u64) {
        if self.turns.len() >= MOST {
            self.turns.clear();
        }
        self.turns.insert(call, turn + 1);
    }

    pub(crate) fn claimed(&self, person: &str, call: &Call, claim: &Claim) {
        if call.id.is_empty() {
            return;
        }
        if self.claims.len() >= MOST {
            self.claims.clear();
        }
        let key = claim_key(person, &call.session, &call.id);
        self.claims.insert(key, (claim.id.clone(), claim.token));
    }

    /// The claim of a call, which is reported now.
    pub(crate) fn reported(
        &self,
        person: &str,
        session: &str,
        id: &str,
    ) -> Option<(RequestId, FencingToken)> {
        self.claims
            .remove(&claim_key(person, session, id))
            .map(|(_, claim)| claim)
    }
}

fn claim_key(person: &str, session: &str, id: &str) -> String {
    bound(&[person, "hook-call", session, id])
        .as_str()
        .to_owned()
}
