use harness::history::{self, HistoryEntry};
use harness::{Journal, Limits, Report, Saved, Scenario, Suite, render};

use crate::arguments::LoadArguments;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::progress::Shown;
use crate::report::{print, print_json};

/// Runs scenarios, all of them if none is named, and saves the report.
pub(crate) fn run(load: &LoadArguments, only: Vec<Scenario>) -> anyhow::Result<Exit> {
    let scenarios = if only.is_empty() {
        Scenario::ALL.to_vec()
    } else {
        only
    };
    let journal = match &load.journal {
        Some(path) => Journal::append_to(path)?,
        None => Journal::none(),
    };
    let suite = Suite::new(load.settings(), scenarios)
        .limits(load.limits.over(Limits::default()))
        .journal(journal)
        .keep(load.keep);
    let mut progress = Shown::new(Interrupt::listen()?);
    let (report, saved) = suite.run_and_save(&load.out, &mut progress)?;
    history::append(&HistoryEntry::of(&report), &load.out)?;
    if load.json {
        print_json(&report)?;
    } else {
        print(&render::terminal(&report))?;
        print(&place(&report, &saved))?;
    }
    Ok(Exit::of(report.verdict.health, report.interrupted))
}

fn place(report: &Report, saved: &Saved) -> String {
    format!(
        "report: {} (latest: {})\nrepeat: {}\n",
        saved.markdown.display(),
        saved.latest.join("report.md").display(),
        report.command
    )
}
