//! One request at a URL as a scenario, which is run like any other.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, anyhow, bail};
use harness::{Error, Overrides, ScenarioFile, Suite, Time};

use crate::arguments::LoadUrlArguments;
use crate::commands::suite::conclude;
use crate::exit::Exit;
use crate::terminal::{print, shown};

/// The scenario's file, beside the report.
const FILE: &str = "load.toml";

/// Headers whose values no output shows.
const SECRET_HEADERS: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-auth-token",
];

/// Methods whose requests have a body.
const DEFAULT_METHODS: [&str; 2] = ["GET", "POST"];

pub(crate) fn run(arguments: &LoadUrlArguments) -> anyhow::Result<Exit> {
    let load = Load::of(arguments)?;
    let overrides = Overrides {
        thresholds: arguments.limits.thresholds(),
        secrets: load.secrets.clone(),
        ..arguments.services.overrides()
    };
    let file = ScenarioFile::parse(FILE, &load.text, &overrides)
        .map_err(|error| in_arguments(arguments, &load.text, error))?;
    if arguments.dry_run {
        print(&file.dry_run()?.unwrap_or_default())?;
        return Ok(Exit::Held);
    }
    let suite = Suite::new([file])
        .advised(arguments.limits.advised())
        .repeated_by(&load.command);
    conclude(&arguments.output, false, &suite, |_, saved| {
        let path = saved.folder.join(FILE);
        std::fs::write(&path, &load.text)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(format!("scenario: {}\n", shown(&saved.latest.join(FILE))))
    })
}

/// A mistake in the scenario, by the argument that put it there: nobody wrote that file.
fn in_arguments(arguments: &LoadUrlArguments, text: &str, error: Error) -> anyhow::Error {
    let argument = match &error {
        Error::ScenarioFile { line, .. } => argument_of(arguments, text, *line),
        Error::ScenarioOverride { setting, .. } => Some(setting.clone()),
        _ => None,
    };
    match (argument, error) {
        (
            Some(argument),
            Error::ScenarioFile { problem, .. } | Error::ScenarioOverride { problem, .. },
        ) => anyhow!("{argument}: {problem}"),
        (_, error) => error.into(),
    }
}

/// The argument that a line of the scenario was made of.
fn argument_of(arguments: &LoadUrlArguments, text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let at = line.checked_sub(1)?;
    let request = lines.iter().position(|line| line.starts_with("http = "))? + 1;
    let key = lines.get(at)?.split(" = ").next()?;
    if at < request {
        return match key {
            "url" | "title" => Some(arguments.url.clone()),
            "timeout" => Some("--timeout".to_owned()),
            _ => None,
        };
    }
    let head = lines[request..]
        .iter()
        .take_while(|line| !line.is_empty() && **line != "'''");
    let body = request + head.count();
    if at == request {
        // The path is always right in its form, so what is wrong there is the method.
        let method = arguments.method.as_ref();
        let wrong = method.filter(|method| !method.bytes().all(|b| b.is_ascii_alphabetic()));
        return Some(wrong.map_or_else(|| arguments.url.clone(), |wrong| format!("-X {wrong}")));
    }
    if at < body {
        let header = arguments.headers.get(at - request - 1);
        let name = header.and_then(|header| header.split(':').next());
        return name.map(|name| format!("-H {}", name.trim()));
    }
    let end = lines.iter().rposition(|line| *line == "'''")?;
    match (at < end, &arguments.json) {
        (true, Some(_)) => Some("--json".to_owned()),
        (true, None) => Some("--body".to_owned()),
        (false, _) => match key {
            "users" => Some("-u".to_owned()),
            "rate" => Some("-r".to_owned()),
            "for" => Some("-d".to_owned()),
            "total_iterations" => Some("-n".to_owned()),
            "max_in_flight" => Some("--max-in-flight".to_owned()),
            _ => None,
        },
    }
}

/// A command line as the text of a scenario.
struct Load {
    text: String,
    /// The command, without what no output shows.
    command: String,
    /// What stands in the environment's place, by name.
    secrets: BTreeMap<String, String>,
}

