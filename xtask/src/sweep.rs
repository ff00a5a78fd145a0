//! `cargo xtask sweep`: how each part grows.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

pub(crate) const HELP: &str = "\
Measures each part at more and more of one thing: the log by its records (5,000 to 5,000,000) and by its
threads (1 to 200), the gate by its requests, the simulator by the world's keys and by the plan's steps
(1 to 1,000), the memory store by its memories (1,000 to 1,000,000), an agent's state by its bytes.
Prints a table with the growth exponent of each figure, and fails where one surely grows more than it should;
where the interval is too wide to tell, all sizes are measured again, five times at most.

Usage: cargo xtask sweep [ARGS]...

ARGS:
  --only NAMES    of log, gate, simulate, plan, threads, memory and state, with commas (default: all)
  --max SIZE      no size above this (default: what each sweep has)
  --time SECONDS  no further size of a sweep after so long (default 300)
  --out DIR       where the tables, the data and the plots go; those of earlier sweeps that lie there stay, and
                  sweep.md and sweep.json have all of them (default proofload-out/sweep)

Example:
  cargo xtask sweep --only log --max 1000000

Exit codes: 0 all grow as expected; 1 one grows more; 2 it could not run; 3 inconclusive.";

/// Becomes the sweep, built in release mode.
///
/// # Errors
///
/// When cargo cannot be started.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let manifest = cargo::root().join("Cargo.toml");
    let mut command = cargo::cargo();
    command.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "proofload-benches",
    ]);
    command
        .args(["--bin", "sweep", "--manifest-path"])
        .arg(manifest);
    cargo::become_program(command.arg("--").args(args))
}
