//! The `proofload` command: load tests that verify what they measured.

mod arguments;
mod commands;
mod exit;
mod interrupt;
mod live;
mod progress;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    match commands::run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => exit::could_not_run(&error),
    }
}
