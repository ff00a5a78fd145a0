//! Scenarios from OpenAPI 3: a flow for each operation.

use std::fmt::Write as _;

use anyhow::bail;
use serde_json::{Map, Value};

use super::text::{Names, commented, literal, one_line, quoted, slug};

/// Methods of operations, those that only read first.
const METHODS: [(&str, bool); 6] = [
    ("get", true),
    ("head", true),
    ("post", false),
    ("put", false),
    ("patch", false),
    ("delete", false),
];

/// Where a service is that the document does not place on this machine.
const HERE: &str = "http://127.0.0.1:8000";

/// The scenario of a document. Operations that only read are flows; those that may write are comments, since nobody
/// asked for writes yet.
pub(crate) fn scenario(document: &Value) -> anyhow::Result<String> {
    let version = document["openapi"].as_str().unwrap_or_default();
    if !version.starts_with("3.") {
        bail!("this is no document of OpenAPI 3: its `openapi` is \"{version}\"");
    }
    let document = Document(document);
    let title = document.0["info"]["title"].as_str().unwrap_or("an API");
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    let mut names = Names::default();
    let paths = document.0["paths"].as_object();
    for (path, item) in paths.into_iter().flatten() {
        for (method, only_reads) in METHODS {
            if let Some(operation) = item.get(method) {
                let flow = document.flow(path, item, method, operation, &mut names);
                if only_reads { &mut reads } else { &mut writes }.push(flow);
            }
        }
    }
    if reads.is_empty() && writes.is_empty() {
        bail!("the document has no operation under `paths`");
    }
    let mut text = format!(
        "# Of the OpenAPI document \"{title}\": a flow for each operation that only reads, all equally often. What its\n\
         # schemas say was made up, so replace it by what your service has. See docs/guide/your-own-service.md.\n\
         name = {}\ntitle = {}\nthresholds = ['error_rate < 1%', 'p95 < 500ms']\n\n{}",
        quoted(&slug(title)),
        quoted(&literal(&one_line(title))),
        document.service(),
        title = one_line(title),
    );
    if reads.is_empty() {
        // A scenario has a flow, and this is all there is.
        text.push_str(&writes.remove(0));
    }
    reads.iter().for_each(|flow| text.push_str(flow));
    if !writes.is_empty() {
        text.push_str(WRITES);
        writes
            .iter()
            .for_each(|flow| text.push_str(&commented(flow)));
        text.push_str("#\n");
    }
    text.push_str("[model]\nusers = 10\nfor = \"10s\"\n");
    Ok(text)
}

/// What stands before operations that may write.
const WRITES: &str = "\
# Operations that may write. Take the comment signs away from those that you want under load, put ${id} where each
# request has to differ, and say what it leaves: then Proofload reads it back after the load.
#
#   effect = { creates = \"order\", key = \"${id}\", content = \"${quantity}\" }
#
#   [effects.order]
#   read.http = \"GET /orders?prefix=${run}\"
#   read.rows = \"$.items[*]\"
#   read.key = \"$.reference\"
#   read.content = \"$.quantity\"
#
";

struct Document<'d>(&'d Value);

