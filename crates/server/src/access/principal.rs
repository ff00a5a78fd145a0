//! Who calls.

use approval_workflow::PersonId;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::access::tokens::Role;
use crate::http::problem::{Code, Problem};

/// Who calls, by the token alone: nothing in a body or a header can say otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) person: PersonId,
    pub(crate) role: Role,
}

impl Principal {
    pub(crate) fn is(&self, role: Role) -> bool {
        self.role == role
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Self>().cloned();
        principal.ok_or_else(unauthenticated)
    }
}

pub(crate) fn unauthenticated() -> Problem {
    let detail = "send a valid token as Authorization: Bearer …; an operator makes one by `proofload token create`";
    Problem::new(Code::Unauthenticated, detail)
}
