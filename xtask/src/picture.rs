//! `cargo xtask picture`: the README's picture of a report, from a run made now.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::{cargo, loadtest};

pub(crate) const HELP: &str = "\
Runs a load, opens its report in a headless Chromium, and writes the picture that the README shows,
docs/report.png. PROOFLOAD_CHROMIUM names the browser, if it is not called chromium.

Usage: cargo xtask picture [ARGS]...

ARGS go to `proofload run` (default: storage --threads 16 --duration 40s).

Exit codes: 0 the picture is there; 2 it could not be made.";

/// The load of the picture: long enough to show a course, short enough to be made while one waits.
const LOAD: [&str; 5] = ["storage", "--threads", "16", "--duration", "40s"];

/// Wide enough for every column of the tables, high enough for the plots of latency.
const WINDOW: &str = "--window-size=1240,2270";

/// The largest picture that a reader of the README should have to load.
const MAX_BYTES: u64 = 300_000;

/// Makes the picture.
///
/// # Errors
///
/// When the load did not run, there is no browser, or the picture is missing or too large.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let folder = cargo::root().join("target").join("picture");
    let page = folder.join("latest").join("report.html");
    load(args, &folder)?;
    let picture = cargo::root().join("docs").join("report.png");
    photograph(&page, &picture, &folder)?;
    let bytes = picture
        .metadata()
        .context("the browser took no picture")?
        .len();
    println!("{}: {bytes} bytes", picture.display());
    if bytes > MAX_BYTES {
        bail!("the picture is larger than {MAX_BYTES} bytes: show less of the page");
    }
    Ok(ExitCode::SUCCESS)
}

fn load(args: &[OsString], folder: &Path) -> Result<()> {
    let mut command = Command::new(loadtest::build()?);
    command.arg("run").arg("--out").arg(folder);
    if args.is_empty() {
        command.args(LOAD);
    } else {
        command.args(args);
    }
    let status = command
        .status()
        .with_context(|| cargo::cannot_start(command.get_program()))?;
    // A load that fails has a report as well, and a picture of it may be wanted.
    match status.code() {
        Some(0 | 1) => Ok(()),
        Some(3) => bail!(
            "the load could not be judged, so its picture would show that; close what keeps this machine busy"
        ),
        _ => bail!("the load did not run ({status})"),
    }
}

fn photograph(page: &Path, picture: &Path, folder: &Path) -> Result<()> {
    let browser = env::var_os("PROOFLOAD_CHROMIUM").unwrap_or_else(|| "chromium".into());
    let page: PathBuf = page
        .canonicalize()
        .with_context(|| format!("the load left no page at {}", page.display()))?;
    let mut command = Command::new(browser);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            WINDOW,
        ])
        .args([
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--virtual-time-budget=3000",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()));
    let status = command
        .status()
        .with_context(|| cargo::cannot_start(command.get_program()))?;
    if !status.success() {
        bail!("the browser failed ({status})");
    }
    Ok(())
}
