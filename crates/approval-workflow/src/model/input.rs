//! What callers hand in, and the limits of what is taken.

use action::Action;
use serde_json::{Map, Value};

use crate::model::names;
use crate::{
    ApprovalWorkflow, Error, OneTimeCode, PersonId, RequestId, Signature, Timestamp, Verdict,
};

/// What someone wants to do.
#[derive(Debug, Clone, PartialEq)]
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

    /// Sets one field of the context, replacing an earlier value under the same name.
    #[must_use]
    pub fn with_context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.insert(name.into(), value.into());
        self
    }
}

/// What a person decides. That the caller is this person is for the caller's authentication to
/// establish; the second factor is verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no.
    pub verdict: Verdict,
    /// Who decides.
    pub reviewer: PersonId,
    /// Why.
    pub reason: Option<String>,
    /// The code that the reviewer's authenticator shows.
    pub second_factor: Option<OneTimeCode>,
    /// The reviewer's signature of the [`ReviewStatement`](crate::ReviewStatement), which is demanded
    /// of whoever the policy lists a key of.
    pub signature: Option<Signature>,
    /// When.
    pub at: Timestamp,
}

impl Decision {
    /// Makes an approval without a reason or a second factor.
    #[must_use]
    pub fn approve(reviewer: PersonId, at: Timestamp) -> Self {
        Self {
            verdict: Verdict::Approve,
            reviewer,
            reason: None,
            second_factor: None,
            signature: None,
            at,
        }
    }

    /// Makes a denial without a reason.
    #[must_use]
    pub fn deny(reviewer: PersonId, at: Timestamp) -> Self {
        Self {
            verdict: Verdict::Deny,
            ..Self::approve(reviewer, at)
        }
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

pub(crate) fn check_action(action: &Action) -> Result<(), Error> {
    const MAX_NAME_BYTES: usize = 1 << 10;
    names::check_text("action name", &action.name, MAX_NAME_BYTES)?;
    let most = ApprovalWorkflow::MAX_ACTION_BYTES;
    names::check_text("action description", &action.description, most)?;
    let texts = [action.path.as_str(), &action.name, &action.description];
    let bound = texts.into_iter().map(text_bound).sum::<usize>() + fields_bound(&action.parameters);
    check_size("action", action, bound + FIELD_NAMES, most)
}

pub(crate) fn check_context(context: &Map<String, Value>) -> Result<(), Error> {
    let levels = ApprovalWorkflow::MAX_CONTEXT_DEPTH;
    if !context.values().all(|value| fits(value, levels)) {
        return Err(Error::ContextTooDeep { levels });
    }
    let most = ApprovalWorkflow::MAX_CONTEXT_BYTES;
    check_size("context", context, fields_bound(context), most)
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

/// More than the names of an action's fields and of a binding's take in JSON.
pub(crate) const FIELD_NAMES: usize = 1 << 9;

/// Refuses what has more bytes of JSON than are taken. They are counted only if an upper bound, which is
/// cheap, leaves a doubt.
pub(crate) fn check_size(
    what: &'static str,
    value: &impl serde::Serialize,
    bound: usize,
    most: usize,
) -> Result<(), Error> {
    if bound <= most {
        return Ok(());
    }
    let bytes = crate::model::content::json_bytes(value);
    if bytes > most {
        return Err(Error::TooLarge { what, bytes, most });
    }
    Ok(())
}

/// At most so many bytes of JSON: a control character takes six, and quotes and a separator are added.
pub(crate) fn text_bound(text: &str) -> usize {
    text.len() * 6 + 4
}

fn fields_bound(fields: &Map<String, Value>) -> usize {
    let fields = fields.iter();
    let bounds = fields.map(|(name, value)| text_bound(name) + value_bound(value));
    bounds.sum::<usize>() + 4
}

fn value_bound(value: &Value) -> usize {
    // A number has at most 24 characters in the shortest form that reads back as it is.
    const LITERAL: usize = 32;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => LITERAL,
        Value::String(text) => text_bound(text),
        Value::Array(items) => {
            items
                .iter()
                .map(|item| value_bound(item) + 1)
                .sum::<usize>()
                + 4
        }
        Value::Object(fields) => fields_bound(fields) + 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::content::json_bytes;

    #[test]
    fn a_bound_is_never_below_what_is_written() {
        for value in [
            json!({}),
            json!([]),
            json!([[], {}, [null, false, true]]),
            json!({"": "", "\u{1}\u{2}": "\u{0}\u{1f}\u{7f}\"\\/"}),
            json!([
                i64::MIN,
                u64::MAX,
                -1.234_567_890_123_456_7e-300,
                f64::MIN_POSITIVE,
                1e300
            ]),
            json!({"a": {"b": {"c": ["\u{10ffff}\u{2028}", "ü"]}}}),
        ] {
            assert!(value_bound(&value) >= json_bytes(&value), "{value}");
            if let Value::Object(fields) = &value {
                assert!(fields_bound(fields) >= json_bytes(fields), "{value}");
            }
        }
    }
}
