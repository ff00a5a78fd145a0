//! Reading approvals: one, waiting for its change, and many.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use action::{PathPattern, Timestamp};
use approval_workflow::{ApprovalWorkflow, Cursor, Error, Listing, Page, Query, Request, Status};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::approvals::view::{self, Approval};
use crate::approvals::{MAX_WAIT, StatisticsBody, id, may_see, seen};
use crate::clock;
use crate::http::json::json as answer;
use crate::http::params::{Params, Segment};
use crate::http::problem::{Code, Problem};
use crate::state::{App, AppState};

const TOTAL_COUNT: HeaderName = HeaderName::from_static("total-count");
const MOST: usize = 200;
const USUAL: usize = 50;
/// How often time alone is looked at while a call waits: a request expires without an event.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    #[serde(default)]
    wait: Option<String>,
}

/// Answers at once without a wait, or if the caller has seen another state than this one.
pub(crate) async fn get(
    State(app): State<App>,
    who: Principal,
    Segment(text): Segment,
    Params(Wait { wait }): Params<Wait>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tag| tag.to_str().ok());
    let limit = wait.as_deref().map(parse_wait).transpose()?;
    let Some(known) = known else {
        let request = seen(&app, &who, &id).await?;
        return Ok(view::answer(&app, &who, &request, StatusCode::OK));
    };
    let place = app.waits.try_acquire();
    let limit = match (limit, place.is_ok()) {
        (Some(_), false) => {
            let detail = "too many calls wait for a change";
            return Err(Problem::new(Code::TooManyWaits, detail));
        }
        (limit, _) => limit.unwrap_or_default(),
    };
    let until = tokio::time::Instant::now() + limit;
    loop {
        let bell = app.gate.bell(&id);
        let request = seen(&app, &who, &id).await?;
        if view::etag(&request) != known {
            return Ok(view::answer(&app, &who, &request, StatusCode::OK));
        }
        let now = tokio::time::Instant::now();
        if now >= until || app.is_stopping.load(Ordering::SeqCst) {
            let tag = HeaderValue::from_str(known).expect("it came in a header");
            return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
        }
        let next_look = until.min(now + LOOK_EVERY);
        let _pause = app.lanes.pause();
        let _ = tokio::time::timeout_at(next_look, bell).await;
    }
}