impl Load {
    fn of(arguments: &LoadUrlArguments) -> anyhow::Result<Self> {
        let (service, target) = split(&arguments.url)?;
        let body = arguments.json.as_ref().or(arguments.body.as_ref());
        let method = match &arguments.method {
            Some(method) => method.to_ascii_uppercase(),
            None => DEFAULT_METHODS[usize::from(body.is_some())].to_owned(),
        };
        let mut secrets = BTreeMap::new();
        let mut message = format!("{method} {target}\n");
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
            let _ = writeln!(message, "{name}: {value}");
        }
        let says_type = message.contains("\ncontent-type:");
        if arguments.json.is_some() && !says_type {
            message.push_str("content-type: application/json\n");
        }
        if let Some(body) = body {
            let _ = write!(message, "\n{body}\n");
        }
        if message.contains("'''")
            || message
                .chars()
                .any(|c| c.is_control() && !"\n\t".contains(c))
        {
            bail!(
                "three apostrophes in a row and control characters are for a scenario file: see `proofload init`"
            );
        }
        Ok(Self {
            text: text(arguments, &service, &method, &target, &message, &secrets),
            command: command(arguments),
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

fn text(
    arguments: &LoadUrlArguments,
    service: &str,
    method: &str,
    target: &str,
    message: &str,
    secrets: &BTreeMap<String, String>,
) -> String {
    // A text of JSON is one of TOML as well.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let path = target.split('?').next().unwrap_or_default();
    let mut text = String::from(
        "# Written by `proofload load`. To have it read back what was acknowledged, give the step an\n\
         # `effect`, and [effects.NAME] a `read`: see docs/guide/your-own-service.md.\n",
    );
    for name in secrets.keys() {
        let _ = writeln!(text, "# It needs the environment variable {name}.");
    }
    let _ = write!(
        text,
        "name = \"load\"\ntitle = {}\nseed = {}\nthresholds = ['error_rate < 1%']\n\n\
         [services.target]\nkind = \"http\"\nurl = {}\ntimeout = \"{}\"\n\n\
         [[flows.request]]\nhttp = '''\n{message}'''\n\n[model]\n",
        quoted(&format!("{method} {path}")),
        arguments.seed,
        quoted(service),
        Time(arguments.timeout),
    );
    let time = Time(arguments.duration);
    let _ = match (arguments.rate, arguments.requests) {
        (Some(rate), _) => write!(
            text,
            "kind = \"open\"\nmax_in_flight = {}\n\n[[phases]]\nname = \"load\"\nfor = \"{time}\"\nrate = {rate}\n",
            arguments.max_in_flight,
        ),
        (None, Some(requests)) => write!(
            text,
            "users = {}\ntotal_iterations = {requests}\n",
            arguments.users
        ),
        (None, None) => write!(text, "users = {}\nfor = \"{time}\"\n", arguments.users),
    };
    text
}

/// The command that does the same again.
fn command(arguments: &LoadUrlArguments) -> String {
    let mut words = vec![
        "proofload".to_owned(),
        "load".to_owned(),
        arguments.url.clone(),
    ];
    let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
    match (arguments.rate, arguments.requests) {
        (Some(rate), _) => add("-r", format!("{rate}/s")),
        (None, _) => add("-u", arguments.users.to_string()),
    }
    match arguments.requests {
        Some(requests) => add("-n", requests.to_string()),
        None => add("-d", Time(arguments.duration).to_string()),
    }
    if let Some(method) = &arguments.method {
        add("-X", method.clone());
    }
    for header in &arguments.headers {
        let name = header.split(':').next().unwrap_or_default().trim();
        let is_secret = SECRET_HEADERS.contains(&&*name.to_ascii_lowercase());
        match is_secret {
            true => add("-H", format!("{name}: ***")),
            false => add("-H", header.clone()),
        }
    }
    if let Some(json) = &arguments.json {
        add("--json", json.clone());
    }
    if let Some(body) = &arguments.body {
        add("--body", body.clone());
    }
    let rest = arguments.services.overrides().to_arguments();
    let words: Vec<String> = words.iter().map(|word| harness::quoted(word)).collect();
    words.join(" ") + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

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
