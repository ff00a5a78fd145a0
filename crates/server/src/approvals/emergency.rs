//! Breaking the glass, and the review that it owes.

use approval_workflow::{
    ApprovalWorkflow, EmergencyApproval, EmergencyReview, OneTimeCode, Signature,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::principal::Principal;
use crate::approvals::{decide, id, seen, view};
use crate::http::body::Json;
use crate::http::params::Segment;
use crate::http::problem::Problem;
use crate::state::App;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Emergency {
    /// Why it could not wait; or what the review found.
    reason: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    signature: Option<Signature>,
    /// When it was signed, as RFC 3339.
    #[serde(default)]
    at: Option<String>,
}

pub(crate) async fn break_glass(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Json(wanted): Json<Emergency>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    seen(&app, &who, &id).await?;
    let approval = EmergencyApproval {
        second_factor: wanted.code.map(OneTimeCode::new),
        signature: wanted.signature,
        ..EmergencyApproval::new(
            who.person.clone(),
            wanted.reason,
            decide::signed_at(wanted.at.as_deref())?,
        )
    };
    let done = app
        .gate
        .blocking(move |gate| gate.break_glass(&id, approval))
        .await?;
    Ok(view::answer(&app, &who, &done, StatusCode::OK))
}

pub(crate) async fn attest(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Json(wanted): Json<Emergency>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    seen(&app, &who, &id).await?;
    let review = EmergencyReview {
        signature: wanted.signature,
        ..EmergencyReview::new(
            who.person.clone(),
            wanted.reason,
            decide::signed_at(wanted.at.as_deref())?,
        )
    };
    let attest = move |gate: &ApprovalWorkflow| gate.attest(&id, review);
    let done = app.gate.blocking(attest).await?;
    Ok(view::answer(&app, &who, &done, StatusCode::OK))
}
