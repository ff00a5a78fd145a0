//! `cargo xtask findings`: how often the findings of a report are wrong.

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

pub(crate) const HELP: &str = "\
Counts how often findings are wrong, over 500 healthy runs on simulated time and 100 runs of each planted
fault, and prints the counts as tables. Fails if more than one healthy run has a strong finding, or if a
planted fault is found in fewer than 95 runs.

Usage: cargo xtask findings";

/// Becomes the calibration, built in release mode.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run() -> Result<ExitCode> {
    let manifest = cargo::root().join("Cargo.toml");
    let mut command = cargo::cargo();
    command.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "proofload-report",
    ]);
    command
        .args(["--example", "findings", "--manifest-path"])
        .arg(manifest);
    cargo::become_program(&mut command)
}
