//! What all pages share.

use action::{visible_json, visible_lines};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use crate::inbox::session::Session;

const CSP: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; form-action 'self'; \
                   base-uri 'none'; frame-ancestors 'none'";

/// A page of somebody who is signed in, or of nobody.
pub(crate) fn page(
    status: StatusCode,
    title: &str,
    session: Option<&Session>,
    content: &Markup,
) -> Response {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Proofload" }
                link rel="stylesheet" href="/inbox.css";
                @if session.is_some() { script src="/live.js" defer {} }
            }
            body {
                @if let Some(session) = session { (navigation(session)) }
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    };
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CSP),
        ),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("same-origin"),
        ),
    ];
    (status, headers, text.into_string()).into_response()
}

fn navigation(session: &Session) -> Markup {
    html! {
        nav aria-label="Pages" {
            a href="/" { "Waiting for you" }
            a href="/?show=all" { "All that wait" }
            a href="/?show=approved" { "Approved" }
            a href="/audit" { "Audit" }
            form method="post" action="/sign-out" {
                input type="hidden" name="secret" value=(session.secret);
                span { (session.principal.person.as_str()) }
                button { "Sign out" }
            }
        }
    }
}

/// Text of others: as it is, with characters that deceive a reader as escapes.
pub(crate) fn text(text: &str) -> Markup {
    html! { (visible_lines(text)) }
}

/// A value of others, indented.
pub(crate) fn value(value: &Value) -> Markup {
    let json = serde_json::to_string_pretty(value).expect("a value has a JSON form");
    html! { pre { (visible_json(&json)) } }
}

/// A moment as people read it.
pub(crate) fn moment(at: action::Timestamp) -> Markup {
    let exact = crate::clock::text(at);
    let short = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    html! { time datetime=(exact) { (short) " UTC" } }
}

/// How long until a moment, in the largest unit.
pub(crate) fn time_left(until: action::Timestamp, now: action::Timestamp) -> String {
    let left_s = until.since(now).as_secs();
    match left_s {
        0 => "no time left".to_owned(),
        1..60 => format!("{left_s} s left"),
        60..3600 => format!("{} min left", left_s / 60),
        3600..86_400 => format!("{} h left", left_s / 3600),
        _ => format!("{} days left", left_s / 86_400),
    }
}
