//! `cargo xtask instructions`: the instructions of the hot paths, held against those of before.

mod baseline;
mod environment;
mod runner;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cargo;
use baseline::{Baseline, Counts};
use environment::Environment;

pub(crate) const HELP: &str = "\
Counts the instructions of the hot paths with callgrind and compares them with benches/instructions.json.

Usage: cargo xtask instructions [--update]

Options:
  --update  Write the counts to the file, in place of those that are there

A path that takes over 5 % more than in the file fails, by its name. Where the compiler, valgrind, the C
library or the processor is another one than the file's, all of which change the counts a little, only over
25 % more does, and the differences are named. Each time, a path that was made slower on purpose is
counted too: if it passes, the check itself fails.

Needs valgrind (apt-get install valgrind). gungraun's runner is built into target/instructions the first time.

Exit codes: 0 no path takes more; 1 one does; 2 it could not run.";

/// Where the counts are that one compares with, from the root.
const FILE: &str = "benches/instructions.json";

/// What the benchmark counts twice, the second time with more work.
const PLANTED: [&str; 2] = ["planted.as_before", "planted.slower"];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Compare,
    Update,
}

impl Task {
    /// # Errors
    ///
    /// On anything but `--update`.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let args: Vec<OsString> = args.into_iter().collect();
        match args.as_slice() {
            [] => Ok(Self::Compare),
            [update] if update == "--update" => Ok(Self::Update),
            _ => bail!("instructions knows no arguments but --update, got {args:?}"),
        }
    }
}

/// Counts, and compares or writes.
///
/// # Errors
///
/// When nothing could be counted, or the file cannot be read or written.
pub(crate) fn run(task: Task) -> Result<ExitCode> {
    let held = match task {
        Task::Compare => holds()?,
        Task::Update => update()?,
    };
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Counts and compares; whether no path takes more.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn holds() -> Result<bool> {
    let stored = Baseline::read(&file())?;
    let environment = Environment::here()?;
    let counts = count()?;
    let comparison = stored.compare(&environment, &counts);
    print!("{comparison}");
    Ok(comparison.holds())
}

fn update() -> Result<bool> {
    let environment = Environment::here()?;
    let counts = count()?;
    let path = file();
    if path.is_file() {
        print!("{}", Baseline::read(&path)?.compare(&environment, &counts));
    }
    Baseline::new(environment, counts).write(&path)?;
    println!("wrote {FILE}");
    Ok(true)
}

fn file() -> PathBuf {
    cargo::root().join(FILE)
}

/// All paths but the planted one, which must have been found.
fn count() -> Result<Counts> {
    let folder = cargo::root().join("target").join("instructions");
    let mut counts = run_benchmark(&folder)?;
    let [before, slower] = PLANTED.map(|path| counts.remove(path));
    let (before, slower) = before
        .zip(slower)
        .context("the benchmark did not count the planted path")?;
    if !baseline::is_found(before, slower) {
        bail!(
            "a path that takes {slower} instructions, not {before}, would pass: nothing is checked"
        );
    }
    Ok(counts)
}

fn run_benchmark(folder: &Path) -> Result<Counts> {
    let runner = runner::installed(folder)?;
    let mut command = cargo::cargo();
    // The packages and their features are those of `cargo bench --workspace`, which ci has built.
    command
        .current_dir(cargo::root())
        .args(["bench", "--quiet", "--workspace", "--bench", "instructions"])
        .args(["--features", "proofload-benches/instructions"])
        .args(["--", "--output-format=json"]);
    runner.count(&mut command, &folder.join("counted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_update_can_be_asked_for() {
        let parse = |line: &str| Task::parse(line.split_whitespace().map(OsString::from));
        assert_eq!(parse("").unwrap(), Task::Compare);
        assert_eq!(parse("--update").unwrap(), Task::Update);
        let error = parse("--udpate").unwrap_err().to_string();
        assert!(error.contains("--update, got [\"--udpate\"]"), "{error}");
    }

    #[test]
    fn the_stored_counts_can_be_read_and_have_no_planted_path() {
        let stored = Baseline::read(&file()).unwrap();
        assert!(stored.counts.len() >= 8, "{:?}", stored.counts);
        assert!(
            PLANTED
                .iter()
                .all(|path| !stored.counts.contains_key(*path))
        );
    }
}
