//! What the server counts about itself, for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use axum::http::StatusCode;
use parking_lot::Mutex;

use crate::http::problem::Code;

/// Upper ends of the buckets of times, in seconds.
const BUCKETS_S: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

#[derive(Debug, Default)]
pub(crate) struct Figures(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<(&'static str, &'static str, u16), u64>,
    times: BTreeMap<(&'static str, &'static str), Times>,
    refused: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Times {
    buckets: [u64; BUCKETS_S.len()],
    count: u64,
    sum_s: f64,
}

impl Figures {
    pub(crate) fn count(
        &self,
        route: (&'static str, &'static str),
        status: StatusCode,
        took: Duration,
    ) {
        let took_s = took.as_secs_f64();
        let mut counts = self.0.lock();
        *counts
            .requests
            .entry((route.0, route.1, status.as_u16()))
            .or_default() += 1;
        let times = counts.times.entry(route).or_default();
        times.count += 1;
        times.sum_s += took_s;
        let reached = times.buckets.iter_mut().zip(BUCKETS_S);
        for (bucket, _) in reached.filter(|(_, end)| took_s <= *end) {
            *bucket += 1;
        }
    }

    /// Counts what the guard refused.
    pub(crate) fn refused(&self, code: Code) {
        *self.0.lock().refused.entry(code.as_str()).or_default() += 1;
    }

    /// In the text format of Prometheus.
    pub(crate) fn write(&self, text: &mut String) {
        let counts = self.0.lock();
        head(
            text,
            "http_requests_total",
            "counter",
            "Requests by route and status.",
        );
        for ((method, path, status), count) in &counts.requests {
            let labels = format!("method=\"{method}\",route=\"{path}\",status=\"{status}\"");
            sample(text, "http_requests_total", &labels, count);
        }
        head(
            text,
            "http_request_seconds",
            "histogram",
            "Time to the answer's head, by route.",
        );
        for ((method, path), times) in &counts.times {
            let labels = format!("method=\"{method}\",route=\"{path}\"");
            for (end, bucket) in BUCKETS_S.iter().zip(times.buckets) {
                let labels = format!("{labels},le=\"{end}\"");
                sample(text, "http_request_seconds_bucket", &labels, bucket);
            }
            let all = format!("{labels},le=\"+Inf\"");
            sample(text, "http_request_seconds_bucket", &all, times.count);
            sample(text, "http_request_seconds_sum", &labels, times.sum_s);
            sample(text, "http_request_seconds_count", &labels, times.count);
        }
        head(
            text,
            "refused_total",
            "counter",
            "Requests that no handler saw: shed, without token, without role.",
        );
        for (code, count) in &counts.refused {
            sample(text, "refused_total", &format!("code=\"{code}\""), count);
        }
    }
}

pub(crate) fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        text,
        "# HELP proofload_{name} {help}\n# TYPE proofload_{name} {kind}"
    );
}

pub(crate) fn sample(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    };
    let _ = writeln!(text, "proofload_{name}{labels} {value}");
}
