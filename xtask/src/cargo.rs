//! The cargo that runs this task, and how a task becomes another program.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// The root of the repository.
///
/// `cargo run` says where xtask stands. What was known when compiled is only for a binary that was
/// started by hand: two clones that share a target directory share this binary too.
pub(crate) fn root() -> PathBuf {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    Path::new(&xtask)
        .parent()
        .expect("xtask/ stands in the repository's root")
        .to_owned()
}

/// A call of the same cargo that called us, in the caller's directory.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `cargo <verb>` over the packages that `args` choose, or over all of them.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn over_packages(verb: &str, args: &[OsString]) -> Result<ExitCode> {
    let mut command = cargo();
    command.current_dir(root()).arg(verb);
    if !choose_packages(args) {
        command.arg("--workspace");
    }
    become_program(command.args(args))
}

/// Ends this task in `command`, whose exit code becomes ours.
///
/// On unix the program takes our place, so that Ctrl-C and every other signal are its own affair.
///
/// # Errors
///
/// When the program cannot be started.
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(error).with_context(|| cannot_start(command.get_program()))
    }
    #[cfg(not(unix))]
    {
        let status = command
            .status()
            .with_context(|| cannot_start(command.get_program()))?;
        std::process::exit(status.code().unwrap_or(1));
    }
}

pub(crate) fn cannot_start(program: &OsStr) -> String {
    format!("cannot start {}", program.display())
}

/// Whether the arguments say which packages are meant: beside `--workspace`, cargo would take no
/// notice of `-p`.
fn choose_packages(args: &[OsString]) -> bool {
    args.iter()
        .map_while(|arg| (arg != "--").then(|| arg.to_string_lossy()))
        .any(|arg| {
            let short = arg.starts_with("-p") && !arg.starts_with("--");
            short || arg.starts_with("--package") || arg == "--workspace" || arg == "--all"
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(line: &str) -> bool {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        choose_packages(&args)
    }

    #[test]
    fn a_chosen_package_replaces_the_whole_workspace() {
        for line in [
            "-p proofload-action",
            "-paction",
            "--package proofload-action",
            "--package=action",
            "--workspace",
        ] {
            assert!(chosen(line), "{line}");
        }
    }

    #[test]
    fn filters_and_the_test_binarys_own_options_choose_no_package() {
        for line in [
            "",
            "torn_tail",
            "--release",
            "--profile bench",
            "-- -p",
            "x -- --package y",
        ] {
            assert!(!chosen(line), "{line}");
        }
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("xtask/Cargo.toml").is_file());
        assert!(root().join("rust-toolchain.toml").is_file());
    }
}
