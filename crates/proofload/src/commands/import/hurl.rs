//! Scenarios from Hurl files: one flow with the entries in their order.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::text::{Names, literal, quoted};

/// Where a service is that only a variable names.
const HERE: &str = "http://127.0.0.1:8000";

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// One entry: a request, and what its answer has to be.
#[derive(Default)]
struct Entry {
    method: String,
    url: String,
    headers: Vec<String>,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    body: Vec<String>,
    status: Option<u16>,
    captures: Vec<String>,
    equals: Vec<String>,
    exists: Vec<String>,
    /// Lines that have no counterpart here.
    left_out: Vec<String>,
}

/// What the lines of an entry are of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Headers,
    Query,
    Form,
    Body,
    Answer,
    Captures,
    Asserts,
    LeftOut,
}

/// The scenario of a file.
pub(crate) fn scenario(text: &str) -> anyhow::Result<String> {
    let entries = entries(text)?;
    let first = entries
        .first()
        .context("the file has no request, such as GET http://…")?;
    let (service, _) = split(&first.url);
    let mut known = BTreeSet::new();
    let mut names = Names::default();
    let mut steps = String::new();
    for entry in &entries {
        let (own, target) = split(&entry.url);
        if own != service {
            bail!(
                "{}: one service is put under load, and the file begins with {service}",
                entry.url
            );
        }
        steps.push_str(&entry.step(target, &known, &mut names));
        let captured = entry
            .captures
            .iter()
            .filter_map(|line| line.split(" = ").next());
        known.extend(captured.map(str::to_owned));
    }
    let url = match service
        .strip_prefix("{{")
        .and_then(|name| name.strip_suffix("}}"))
    {
        Some(name) => format!("${{env.{}:-{HERE}}}", variable(name)),
        None => service.to_owned(),
    };
    Ok(format!(
        "# Of a Hurl file: its entries in their order, done by each user again and again. Variables that no entry captures\n\
         # are taken from the environment. Say what requests leave (`effect`), and it is read back after the load: see\n\
         # docs/guide/your-own-service.md.\n\
         name = \"hurl\"\nthresholds = ['error_rate < 1%', 'p95 < 500ms']\n\n\
         [services.site]\nkind = \"http\"\nurl = {}\ntimeout = \"10s\"\n\n{steps}[model]\nusers = 10\nfor = \"10s\"\n",
        quoted(&url)
    ))
}

fn entries(text: &str) -> anyhow::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut part = Part::Headers;
    for (number, line) in (1..).zip(text.lines()) {
        let plain = line.trim();
        let is_comment = plain.starts_with('#') && part != Part::Body;
        if is_comment || plain.is_empty() && part != Part::Body {
            continue;
        }
        if let Some((method, url)) = request_line(plain) {
            entries.push(Entry {
                method: method.to_owned(),
                url: url.to_owned(),
                ..Entry::default()
            });
            part = Part::Headers;
            continue;
        }
        let Some(entry) = entries.last_mut() else {
            bail!(
                "line {number}: expected a request, such as GET http://127.0.0.1:8000/, not `{plain}`"
            );
        };
        if let Some(answer) = plain.strip_prefix("HTTP") {
            entry.status = answer
                .split_whitespace()
                .last()
                .and_then(|status| status.parse().ok());
            part = Part::Answer;
        } else if let Some(section) = section(plain) {
            part = section;
        } else if part == Part::Headers && !is_header(plain) {
            part = Part::Body;
            entry.body.push(line.to_owned());
        } else {
            entry
                .take(part, line)
                .with_context(|| format!("line {number}"))?;
        }
    }
    Ok(entries)
}

fn request_line(line: &str) -> Option<(&str, &str)> {
    let (method, url) = line.split_once(' ')?;
    let is_url = url.contains("://") || url.starts_with("{{");
    (METHODS.contains(&method) && is_url).then_some((method, url.trim()))
}

fn section(line: &str) -> Option<Part> {
    Some(match line {
        "[QueryStringParams]" | "[Query]" => Part::Query,
        "[FormParams]" | "[Form]" => Part::Form,
        "[Captures]" => Part::Captures,
        "[Asserts]" => Part::Asserts,
        "[Options]" | "[Cookies]" | "[BasicAuth]" | "[MultipartFormData]" | "[Multipart]" => {
            Part::LeftOut
        }
        _ => return None,
    })
}

/// Whether a line is a name and a value: a body of JSON or XML does not begin so.
fn is_header(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    line.contains(':') && !name.is_empty() && name.chars().all(is_name)
}

