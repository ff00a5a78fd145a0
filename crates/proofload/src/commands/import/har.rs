//! Scenarios from HAR, what a browser records: one flow with the requests in their order.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use harness::Time;
use serde_json::Value;

use super::text::{Names, literal, quoted};

/// Kinds of answers that browsers ask for by themselves.
const ASSETS: [&str; 5] = ["image/", "font/", "text/css", "javascript", "video/"];

/// Headers that the client makes itself, or that belong to one connection.
const OWN_HEADERS: [&str; 12] = [
    "host",
    "content-length",
    "connection",
    "cookie",
    "accept-encoding",
    "user-agent",
    "origin",
    "referer",
    "upgrade-insecure-requests",
    "if-none-match",
    "if-modified-since",
    "priority",
];

/// The shortest wait between two requests that is taken over, and the longest.
const LEAST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_secs(10);

/// A request that was recorded.
struct Recorded<'d> {
    request: &'d Value,
    status: u64,
    target: String,
    wait: Duration,
}

/// The scenario of a recording: the requests to the first one's service, but for pictures and scripts.
pub(crate) fn scenario(document: &Value) -> anyhow::Result<String> {
    let Some(entries) = document["log"]["entries"].as_array() else {
        bail!("this is no HAR: `log.entries` is missing");
    };
    let (mut service, mut left_out) = (None, 0);
    let (mut recorded, mut last): (Vec<Recorded<'_>>, Option<i64>) = (Vec::new(), None);
    for entry in entries {
        let url = entry["request"]["url"].as_str().unwrap_or_default();
        let Some((own, target)) = split(url) else {
            left_out += 1;
            continue;
        };
        let service = service.get_or_insert_with(|| own.to_owned());
        let kind = entry["response"]["content"]["mimeType"]
            .as_str()
            .unwrap_or_default();
        if *service != own || ASSETS.iter().any(|asset| kind.contains(asset)) {
            left_out += 1;
            continue;
        }
        let at = entry["startedDateTime"].as_str().and_then(milliseconds);
        let wait = last.zip(at).map_or(0, |(last, at)| at.saturating_sub(last));
        last = at.or(last);
        recorded.push(Recorded {
            request: &entry["request"],
            status: entry["response"]["status"].as_u64().unwrap_or(0),
            target: sendable(target),
            wait: Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(MOST_WAIT),
        });
    }
    let service = service.context("the recording has no request over HTTP")?;
    if recorded.is_empty() {
        bail!("the recording has no request but for pictures, fonts and scripts");
    }
    let mut text = format!(
        "# Recorded by a browser: {} requests in their order; {left_out} to other services, or for pictures, fonts and\n\
         # scripts, are left out. Cookies are kept as a browser does. Take what changes from request to request, such as\n\
         # tokens, from answers (`capture`), and say what requests leave (`effect`): see docs/guide/your-own-service.md.\n\
         name = \"recorded\"\nthresholds = ['error_rate < 1%', 'p95 < 500ms']\n\n\
         [services.site]\nkind = \"http\"\nurl = {}\ntimeout = \"10s\"\n\n",
        recorded.len(),
        quoted(&format!("${{env.SITE_URL:-{service}}}")),
    );
    let mut names = Names::default();
    for one in &recorded {
        text.push_str(&one.step(&mut names));
    }
    text.push_str("[model]\nusers = 10\nfor = \"10s\"\n");
    Ok(text)
}

impl Recorded<'_> {
    fn step(&self, names: &mut Names) -> String {
        let method = self.request["method"].as_str().unwrap_or("GET");
        let mut message = format!("{method} {}\n", literal(&self.target));
        for header in self.request["headers"].as_array().into_iter().flatten() {
            let text = |key: &str| header[key].as_str().unwrap_or_default();
            let name = text("name").to_ascii_lowercase();
            let is_own =
                OWN_HEADERS.contains(&&*name) || name.starts_with(':') || name.starts_with("sec-");
            let value = match &*name {
                _ if is_own => continue,
                // Nobody wants it in a file.
                "authorization" => "${secret.AUTHORIZATION:-none}".to_owned(),
                _ => literal(&one_line_of_any_length(text("value"))),
            };
            let _ = writeln!(message, "{name}: {value}");
        }
        if let Some(body) = self.request["postData"]["text"]
            .as_str()
            .filter(|body| !body.is_empty())
        {
            let _ = write!(message, "\n{}", literal(body));
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let name = names.name(&format!("{method} {path}"));
        let mut text = format!(
            "[[flows.recorded]]\nname = {}\nhttp = {}\n",
            quoted(&name),
            quoted(message.trim_end())
        );
        if !(200..300).contains(&self.status) && (100..600).contains(&self.status) {
            let _ = writeln!(text, "expect = {{ status = {} }}", self.status);
        }
        if self.wait >= LEAST_WAIT {
            let _ = writeln!(text, "think_time = \"{}\"", Time(self.wait));
        }
        text.push('\n');
        text
    }
}

/// A target with what cannot stand in one percent-encoded, as browsers send it.
fn sendable(target: &str) -> String {
    let mut sendable = String::new();
    for byte in target.bytes() {
        match byte {
            b'!'..=b'~' if !b"\"<>\\^`{|}".contains(&byte) => sendable.push(char::from(byte)),
            _ => {
                let _ = write!(sendable, "%{byte:02X}");
            }
        }
    }
    sendable
}

fn one_line_of_any_length(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The service of a URL, and what is asked of it.
fn split(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let begin = scheme.len() + 3;
    let url = url.split('#').next().unwrap_or_default();
    match rest.find('/') {
        Some(path) => Some(url.split_at(begin + path)),
        None => Some((url, "/")),
    }
}

/// The time of a recording (RFC 3339) in milliseconds.
fn milliseconds(text: &str) -> Option<i64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(at.as_millisecond())
}
