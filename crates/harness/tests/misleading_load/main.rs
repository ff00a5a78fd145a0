//! Loads on which load testers say what is not so: failures, rates and phases. Each module is a kind of fault,
//! with the right answer.

mod n02_data_files_and_failures;
mod n06_rates;
mod n09_trailing_phases;

use std::fs;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::{Report, ScenarioResult};

/// Runs a scenario, beside a data file if there is one.
fn run(text: &str, data: &[u8]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rows.csv"), data).unwrap();
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
