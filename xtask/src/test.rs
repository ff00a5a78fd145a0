//! `cargo xtask test`: the README's test command.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::{cargo, services};

pub(crate) const HELP: &str = "\
Runs every test of every package, the examples in the documents included.

Usage: cargo xtask test [ARGS]...

ARGS go to `cargo test`; `-p <PACKAGE>` narrows it to that package. With
PROOFLOAD_REQUIRE_SERVICES set, the servers of `cargo xtask services` are
installed first.

Examples:
  cargo xtask test
  cargo xtask test -p proofload-jsonl-storage torn";

/// Becomes `cargo test` over the workspace.
///
/// # Errors
///
/// When cargo cannot be started, or servers that are required cannot be installed.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    services::before_tests()?;
    cargo::over_packages("test", args)
}
