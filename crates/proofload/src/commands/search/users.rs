//! How throughput grows with users.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use load_engine::search::{Scalability, check_sizes, scalability};
use load_engine::{ConfidenceInterval, RunRecord, ScalabilityFit};
use report::{Conclusion, Report};
use serde::Serialize;

use super::outlook::Outlook;
use super::table::{bar, rate, time};
use super::{Halt, Runner, unless_interrupted};
use crate::arguments::{Runnable, ScalabilityArguments};
use crate::commands::suite::read;
use crate::exit::Exit;
use crate::terminal::{print, print_json, shown, tell};

/// One run with so many users.
#[derive(Serialize)]
struct Measured {
    users: u32,
    /// The achieved rate.
    per_second: f64,
    /// Of the step that took longest.
    p99_ns: u64,
    /// Why its figures are not the target's, if they are not.
    not_judged: Option<String>,
    /// Where its report is.
    report: PathBuf,
}

#[derive(Serialize)]
struct Sweep {
    scenario: String,
    interrupted: bool,
    /// None if the sweep was interrupted.
    found: Option<Scalability>,
    runs: Vec<Measured>,
}

pub(super) fn run(arguments: &ScalabilityArguments) -> anyhow::Result<Exit> {
    let load = &arguments.load;
    let file = read(
        load,
        &Runnable::File(arguments.file.clone()),
        &arguments.set,
    )?;
    let mut users: Vec<u32> = arguments.users.iter().map(|users| users.get()).collect();
    users.sort_unstable();
    users.dedup();
    check_sizes(users.iter().copied()).context("--users")?;
    // Refuses a file without users before anything runs.
    file.set_for_users(1)?;
    let mut runner = Runner::new(load, &arguments.file, &arguments.set)?;
    let mut runs = Vec::new();
    let repeats = arguments.repeats.get();
    let all = users.len() as u32 * repeats;
    let mut outlook = Outlook::begin();
    let measure = |users| {
        let set = file.set_for_users(users).map_err(anyhow::Error::from)?;
        let (report, folder) = runner.run(set)?;
        let measured = Measured::new(users, &report, folder)?;
        let per_second = measured.per_second;
        runs.push(measured);
        let far = outlook.after(all - runs.len() as u32, true);
        tell(&format!("{users} users: {}/s ({far})", rate(per_second)));
        Ok::<_, Halt>(per_second)
    };
    let found = unless_interrupted(scalability(&users, repeats, file.spec().seed, measure))?;
    let sweep = Sweep {
        scenario: file.name().to_owned(),
        interrupted: found.is_none(),
        found,
        runs,
    };
    if load.json {
        print_json(&sweep)?;
    } else {
        let folder = shown(&runner.folder);
        print(&format!("{}runs: {folder}\n", text(&sweep)))?;
    }
    Ok(exit(&sweep))
}

fn exit(sweep: &Sweep) -> Exit {
    match &sweep.found {
        None => Exit::Interrupted,
        Some(_) if sweep.runs.iter().any(|run| run.not_judged.is_some()) => Exit::Inconclusive,
        Some(_) => Exit::Held,
    }
}

impl Measured {
    /// # Errors
    ///
    /// When effects do not hold: there is no throughput of what was not done.
    fn new(users: u32, report: &Report, folder: PathBuf) -> Result<Self, Halt> {
        let Some(scenario) = report.scenarios.first() else {
            return Err(anyhow::anyhow!("the run of {users} users has no scenario").into());
        };
        if !scenario.effects_hold() {
            let reason = &report.verdict.reason;
            let place = folder.display();
            return Err(anyhow::anyhow!(
                "effects do not hold with {users} users: {reason} ({place})"
            )
            .into());
        }
        let limits = scenario.run.generator_limits();
        // A threshold that is missed with many users is what a sweep goes through.
        let not_judged = limits.first().map(ToString::to_string).or_else(|| {
            let verdict = &report.verdict;
            (verdict.conclusion == Conclusion::Inconclusive).then(|| verdict.reason.clone())
        });
        Ok(Self {
            users,
            per_second: scenario.run.operations_per_second(),
            p99_ns: slowest_p99_ns(&scenario.run),
            not_judged,
            report: folder,
        })
    }
}

fn slowest_p99_ns(run: &RunRecord) -> u64 {
    let steps = run.steps.iter().map(|step| step.service_time.p99_ns);
    steps.max().unwrap_or(0)
}

