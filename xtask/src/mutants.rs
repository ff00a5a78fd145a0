//! `cargo xtask mutants`: whether the exploration of the gate would notice a mistake in what it explores.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

pub(crate) const HELP: &str = "\
Changes the gate's transition function in every way that cargo-mutants knows, one at a time, and has
the exploration of all its states find each.

Usage: cargo xtask mutants [ARGS]...

ARGS go to `cargo mutants`, such as `--shard 0/4` for a quarter of them or `--list`. It must be
installed: `cargo install cargo-mutants --locked`. What it found is left in target/mutants.out.

Exit codes: 0 all were found; 2 some were not; others as cargo-mutants says.";

/// Becomes `cargo mutants` over the transition function.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let mut command = cargo::cargo();
    command.current_dir(cargo::root());
    command.args([
        "mutants",
        "--package",
        "proofload-approval-workflow",
        "--file",
        "crates/approval-workflow/src/state/lifecycle.rs",
        "--output",
        "target",
        // Also where it only builds: each mistake would be compiled into every test otherwise.
        "--cargo-arg=--lib",
    ]);
    command.args(args).args(["--", "explore"]);
    cargo::become_program(&mut command)
}