/// So many seconds, as "30s".
fn parse_wait(text: &str) -> Result<Duration, Problem> {
    let seconds = text
        .strip_suffix('s')
        .and_then(|digits| digits.parse().ok());
    let limit = seconds
        .map(Duration::from_secs)
        .filter(|limit| *limit <= MAX_WAIT);
    limit.ok_or_else(|| {
        let detail = format!(
            "wait is a time such as 30s, at most {} s",
            MAX_WAIT.as_secs()
        );
        Problem::new(Code::InvalidField, detail).with("pointer", "?wait")
    })
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    Age,
    Newest,
    Risk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum For {
    Me,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    #[serde(default = "pending")]
    status: Status,
    #[serde(default, rename = "for")]
    for_whom: Option<For>,
    #[serde(default)]
    under: Option<String>,
    #[serde(default)]
    sort: Sort,
    #[serde(default = "usual")]
    limit: usize,
    #[serde(default)]
    after: Option<u32>,
}

fn pending() -> Status {
    Status::Pending
}

fn usual() -> usize {
    USUAL
}

pub(crate) async fn list(
    State(app): State<App>,
    who: Principal,
    Params(filter): Params<Filter>,
) -> Result<Response, Problem> {
    let invalid = |what: &str, detail: String| {
        Problem::new(Code::InvalidField, detail).with("pointer", format!("?{what}"))
    };
    if !(1..=MOST).contains(&filter.limit) {
        return Err(invalid("limit", format!("limit is from 1 to {MOST}")));
    }
    let pattern = filter.under.clone().map(PathPattern::new).transpose();
    let pattern = pattern.map_err(|error| invalid("under", error.to_string()))?;
    let after = filter.after.map(cursor).transpose()?;
    let now = clock::now();
    let mut query = Query::with_status(filter.status);
    if filter.for_whom == Some(For::Me) {
        query = query.for_reviewer(who.person.clone());
    }
    if let Some(pattern) = pattern {
        query = query.under(pattern);
    }
    if filter.sort == Sort::Newest {
        query = query.newest_first();
    }
    let (looker, limit, sort, mine) = (who.clone(), filter.limit, filter.sort, filter.for_whom);
    let listing = app
        .gate
        .blocking(move |gate| match sort {
            Sort::Risk => {
                let reviewer = mine.map(|For::Me| &looker.person);
                let mut requests = gate.riskiest(reviewer, limit, now);
                requests.retain(|request| may_see(&looker, request));
                Ok(Listing {
                    requests,
                    next: None,
                })
            }
            Sort::Age | Sort::Newest => {
                visible_page(gate, &looker, &query, Page { after, limit }, now)
            }
        })
        .await?;
    Ok(page(&app, &who, &filter, &listing))
}

/// A page of what the caller may see. An agent's own requests are found by looking through all of them, up
/// to a bound a page; the next page goes on from there.
fn visible_page(
    gate: &ApprovalWorkflow,
    who: &Principal,
    query: &Query,
    page: Page,
    now: Timestamp,
) -> Result<Listing, Error> {
    const MOST_LOOKED_AT: usize = 4096;
    let mut found = Listing {
        requests: Vec::new(),
        next: page.after,
    };
    let mut looked_at = 0;
    loop {
        let limit = page.limit - found.requests.len();
        let part = gate.list(
            query,
            Page {
                after: found.next,
                limit,
            },
            now,
        )?;
        looked_at += part.requests.len().max(1);
        found.next = part.next;
        found.requests.extend(
            part.requests
                .into_iter()
                .filter(|request| may_see(who, request)),
        );
        let is_over = found.next.is_none() || looked_at >= MOST_LOOKED_AT;
        if is_over || found.requests.len() == page.limit {
            return Ok(found);
        }
    }
}

fn page(app: &AppState, who: &Principal, filter: &Filter, listing: &Listing) -> Response {
    let body = views(app, who, &listing.requests);
    let mut response = answer(StatusCode::OK, &body);
    let headers = response.headers_mut();
    if filter.status == Status::Pending && !who.is(Role::Agent) {
        let all = app
            .gate
            .workflow()
            .statistics(clock::now())
            .count(Status::Pending);
        headers.insert(TOTAL_COUNT, HeaderValue::from(all));
    }
    if let Some(next) = listing.next {
        let mut link = format!(
            "/api/v1/approvals?status={}&limit={}",
            filter.status, filter.limit
        );
        if filter.for_whom.is_some() {
            link.push_str("&for=me");
        }
        if let Some(under) = &filter.under {
            link.push_str(&format!("&under={}", view::percent(under)));
        }
        if filter.sort == Sort::Newest {
            link.push_str("&sort=newest");
        }
        link.push_str(&format!("&after={}", json!(next)));
        let link = HeaderValue::from_str(&format!("<{link}>; rel=\"next\""));
        headers.insert(header::LINK, link.expect("it is ASCII"));
    }
    response
}

fn views(app: &AppState, who: &Principal, requests: &[Arc<Request>]) -> Vec<Approval> {
    requests
        .iter()
        .map(|request| Approval::of(app, who, request))
        .collect()
}

fn cursor(number: u32) -> Result<Cursor, Problem> {
    serde_json::from_value(json!(number))
        .map_err(|error| Problem::new(Code::InvalidCursor, error.to_string()))
}

pub(crate) async fn statistics(State(app): State<App>) -> Response {
    let counts = app
        .gate
        .blocking(|gate| gate.statistics(clock::now()))
        .await;
    answer(StatusCode::OK, &StatisticsBody(counts))
}

/// How long a claim may be without a report before somebody looks at it.
const UNREPORTED: Duration = Duration::from_secs(3600);

/// What people have to look at: emergencies without a review, claims that nobody reported, and outcomes that nobody
/// knows, each up to a bound.
pub(crate) async fn follow_ups(
    State(app): State<App>,
    who: Principal,
) -> Result<Response, Problem> {
    let find = |gate: &ApprovalWorkflow| {
        let now = clock::now();
        let mut owed = gate.open_reviews(Page::first(MOST)).requests;
        let claimed = gate.list(&Query::with_status(Status::Claimed), Page::first(MOST), now)?;
        owed.extend(
            claimed
                .requests
                .into_iter()
                .filter(|request| is_unreported(request, now)),
        );
        let unknown = Query::with_status(Status::Indeterminate);
        owed.extend(gate.list(&unknown, Page::first(MOST), now)?.requests);
        // One may be owed twice: an emergency whose outcome nobody knows.
        let mut told = BTreeSet::new();
        owed.retain(|request| told.insert(request.submission.id.to_string()));
        Ok::<_, Error>(owed)
    };
    let owed = app.gate.blocking(find).await?;
    Ok(answer(StatusCode::OK, &views(&app, &who, &owed)))
}

fn is_unreported(request: &Request, now: Timestamp) -> bool {
    let mut open = request.uses().filter(|(_, receipt)| receipt.is_none());
    open.any(|(claim, _)| now.since(claim.at) >= UNREPORTED)
}
