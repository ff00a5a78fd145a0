//! The audit trail of one request, and of all.

use approval_workflow::{ApprovalWorkflow, AuditEntry, Error, Event, Seq};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::principal::Principal;
use crate::approvals::{id, seen};
use crate::clock::Moment;
use crate::http::json::json;
use crate::http::params::{Params, Segment};
use crate::http::problem::{Code, Problem, not_found};
use crate::state::App;

const HISTORY_DIGEST: HeaderName = HeaderName::from_static("history-digest");

/// One entry of the log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// Its number in the log.
    pub(crate) seq: u64,
    pub(crate) at: Moment,
    /// The event as the log has it; its moments are microseconds since 1970.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) event: Event,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let at = entry.event.at().into();
        Self {
            seq: entry.seq.0,
            at,
            event: entry.event,
        }
    }
}

pub(crate) async fn trail(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    seen(&app, &who, &id).await?;
    let trail = app.gate.blocking(move |gate| gate.audit_trail(&id)).await?;
    let entries: Vec<Entry> = trail
        .unwrap_or_default()
        .into_iter()
        .map(Entry::from)
        .collect();
    Ok(json(StatusCode::OK, &entries))
}

pub(crate) async fn bundle(
    State(app): State<App>,
    Segment(text): Segment,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let bundle = app
        .gate
        .blocking(move |gate| gate.export_bundle(&id))
        .await?;
    let (bundle, digest) = bundle.ok_or_else(not_found)?;
    let digest = HeaderValue::from_str(&digest.to_string()).expect("hexadecimal digits");
    let media_type = HeaderValue::from_static("application/jsonl");
    let headers = [(header::CONTENT_TYPE, media_type), (HISTORY_DIGEST, digest)];
    Ok((headers, bundle).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
}

pub(crate) async fn log(
    State(app): State<App>,
    Params(Range { before, limit }): Params<Range>,
) -> Result<Response, Problem> {
    const MOST: usize = 200;
    const USUAL: usize = 50;
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let detail = format!("limit is from 1 to {MOST}");
        return Err(Problem::new(Code::InvalidField, detail).with("pointer", "?limit"));
    }
    let newest = move |gate: &ApprovalWorkflow| -> Result<Vec<Entry>, Error> {
        let entries = gate.audit_range_back(..Seq(before.unwrap_or(u64::MAX)));
        entries
            .take(limit)
            .map(|entry| entry.map(Entry::from))
            .collect()
    };
    let entries = app.gate.blocking(newest).await?;
    Ok(json(StatusCode::OK, &entries))
}
