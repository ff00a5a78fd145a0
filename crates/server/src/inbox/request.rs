//! One request: what has to be read, then the form.

use std::sync::Arc;

use action::ActionDigest;
use approval_workflow::{Decision, IdempotencyKey, OneTimeCode, Request, Status, Vote};
use axum::extract::{Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::access::tokens::random;
use crate::approvals::decide::{Verdict, ask_for_changes, vote_on};
use crate::approvals::view::{Approval, percent};
use crate::approvals::{id, seen};
use crate::clock;
use crate::http::key::bound;
use crate::http::params::Segment;
use crate::http::problem::Problem;
use crate::inbox::forms::{Guarded, SignedIn, read_guarded};
use crate::inbox::layout::{self, moment, text, time_left};
use crate::inbox::prediction;
use crate::inbox::session::Session;
use crate::state::{App, AppState};

pub(crate) async fn page(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Segment(name): Segment,
) -> Result<Response, Problem> {
    let request = seen(&app, &session.principal, &id(&name)?).await?;
    Ok(show(&app, &session, &request, StatusCode::OK, None, ""))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    secret: String,
    verdict: Verdict,
    shown: ActionDigest,
    /// Drawn with the page, so that a form which is sent twice counts once.
    key: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    code: String,
}

impl Guarded for Form {
    fn secret(&self) -> &str {
        &self.secret
    }
}

pub(crate) async fn decide(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Segment(name): Segment,
    http: HttpRequest,
) -> Result<Response, Problem> {
    let form: Form = read_guarded(&session, http).await?;
    let request = seen(&app, &session.principal, &id(&name)?).await?;
    let reason = form.reason.clone();
    match record(&app, &session, &request, form).await {
        Ok(request) => {
            let place = format!("/requests/{}", percent(request.submission.id.as_str()));
            Ok(Redirect::to(&place).into_response())
        }
        // As it stands now, with what went wrong, and with what was typed.
        Err(problem) => {
            let request = seen(&app, &session.principal, &request.submission.id).await?;
            let status = problem.code.status();
            Ok(show(
                &app,
                &session,
                &request,
                status,
                Some(&problem),
                &reason,
            ))
        }
    }
}

async fn record(
    app: &AppState,
    session: &Session,
    request: &Request,
    form: Form,
) -> Result<Arc<Request>, Problem> {
    let who = &session.principal;
    let vote = match form.verdict {
        Verdict::Approve => Vote::Approve,
        Verdict::Deny => Vote::Deny,
        Verdict::RequestChanges => {
            return ask_for_changes(app, who, request.submission.id.clone(), form.reason).await;
        }
    };
    let filled = |text: String| Some(text).filter(|text| !text.trim().is_empty());
    let decision = Decision {
        verdict: vote,
        reason: filled(form.reason),
        second_factor: filled(form.code).map(|code| OneTimeCode::new(code.trim())),
        key: Some(key(session, &form.key)),
        ..Decision::approve(who.person.clone(), clock::now())
    };
    vote_on(app, request, form.shown, decision).await
}

fn key(session: &Session, drawn: &str) -> IdempotencyKey {
    bound(&[session.principal.person.as_str(), "inbox", drawn])
}

fn show(
    app: &AppState,
    session: &Session,
    request: &Request,
    status: StatusCode,
    problem: Option<&Problem>,
    reason: &str,
) -> Response {
    let seen = Approval::of(app, &session.principal, request);
    let asked = &*request.submission;
    let now = clock::now();
    let content = html! {
        @if let Some(problem) = problem {
            p.problem role="alert" { (text(problem.detail())) }
        }
        p.state { (state(&seen, request)) }
        p { a id="live" data-request=(seen.id) href="" { "Refresh" } }
        @if seen.status == Status::Pending { (prediction::section(request)) }
        dl {
            dt { "Action" } dd { code { (text(asked.action.path.as_str())) } }
            @if !asked.action.description.is_empty() {
                dt { "Description, by the agent" } dd.said { (text(&asked.action.description)) }
            }
            dt { "Parameters" } dd { (layout::value(&Value::Object(asked.action.parameters.clone()))) }
            @if !asked.context.is_empty() {
                dt { "Context, by the agent" } dd { (layout::value(&Value::Object(asked.context.clone()))) }
            }
            @if !asked.binding.reads.is_empty() {
                dt { "Read" }
                dd { ul { @for (key, version) in &asked.binding.reads { li { (text(key)) " at " (text(version)) } } } }
            }
            dt { "Asked by" } dd { (asked.requester.as_str()) ", " (moment(asked.at)) }
            dt { "Rule" } dd { (text(asked.rule.as_deref().unwrap_or("none: the policy's default"))) ", " (seen.sensitivity) }
            @if !asked.terms.affected_systems.is_empty() {
                dt { "Affects" } dd { (asked.terms.affected_systems.join(", ")) }
            }
            dt { "Digest" } dd { code { (seen.digest) } }
        }
        h2 { "Votes" }
        @if seen.reviews.is_empty() { p { "None yet." } }
        ul {
            @for review in &request.reviews {
                li {
                    (review.reviewer.as_str()) @if review.verdict == Vote::Approve { " approved" } @else { " denied" } ", "
                    (moment(review.at))
                    @if let Some(reason) = &review.reason { ": " span.said { (text(reason)) } }
                }
            }
            @for missing in &seen.missing {
                li { "missing: " (missing.people) " of " (missing.of.as_deref().unwrap_or("anyone")) }
            }
            @if let Some(wish) = &seen.changes { li { (wish.by) " asked for changes: " span.said { (text(&wish.reason)) } } }
        }
        @if seen.viewer.can_decide {
            p { (time_left(asked.decide_by(), now)) " to decide." }
            (form(session, &seen, request, reason))
        } @else if status == StatusCode::OK && seen.status == Status::Pending {
            p { (why_not(seen.viewer.why_not.as_deref())) }
        }
    };
    layout::page(
        status,
        &action::visible(&asked.action.name),
        Some(session),
        &content,
    )
}

fn state(seen: &Approval, request: &Request) -> String {
    match seen.status {
        Status::Approved => "Approved; waiting for the agent to use it".to_owned(),
        Status::Claimed => "Being used, or its user never reported".to_owned(),
        Status::Denied if request.reviews.is_empty() => "Denied by the policy".to_owned(),
        status => {
            let word = status.to_string();
            word[..1].to_uppercase() + &word[1..]
        }
    }
}

fn why_not(code: Option<&str>) -> &'static str {
    match code {
        Some("self_review") => "You asked for this, so somebody else decides.",
        Some("already_voted") => "You have voted.",
        _ => "Your vote is not one of those that are missing.",
    }
}

fn form(session: &Session, seen: &Approval, request: &Request, reason: &str) -> Markup {
    let terms = &request.submission.terms;
    html! {
        form.decision method="post" action=(format!("/requests/{}", percent(&seen.id))) {
            input type="hidden" name="secret" value=(session.secret);
            input type="hidden" name="shown" value=(seen.digest);
            input type="hidden" name="key" value=(random::<16>());
            label for="reason" { "Reason" @if terms.requires_reason { " (needed)" } }
            textarea id="reason" name="reason" rows="3" maxlength="4000" required[terms.requires_reason] { (reason) }
            @if terms.requires_second_factor {
                label for="code" { "One-time code" }
                input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="10";
            }
            div {
                button name="verdict" value="approve" { "Approve" }
                button name="verdict" value="deny" { "Deny" }
                button name="verdict" value="request_changes" { "Ask for changes" }
            }
        }
    }
}
