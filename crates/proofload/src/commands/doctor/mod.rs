//! Whether an agent's host asks the gate before each call, or lets calls pass: its settings, its version, the server.

mod probe;
mod settings;
mod snippet;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::arguments::{DoctorArguments, Host};
use crate::exit::Exit;
use crate::terminal::{print, shown};

/// What was found, in the order in which it was looked for.
#[derive(Debug, Default)]
struct Findings {
    lines: Vec<String>,
    faults: usize,
}

impl Findings {
    fn good(&mut self, what: &str) {
        self.lines.push(format!("ok    {what}"));
    }

    fn note(&mut self, what: &str) {
        self.lines.push(format!("note  {what}"));
    }

    fn fault(&mut self, what: &str) {
        self.faults += 1;
        self.lines.push(format!("FAIL  {what}"));
    }

    fn check(&mut self, holds: bool, good: &str, fault: &str) {
        match holds {
            true => self.good(good),
            false => self.fault(fault),
        }
    }
}

pub(crate) fn run(arguments: &DoctorArguments) -> anyhow::Result<Exit> {
    if arguments.print {
        print(&snippet::of(arguments.host, &arguments.server))?;
        return Ok(Exit::Held);
    }
    let mut found = Findings::default();
    let file = match &arguments.settings {
        Some(file) => file.clone(),
        None => usual_file(arguments.host)?,
    };
    found
        .lines
        .push(format!("{} in {}", arguments.host.name(), shown(&file)));
    settings::look(arguments.host, &file, &mut found);
    probe::version(arguments.host, &mut found);
    probe::server(arguments, &mut found);
    let mut text = found.lines.join("\n");
    text.push('\n');
    print(&text)?;
    Ok(match found.faults {
        0 => Exit::Held,
        _ => Exit::Failed,
    })
}

/// Where a host reads its hooks from, below the folder of the project or the one of the user.
fn usual_file(host: Host) -> anyhow::Result<PathBuf> {
    Ok(match host {
        Host::ClaudeCode => ".claude/settings.json".into(),
        Host::Cursor => ".cursor/hooks.json".into(),
        Host::Gemini => ".gemini/settings.json".into(),
        Host::Codex => {
            let home =
                std::env::var_os("HOME").context("HOME is not set: name the file by --settings")?;
            PathBuf::from(home).join(".codex/hooks.json")
        }
    })
}
