//! Runs whose verdict must not mislead. Each module is a fault that was found in public load testers and
//! tried on this one; its tests hold the right answer.

mod abort;
mod data_files_and_failures;
mod fast_failures;
mod open_models;
mod rates;
mod seeds;
mod shares;
mod superseded;
mod trailing_phases;
mod unsupported_percentiles;

use std::fs;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::{Report, ScenarioResult};

/// Runs a scenario file of this text.
fn run(text: &str) -> Report {
    run_with_rows(text, b"")
}

/// Runs a scenario file of this text, beside `rows.csv` with this content.
fn run_with_rows(text: &str, rows: &[u8]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rows.csv"), rows).unwrap();
    let file = ScenarioFile::parse(dir.path().join("x.toml"), text, &Overrides::default()).unwrap();
    Suite::new([file])
        .run(&dir.path().join("out"), &mut NoProgress)
        .unwrap()
}

fn result(report: &Report) -> &ScenarioResult {
    &report.scenarios[0]
}

/// What a threshold of the scenario observed.
fn observed(result: &ScenarioResult, threshold: &str) -> f64 {
    let mut judgements = result.judgements.iter();
    let found = judgements.find(|own| own.threshold.to_string() == threshold);
    found.unwrap().observed.unwrap()
}

/// A pool of one connection that each agent holds, so that nearly every other one is refused at once.
const REFUSING: &str = "[target]\nkind = \"agents\"\n\
                        pool = { size = 1, wait = \"1us\", hold = \"100ms\" }\n";
