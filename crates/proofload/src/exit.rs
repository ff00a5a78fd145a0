//! How the program ends: the code says which kind of end it was.

use std::process::ExitCode;

use report::Conclusion;

use crate::{interrupt, terminal};

/// The kinds of end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All held.
    Held,
    /// A limit or a verification failed.
    Failed,
    /// It could not run.
    CouldNotRun,
    /// It ran, nothing failed, and it says too little to be called held: the generator rather than the
    /// target was the limit, so that its figures are not the target's; or no operation was made; or the
    /// time was too short to tell. Run it on a quieter machine, with a smaller load or for longer.
    Inconclusive,
    /// It was interrupted, and what it has fails nothing. The code of a shell for that signal.
    Interrupted,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Failed => 1,
            Self::CouldNotRun => 2,
            Self::Inconclusive => 3,
            Self::Interrupted => interrupt::code(),
        }
    }

    /// The end of a run that was judged so.
    pub(crate) fn of(conclusion: Conclusion, interrupted: bool) -> Self {
        match conclusion {
            Conclusion::Fail => Self::Failed,
            _ if interrupted => Self::Interrupted,
            Conclusion::Pass => Self::Held,
            Conclusion::Inconclusive => Self::Inconclusive,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Tells an error that ends the program.
pub(crate) fn could_not_run(error: &anyhow::Error) -> ExitCode {
    tell(error);
    Exit::CouldNotRun.into()
}

/// Tells an error in one line, its causes behind it.
pub(crate) fn tell(error: &anyhow::Error) {
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
    terminal::tell_error(&message);
}

/// Prints what is wrong with the arguments, or the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() {
        terminal::tell_usage(error);
        Exit::CouldNotRun
    } else {
        // Nobody is left to tell when this cannot be printed.
        let _ = error.print();
        Exit::Held
    };
    exit.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inconclusive_run_neither_passed_nor_failed() {
        let code = |conclusion, interrupted| Exit::of(conclusion, interrupted).code();
        assert_eq!(code(Conclusion::Pass, false), 0);
        assert_eq!(code(Conclusion::Fail, false), 1);
        assert_eq!(code(Conclusion::Inconclusive, false), 3);
        assert_eq!(code(Conclusion::Inconclusive, true), 130);
        assert_eq!(code(Conclusion::Fail, true), 1, "what failed, failed");
    }
}
