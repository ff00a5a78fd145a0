//! `cargo xtask build-report`: what the shipped binary costs to build, and what it is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::cargo;

pub(crate) const HELP: &str = "\
Builds the proofload binary in release mode from nothing, in a target folder of its own, and says how long
that took, how large the binary is, how many packages went into it, and which of them in several versions.

Usage: cargo xtask build-report

It takes some minutes; the time counts for what else the machine had to do. The folder is target/build-report.

Exit codes: 0 it was built and the binary is below 30 MB; 1 it is larger; 2 it could not run.";

const PACKAGE: &str = "proofload";
const MOST_MEGABYTES: f64 = 30.0;

pub(crate) fn run() -> Result<ExitCode> {
    let packages = packages()?;
    println!("{}", summary(&packages));
    let folder = cargo::root().join("target/build-report");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let began = Instant::now();
    let status = cargo::cargo()
        .current_dir(cargo::root())
        .args(["build", "--release", "--locked", "--package", PACKAGE])
        .args(["--bin", PACKAGE, "--target-dir"])
        .arg(&folder)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the build failed");
    let seconds = began.elapsed().as_secs();
    let binary = folder.join("release").join(PACKAGE);
    let bytes = fs::metadata(&binary);
    let bytes = bytes.with_context(|| format!("cannot read {}", binary.display()))?;
    let megabytes = bytes.len() as f64 / 1e6;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!("cold release build: {seconds} s on {processors} processors");
    println!("binary: {megabytes:.1} MB, of at most {MOST_MEGABYTES} MB");
    let is_small = megabytes < MOST_MEGABYTES;
    Ok(ExitCode::from(u8::from(!is_small)))
}

/// The versions of each package that goes into the binary or builds it.
type Packages = BTreeMap<String, BTreeSet<String>>;

fn packages() -> Result<Packages> {
    let output = cargo::cargo()
        .current_dir(cargo::root())
        .args(["tree", "--locked", "--package", PACKAGE])
        .args([
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .output()
        .context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(read(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines of a name and a version, and more that does not count.
fn read(tree: &str) -> Packages {
    let mut packages = Packages::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            let version = version.trim_start_matches('v').to_owned();
            packages.entry(name.to_owned()).or_default().insert(version);
        }
    }
    packages
}

fn summary(packages: &Packages) -> String {
    let all: usize = packages.values().map(BTreeSet::len).sum();
    let ours = packages.keys().filter(|name| name.starts_with(PACKAGE));
    let mut text = format!("{all} packages, {} of them ours", ours.count());
    for (name, versions) in packages.iter().filter(|(_, versions)| versions.len() > 1) {
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        text.push_str(&format!(
            "\n  {name} in versions {}",
            versions.join(" and ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_counted_once_and_several_versions_named() {
        let tree = "proofload v0.1.0 (/here)\nproofload-action v0.1.0 (/there)\nbase64 v0.22.1\n\
                    base64 v0.23.1\nbase64 v0.23.1 (*)\nserde v1.0.0 (proc-macro)\n\n";
        assert_eq!(
            summary(&read(tree)),
            "5 packages, 2 of them ours\n  base64 in versions 0.22.1 and 0.23.1"
        );
    }
}
