//! What callers hand in, and the limits of what is taken.

use std::fmt;

use action::{Action, Timestamp};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::model::binding::Binding;
use crate::model::event::Vote;
use crate::model::limits;
use crate::model::names::{self, IdempotencyKey, PersonId, RequestId};
use crate::model::signature::Signature;

/// What someone wants to do. Its debug output leaves out every value, since any of them may be secret.
#[derive(Clone, PartialEq)]
pub struct NewRequest {
    /// The request's id; without one, the workflow derives it from the number of the request.
    pub id: Option<RequestId>,
    /// What is to be done.
    pub action: Action,
    /// Who asks.
    pub requester: PersonId,
    /// The circumstances, for the policy's conditions and for the person who decides.
    pub context: Map<String, Value>,
    /// When.
    pub at: Timestamp,
    /// The names of parameters, and of fields of the context, whose values are never written: a
    /// request has their [digests](crate::secret_digest). At any depth, in upper or lower case; those
    /// of the [policy](crate::Policy::secrets) are hidden besides.
    pub secrets: Vec<String>,
    /// What the approval is bound to beside the action: the plan, a simulation, what was read.
    pub binding: Binding,
    /// The request that this one takes the place of: it can no longer be decided.
    pub supersedes: Option<RequestId>,
    /// The caller's key: a call that is repeated under it makes no second request, and returns the
    /// first one as it is now.
    pub key: Option<IdempotencyKey>,
}

impl NewRequest {
    /// Makes a request without an id of its own and without a context.
    #[must_use]
    pub fn new(action: Action, requester: PersonId, at: Timestamp) -> Self {
        Self {
            id: None,
            action,
            requester,
            context: Map::new(),
            at,
            secrets: Vec::new(),
            binding: Binding::default(),
            supersedes: None,
            key: None,
        }
    }

    /// Names the request.
    #[must_use]
    pub fn with_id(mut self, id: RequestId) -> Self {
        self.id = Some(id);
        self
    }

    /// Hides the values of the parameters, and of the fields of the context, with this name.
    #[must_use]
    pub fn with_secret(mut self, name: impl Into<String>) -> Self {
        self.secrets.push(name.into());
        self
    }

    /// Binds the approval to more than the action. An approval that is bound to a plan covers its
    /// steps: each can be [claimed](crate::ApprovalWorkflow::claim) with the proof that it belongs.
    #[must_use]
    pub fn bound_to(mut self, binding: Binding) -> Self {
        self.binding = binding;
        self
    }

    /// Asks instead of an earlier request of the same requester.
    #[must_use]
    pub fn superseding(mut self, earlier: RequestId) -> Self {
        self.supersedes = Some(earlier);
        self
    }

    /// Gives the idempotency key.
    #[must_use]
    pub fn with_key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets one field of the context, replacing an earlier value under the same name.
    #[must_use]
    pub fn with_context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.insert(name.into(), value.into());
        self
    }
}

impl fmt::Debug for NewRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |fields: &Map<String, Value>| fields.keys().cloned().collect::<Vec<_>>();
        f.debug_struct("NewRequest")
            .field("id", &self.id)
            .field("path", &self.action.path)
            .field("parameters", &names(&self.action.parameters))
            .field("context", &names(&self.context))
            .field("requester", &self.requester)
            .field("at", &self.at)
            .field("secrets", &self.secrets)
            .field("supersedes", &self.supersedes)
            .finish_non_exhaustive()
    }
}

/// What a person decides. That the caller is this person is for the caller's authentication to
/// establish; the second factor is verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no.
    pub verdict: Vote,
    /// Who decides.
    pub reviewer: PersonId,
    /// In whose place, if not the reviewer's own: it is then that person's vote, with that person's
    /// groups, and needs a [delegation](crate::Delegation).
    pub on_behalf_of: Option<PersonId>,
    /// Why.
    pub reason: Option<String>,
    /// The code that the reviewer's authenticator shows.
    pub second_factor: Option<OneTimeCode>,
    /// The reviewer's signature of the [`ReviewStatement`](crate::ReviewStatement), which is demanded
    /// of a reviewer whose key the policy lists.
    pub signature: Option<Signature>,
    /// The caller's key: a call that is repeated under it is one vote.
    pub key: Option<IdempotencyKey>,
    /// When.
    pub at: Timestamp,
}

