//! `cargo xtask attack`: every attack on the record, the gate and the evidence, and the table of what each comes
//! to.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{cargo, numbers};

pub(crate) const HELP: &str = "\
Attacks the record, the gate and the evidence: forged, cut, exchanged and restored files, flipped bits,
kills, full disks, and texts that a terminal would obey. Writes the table of attacks on a log and
protections into docs/security.md.

Usage: cargo xtask attack [--flips N] [--kills N]

  --flips N  bits that are flipped in what a suite leaves (default 500)
  --kills N  processes of the log that are killed (default 50)

Continuous integration runs the same tests with fewer flips and kills, and fails if the table is not
current.";

/// The tests, by package.
pub(crate) const TESTS: &[(&str, &[&str])] = &[
    (
        "proofload-jsonl-storage",
        &["attacks", "hostile", "full_disk", "kill"],
    ),
    ("proofload-approval-workflow", &["breakers"]),
    ("proofload", &["attacks", "evidence", "terminal", "kill"]),
];

/// How long it goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    flips: u64,
    kills: u64,
}

impl Options {
    /// # Errors
    ///
    /// When an argument is unknown or is no number.
    pub(crate) fn parse(args: Vec<OsString>) -> Result<Options> {
        let mut options = Options {
            flips: 500,
            kills: 50,
        };
        let known = &mut [
            ("--flips", &mut options.flips),
            ("--kills", &mut options.kills),
        ];
        numbers::read("attack", HELP, args, known)?;
        Ok(options)
    }
}

/// Runs the tests of each package; the first that fails ends it.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    for (package, tests) in TESTS {
        let mut command = cargo::cargo();
        command
            .current_dir(cargo::root())
            .env("ATTACK_FLIPS", options.flips.to_string())
            .env("ATTACK_TABLE", cargo::root().join("docs/security.md"))
            .env("KILL_ROUNDS", options.kills.to_string())
            .args(["test", "--package", package]);
        for test in *tests {
            command.args(["--test", test]);
        }
        let status = command.status().context("cannot start cargo")?;
        if !status.success() {
            println!("attack: {package} does not hold");
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("attack: every attack came to what docs/security.md says");
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn what_is_not_said_keeps_its_default() {
        let (flips, kills) = (7, 50);
        assert_eq!(parse("--flips 7").unwrap(), Options { flips, kills });
        let error = parse("--flaps 7").unwrap_err().to_string();
        assert!(
            error.starts_with("attack knows no argument \"--flaps\""),
            "{error}"
        );
    }

    #[test]
    fn every_test_that_is_run_exists() {
        for (package, tests) in TESTS {
            let folder = package.strip_prefix("proofload-").unwrap_or(package);
            let folder = cargo::root().join("crates").join(folder).join("tests");
            for test in *tests {
                let is_there = folder.join(format!("{test}.rs")).is_file()
                    || folder.join(test).join("main.rs").is_file();
                assert!(is_there, "{package} has no test {test}");
            }
        }
    }
}
