//! `cargo xtask crash`: the log's crash tests, longer than in continuous integration.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::{cargo, numbers};

pub(crate) const HELP: &str = "\
Runs the log's crash tests in release mode and for longer: random lives over a simulated disk that
loses, tears and reorders what was not synced, and real processes that are killed.

Usage: cargo xtask crash [--seeds N] [--kills N]

  --seeds N  random lives on the simulated disk (default 100000; 1000000 before a release); dearer
             checks grow in proportion
  --kills N  processes that are killed (default 200; 1000 before a release)

A failure prints the command that replays it.";

/// How long it goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    seeds: u64,
    kills: u64,
}

impl Options {
    /// # Errors
    ///
    /// When an argument is unknown or is no number.
    pub(crate) fn parse(args: Vec<OsString>) -> Result<Options> {
        let mut options = Options {
            seeds: 100_000,
            kills: 200,
        };
        let known = &mut [
            ("--seeds", &mut options.seeds),
            ("--kills", &mut options.kills),
        ];
        numbers::read("crash", HELP, args, known)?;
        Ok(options)
    }
}

/// Becomes `cargo test` over the crash tests.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut command = cargo::cargo();
    command.current_dir(cargo::root());
    command.env("CRASH_SEEDS", options.seeds.to_string());
    command.env("KILL_ROUNDS", options.kills.to_string());
    command.args(["test", "--release", "--package", "proofload-jsonl-storage"]);
    cargo::become_program(command.args(["--test", "crash", "--test", "kill"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn what_is_not_said_keeps_its_default() {
        assert_eq!(
            parse("").unwrap(),
            Options {
                seeds: 100_000,
                kills: 200
            }
        );
        assert_eq!(
            parse("--kills 5").unwrap(),
            Options {
                seeds: 100_000,
                kills: 5
            }
        );
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (line, expected) in [
            ("--seeds", "\"--seeds\" needs a number"),
            ("--seeds many", "\"--seeds\" needs a number, got \"many\""),
            ("--sedes 4", "crash knows no argument \"--sedes\""),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
