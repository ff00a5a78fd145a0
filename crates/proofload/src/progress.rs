//! What a person sees while a suite runs, on stderr: one line that changes on a terminal, and a
//! plain line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use harness::Progress;
use load_engine::Progress as RunProgress;
use report::ScenarioResult;

use crate::interrupt::Interrupt;

/// Time between two plain lines of one load.
const PLAIN_PERIOD: Duration = Duration::from_secs(5);

pub(crate) struct Shown {
    terminal: bool,
    interrupt: Interrupt,
    told: Instant,
    load: String,
}

impl Shown {
    /// Tells in plain lines where there is no terminal, or if that is wanted.
    pub(crate) fn new(interrupt: Interrupt, plain: bool) -> Self {
        let terminal = !plain && std::io::stderr().is_terminal();
        Self {
            terminal,
            interrupt,
            told: Instant::now(),
            load: String::new(),
        }
    }

    /// A line that the next one replaces.
    fn passing(&self, line: &str) {
        if self.terminal {
            // `\x1b[2K` clears the line. Progress that cannot be shown is no reason to stop.
            let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
        }
    }

    fn lasting(&self, line: &str) {
        self.passing("");
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

impl Progress for Shown {
    fn scenario_began(&mut self, name: &str, load: &str) {
        self.told = Instant::now();
        self.load = load.to_owned();
        if self.terminal {
            self.passing(&format!("{name}: {load}"));
        } else {
            self.lasting(&format!("{name}: {load}"));
        }
    }

    fn load_goes_on(&mut self, name: &str, state: &RunProgress) {
        let planned = state.planned.unwrap_or(0);
        let seconds = state.elapsed.as_secs_f64();
        let line = format!(
            "{name}: {} of {planned} iterations, {} failed, {} users, {seconds:.1} s",
            state.done, state.failed, state.users
        );
        if self.terminal {
            self.passing(&format!("{} {line}", bar(state.done, planned)));
        } else if self.told.elapsed() >= PLAIN_PERIOD {
            self.told = Instant::now();
            self.lasting(&line);
        }
    }

    fn verification_began(&mut self, name: &str) {
        self.passing(&format!("{name}: reopened, verifying every effect"));
    }

    fn scenario_ended(&mut self, result: &ScenarioResult) {
        let word = if result.effects_hold() {
            "verified"
        } else {
            "NOT VERIFIED"
        };
        self.lasting(&format!(
            "{}: {} operations, {} effects {word}",
            result.name,
            result.run.operations(),
            result.verification.verified
        ));
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.came()
    }
}

fn bar(done: u64, planned: u64) -> String {
    const WIDTH: u64 = 20;
    let full = (done * WIDTH).checked_div(planned).unwrap_or(0).min(WIDTH) as usize;
    format!(
        "[{}{}]",
        "━".repeat(full),
        " ".repeat(WIDTH as usize - full)
    )
}