impl Decision {
    /// Makes an approval without a reason or a second factor.
    #[must_use]
    pub fn approve(reviewer: PersonId, at: Timestamp) -> Self {
        Self {
            verdict: Vote::Approve,
            reviewer,
            on_behalf_of: None,
            reason: None,
            second_factor: None,
            signature: None,
            key: None,
            at,
        }
    }

    /// Makes a denial without a reason.
    #[must_use]
    pub fn deny(reviewer: PersonId, at: Timestamp) -> Self {
        Self {
            verdict: Vote::Deny,
            ..Self::approve(reviewer, at)
        }
    }

    /// Decides in the place of a person who [delegated](crate::Delegation) it. A second factor and a
    /// signature stay those of the reviewer.
    #[must_use]
    pub fn on_behalf_of(mut self, principal: PersonId) -> Self {
        self.on_behalf_of = Some(principal);
        self
    }

    /// Gives the idempotency key.
    #[must_use]
    pub fn with_key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Gives the reason.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Gives the second factor.
    #[must_use]
    pub fn with_second_factor(mut self, code: OneTimeCode) -> Self {
        self.second_factor = Some(code);
        self
    }

    /// Gives the signature.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }
}

/// An approval by one person alone, in an emergency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyApproval {
    /// Who approves.
    pub by: PersonId,
    /// Why.
    pub reason: String,
    /// The code that the person's authenticator shows.
    pub second_factor: Option<OneTimeCode>,
    /// The person's signature of the [`EmergencyStatement`](crate::EmergencyStatement), which is
    /// demanded of a person whose key the policy lists.
    pub signature: Option<Signature>,
    /// When.
    pub at: Timestamp,
}

impl EmergencyApproval {
    /// Makes an approval without a second factor and without a signature.
    #[must_use]
    pub fn new(by: PersonId, reason: impl Into<String>, at: Timestamp) -> Self {
        Self {
            by,
            reason: reason.into(),
            second_factor: None,
            signature: None,
            at,
        }
    }

    /// Gives the second factor.
    #[must_use]
    pub fn with_second_factor(mut self, code: OneTimeCode) -> Self {
        self.second_factor = Some(code);
        self
    }

    /// Gives the signature.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }
}

/// The review that an emergency approval owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyReview {
    /// Who reviewed what was done.
    pub by: PersonId,
    /// What was found.
    pub finding: String,
    /// The person's signature of the [`EmergencyStatement`](crate::EmergencyStatement), which is
    /// demanded of a person whose key the policy lists.
    pub signature: Option<Signature>,
    /// When.
    pub at: Timestamp,
}

impl EmergencyReview {
    /// Makes a review without a signature.
    #[must_use]
    pub fn new(by: PersonId, finding: impl Into<String>, at: Timestamp) -> Self {
        Self {
            by,
            finding: finding.into(),
            signature: None,
            at,
        }
    }

    /// Gives the signature.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }
}

/// A code from a reviewer's authenticator. Not shown in debug output, and wiped from memory when it is
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeCode(Zeroizing<String>);

impl OneTimeCode {
    /// Takes a code as it was typed.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

pub(crate) fn check_action(action: &Action) -> Result<(), Error> {
    const MAX_NAME_BYTES: usize = 1 << 10;
    names::check_text("action name", &action.name, MAX_NAME_BYTES)?;
    let most = limits::MAX_ACTION_BYTES;
    names::check_text("action description", &action.description, most)?;
    let texts = [action.path.as_str(), &action.name, &action.description];
    let bound = texts.into_iter().map(limits::text_bound).sum::<usize>()
        + limits::fields_bound(&action.parameters);
    limits::check_size("action", action, bound + limits::FIELD_NAMES, most)
}

pub(crate) fn check_context(context: &Map<String, Value>) -> Result<(), Error> {
    let levels = limits::MAX_CONTEXT_DEPTH;
    if !context.values().all(|value| fits(value, levels)) {
        return Err(Error::ContextTooDeep { levels });
    }
    let most = limits::MAX_CONTEXT_BYTES;
    limits::check_size("context", context, limits::fields_bound(context), most)
}

/// Whether a value is nested at most so many levels deep.
fn fits(value: &Value, levels: usize) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::Array(items), Some(left)) => items.iter().all(|item| fits(item, left)),
        (Value::Object(fields), Some(left)) => fields.values().all(|field| fits(field, left)),
        (Value::Array(_) | Value::Object(_), None) => false,
        _ => true,
    }
}
