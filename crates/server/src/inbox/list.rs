//! What waits, what could do most harm first.

use std::sync::Arc;

use approval_workflow::{Page, Query, Request, Status};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;
use serde::Deserialize;

use crate::approvals::view::percent;
use crate::clock;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::inbox::forms::SignedIn;
use crate::inbox::layout;
use crate::inbox::prediction;
use crate::state::App;

/// As many as a person looks through.
const MOST: usize = 50;
/// What can be undone is told from what cannot among so many, those of the highest sensitivity.
const SORTED: usize = 200;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Show {
    #[default]
    Mine,
    All,
    Approved,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct What {
    #[serde(default)]
    show: Show,
}

pub(crate) async fn page(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Params(What { show }): Params<What>,
) -> Result<Response, Problem> {
    let person = session.principal.person.clone();
    let now = clock::now();
    let requests = app
        .gate
        .blocking(move |gate| match show {
            Show::Mine => Ok(most_final(gate.riskiest(Some(&person), SORTED, now))),
            Show::All => Ok(most_final(gate.riskiest(None, SORTED, now))),
            Show::Approved => {
                let query = Query::with_status(Status::Approved).newest_first();
                gate.list(&query, Page::first(MOST), now)
                    .map(|listing| listing.requests)
            }
        })
        .await?;
    let title = match show {
        Show::Mine => "Waiting for you",
        Show::All => "All that wait",
        Show::Approved => "Approved, waiting for the agent",
    };
    let content = html! {
        @if requests.is_empty() { p { "Nothing." } }
        ul.requests {
            @for request in &requests {
                @let asked = &request.submission;
                li {
                    a href=(format!("/requests/{}", percent(asked.id.as_str()))) {
                        strong { (layout::text(&asked.action.name)) }
                        span.path { (layout::text(asked.action.path.as_str())) }
                    }
                    @if let Some(undoing) = prediction::undoing(request) { span { (undoing) } }
                    span { "asked by " (asked.requester.as_str()) }
                    span class=(format!("sensitivity {}", asked.terms.sensitivity)) { (asked.terms.sensitivity) }
                    @if show != Show::Approved { span { (layout::time_left(asked.decide_by(), now)) } }
                }
            }
        }
        @if requests.len() == MOST { p { "The first " (MOST) " of them." } }
        p { a id="live" href="" { "Refresh" } }
    };
    Ok(layout::page(
        StatusCode::OK,
        title,
        Some(&session),
        &content,
    ))
}

/// Those that cannot be undone first; among equals, the order stays.
fn most_final(mut requests: Vec<Arc<Request>>) -> Vec<Arc<Request>> {
    requests.sort_by_key(|request| prediction::rank(request));
    requests.truncate(MOST);
    requests
}
