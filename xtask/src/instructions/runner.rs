//! gungraun's runner: the program that starts valgrind for each path and reads what it wrote.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Deserializer, Value};

use super::baseline::Counts;
use crate::cargo;

/// Of the runner and of the library, which have to be the same: see the workspace's `Cargo.toml`.
const VERSION: &str = "0.20.0";

/// A runner that is there.
pub(super) struct Runner {
    bin: PathBuf,
}

/// Builds the runner into a folder, unless it is there.
///
/// # Errors
///
/// When it cannot be built.
pub(super) fn installed(folder: &Path) -> Result<Runner> {
    let bin = folder.join("bin");
    // The folder's list of what is installed names the version; there is no need to ask the program.
    let installed = fs::read_to_string(folder.join(".crates.toml")).unwrap_or_default();
    let is_there = installed.contains(&format!("gungraun-runner {VERSION} "));
    if !is_there || !bin.join("gungraun-runner").is_file() {
        println!("building gungraun-runner {VERSION}, once");
        let mut command = cargo::cargo();
        // Unoptimised: it builds sooner, and only reads a few short files.
        command
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .args([
                "install",
                "gungraun-runner",
                "--locked",
                "--debug",
                "--force",
            ])
            .args(["--quiet", "--version", &format!("={VERSION}"), "--root"])
            .arg(folder);
        let status = command
            .status()
            .with_context(|| cargo::cannot_start(command.get_program()))?;
        if !status.success() {
            bail!("gungraun-runner {VERSION} could not be built ({status})");
        }
    }
    Ok(Runner { bin })
}

impl Runner {
    /// Runs a benchmark, whose summaries come on its standard output.
    ///
    /// # Errors
    ///
    /// When it fails, or says something else.
    pub(super) fn count(&self, command: &mut Command, folder: &Path) -> Result<Counts> {
        // It would compare with the counts of before that lie there.
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot empty {}", folder.display()));
            }
            _ => {}
        }
        let old = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([self.bin.clone()].into_iter().chain(env::split_paths(&old)))?;
        command
            .env("PATH", path)
            .env("GUNGRAUN_HOME", folder)
            .stderr(Stdio::inherit());
        let output = command
            .output()
            .with_context(|| cargo::cannot_start(command.get_program()))?;
        if !output.status.success() {
            bail!("the benchmark failed ({})", output.status);
        }
        counts(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Of summaries in gungraun's JSON, one after the other.
fn counts(summaries: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for summary in Deserializer::from_str(summaries).into_iter::<Value>() {
        let summary = summary.context("the benchmark's output is no JSON")?;
        let (path, count) =
            one(&summary).with_context(|| format!("no count of instructions in {summary}"))?;
        counts.insert(path, count);
    }
    if counts.is_empty() {
        bail!("the benchmark counted nothing");
    }
    Ok(counts)
}

fn one(summary: &Value) -> Option<(String, u64)> {
    let mut path = summary.get("function_name")?.as_str()?.to_owned();
    if let Some(id) = summary.get("id").and_then(Value::as_str) {
        path = format!("{path}.{id}");
    }
    let profile = summary.get("profiles")?.get(0)?;
    let count = profile.pointer("/data/total/metrics/Ir")?;
    Some((path, new(count)?))
}

/// The count itself, without what it is compared with.
fn new(count: &Value) -> Option<u64> {
    match count {
        Value::Object(parts) => parts.values().find_map(new),
        Value::Array(parts) => parts.first().and_then(new),
        count => count.as_u64(),
    }
}