impl Entry {
    fn take(&mut self, part: Part, line: &str) -> anyhow::Result<()> {
        let plain = line.trim();
        let pair = || {
            let (name, value) = plain.split_once(':').context("expected NAME: VALUE")?;
            Ok::<_, anyhow::Error>((name.trim().to_owned(), value.trim().to_owned()))
        };
        match part {
            Part::Headers => self.headers.push(plain.to_owned()),
            Part::Query => self.query.push(pair()?),
            Part::Form => self.form.push(pair()?),
            // The fence of a text over several lines.
            Part::Body if plain.starts_with("```") => {}
            Part::Body => self.body.push(line.to_owned()),
            Part::Captures => {
                let (name, query) = pair()?;
                match capture(&name, &query) {
                    Some(capture) => self.captures.push(capture),
                    None => self.left_out.push(plain.to_owned()),
                }
            }
            Part::Asserts => self.assert(plain),
            Part::Answer | Part::LeftOut => self.left_out.push(plain.to_owned()),
        }
        Ok(())
    }

    fn assert(&mut self, line: &str) {
        let of_path = line.strip_prefix("jsonpath ").and_then(quotation);
        let status = line
            .strip_prefix("status == ")
            .and_then(|status| status.parse().ok());
        match (of_path, status) {
            (Some((path, "exists")), _) => self.exists.push(quoted(path)),
            (Some((path, rest)), _) => match rest.strip_prefix("== ").and_then(value) {
                Some(value) => self.equals.push(format!("{} = {value}", quoted(path))),
                None => self.left_out.push(line.to_owned()),
            },
            (None, Some(status)) => self.status = Some(status),
            (None, None) => self.left_out.push(line.to_owned()),
        }
    }

    fn step(&self, target: &str, known: &BTreeSet<String>, names: &mut Names) -> String {
        let filled = |text: &str| filled(text, known);
        let mut target = target.to_owned();
        for (name, value) in &self.query {
            let sign = if target.contains('?') { '&' } else { '?' };
            let _ = write!(target, "{sign}{name}={}", value.replace(' ', "%20"));
        }
        let mut message = format!("{} {}\n", self.method, filled(&target));
        for header in &self.headers {
            let _ = writeln!(message, "{}", filled(header));
        }
        if !self.form.is_empty() {
            let pairs = self
                .form
                .iter()
                .map(|(name, value)| format!("{name}={}", value.replace(' ', "+")));
            let pairs: Vec<String> = pairs.collect();
            let body = filled(&pairs.join("&"));
            let _ = write!(
                message,
                "content-type: application/x-www-form-urlencoded\n\n{body}"
            );
        }
        let body = self.body.join("\n");
        if !body.trim().is_empty() {
            let _ = write!(message, "\n{}", filled(body.trim()));
        }
        let path = target.split('?').next().unwrap_or_default();
        let mut text = String::new();
        for line in &self.left_out {
            let _ = writeln!(text, "# Not taken over: {line}");
        }
        let _ = write!(
            text,
            "[[flows.hurl]]\nname = {}\nhttp = {}\n",
            quoted(&names.name(&format!("{} {path}", self.method))),
            quoted(message.trim_end())
        );
        let status = self.status.map(|status| format!("status = {status}"));
        let exists =
            (!self.exists.is_empty()).then(|| format!("exists = [{}]", self.exists.join(", ")));
        let equals = self.equals.iter().map(|equal| filled(equal));
        let expected: Vec<String> = status.into_iter().chain(equals).chain(exists).collect();
        if !expected.is_empty() {
            let _ = writeln!(text, "expect = {{ {} }}", expected.join(", "));
        }
        if !self.captures.is_empty() {
            let _ = writeln!(text, "capture = {{ {} }}", self.captures.join(", "));
        }
        text.push('\n');
        text
    }
}

/// A capture as TOML has it, of the queries that there are here.
fn capture(name: &str, query: &str) -> Option<String> {
    if let Some((path, "")) = query.strip_prefix("jsonpath ").and_then(quotation) {
        return Some(format!("{name} = {}", quoted(path)));
    }
    match query.strip_prefix("header ").and_then(quotation)? {
        (header, "") => Some(format!("{name} = {{ header = {} }}", quoted(header))),
        _ => None,
    }
}

/// A text in quotation marks, and what follows it.
fn quotation(text: &str) -> Option<(&str, &str)> {
    let (quoted, rest) = text.trim().strip_prefix('"')?.split_once('"')?;
    Some((quoted, rest.trim()))
}

/// A value of an assertion, as TOML.
fn value(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The service of a URL, and what is asked of it.
fn split(url: &str) -> (&str, &str) {
    let begin = url.find("://").map_or(0, |at| at + 3);
    match url[begin..].find('/') {
        Some(path) => url.split_at(begin + path),
        None => (url, "/"),
    }
}

/// A text with Hurl's variables as values: captured ones, and else those of the environment.
fn filled(text: &str, known: &BTreeSet<String>) -> String {
    let mut filled = String::new();
    let text = literal(text);
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        filled.push_str(before);
        let name = name.trim();
        match known.contains(name) {
            true => _ = write!(filled, "${{{name}}}"),
            false => _ = write!(filled, "${{env.{}}}", variable(name)),
        }
        rest = after;
    }
    filled + rest
}

/// The environment variable of a name.
fn variable(name: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.trim().chars().map(letter).collect()
}
