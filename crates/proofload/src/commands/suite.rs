use anyhow::bail;
use harness::{Journal, Overrides, ScenarioFile, Suite};
use report::history::{self, HistoryEntry};
use report::{Report, Saved, render};

use crate::arguments::{LoadArguments, OutputArguments, RunArguments, Runnable};
use crate::commands::report::{print, print_json, step_summary};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::live;

/// Runs the scenarios that come with the program, all of them if none is named, and saves the report.
pub(crate) fn run(load: &LoadArguments, only: &[Runnable]) -> anyhow::Result<Exit> {
    let all: Vec<Runnable> = ScenarioFile::embedded_names()
        .map(|name| Runnable::Embedded(name.to_owned()))
        .collect();
    let scenarios = if only.is_empty() { &all } else { only };
    go(load, suite_of(load, scenarios, &[])?)
}

/// Runs the scenarios or the files that are named, and saves the report.
pub(crate) fn run_some(arguments: &RunArguments) -> anyhow::Result<Exit> {
    if arguments.dry_run {
        return dry_run(arguments);
    }
    let suite = suite_of(&arguments.load, &arguments.scenarios, &arguments.set)?;
    go(&arguments.load, suite)
}

/// Prints the requests of files with services.
fn dry_run(arguments: &RunArguments) -> anyhow::Result<Exit> {
    for scenario in &arguments.scenarios {
        let file = read(&arguments.load, scenario, &arguments.set)?;
        match file.dry_run()? {
            Some(shown) => print(&shown)?,
            None => bail!(
                "{} makes no requests that could be shown: --dry-run is for files with [services]",
                scenario.name()
            ),
        }
    }
    Ok(Exit::Held)
}

/// The suite of the scenarios and the files that are named.
pub(crate) fn suite_of(
    load: &LoadArguments,
    scenarios: &[Runnable],
    set: &[String],
) -> anyhow::Result<Suite> {
    let files = scenarios.iter().map(|scenario| read(load, scenario, set));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    check_counts(load, &files)?;
    check_names(&files)?;
    Ok(Suite::new(files))
}

/// A scenario with what the arguments set over it.
pub(crate) fn read(
    load: &LoadArguments,
    scenario: &Runnable,
    set: &[String],
) -> anyhow::Result<ScenarioFile> {
    let overrides = Overrides {
        set: set.to_vec(),
        ..load.overrides()
    };
    Ok(match scenario {
        Runnable::Embedded(name) => ScenarioFile::embedded(name, &overrides)?,
        Runnable::File(path) => ScenarioFile::read(path, &overrides)?,
    })
}

/// Refuses a number of iterations that no scenario would look at.
fn check_counts(load: &LoadArguments, files: &[ScenarioFile]) -> anyhow::Result<()> {
    let overrides = load.overrides();
    let none_has = |has: fn(&ScenarioFile) -> bool| !files.iter().any(has);
    if overrides.records.is_some() && none_has(|file| file.spec().model.total_iterations.is_some())
    {
        bail!(
            "--records is for scenarios with `total_iterations`; for the records that are there before \
             a load on storage, use --set target.initial_records=N"
        );
    }
    if overrides.iterations.is_some() && none_has(|file| file.spec().model.iterations.is_some()) {
        bail!("--iterations is for scenarios with `iterations`");
    }
    Ok(())
}

/// Refuses two scenarios of one name, which no report could tell apart.
fn check_names(files: &[ScenarioFile]) -> anyhow::Result<()> {
    for (at, file) in files.iter().enumerate() {
        let mut before = files[..at].iter();
        if let Some(other) = before.find(|other| other.name() == file.name()) {
            bail!(
                "{} and {} are both named `{}`: give one another name",
                other.path().display(),
                file.path().display(),
                file.name()
            );
        }
    }
    Ok(())
}

fn go(load: &LoadArguments, suite: Suite) -> anyhow::Result<Exit> {
    let journal = match &load.journal {
        Some(path) => Journal::append_to(path)?,
        None => Journal::none(),
    };
    let suite = suite
        .advised(load.limits.advised())
        .journal(journal)
        .keep(load.keep);
    conclude(&load.output, load.json, &suite, |_| Ok(String::new()))
}

/// Runs a suite, saves its report and prints its summary, with what `also` says of what else was saved.
pub(crate) fn conclude(
    output: &OutputArguments,
    json: bool,
    suite: &Suite,
    also: impl FnOnce(&Saved) -> anyhow::Result<String>,
) -> anyhow::Result<Exit> {
    let mut progress = live::progress(output, json, Interrupt::listen()?)?;
    let (report, saved) = suite.run_and_save(&output.out, &mut *progress)?;
    history::append(&HistoryEntry::of(&report), &output.out)?;
    let also = also(&saved)?;
    if json {
        print_json(&report)?;
    } else {
        print(&render::terminal(&report))?;
        print(&place(&report, &saved))?;
        print(&also)?;
    }
    step_summary::append(&report)?;
    Ok(Exit::of(report.verdict.conclusion, report.interrupted))
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
