//! What approvals are judged by: a policy, and a directory of reviewers.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::Error;
use crate::model::content::write_json;
use crate::policy::engine::PolicyEngine;
use crate::policy::rulebook::Rulebook;
use crate::review::second_factor::{Directory, Verifier};

/// A policy and a directory that go together; replaced as a whole.
#[derive(Debug)]
pub(crate) struct Basis {
    pub(crate) engine: Arc<dyn PolicyEngine>,
    pub(crate) verifier: Option<Verifier>,
    pub(crate) digest: [u8; 32],
}

impl Basis {
    /// Checks that they can work together, and whether there is a key if the policy hides anything.
    pub(crate) fn new(
        engine: Arc<dyn PolicyEngine>,
        directory: Option<&Directory>,
        has_secret_key: bool,
    ) -> Result<Self, Error> {
        let rulebook = engine.rulebook();
        let verifier = directory.map(Verifier::new).transpose()?;
        let people = verifier.as_ref().map(Verifier::everyone);
        rulebook.check_people(&people.unwrap_or_default())?;
        if let (Some(name), false) = (rulebook.policy().secrets.first(), has_secret_key) {
            let name = name.clone();
            return Err(Error::SecretKeyMissing { name });
        }
        let digest = digest(rulebook, directory);
        Ok(Self {
            engine,
            verifier,
            digest,
        })
    }
}

/// The digest of all that an approval depends on besides its request: the policy, and of the
/// directory who is in which group and stands in for whom.
fn digest(rulebook: &Rulebook, directory: Option<&Directory>) -> [u8; 32] {
    const DOMAIN: &str = "proofload 2026-11 approval snapshot basis v1";
    let people = directory.map(|directory| {
        let groups = directory.reviewers.iter();
        let groups: Vec<_> = groups
            .map(|(person, known)| (person, &known.groups))
            .collect();
        (groups, &directory.delegations)
    });
    let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
    write_json(&mut hasher, &(rulebook.digest(), people));
    hasher.finalize().into()
}

/// The rulebook that requests are judged by, as it was when this was made; made by
/// [`ApprovalWorkflow::rulebook`](crate::ApprovalWorkflow::rulebook).
pub struct CurrentRulebook(pub(crate) Arc<Basis>);

impl Deref for CurrentRulebook {
    type Target = Rulebook;

    fn deref(&self) -> &Rulebook {
        self.0.engine.rulebook()
    }
}

impl fmt::Debug for CurrentRulebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