impl Document<'_> {
    /// What a reference stands for.
    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let target = value["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix('#'));
        target
            .and_then(|path| self.0.pointer(path))
            .unwrap_or(value)
    }

    fn service(&self) -> String {
        let server = self.0["servers"][0]["url"].as_str().unwrap_or_default();
        let is_here = ["http://127.", "http://localhost", "http://[::1]"]
            .iter()
            .any(|place| server.starts_with(place));
        let (url, note) = match server {
            server if is_here => (server.to_owned(), String::new()),
            server if server.starts_with('/') => (format!("{HERE}{server}"), String::new()),
            "" => (HERE.to_owned(), String::new()),
            server => (
                HERE.to_owned(),
                format!(
                    "# The document places it at {}, which --allow-host allows.\n",
                    one_line(server)
                ),
            ),
        };
        let url = url.trim_end_matches('/').replace(['{', '}'], "");
        let url = format!("${{env.API_URL:-{url}}}");
        let mut text = format!(
            "{note}[services.api]\nkind = \"http\"\nurl = {}\n",
            quoted(&url)
        );
        let headers = self.credentials();
        if !headers.is_empty() {
            let _ = writeln!(text, "headers = {{ {} }}", headers.join(", "));
        }
        text.push_str("timeout = \"10s\"\n\n");
        text
    }

    /// Headers with what the document asks for, taken from the environment.
    fn credentials(&self) -> Vec<String> {
        let schemes = self.0["components"]["securitySchemes"].as_object();
        let schemes = schemes.into_iter().flatten().filter_map(|(_, scheme)| {
            let scheme = self.resolved(scheme);
            let text = |key: &str| {
                scheme[key]
                    .as_str()
                    .unwrap_or_default()
                    .to_ascii_lowercase()
            };
            match (&*text("type"), &*text("scheme"), &*text("in")) {
                ("http", "bearer", _) | ("oauth2" | "openidconnect", ..) => {
                    Some("authorization = \"Bearer ${secret.API_TOKEN:-none}\"".to_owned())
                }
                ("http", "basic", _) => {
                    Some("authorization = \"Basic ${secret.API_TOKEN:-none}\"".to_owned())
                }
                ("apikey", _, "header") => {
                    let name = serde_json::Value::from(text("name"));
                    Some(format!("{name} = \"${{secret.API_KEY:-none}}\""))
                }
                _ => None,
            }
        });
        let mut headers: Vec<String> = schemes.collect();
        // One way of two is enough, and a header has one value.
        headers.sort_unstable();
        headers.dedup_by_key(|header| header.split(" = ").next().unwrap_or_default().to_owned());
        headers
    }

    fn flow(
        &self,
        path: &str,
        item: &Value,
        method: &str,
        operation: &Value,
        names: &mut Names,
    ) -> String {
        let of_path = item["parameters"].as_array();
        let parameters = operation["parameters"].as_array();
        let parameters = parameters
            .into_iter()
            .flatten()
            .chain(of_path.into_iter().flatten());
        let (mut target, mut query, mut head) = (literal(path), String::new(), String::new());
        let mut is_made_up = false;
        for parameter in parameters.map(|parameter| self.resolved(parameter)) {
            let name = parameter["name"].as_str().unwrap_or_default();
            let place = parameter["in"].as_str().unwrap_or_default();
            let is_required = place == "path" || parameter["required"] == true;
            if !is_required {
                continue;
            }
            let value = self.value(parameter);
            match place {
                "path" => {
                    is_made_up = true;
                    target = target.replace(&format!("{{{name}}}"), &percent(&value));
                }
                "query" => {
                    let sign = if query.is_empty() { '?' } else { '&' };
                    let _ = write!(query, "{sign}{}={}", percent(name), percent(&value));
                }
                "header" => {
                    let _ = writeln!(
                        head,
                        "{}: {}",
                        name.to_ascii_lowercase(),
                        literal(&one_line(&value))
                    );
                }
                _ => {}
            }
        }
        let mut message = format!("{} {target}{query}\n{head}", method.to_ascii_uppercase());
        let content = &self.resolved(&operation["requestBody"])["content"];
        if let Some((kind, body)) = self.body(content) {
            let _ = write!(message, "content-type: {kind}\n\n{}", literal(&body));
        }
        let named = operation["operationId"].as_str().map(str::to_owned);
        let named = named.unwrap_or_else(|| format!("{method} {path}"));
        let summary = operation["summary"]
            .as_str()
            .or(operation["description"].as_str());
        let summary = summary.map_or_else(String::new, |text| format!(": {}", one_line(text)));
        let mut text = format!(
            "# {} {}{summary}\n[[flows.{}]]\nhttp = {}\n",
            method.to_ascii_uppercase(),
            one_line(path),
            names.name(&named),
            quoted(message.trim_end())
        );
        if is_made_up {
            text.push_str("# Its path names something that may not be there.\nexpect = { status = [200, 204, 404] }\n");
        }
        text.push('\n');
        text
    }

    /// The body of a request: an example, or what its schema allows.
    fn body(&self, content: &Value) -> Option<(String, String)> {
        let kinds = content.as_object()?;
        let (kind, media) = kinds
            .iter()
            .find(|(kind, _)| kind.contains("json"))
            .or_else(|| kinds.iter().next())?;
        let value = self.example(media);
        let text = match value {
            Value::String(text) if !kind.contains("json") => text,
            value => format!("{value:#}"),
        };
        Some((kind.clone(), text))
    }

    /// The value of a parameter as text.
    fn value(&self, parameter: &Value) -> String {
        match self.example(parameter) {
            Value::String(text) => text,
            Value::Array(values) => values.first().map_or_else(String::new, |value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            }),
            value => value.to_string(),
        }
    }

    fn example(&self, of: &Value) -> Value {
        let schema = self.resolved(&of["schema"]);
        let first = |examples: &Value| {
            let of_map = |examples: &Map<String, Value>| {
                let first = examples.values().next()?;
                self.resolved(first).get("value").cloned()
            };
            examples.as_object().and_then(of_map)
        };
        let own = [
            of.get("example"),
            schema.get("example"),
            schema.get("default"),
        ];
        let own = own.into_iter().flatten().next().cloned();
        own.or_else(|| first(&of["examples"]))
            .or_else(|| schema["examples"].get(0).cloned())
            // Always the same for one document.
            .unwrap_or_else(|| drivers::json_by_schema(self.0, &of["schema"], 1))
    }
}

/// A text as a part of a URL.
fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}
