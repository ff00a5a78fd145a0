//! One request at a URL as a scenario, which is run like any other.

mod action;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, anyhow};
use harness::{Error, Overrides, ScenarioFile, Suite, Time};

use self::action::{Action, SECRET_HEADERS, quoted};
use crate::arguments::LoadUrlArguments;
use crate::commands::suite::conclude;
use crate::exit::Exit;
use crate::terminal::{print, shown};

/// The scenario's file, beside the report.
const FILE: &str = "load.toml";

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
    let own = lines.get(at)?.split(" = ").next()?;
    if let Some(flag) = flag_of(own) {
        return Some(flag.to_owned());
    }
    let request = lines.iter().position(|line| line.starts_with("http = "));
    let request = request.unwrap_or(lines.len()) + 1;
    let key = own;
    if at < request {
        return match key {
            "url" | "title" => Some(arguments.url.clone()),
            "timeout" => Some("--timeout".to_owned()),
            key => flag_of_model(key).map(str::to_owned),
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
        (false, _) => flag_of_model(key).map(str::to_owned),
    }
}

/// The flag of which a line about the amount of load was made.
fn flag_of_model(key: &str) -> Option<&'static str> {
    Some(match key {
        "users" => "-u",
        "rate" => "-r",
        "for" => "-d",
        "total_iterations" => "-n",
        "max_in_flight" => "--max-in-flight",
        _ => return None,
    })
}

/// The flag of which a line of a protocol beside HTTP was made.
fn flag_of(key: &str) -> Option<&'static str> {
    Some(match key {
        "redis" => "--redis",
        "sql" => "--sql",
        "call" => "--call",
        "args" => "--args",
        "allow" => "--allow",
        "headers" => "-H",
        _ => return None,
    })
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
        let action = Action::of(arguments)?;
        Ok(Self {
            text: text(arguments, &action),
            command: command(arguments),
            secrets: action.secrets,
        })
    }
}

fn text(arguments: &LoadUrlArguments, action: &Action) -> String {
    let mut text = String::from(
        "# Written by `proofload load`. To have it read back what was acknowledged, give the step an\n\
         # `effect`, and [effects.NAME] a `read`: see docs/guide/your-own-service.md.\n",
    );
    for name in action.secrets.keys() {
        let _ = writeln!(text, "# It needs the environment variable {name}.");
    }
    let _ = write!(
        text,
        "name = \"load\"\ntitle = {}\nseed = {}\nthresholds = ['error_rate < 1%']\n\n\
         [services.target]\n{}\n[[flows.request]]\n{}\n[model]\n",
        quoted(&action.title),
        arguments.seed,
        action.service,
        action.step,
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
    for (flag, value) in [
        ("--redis", &arguments.redis),
        ("--sql", &arguments.sql),
        ("--call", &arguments.call),
        ("--args", &arguments.args),
    ] {
        if let Some(value) = value {
            add(flag, value.clone());
        }
    }
    for name in &arguments.allow {
        add("--allow", name.clone());
    }
    if arguments.mcp {
        words.push("--mcp".to_owned());
    }
    let rest = arguments.services.overrides().to_arguments();
    let words: Vec<String> = words.iter().map(|word| harness::quoted(word)).collect();
    words.join(" ") + &rest
}
