//! The `proofload` command: load tests that verify what they measured.

mod arguments;
mod commands;
mod exit;
mod interrupt;
mod live;
mod progress;
mod terminal;

use std::process::ExitCode;
use std::thread::Builder;

use clap::Parser as _;

use crate::arguments::Arguments;

/// What a usual system gives the first thread.
const STACK_BYTES: usize = 8 << 20;

/// Runs the command on a thread of its own: the stack of the first one is what `ulimit -s` leaves of it, which
/// may be too little to parse the arguments.
fn main() -> ExitCode {
    let main = Builder::new()
        .name("proofload:main".to_owned())
        .stack_size(STACK_BYTES);
    match main.spawn(run) {
        Ok(running) => running
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(error) => {
            let message =
                format!("cannot start a thread with {STACK_BYTES} bytes of stack: {error}");
            exit::could_not_run(&anyhow::Error::msg(message))
        }
    }
}

fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    match commands::run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => exit::could_not_run(&error),
    }
}
