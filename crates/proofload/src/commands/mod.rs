//! One module for each command.

mod ab;
mod approvals;
mod calibrate;
mod checkpoint;
mod compare;
pub(crate) mod completions;
mod doctor;
mod hook;
mod import;
mod init;
mod load;
mod mcp;
pub(crate) mod report;
mod salvage;
mod search;
mod serve;
pub(crate) mod simulate;
mod suite;
mod token;
mod trend;
mod verify;

use crate::arguments::{Arguments, Command};
use crate::exit::Exit;

/// Runs the command that the arguments name.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    match arguments.command {
        Command::Suite(suite) => suite::run(&suite.load, &suite.only),
        Command::Run(run) => suite::run_some(&run),
        Command::Load(load) => load::run(&load),
        Command::Calibrate(calibrate) => calibrate::run(&calibrate),
        Command::Init(init) => init::run(&init),
        Command::Report(report) => report::run(&report),
        Command::Ab(ab) => ab::run(&ab),
        Command::Compare(compare) => compare::run(&compare),
        Command::Trend(trend) => trend::run(&trend),
        Command::Search(search) => search::run(&search),
        Command::Verify(verify) => verify::run(&verify),
        Command::Salvage(salvage) => salvage::run(&salvage),
        Command::Checkpoint(checkpoint) => checkpoint::run(&checkpoint.command),
        Command::Simulate(simulate) => simulate::run(&simulate),
        Command::Serve(serve) => serve::run(&serve),
        Command::Approvals(approvals) => approvals::run(&approvals),
        Command::Hook(hook) => hook::run(&hook),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::Mcp(mcp) => mcp::run(&mcp),
        Command::Token(token) => token::run(&token.command),
        Command::Completions(completions) => completions::print_completions(&completions),
        Command::Man(man) => completions::print_man(&man),
        Command::Schema(schema) => init::print_schema(&schema),
    }
}
