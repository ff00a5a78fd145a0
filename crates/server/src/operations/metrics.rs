//! Figures of the gate and of HTTP.

use approval_workflow::{Page, Statistics, Status};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::clock;
use crate::http::figures::{head, sample};
use crate::http::json::json;
use crate::state::App;

/// One figure at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Sample {
    name: String,
    /// As Prometheus writes them.
    #[serde(skip_serializing_if = "String::is_empty")]
    labels: String,
    value: f64,
}

pub(crate) async fn prometheus(State(app): State<App>) -> Response {
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, media_type)], text(app).await).into_response()
}

pub(crate) async fn samples(State(app): State<App>) -> Response {
    json(StatusCode::OK, &parse(&text(app).await))
}

async fn text(app: App) -> String {
    let mut text = String::new();
    app.figures.write(&mut text);
    head(&mut text, "in_flight", "gauge", "Requests under way.");
    sample(&mut text, "in_flight", "", app.lanes.in_flight());
    head(&mut text, "sse_clients", "gauge", "Streams of events.");
    sample(&mut text, "sse_clients", "", app.clients.count());
    let now = clock::now();
    let (statistics, oldest) = app
        .gate
        .blocking(move |gate| {
            let oldest = gate.pending(Page::first(1), now).requests;
            let waited = oldest.first().map(|first| now.since(first.submission.at));
            (gate.statistics(now), waited.unwrap_or_default())
        })
        .await;
    gate(&mut text, &statistics);
    head(
        &mut text,
        "oldest_pending_seconds",
        "gauge",
        "How long the oldest request has waited.",
    );
    sample(
        &mut text,
        "oldest_pending_seconds",
        "",
        oldest.as_secs_f64(),
    );
    text
}

fn gate(text: &mut String, statistics: &Statistics) {
    head(
        text,
        "approvals",
        "gauge",
        "Requests by what became of them.",
    );
    for status in Status::ALL {
        sample(
            text,
            "approvals",
            &format!("status=\"{status}\""),
            statistics.count(status),
        );
    }
    let counts = [
        (
            "requests_total",
            "counter",
            "Requests for approval.",
            statistics.requests,
        ),
        (
            "glass_open",
            "gauge",
            "Emergency approvals that owe a review.",
            statistics.open_reviews,
        ),
        (
            "wrong_codes_total",
            "counter",
            "Wrong one-time codes.",
            statistics.wrong_codes,
        ),
    ];
    for (name, kind, help, count) in counts {
        head(text, name, kind, help);
        sample(text, name, "", count);
    }
}

/// The same figures, from the text that they are written as once.
fn parse(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        Some(Sample {
            name: name.to_owned(),
            labels: labels.strip_suffix('}')?.to_owned(),
            value: value.parse().ok()?,
        })
    });
    samples.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_text_is_a_sample() {
        let mut text = String::new();
        gate(&mut text, &Statistics::default());
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        let samples = parse(&text);
        assert_eq!(samples.len(), lines);
        let pending = &samples[0];
        assert_eq!(
            (pending.name.as_str(), pending.labels.as_str()),
            ("proofload_approvals", "status=\"pending\"")
        );
    }
}
