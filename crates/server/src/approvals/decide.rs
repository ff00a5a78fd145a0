//! Decisions about a request, and taking an approval back.

use std::sync::Arc;
use std::time::Duration;

use action::{ActionDigest, Timestamp};
use approval_workflow::{
    Decision, Error, OneTimeCode, PersonId, Request, RequestId, ReviewStatement, Signature, Status,
    Vote,
};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::principal::Principal;
use crate::approvals::{id, seen, view};
use crate::clock;
use crate::http::body::Json;
use crate::http::key::Key;
use crate::http::params::{Params, Segment};
use crate::http::problem::{Code, Problem};
use crate::state::{App, AppState};

/// How far the moment at which a decision was signed may lie from now.
const SIGNED_WITHIN: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Approve,
    Deny,
    /// No vote: the request waits on, and the requester may ask for something else.
    RequestChanges,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDecision {
    verdict: Verdict,
    /// The `digest` of the approval that the person looked at.
    #[schemars(with = "String")]
    shown: ActionDigest,
    #[serde(default)]
    reason: Option<String>,
    /// The one-time code, where the terms demand one.
    #[serde(default)]
    code: Option<String>,
    /// The Ed25519 signature of the statement, where the policy lists a key.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    signature: Option<Signature>,
    /// When it was signed, as RFC 3339.
    #[serde(default)]
    at: Option<String>,
    /// In whose place, for a delegate.
    #[serde(default)]
    on_behalf_of: Option<String>,
}

pub(crate) async fn decide(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Key(key): Key,
    Json(wanted): Json<NewDecision>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let request = seen(&app, &who, &id).await?;
    let mut vote = Vote::Approve;
    match wanted.verdict {
        Verdict::Approve => {}
        Verdict::Deny => vote = Vote::Deny,
        Verdict::RequestChanges => {
            check_shown(&request, wanted.shown)?;
            let reason = wanted.reason.unwrap_or_default();
            let done = ask_for_changes(&app, &who, id, reason).await?;
            return Ok(view::answer(&app, &who, &done, StatusCode::CREATED));
        }
    }
    let decision = Decision {
        verdict: vote,
        on_behalf_of: person(wanted.on_behalf_of)?,
        reason: wanted.reason.filter(|reason| !reason.trim().is_empty()),
        second_factor: wanted.code.map(OneTimeCode::new),
        signature: wanted.signature,
        key: Some(key),
        at: signed_at(wanted.at.as_deref())?,
        ..Decision::approve(who.person.clone(), Timestamp::MIN)
    };
    let done = vote_on(&app, &request, wanted.shown, decision).await?;
    Ok(view::answer(&app, &who, &done, StatusCode::CREATED))
}

/// Records a vote about what was shown.
pub(crate) async fn vote_on(
    app: &AppState,
    request: &Request,
    shown: ActionDigest,
    decision: Decision,
) -> Result<Arc<Request>, Problem> {
    check_shown(request, shown)?;
    let id = request.submission.id.clone();
    let decide = |gate: Arc<approval_workflow::ApprovalWorkflow>| async move {
        gate.decide_async(&id, decision).await
    };
    Ok(app.gate.command(decide).await?)
}

pub(crate) async fn ask_for_changes(
    app: &AppState,
    who: &Principal,
    id: RequestId,
    reason: String,
) -> Result<Arc<Request>, Problem> {
    let by = who.person.clone();
    let ask = move |gate: &approval_workflow::ApprovalWorkflow| {
        gate.request_changes(&id, by, &reason, clock::now())
    };
    Ok(app.gate.blocking(ask).await?)
}

fn check_shown(request: &Request, shown: ActionDigest) -> Result<(), Problem> {
    let digest = request.submission.digest;
    if digest == shown {
        return Ok(());
    }
    let detail = format!(
        "the action of {} has the digest {digest}, not {shown}",
        request.submission.id
    );
    Err(Problem::new(Code::ChangedSinceShown, detail))
}

fn person(text: Option<String>) -> Result<Option<PersonId>, Problem> {
    Ok(text.map(|text| PersonId::new(&text)).transpose()?)
}

/// The moment of a decision: now, or when it was signed, which may not be long ago.
pub(crate) fn signed_at(text: Option<&str>) -> Result<Timestamp, Problem> {
    let now = clock::now();
    let Some(text) = text else {
        return Ok(now);
    };
    let moment: Option<jiff::Timestamp> = text.parse().ok();
    let moment = moment.map(|moment| Timestamp::from_micros(moment.as_microsecond()));
    moment
        .filter(|at| now.since(*at) <= SIGNED_WITHIN && at.since(now) <= SIGNED_WITHIN)
        .ok_or_else(|| {
            let detail = format!("at {text:?} is no moment of RFC 3339 within five minutes of now");
            Problem::new(Code::InvalidField, detail).with("pointer", "/at")
        })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    verdict: Verdict,
    at: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    on_behalf_of: Option<String>,
}

pub(crate) async fn statement(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Params(wanted): Params<Statement>,
) -> Result<Response, Problem> {
    let request = seen(&app, &who, &id(&text)?).await?;
    let verdict = match wanted.verdict {
        Verdict::Approve => Vote::Approve,
        Verdict::Deny => Vote::Deny,
        Verdict::RequestChanges => {
            let detail = "a wish for changes is no vote, and not signed";
            return Err(Problem::new(Code::InvalidField, detail).with("pointer", "?verdict"));
        }
    };
    let decision = Decision {
        verdict,
        reason: wanted.reason.filter(|reason| !reason.trim().is_empty()),
        on_behalf_of: person(wanted.on_behalf_of)?,
        ..Decision::approve(who.person, signed_at(Some(&wanted.at))?)
    };
    let bytes = ReviewStatement::new(&request.submission, &decision).to_bytes();
    let media_type = HeaderValue::from_static("application/octet-stream");
    Ok(([(header::CONTENT_TYPE, media_type)], bytes).into_response())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    reason: String,
}

pub(crate) async fn revoke(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Json(Reason { reason }): Json<Reason>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    seen(&app, &who, &id).await?;
    let by = who.person.clone();
    let done = app
        .gate
        .blocking(
            move |gate| match gate.revoke(&id, by, &reason, clock::now()) {
                // It happens once; said again, it stands.
                Err(Error::AlreadySettled {
                    status: Status::Revoked,
                    id,
                    ..
                }) => gate.get(&id)?.ok_or(Error::UnknownRequest { id }),
                done => done,
            },
        )
        .await?;
    Ok(view::answer(&app, &who, &done, StatusCode::OK))
}

pub(crate) async fn escalate(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Json(Reason { reason }): Json<Reason>,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    seen(&app, &who, &id).await?;
    let by = who.person.clone();
    let escalate = move |gate: &approval_workflow::ApprovalWorkflow| {
        gate.escalate(&id, by, &reason, clock::now())
    };
    let done = app.gate.blocking(escalate).await?;
    Ok(view::answer(&app, &who, &done, StatusCode::CREATED))
}
