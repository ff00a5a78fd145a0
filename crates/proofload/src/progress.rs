//! What a person sees while a suite runs, on stderr: one line that changes on a terminal, and a
//! plain line now and then elsewhere.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use action::visible;
use harness::Progress;
use load_engine::{Plan, Progress as RunProgress};
use report::ScenarioResult;

use crate::interrupt::Interrupt;

/// Time between two plain lines of one load.
const PLAIN_PERIOD: Duration = Duration::from_secs(5);

pub(crate) struct Shown {
    terminal: bool,
    interrupt: Interrupt,
    told: Instant,
    load: String,
    /// How long the load takes, where time ends it.
    length: Option<Duration>,
}

impl Shown {
    /// Tells in plain lines where there is no terminal, or if that is wanted.
    pub(crate) fn new(interrupt: Interrupt, plain: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let terminal = !plain && !dumb && std::io::stderr().is_terminal();
        Self {
            terminal,
            interrupt,
            told: Instant::now(),
            load: String::new(),
            length: None,
        }
    }

    /// A line that the next one replaces.
    fn passing(&self, line: &str) {
        if self.terminal {
            // A line that wraps could not be cleared again: `\x1b[2K` clears one row.
            let line = visible(line);
            let line: String = line.chars().take(columns().saturating_sub(1)).collect();
            // Progress that cannot be shown is no reason to stop.
            let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
        }
    }

    fn lasting(&self, line: &str) {
        self.passing("");
        let _ = writeln!(std::io::stderr(), "{}", visible(line));
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

    fn load_planned(&mut self, plan: &Plan) {
        self.length = plan.model.length();
    }

    fn load_goes_on(&mut self, name: &str, state: &RunProgress) {
        let progress = Far {
            done: state.done,
            planned: state.planned,
            failed: state.failed,
            users: state.users,
            elapsed: state.elapsed,
            length: self.length,
        };
        let line = format!("{name}: {progress}");
        if self.terminal {
            let elapsed = state.elapsed.as_millis() as u64;
            let (done, of) = match (state.planned, self.length) {
                (Some(planned), _) => (state.done, planned),
                (None, length) => (elapsed, length.map_or(0, |it| it.as_millis() as u64)),
            };
            self.passing(&format!("{} {line}", bar(done, of)));
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

/// How far a load is: by iterations where they end it, and else by time.
struct Far {
    done: u64,
    planned: Option<u64>,
    failed: u64,
    users: u32,
    elapsed: Duration,
    length: Option<Duration>,
}

impl fmt::Display for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let (done, failed, users) = (self.done, self.failed, self.users);
        match (self.planned, self.length) {
            (Some(planned), _) => write!(
                f,
                "{done} of {planned} iterations, {failed} failed, {users} users, {seconds:.1} s"
            ),
            (None, Some(length)) => write!(
                f,
                "{seconds:.1} of {:.1} s, {done} iterations, {failed} failed, {users} users",
                length.as_secs_f64()
            ),
            (None, None) => write!(
                f,
                "{done} iterations, {failed} failed, {users} users, {seconds:.1} s"
            ),
        }
    }
}

/// The width of the terminal; of one that does not say, the usual one.
fn columns() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A load by time read "17837 of 0 iterations" once.
    #[test]
    fn a_load_that_time_ends_shows_time() {
        let mut far = Far {
            done: 17_837,
            planned: None,
            failed: 1,
            users: 8,
            elapsed: Duration::from_millis(2_500),
            length: Some(Duration::from_secs(10)),
        };
        assert_eq!(
            far.to_string(),
            "2.5 of 10.0 s, 17837 iterations, 1 failed, 8 users"
        );
        far.planned = Some(20_000);
        assert_eq!(
            far.to_string(),
            "17837 of 20000 iterations, 1 failed, 8 users, 2.5 s"
        );
    }
}
