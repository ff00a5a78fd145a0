//! A workflow as it is answered.

use approval_workflow::Request;
use execution::Difference;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::access::principal::Principal;
use crate::approvals::view::Approval;
use crate::clock::Moment;
use crate::state::AppState;

use super::state;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WorkflowView {
    id: String,
    /// pending, approved, denied, expired, lapsed, cancelled, revoked, executing, reconciled, diverged, failed,
    /// indeterminate
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_digest: Option<String>,
    /// Its approval, which has its steps and what was predicted.
    approval: Approval,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Claimed {
    /// Hand it to the system that is acted on, and let it refuse lower ones.
    pub(super) token: u64,
    pub(super) claimed_at: Moment,
    /// What to execute.
    #[schemars(with = "Vec<Map<String, Value>>")]
    pub(super) steps: Value,
    /// What is predicted to change.
    #[schemars(with = "Vec<Map<String, Value>>")]
    pub(super) changes: Value,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Reported {
    /// Each key that does not end as was predicted.
    #[schemars(with = "Vec<Map<String, Value>>")]
    differences: Vec<Value>,
    #[serde(flatten)]
    workflow: WorkflowView,
}

impl WorkflowView {
    pub(super) fn of(app: &AppState, who: &Principal, request: &Request) -> Self {
        let plan = request.submission.binding.plan;
        Self {
            id: request.submission.id.to_string(),
            state: state(request),
            plan_digest: plan.map(|digest| digest.to_string()),
            approval: Approval::of(app, who, request),
        }
    }
}

impl Reported {
    pub(super) fn of(workflow: WorkflowView, differences: &[Difference]) -> Self {
        let differences = differences.iter().map(|difference| {
            json!({ "key": difference.key, "predicted": difference.predicted, "observed": difference.observed })
        });
        Self {
            differences: differences.collect(),
            workflow,
        }
    }
}
