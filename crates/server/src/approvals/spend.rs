//! Using an approval: may it run, take it, report.

use std::sync::Arc;

use action::{Action, ActionDigest, StepProof};
use approval_workflow::{
    Binding, Error, FencingToken, Permission, Receipt, ReceiptOutcome, Request, Use,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::principal::Principal;
use crate::approvals::view::{self, ClaimView};
use crate::approvals::{id, own, plan, seen};
use crate::clock::{self, Moment};
use crate::http::body::Json;
use crate::http::json::json;
use crate::http::key::Key;
use crate::http::params::Segment;
use crate::http::problem::{Code, Problem};
use crate::state::{App, AppState};

/// One of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    #[serde(default)]
    #[schemars(with = "Option<Map<String, Value>>")]
    action: Option<Action>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    digest: Option<ActionDigest>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Allowed {
    pub(crate) allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execute_by: Option<Moment>,
    /// Why it may not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Permission> for Allowed {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::Allowed {
                approved_at,
                execute_by,
            } => Self {
                allowed: true,
                approved_at: Some(approved_at.into()),
                execute_by: Some(execute_by.into()),
                reason: None,
            },
            Permission::Denied(reason) => Self {
                reason: Some(reason.as_str().replace(' ', "_")),
                ..Self::default()
            },
        }
    }
}

pub(crate) async fn check(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Json(asked): Json<Asked>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    seen(&app, &who, &id).await?;
    let (gate, now) = (app.gate.workflow(), clock::now());
    let permission = match (asked.action, asked.digest) {
        (Some(action), None) => gate.can_execute(&id, &action, now),
        (None, Some(digest)) => gate.can_execute_digest(&id, &digest, now),
        _ => {
            let detail = "give either the action or its digest";
            return Err(Problem::new(Code::InvalidField, detail).with("pointer", ""));
        }
    };
    Ok(json(StatusCode::OK, &Allowed::from(permission)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewClaim {
    /// What will run.
    #[schemars(with = "Map<String, Value>")]
    action: Action,
    /// What the approval is bound to, as it is now.
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    seen: Binding,
    /// What the action acts on, as it is now, for an approval that was simulated: it is simulated again, and refused
    /// if anything else is predicted.
    #[serde(default)]
    facts: Option<Map<String, Value>>,
    /// The action's place in the approved plan.
    #[serde(default)]
    #[schemars(with = "Option<Map<String, Value>>")]
    step: Option<StepProof>,
    /// The highest token that the system which is acted on has seen.
    #[serde(default)]
    seen_token: Option<u64>,
}

pub(crate) async fn claim(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Key(key): Key,
    Json(wanted): Json<NewClaim>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let asked = own(&app, &who, &id).await?;
    let mut seen = wanted.seen;
    if let Some(facts) = wanted.facts {
        let now = app
            .forecaster
            .of_action(&wanted.action, facts)
            .await?
            .binding;
        // The report is the one that the approval rests on; effects and reads are those of now.
        seen.report = asked.submission.binding.report;
        seen.effects = now.effects;
        seen.reads.extend(now.reads);
    }
    let wanted = Use {
        seen,
        step: wanted.step,
        seen_token: wanted.seen_token.map(FencingToken),
        key: Some(key),
        ..Use::new(wanted.action, who.person, clock::now())
    };
    let claim = app
        .gate
        .command(|gate| async move { gate.claim_async(&id, wanted).await })
        .await?;
    Ok(json(StatusCode::CREATED, &ClaimView::of(&claim, None)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReceipt {
    /// That of the claim.
    token: u64,
    /// succeeded, failed or indeterminate
    #[schemars(with = "String")]
    outcome: ReceiptOutcome,
    #[serde(default)]
    observed: String,
}

pub(crate) async fn finish(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Json(wanted): Json<NewReceipt>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let asked = own(&app, &who, &id).await?;
    if plan::is_one(&asked) {
        let detail = format!(
            "{id} is a workflow: report what was observed to /api/v1/workflows/{id}/receipt"
        );
        return Err(Problem::new(Code::WorkflowState, detail));
    }
    let receipt = Receipt {
        id: id.clone(),
        at: clock::now(),
        token: FencingToken(wanted.token),
        outcome: wanted.outcome,
        observed: wanted.observed,
    };
    let done = report(&app, &who, receipt).await?;
    Ok(view::answer(&app, &who, &done, StatusCode::OK))
}

/// Records a receipt. It happens once; said again, it stands.
pub(crate) async fn report(
    app: &AppState,
    who: &Principal,
    receipt: Receipt,
) -> Result<Arc<Request>, Problem> {
    let id = receipt.id.clone();
    let said = (receipt.token, receipt.outcome, receipt.observed.clone());
    let done = app
        .gate
        .command(|gate| async move { gate.finish_async(receipt).await })
        .await;
    match done {
        Err(Error::AlreadyFinished { first, .. })
            if (first.token, first.outcome, first.observed.clone()) == said =>
        {
            seen(app, who, &id).await
        }
        done => Ok(done?),
    }
}
