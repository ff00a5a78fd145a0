//! `cargo xtask bench`: every benchmark, or those that the arguments name.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

pub(crate) const HELP: &str = "\
Runs every benchmark.

Usage: cargo xtask bench [ARGS]...

ARGS go to `cargo bench`; `-p <PACKAGE>` narrows it to that package, and what stands after `--`
goes to criterion.

Examples:
  cargo xtask bench
  cargo xtask bench -p proofload-jsonl-storage -- --save-baseline before
  cargo xtask bench -- --test    each benchmark once, as a check that it still runs";

/// Becomes `cargo bench` over the workspace.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    cargo::over_packages("bench", args)
}
