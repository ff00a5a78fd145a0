//! What a command line asks for, as the tables of a scenario: the service, and the request of its only step.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::bail;
use harness::Time;

use crate::arguments::LoadUrlArguments;

/// Headers whose values no output shows.
pub(super) const SECRET_HEADERS: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-auth-token",
];

/// Methods whose requests have a body.
const DEFAULT_METHODS: [&str; 2] = ["GET", "POST"];

/// The tables that are made of the arguments about the request.
pub(super) struct Action {
    pub(super) title: String,
    /// The lines of the service, without its name.
    pub(super) service: String,
    /// The lines of the step.
    pub(super) step: String,
    /// What stands in the environment's place, by name.
    pub(super) secrets: BTreeMap<String, String>,
}

impl Action {
    pub(super) fn of(arguments: &LoadUrlArguments) -> anyhow::Result<Self> {
        let mut secrets = BTreeMap::new();
        let headers = headers(arguments, &mut secrets)?;
        let (title, service, step) = match (&arguments.redis, &arguments.sql) {
            _ if arguments.mcp => mcp(arguments, &headers),
            (Some(command), _) => redis(arguments, command)?,
            (None, Some(statement)) => (
                statement.clone(),
                service("postgres", &arguments.url),
                format!("sql = {}\n", quoted(statement)),
            ),
            (None, None) => http(arguments, &headers)?,
        };
        let mut service = service;
        let _ = writeln!(service, "timeout = \"{}\"", Time(arguments.timeout));
        if !arguments.allow.is_empty() {
            let _ = writeln!(service, "allow = {}", serde_json::json!(arguments.allow));
        }
        Ok(Self {
            title,
            service,
            step,
            secrets,
        })
    }
}

/// The service that a URL names, and what is asked of it.
fn split(url: &str) -> anyhow::Result<(String, String)> {
    let Some((scheme, rest)) = url.split_once("://") else {
        bail!(
            "{url}: a URL begins with http:// or https://; a scenario file is run by `proofload run`"
        );
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let target = target.split('#').next().unwrap_or_default();
    let target = match target.starts_with('/') {
        true => target.to_owned(),
        false => format!("/{target}"),
    };
    Ok((format!("{scheme}://{authority}"), target))
}

/// A text of TOML; one of JSON is.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn service(kind: &str, url: &str) -> String {
    format!("kind = \"{kind}\"\nurl = {}\n", quoted(url))
}

/// Headers by name, with placeholders in place of what no output shows.
fn headers(
    arguments: &LoadUrlArguments,
    secrets: &mut BTreeMap<String, String>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for header in &arguments.headers {
        let Some((name, value)) = header.split_once(':') else {
            bail!("--header {header}: expected NAME: VALUE, such as 'accept: text/html'");
        };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let is_secret = SECRET_HEADERS.contains(&&*name) && !value.contains("${");
        let value = match is_secret {
            true => {
                let variable = name.to_ascii_uppercase().replace('-', "_");
                secrets.insert(variable.clone(), value.to_owned());
                format!("${{secret.{variable}}}")
            }
            false => value.to_owned(),
        };
        headers.push((name, value));
    }
    Ok(headers)
}

type Parts = (String, String, String);

fn http(arguments: &LoadUrlArguments, headers: &[(String, String)]) -> anyhow::Result<Parts> {
    let (address, target) = split(&arguments.url)?;
    let body = arguments.json.as_ref().or(arguments.body.as_ref());
    let method = match &arguments.method {
        Some(method) => method.to_ascii_uppercase(),
        None => DEFAULT_METHODS[usize::from(body.is_some())].to_owned(),
    };
    let mut message = format!("{method} {target}\n");
    for (name, value) in headers {
        let _ = writeln!(message, "{name}: {value}");
    }
    let says_type = headers.iter().any(|(name, _)| name == "content-type");
    if arguments.json.is_some() && !says_type {
        message.push_str("content-type: application/json\n");
    }
    if let Some(body) = body {
        let _ = write!(message, "\n{body}\n");
    }
    let is_odd = |c: char| c.is_control() && !"\n\t".contains(c);
    if message.contains("'''") || message.chars().any(is_odd) {
        bail!(
            "three apostrophes in a row and control characters are for a scenario file: see `proofload init`"
        );
    }
    let path = target.split('?').next().unwrap_or_default();
    Ok((
        format!("{method} {path}"),
        service("http", &address),
        format!("http = '''\n{message}'''\n"),
    ))
}

fn mcp(arguments: &LoadUrlArguments, headers: &[(String, String)]) -> Parts {
    let mut service = service("mcp", &arguments.url);
    if !headers.is_empty() {
        let headers = headers
            .iter()
            .map(|(name, value)| format!("{name} = {}", quoted(value)));
        let headers: Vec<String> = headers.collect();
        let _ = writeln!(service, "headers = {{ {} }}", headers.join(", "));
    }
    let (title, tool) = match &arguments.call {
        None => ("each tool in turn".to_owned(), "*"),
        Some(tool) => (format!("the tool {tool}"), tool.as_str()),
    };
    // What a tool takes is known by its schema.
    let args = arguments.args.as_deref().unwrap_or("${schema()}");
    let step = format!("call = {}\nargs = {}\n", quoted(tool), quoted(args));
    (title, service, step)
}

fn redis(arguments: &LoadUrlArguments, command: &str) -> anyhow::Result<Parts> {
    let words = words(command);
    if words.is_empty() {
        bail!("--redis: a command is missing, such as 'SET key:${{id}} value'");
    }
    Ok((
        command.to_owned(),
        service("redis", &arguments.url),
        format!("redis = {}\n", serde_json::json!(words)),
    ))
}

/// The words of a command. What stands in quotes is part of one word, and so is a placeholder.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut is_placeholder = false;
    let mut last = ' ';
    for letter in command.chars() {
        match (quote, letter) {
            _ if is_placeholder => {
                is_placeholder = letter != '}';
                word.get_or_insert_default().push(letter);
            }
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => {
                is_placeholder = letter == '{' && last == '$';
                word.get_or_insert_default().push(letter);
            }
        }
        last = letter;
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_into_its_words() {
        assert_eq!(words("SET k v"), ["SET", "k", "v"]);
        assert_eq!(
            words("  SET key:${id}  ${pick('a b', 'c')} "),
            ["SET", "key:${id}", "${pick('a b', 'c')}"]
        );
        assert_eq!(
            words("SET k 'two words' \"\""),
            ["SET", "k", "two words", ""]
        );
        assert_eq!(words(" "), Vec::<String>::new());
    }

    #[test]
    fn a_url_is_a_service_and_what_is_asked_of_it() {
        let split = |url| split(url).unwrap();
        let parts = |service: &str, target: &str| (service.to_owned(), target.to_owned());
        assert_eq!(split("http://a:1"), parts("http://a:1", "/"));
        assert_eq!(split("http://a?b=1#c"), parts("http://a", "/?b=1"));
        assert_eq!(split("https://u@a/b/c?d"), parts("https://u@a", "/b/c?d"));
        assert!(super::split("orders.toml").is_err());
    }
}
