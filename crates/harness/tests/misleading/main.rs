//! Runs whose verdict must not mislead. Each module is a fault that was found in public load testers and
//! tried on this one; its test holds the right answer.

mod n01_abort;
mod n02_failed_iterations;
mod n03_fast_failures;
mod n04_shares;
mod n16_unsupported_percentiles;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::Report;

/// Runs a scenario file of this text.
fn run(text: &str) -> Report {
    let file = ScenarioFile::parse("x.toml", text, &Overrides::default()).unwrap();
    let out = tempfile::tempdir().unwrap();
    Suite::new([file]).run(out.path(), &mut NoProgress).unwrap()
}

/// A pool of one connection that each agent holds, so that nearly every other one is refused at once.
const REFUSING: &str = "[target]\nkind = \"agents\"\n\
                        pool = { size = 1, wait = \"1us\", hold = \"100ms\" }\n";