fn text(sweep: &Sweep) -> String {
    let mut text = String::new();
    let fit = sweep.found.as_ref().map(|found| &found.fit);
    let most = sweep.runs.iter().map(|run| run.per_second);
    let most = most.fold(f64::MIN_POSITIVE, f64::max);
    // A `String` takes every write.
    let _ = writeln!(
        text,
        "{:>8}{:>12}{:>12}{:>12}  done/s",
        "users", "done/s", "law", "p99"
    );
    let mut sizes: Vec<u32> = sweep.runs.iter().map(|run| run.users).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for users in sizes {
        let runs = || sweep.runs.iter().filter(|run| run.users == users);
        let per_second = median(runs().map(|run| run.per_second).collect());
        let p99_ns = runs().map(|run| run.p99_ns).max().unwrap_or(0);
        let law = fit.map_or("-".to_owned(), |fit| rate(fit.per_second(users.into())));
        let _ = writeln!(
            text,
            "{users:>8}{:>12}{law:>12}{:>12}  {}",
            rate(per_second),
            time(p99_ns),
            bar(per_second / most)
        );
    }
    match fit {
        None => {
            let _ = writeln!(
                text,
                "{}: interrupted before all was measured",
                sweep.scenario
            );
        }
        Some(fit) => text.push_str(&law(&sweep.scenario, fit)),
    }
    if let Some(reason) = sweep.runs.iter().find_map(|run| run.not_judged.as_ref()) {
        let _ = writeln!(text, "not judged: {reason}");
    }
    text
}

/// The law in words, with its intervals.
fn law(scenario: &str, fit: &ScalabilityFit) -> String {
    let mut text = format!(
        "{scenario}: {}/s of one user alone",
        rate(fit.single_user_per_second)
    );
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let _ = write!(
        text,
        ", contention {} ({}), coherence {} ({}); ",
        percent(fit.contention),
        interval(&fit.contention_interval, percent),
        percent(fit.coherence),
        interval(&fit.coherence_interval, percent)
    );
    let _ = match (fit.shown_peak(), fit.peak_per_second) {
        (Some(users), Some(most)) => write!(
            text,
            "the most is {}/s with {users:.0} users ({})",
            rate(most),
            interval(&fit.peak_users_interval, |users| format!("{users:.0}"))
        ),
        _ => write!(text, "no peak up to {} users", fit.most_users),
    };
    if !fit.misfits.is_empty() {
        let users: Vec<String> = fit.misfits.iter().map(u32::to_string).collect();
        let _ = write!(
            text,
            "; the law does not fit: {} users are off the curve by more than their rounds vary",
            users.join(", ")
        );
    }
    text.push('\n');
    text
}

fn interval(of: &ConfidenceInterval, figure: impl Fn(f64) -> String) -> String {
    let end = |end: Option<f64>| end.map_or("no limit".to_owned(), &figure);
    format!("{} to {}", end(of.low), end(of.high))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    let (below, above) = ((figures.len().max(1) - 1) / 2, figures.len() / 2);
    let at = |index: usize| figures.get(index).copied().unwrap_or(0.0);
    f64::midpoint(at(below), at(above))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swept(not_judged: Option<&str>) -> Sweep {
        let mut runs = Vec::new();
        let found = scalability(&[1, 2, 4, 8, 16, 32], 2, 7, |users| {
            let n = f64::from(users);
            let per_second = 1_000.0 * n / (1.0 + 0.05 * (n - 1.0) + 0.01 * n * (n - 1.0));
            runs.push(Measured {
                users,
                per_second,
                p99_ns: 2_000_000,
                not_judged: not_judged.map(str::to_owned),
                report: PathBuf::new(),
            });
            Ok::<_, load_engine::RunError>(per_second)
        });
        Sweep {
            scenario: "made".to_owned(),
            interrupted: false,
            found: Some(found.unwrap()),
            runs,
        }
    }

    #[test]
    fn each_number_of_users_has_a_row_and_the_law_its_figures() {
        let sweep = swept(None);
        let text = text(&sweep);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 6 + 1, "{text}");
        assert!(
            lines[1].starts_with("       1        1000        1000"),
            "{text}"
        );
        assert!(
            lines[7].starts_with(
                "made: 1000/s of one user alone, contention 5.00 % (5.00 % to 5.00 %), coherence 1.00 %"
            ),
            "{text}"
        );
        assert!(lines[7].ends_with("with 10 users (10 to 10)"), "{text}");
        assert_eq!(exit(&sweep), Exit::Held);
    }

    #[test]
    fn a_sweep_that_the_generator_limited_or_somebody_stopped_says_so() {
        let limited = swept(Some("the generator's own work was 90 %"));
        assert!(text(&limited).ends_with("not judged: the generator's own work was 90 %\n"));
        assert_eq!(exit(&limited), Exit::Inconclusive);
        let mut stopped = swept(None);
        stopped.found = None;
        assert!(text(&stopped).ends_with("made: interrupted before all was measured\n"));
        assert_eq!(exit(&stopped), Exit::Interrupted);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two() {
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
        assert_eq!(median(vec![3.0, 1.0, 9.0]), 3.0);
    }
}
