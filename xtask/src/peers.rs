//! `cargo xtask peers`: parts of this repository side by side with others that do the same work.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

pub(crate) const HELP: &str = "\
Builds `peers/`, which stands outside of the workspace, and measures in turns with others that do the same
work: policy, cache, engine, similarity, log. `--only NAME` chooses, `--quick` ends within ten minutes.

Usage: cargo xtask peers [ARGS]...

`cargo xtask peers -- --help` lists ARGS.";

/// Becomes the comparison, built in release mode.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let manifest = cargo::root().join("peers").join("Cargo.toml");
    let mut command = cargo::cargo();
    command
        .args(["run", "--release", "--quiet", "--manifest-path"])
        .arg(manifest);
    if args.first().is_none_or(|first| first != "--") {
        command.arg("--");
    }
    cargo::become_program(command.args(args))
}
