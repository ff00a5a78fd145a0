use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use report::Report;
use report::comparison::{Comparison, Statement, comparison_in_words};
use report::history::{HISTORY_FILE, History};

use crate::arguments::CompareArguments;
use crate::exit::Exit;
use crate::terminal::{print, print_json};

/// Compares saved runs, round by round.
pub(crate) fn run(arguments: &CompareArguments) -> anyhow::Result<Exit> {
    let (a, b) = (rounds(&arguments.a)?, rounds(&arguments.b)?);
    let names = [&arguments.a, &arguments.b].map(|path| path.display().to_string());
    let mut comparison = Comparison::of((&names[0], &a), (&names[1], &b));
    if let ([one], true) = (a.as_slice(), comparison.is_of_single_runs())
        && let Some(history) = history_beside(&arguments.a)
    {
        comparison = comparison.beside(history.usual(one));
    }
    show(&within(comparison, arguments.no_worse_than), arguments.json)
}

/// The comparison, asked whether B is no worse by a margin if there is one.
pub(crate) fn within(comparison: Comparison, margin: Option<f64>) -> Comparison {
    match margin {
        Some(margin) => comparison.no_worse_than(margin),
        None => comparison,
    }
}

/// Prints a comparison; that something is worse is a result like a limit that did not hold.
pub(crate) fn show(comparison: &Comparison, json: bool) -> anyhow::Result<Exit> {
    if json {
        print_json(comparison)?;
    } else {
        print(&comparison_in_words(comparison))?;
    }
    Ok(match comparison.statement() {
        Statement::Worse => Exit::Failed,
        Statement::NotWorse => Exit::Held,
        Statement::Undecided => Exit::Inconclusive,
    })
}

/// The history in the folder in which a run was saved, if there is one that can be read: without it the
/// comparison only says less.
fn history_beside(run: &Path) -> Option<History> {
    let file = if run.is_file() { run.parent()? } else { run };
    // `latest` stands for a run.
    let folder = file.canonicalize().ok()?;
    History::read(&folder.parent()?.join(HISTORY_FILE)).ok()
}

/// One run, or every run in a folder by the order of their names, which is that of time.
fn rounds(path: &Path) -> anyhow::Result<Vec<Report>> {
    if path.is_file() || path.join("report.json").is_file() {
        return Ok(vec![report::load(path)?]);
    }
    let entries = std::fs::read_dir(path);
    let entries = entries.with_context(|| format!("cannot read {}", path.display()))?;
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let is_run = folder.file_name().is_some_and(|name| name != "latest");
        if is_run && folder.join("report.json").is_file() {
            folders.push(folder);
        }
    }
    if folders.is_empty() {
        bail!(
            "{} is no run and holds none: name report.json, its folder, or a folder of runs",
            path.display()
        );
    }
    folders.sort();
    let reports = folders.iter().map(|folder| report::load(folder));
    Ok(reports.collect::<Result<_, _>>()?)
}
