//! The audit log, newest first.

use approval_workflow::{AuditEntry, Error, Seq};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;
use serde::Deserialize;
use serde_json::Value;

use crate::approvals::view::percent;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::inbox::forms::SignedIn;
use crate::inbox::layout;
use crate::state::App;

const MOST: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Before {
    #[serde(default)]
    before: Option<u64>,
}

pub(crate) async fn page(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Params(Before { before }): Params<Before>,
) -> Result<Response, Problem> {
    let entries: Result<Vec<AuditEntry>, Error> = app
        .gate
        .blocking(move |gate| {
            gate.audit_range_back(..Seq(before.unwrap_or(u64::MAX)))
                .take(MOST)
                .collect()
        })
        .await;
    let entries = entries?;
    let content = html! {
        ol.audit {
            @for entry in &entries {
                @let (kind, who) = kind_and_person(entry);
                li {
                    (layout::moment(entry.event.at())) " "
                    @if let Some(id) = entry.event.id() {
                        a href=(format!("/requests/{}", percent(id.as_str()))) { (id.as_str()) } " "
                    }
                    strong { (kind) } " " (who) span.entry { "entry " (entry.seq.0) }
                }
            }
        }
        @if let Some(last) = entries.last().filter(|last| last.seq.0 > 0) {
            p { a href=(format!("/audit?before={}", last.seq.0)) { "Older" } }
        }
    };
    Ok(layout::page(
        StatusCode::OK,
        "Audit log",
        Some(&session),
        &content,
    ))
}

/// What happened and by whom, as the log names them.
fn kind_and_person(entry: &AuditEntry) -> (String, String) {
    let json = serde_json::to_value(&entry.event).expect("an event has a JSON form");
    let Some((kind, event)) = json.as_object().and_then(|event| event.iter().next()) else {
        return Default::default();
    };
    let names = ["requester", "reviewer", "claimant", "by"];
    let who = names
        .iter()
        .find_map(|name| event.get(*name).and_then(Value::as_str));
    let kind = match event.get("verdict").and_then(Value::as_str) {
        Some(verdict) => format!("{} ({verdict})", kind.replace('_', " ")),
        None => kind.replace('_', " "),
    };
    (
        kind,
        who.map_or_else(String::new, |who| format!("by {who} ")),
    )
}
