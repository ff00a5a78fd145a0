//! `cargo xtask loadtest`: the load-test suite, from a build in release mode.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo;

pub(crate) const HELP: &str = "\
Builds the proofload binary in release mode and runs `proofload suite`.

Usage: cargo xtask loadtest [ARGS]...

ARGS go to `proofload suite` as they are; see `cargo xtask loadtest -- --help`.

Exit codes: 0 all held; 1 a threshold or a verification failed; 2 it could not run; 3 it could not be
judged.

Examples:
  cargo xtask loadtest
  cargo xtask loadtest --quick --only approval";

const PACKAGE: &str = "proofload";
const BINARY: &str = "proofload";

/// The suite's arguments among those of the task: all, but for a leading `--`, which is there to
/// keep a `--help` for the suite.
pub(crate) fn suite_arguments(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.first().is_some_and(|arg| arg == "--") {
        args.remove(0);
    }
    args
}

/// Builds the binary and becomes its suite.
///
/// # Errors
///
/// When the build fails, or one of the two cannot be started.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let binary = build()?;
    // In the caller's directory: a relative `--out` means theirs.
    cargo::become_program(Command::new(binary).arg("suite").args(args))
}

/// Builds the binary in release mode, and says where it is.
///
/// # Errors
///
/// When the build fails.
pub(crate) fn build() -> Result<PathBuf> {
    let mut command = cargo::cargo();
    command
        .args(["build", "--release", "--package", PACKAGE, "--bin", BINARY])
        .arg("--message-format=json-render-diagnostics")
        .arg("--manifest-path")
        .arg(cargo::root().join("Cargo.toml"))
        .stderr(Stdio::inherit());
    let output = command
        .output()
        .with_context(|| cargo::cannot_start(command.get_program()))?;
    if !output.status.success() {
        bail!("the build of {BINARY} failed ({})", output.status);
    }
    executable_in(&String::from_utf8_lossy(&output.stdout)).with_context(|| {
        format!("cargo built package {PACKAGE} and named no executable {BINARY} in its messages")
    })
}

/// Where cargo put the binary, from its own messages: the target directory may be anywhere.
fn executable_in(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|artifact| artifact["target"]["name"] == BINARY)
        .find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_where_cargo_says() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"harness"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"build-script-build"},"executable":"b"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"proofload"},"executable":"x/proofload"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(executable_in(messages), Some(PathBuf::from("x/proofload")));
    }

    #[test]
    fn a_build_without_the_binary_has_no_executable() {
        assert_eq!(
            executable_in(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(executable_in("no json"), None);
    }

    #[test]
    fn only_the_first_two_dashes_are_ours() {
        let args = ["--", "--only", "a", "--"].map(OsString::from).to_vec();
        assert_eq!(
            suite_arguments(args),
            ["--only", "a", "--"].map(OsString::from)
        );
    }
}
