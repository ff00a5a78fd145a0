//! `cargo xtask test`: the README's test command.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

pub(crate) const HELP: &str = "\
Runs every test of every package, the examples in the documents included.

Usage: cargo xtask test [ARGS]...

ARGS go to `cargo test`; `-p <PACKAGE>` narrows it to that package.

Examples:
  cargo xtask test
  cargo xtask test -p proofload-jsonl-storage torn";

/// Becomes `cargo test` over the workspace.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    cargo::over_packages("test", args)
}
