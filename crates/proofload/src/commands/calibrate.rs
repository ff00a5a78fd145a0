//! Whether the engine's figures can be believed on this machine: targets whose delays are known.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use load_engine::calibration::{Calibration, CalibrationResult, ClosedCalibration, HiddenWait};
use load_engine::{Progress, StopHandle};
use serde_json::{Value, json};

use crate::arguments::CalibrateArguments;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::terminal::{self, print, print_json, print_styled};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

/// In a shorter load the stall is in more than one of a hundred calls, so that even a closed model's 99th
/// percentile shows it, and there is nothing to warn of.
const SHORTEST_CLOSED: Duration = Duration::from_secs(4);

/// Runs each known target on the machine's clock, and prints what was asked for, what truly happened
/// and what is reported, side by side.
pub(crate) fn run(arguments: &CalibrateArguments) -> anyhow::Result<Exit> {
    let length = arguments.length();
    let interrupt = Interrupt::listen()?;
    let stop = StopHandle::new();
    let on_progress = |_: &Progress| {
        if interrupt.came() {
            stop.stop();
        }
    };
    let mut outcome = Outcome::default();
    for calibration in Calibration::standard(length) {
        if interrupt.came() {
            break;
        }
        tell(&calibration.name, length);
        let result = calibration.run(&stop, on_progress);
        let result = result.with_context(|| format!("cannot calibrate {}", calibration.name))?;
        if interrupt.came() {
            // Half of a schedule cannot be held against the whole of it.
            break;
        }
        outcome.add(&result, arguments.json)?;
    }
    if !interrupt.came() {
        let length = length.max(SHORTEST_CLOSED);
        tell("one long stall, closed model", length);
        let hidden = ClosedCalibration::stall(length).run(&stop, on_progress);
        let hidden = hidden.context("cannot calibrate the closed model")?;
        if !interrupt.came() {
            outcome.add_closed(&hidden, arguments.json)?;
        }
    }
    outcome.finish(interrupt.came(), arguments.json)
}

fn tell(name: &str, length: Duration) {
    terminal::tell(&format!("{name}: {length:?} on the machine's clock"));
}

/// What the calibrations came to.
#[derive(Debug, Default)]
struct Outcome {
    failed: u32,
    not_judged: u32,
    held: u32,
    /// What is printed as JSON in the end.
    results: Vec<Value>,
    closed: Option<Value>,
}

impl Outcome {
    fn count(&mut self, judged: bool, holds: bool) -> String {
        let (counter, style, word) = match (judged, holds) {
            (false, _) => (&mut self.not_judged, OPEN, "not judged"),
            (true, true) => (&mut self.held, GOOD, "holds"),
            (true, false) => (&mut self.failed, BAD, "OFF"),
        };
        *counter += 1;
        format!("{style}{word}{style:#}")
    }

    fn add(&mut self, result: &CalibrationResult, as_json: bool) -> anyhow::Result<()> {
        let judged = result.limits.is_empty();
        let word = self.count(judged, result.holds());
        if as_json {
            self.results.push(json!({
                "name": result.name,
                "judged": judged,
                "holds": result.holds(),
                "rows": result.rows,
                "arrivals": result.arrivals,
                "limits": result.limits.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }));
            return Ok(());
        }
        print_styled(&table(result, &word))
    }

    fn add_closed(&mut self, hidden: &HiddenWait, as_json: bool) -> anyhow::Result<()> {
        let word = self.count(true, hidden.holds());
        if as_json {
            self.closed = Some(json!({ "holds": hidden.holds(), "hidden": hidden }));
            return Ok(());
        }
        let warning = hidden.warning.as_deref().unwrap_or("no warning");
        let true_p99 = ms(hidden.true_p99_ns);
        print_styled(&format!(
            "{word} one long stall, closed model\n  {warning}; truly {true_p99}\n"
        ))
    }

    fn exit(&self, interrupted: bool) -> Exit {
        match self {
            Self { failed: 1.., .. } => Exit::Failed,
            _ if interrupted => Exit::Interrupted,
            Self {
                not_judged: 1.., ..
            } => Exit::Inconclusive,
            _ => Exit::Held,
        }
    }

    fn finish(self, interrupted: bool, as_json: bool) -> anyhow::Result<Exit> {
        let exit = self.exit(interrupted);
        let (held, failed, open) = (self.held, self.failed, self.not_judged);
        if as_json {
            let all = json!({
                "held": held,
                "failed": failed,
                "not_judged": open,
                "interrupted": interrupted,
                "open": self.results,
                "closed": self.closed,
            });
            print_json(&all)?;
        } else {
            print(&format!(
                "{held} hold within 1 % or 20 us, {failed} are off, {open} were not judged since the \
                 generator was the limit\n"
            ))?;
        }
        Ok(exit)
    }
}

// A `String` takes every write, so the results below are not looked at.

fn table(result: &CalibrationResult, word: &str) -> String {
    let mut text = format!("{word} {}\n", result.name);
    let head = ["percentile", "asked", "true", "reported", "off"];
    let [percentile, asked, truth, reported, off] = head;
    let _ = writeln!(
        text,
        "  {percentile:<10}{asked:>14}{truth:>14}{reported:>14}{off:>9}"
    );
    for row in &result.rows {
        // As `p99.9`, not as `p99.90000000000001`.
        let percentile = format!("p{}", (row.quantile * 1e4).round() / 100.0);
        let _ = writeln!(
            text,
            "  {percentile:<10}{:>14}{:>14}{:>14}{:>7.2} %",
            ms(row.asked_ns),
            ms(row.true_ns),
            ms(row.reported_ns),
            row.error_share() * 100.0
        );
    }
    let arrivals = &result.arrivals;
    let _ = writeln!(
        text,
        "  {} arrivals: {} done, {} in flight, {} queued, {} dropped, {} cut",
        arrivals.scheduled,
        arrivals.done,
        arrivals.in_flight,
        arrivals.queued,
        arrivals.dropped,
        arrivals.cut
    );
    for limit in &result.limits {
        let _ = writeln!(text, "  {limit}");
    }
    text
}

fn ms(ns: u64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_fails_and_what_was_not_judged_does_not() {
        let exit = |counts: &[(bool, bool)], interrupted| {
            let mut outcome = Outcome::default();
            for &(judged, holds) in counts {
                outcome.count(judged, holds);
            }
            outcome.exit(interrupted)
        };
        assert_eq!(exit(&[(true, true), (true, true)], false), Exit::Held);
        assert_eq!(
            exit(&[(true, true), (false, false)], false),
            Exit::Inconclusive
        );
        assert_eq!(exit(&[(false, true)], false), Exit::Inconclusive);
        assert_eq!(exit(&[(true, false), (false, false)], false), Exit::Failed);
        assert_eq!(exit(&[(true, true)], true), Exit::Interrupted);
    }
}
