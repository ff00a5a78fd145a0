//! Requests whose action stands for a plan.

use approval_workflow::Request;
use serde_json::Value;

/// The field of a request's context by which it is known. Callers cannot write it.
pub(crate) const FIELD: &str = "workflow";

/// Whether a request asks for a plan. Only what makes workflows writes the field.
pub(crate) fn is_one(request: &Request) -> bool {
    request.submission.context.get(FIELD) == Some(&Value::Bool(true))
}
