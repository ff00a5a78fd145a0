//! `cargo xtask sweep`: how the log grows with its records.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

pub(crate) const HELP: &str = "\
Measures the log at 5,000, 10,000, 20,000, 50,000 … records: append, reading one record, scan,
opening after a close and after a kill, and memory. Prints a table with the growth exponent of each,
and writes it with its data and a plot.

Usage: cargo xtask sweep [ARGS]...

ARGS:
  --max RECORDS  the largest size (default 1000000)
  --out DIR      where sweep.md, sweep.json and sweep.svg go (default proofload-out/sweep)

Example:
  cargo xtask sweep --max 10000000";

/// Becomes the sweep, built in release mode.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let manifest = cargo::root().join("Cargo.toml");
    let mut command = cargo::cargo();
    command.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "proofload-benches",
    ]);
    command
        .args(["--bin", "sweep", "--manifest-path"])
        .arg(manifest);
    cargo::become_program(command.arg("--").args(args))
}
