//! Whether the server lives, and whether it can do its work.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::json::json;
use crate::state::App;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `ok` or `unavailable`.
    status: &'static str,
    /// Why it is unavailable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
}

pub(crate) async fn live() -> Response {
    answer(Vec::new())
}

/// Refuses while the server ends, so that a balancer sends no more, and once a log refused a write: only a
/// restart helps then, and that is the operator's choice.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let stopping = app.is_stopping.load(Ordering::SeqCst);
    let failed = app.store_failed.load(Ordering::Relaxed);
    let reasons = [
        stopping.then_some("the server is shutting down"),
        failed.then_some("a store refused a write: look at the disk, then restart"),
    ];
    answer(reasons.into_iter().flatten().collect())
}

fn answer(reasons: Vec<&'static str>) -> Response {
    let (code, status) = if reasons.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    json(code, &Health { status, reasons })
}
