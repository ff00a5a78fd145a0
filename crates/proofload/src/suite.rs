use std::path::Path;

use anyhow::bail;
use harness::{Journal, Scenario, ScenarioFile, Suite};
use report::history::{self, HistoryEntry};
use report::{Limits, Report, Saved, render};

use crate::arguments::{LoadArguments, RunArguments, Runnable};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::live;
use crate::report::{print, print_json, step_summary};

/// Runs scenarios, all of them if none is named, and saves the report.
pub(crate) fn run(load: &LoadArguments, only: Vec<Scenario>) -> anyhow::Result<Exit> {
    let scenarios = if only.is_empty() {
        Scenario::ALL.to_vec()
    } else {
        only
    };
    go(load, Suite::new(load.settings(), scenarios))
}

/// Runs the scenarios or the files that are named, and saves the report.
pub(crate) fn run_some(arguments: &RunArguments) -> anyhow::Result<Exit> {
    let suite = suite_of(&arguments.load, &arguments.scenarios, &arguments.set)?;
    go(&arguments.load, suite)
}

/// The suite of the scenarios or the files that are named.
pub(crate) fn suite_of(
    load: &LoadArguments,
    scenarios: &[Runnable],
    set_over: &[String],
) -> anyhow::Result<Suite> {
    let mut builtin = Vec::new();
    let mut files = Vec::new();
    for scenario in scenarios {
        match scenario {
            Runnable::Builtin(scenario) => builtin.push(*scenario),
            Runnable::File(path) => files.push(path),
        }
    }
    if files.is_empty() {
        if let Some(setting) = set_over.first() {
            bail!("--set {setting} is for a scenario file, and a built-in scenario has none");
        }
        return Ok(Suite::new(load.settings(), builtin));
    }
    if let Some(scenario) = builtin.first() {
        bail!("scenario {scenario} and a file cannot be run together: run one after the other");
    }
    let files = files.iter().map(|path| read_file(load, path, set_over));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    Ok(Suite::of_files(files))
}

/// A scenario file with what the arguments set over it.
pub(crate) fn read_file(
    load: &LoadArguments,
    path: &Path,
    set_over: &[String],
) -> anyhow::Result<ScenarioFile> {
    if load.limits.judges_scenarios() {
        bail!("a scenario file is judged by its own thresholds: set those, and leave --max-… out");
    }
    let mut set = load.as_settings_of_file();
    set.extend(set_over.iter().cloned());
    Ok(load.timed(ScenarioFile::read(path, &set)?))
}

fn go(load: &LoadArguments, suite: Suite) -> anyhow::Result<Exit> {
    let journal = match &load.journal {
        Some(path) => Journal::append_to(path)?,
        None => Journal::none(),
    };
    let suite = suite
        .limits(load.limits.over(Limits::default()))
        .journal(journal)
        .keep(load.keep);
    let mut progress = live::progress(load, Interrupt::listen()?)?;
    let (report, saved) = suite.run_and_save(&load.out, &mut *progress)?;
    history::append(&HistoryEntry::of(&report), &load.out)?;
    if load.json {
        print_json(&report)?;
    } else {
        print(&render::terminal(&report))?;
        print(&place(&report, &saved))?;
    }
    step_summary::append(&report)?;
    Ok(Exit::of(report.verdict.health, report.interrupted))
}

fn place(report: &Report, saved: &Saved) -> String {
    format!(
        "report: {} (latest: {})\npage: {}\nrepeat: {}\n",
        saved.markdown.display(),
        saved.latest.join("report.md").display(),
        saved.html.display(),
        report.command
    )
}
