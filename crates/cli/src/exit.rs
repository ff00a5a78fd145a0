//! How the program ends: the code says which kind of end it was.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use harness::Health;

/// The kinds of end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All held.
    Held,
    /// A limit or a verification failed.
    Failed,
    /// It could not run.
    CouldNotRun,
    /// It was interrupted, and what it has fails nothing. The code of a shell for Ctrl-C.
    Interrupted,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Failed => 1,
            Self::CouldNotRun => 2,
            Self::Interrupted => 130,
        }
    }

    /// The end of a run that was judged so.
    pub(crate) fn of(health: Health, interrupted: bool) -> Self {
        match health {
            Health::Fail => Self::Failed,
            _ if interrupted => Self::Interrupted,
            Health::Pass => Self::Held,
            // It says too little to be called held.
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints an error in one line, its causes behind it.
pub(crate) fn could_not_run(error: &anyhow::Error) -> ExitCode {
    let mut message = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if message.ends_with(&text) {
            continue;
        }
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&text);
    }
    let message = message.replace('\n', " ");
    anstream::eprintln!("{BAD}error{BAD:#}: {message}");
    Exit::CouldNotRun.into()
}

/// Prints what is wrong with the arguments, or the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when this cannot be printed.
    let _ = error.print();
    let exit = if error.use_stderr() {
        Exit::CouldNotRun
    } else {
        Exit::Held
    };
    exit.into()
}
