use action::visible;
use anyhow::bail;
use harness::{Journal, Overrides, ScenarioFile, Suite};
use report::history::{self, HistoryEntry};
use report::{Report, Saved, render};

use crate::arguments::{LoadArguments, OutputArguments, RunArguments, Runnable};
use crate::commands::checkpoint;
use crate::commands::report::step_summary;
use crate::exit::{self, Exit};
use crate::interrupt::Interrupt;
use crate::live;
use crate::terminal::{columns, print, print_json, print_styled, shown};

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
    conclude(&load.output, load.json, &suite, |report, saved| {
        let Some(key) = &load.checkpoint_key else {
            return Ok(String::new());
        };
        let written = checkpoint::of_run(report, &saved.folder, key)?;
        let lines = written
            .iter()
            .map(|path| format!("checkpoint: {}\n", shown(path)));
        Ok(lines.collect())
    })
}

/// Runs a suite, prints its summary and saves its report, with what `also` says of what else was saved.
pub(crate) fn conclude(
    output: &OutputArguments,
    json: bool,
    suite: &Suite,
    also: impl FnOnce(&Report, &Saved) -> anyhow::Result<String>,
) -> anyhow::Result<Exit> {
    let mut progress = live::progress(output, json, Interrupt::listen()?)?;
    let mut run = suite.run_to_save(&output.out, &mut *progress)?;
    // Before anything is saved: where nothing can be, this is all that is left of the figures. What cannot
    // be done here keeps nothing else from being done.
    let mut done = Done::default();
    done.note(match json {
        true => print_json(&run.report),
        false => print_styled(&render::terminal_in(&run.report, columns())),
    });
    done.note(
        run.problem
            .take()
            .map_or(Ok(()), |problem| Err(problem.into())),
    );
    let report = run.report.clone();
    let told = run
        .save()
        .map_err(anyhow::Error::from)
        .and_then(|(_, saved)| {
            let also = also(&report, &saved)?;
            match json {
                true => Ok(()),
                false => print(&(place(&report, &saved) + &also)),
            }
        });
    done.note(told);
    let kept = history::append(&HistoryEntry::of(&report), &output.out);
    done.note(kept.map(drop).map_err(anyhow::Error::from));
    done.note(step_summary::append(&report));
    Ok(done.exit(Exit::of(report.verdict.conclusion, report.interrupted)))
}

/// Whether all was done that belongs to a run.
#[derive(Default)]
struct Done {
    has_failed: bool,
}

impl Done {
    fn note(&mut self, result: anyhow::Result<()>) {
        if let Err(error) = result {
            exit::tell(&error);
            self.has_failed = true;
        }
    }

    fn exit(&self, otherwise: Exit) -> Exit {
        if self.has_failed {
            Exit::CouldNotRun
        } else {
            otherwise
        }
    }
}

fn place(report: &Report, saved: &Saved) -> String {
    format!(
        "report: {} (latest: {})\npage: {}\nrepeat: {}\n",
        shown(&saved.markdown),
        shown(&saved.latest.join("report.md")),
        shown(&saved.html),
        visible(&report.command)
    )
}
