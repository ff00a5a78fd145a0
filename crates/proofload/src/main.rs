//! The `proofload` command: load tests that verify what they measured.

mod ab;
mod arguments;
mod calibrate;
mod compare;
mod exit;
mod init;
mod interrupt;
mod live;
mod progress;
mod report;
mod salvage;
mod search;
mod simulate;
mod suite;
mod trend;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    match run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => exit::could_not_run(&error),
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    match arguments.command {
        Command::Suite(suite) => suite::run(&suite.load, suite.only),
        Command::Run(run) => suite::run_some(&run),
        Command::Calibrate(calibrate) => calibrate::run(&calibrate),
        Command::Init(init) => init::run(&init),
        Command::Report(report) => report::run(&report),
        Command::Ab(ab) => ab::run(&ab),
        Command::Compare(compare) => compare::run(&compare),
        Command::Trend(trend) => trend::run(&trend),
        Command::Search(search) => search::run(&search),
        Command::Verify(verify) => verify::run(&verify),
        Command::Salvage(salvage) => salvage::run(&salvage),
        Command::Simulate(simulate) => simulate::run(&simulate),
        Command::Schema(schema) => init::print_schema(&schema),
    }
}
