//! The highest rate that still holds.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use load_engine::RunRecord;
use load_engine::search::{BreakingPoint, ProbeResult, RateSearch, breaking_point};
use report::Report;
use serde::Serialize;

use super::outlook::{Outlook, most_to_come};
use super::table::{bar, rate, time};
use super::{Halt, Runner, unless_interrupted};
use crate::arguments::{BreakingPointArguments, Runnable};
use crate::commands::suite::read;
use crate::exit::Exit;
use crate::terminal::{print, print_json, shown, tell};

/// How many times the first rate is tried at most, unless it is said.
const REACH: f64 = 1_000.0;

/// One run at a rate.
#[derive(Serialize)]
struct Trial {
    /// The rate that was asked for.
    per_s: f64,
    /// Arrivals that the schedule had.
    arrivals: u64,
    /// Arrivals that were done in the scheduled time, a second of it.
    achieved_per_s: f64,
    p50_ns: u64,
    p99_ns: u64,
    ruling: ProbeResult,
    /// Where its report is.
    report: PathBuf,
}

#[derive(Serialize)]
struct Search {
    scenario: String,
    search: RateSearch,
    interrupted: bool,
    /// None if the search was interrupted.
    found: Option<BreakingPoint>,
    trials: Vec<Trial>,
}

pub(super) fn run(arguments: &BreakingPointArguments) -> anyhow::Result<Exit> {
    let load = &arguments.load;
    let file = read(
        load,
        &Runnable::File(arguments.file.clone()),
        &arguments.set,
    )?;
    // Without a rate, an arrival a second for each user.
    let known = file.highest_rate().or(file.most_users());
    let from = arguments.from.or(known).unwrap_or(1.0);
    // Refuses a file without rates before anything runs.
    file.set_for_rate(from)?;
    let to = arguments.to.unwrap_or(from * REACH);
    if to < from {
        bail!("--to {to} is below the rate to begin with, {from}: name a higher one");
    }
    let search = RateSearch::between(from, to)
        .precision(arguments.precision)
        .agreeing(if arguments.fast {
            1
        } else {
            arguments.agreeing.get()
        });
    let mut runner = Runner::new(load, &arguments.file, &arguments.set)?;
    let mut trials: Vec<Trial> = Vec::new();
    let mut outlook = Outlook::begin();
    let found = breaking_point(&search, |per_s| {
        let set = file.set_for_rate(per_s).map_err(anyhow::Error::from)?;
        let (report, folder) = runner.run(set)?;
        let trial = Trial::new(per_s, &report, folder);
        let ruling = trial.ruling.clone();
        trials.push(trial);
        let tried = trials.iter().map(|trial| (trial.per_s, &trial.ruling));
        let more = most_to_come(&search, &tried.collect::<Vec<_>>());
        let far = outlook.after(more, false);
        tell(&format!("{}/s: {} ({far})", rate(per_s), words(&ruling)));
        Ok::<_, Halt>(ruling)
    });
    let found = unless_interrupted(found)?;
    let search = Search {
        scenario: file.name().to_owned(),
        search,
        interrupted: found.is_none(),
        found,
        trials,
    };
    if load.json {
        print_json(&search)?;
    } else {
        let folder = shown(&runner.folder);
        print(&format!("{}runs: {folder}\n", text(&search)))?;
    }
    Ok(exit(search.found.as_ref()))
}

fn exit(found: Option<&BreakingPoint>) -> Exit {
    match found {
        None => Exit::Interrupted,
        Some(found) if found.not_judged.is_some() => Exit::Inconclusive,
        Some(found) if found.highest_held_per_s.is_none() => Exit::Failed,
        Some(_) => Exit::Held,
    }
}

impl Trial {
    fn new(per_s: f64, report: &Report, folder: PathBuf) -> Self {
        let run = report.scenarios.first().map(|scenario| &scenario.run);
        let response = run.and_then(|run| run.open.as_ref());
        let times = response.map(|open| &open.response_time);
        Self {
            per_s,
            arrivals: response.map_or(0, |open| open.arrivals.scheduled),
            achieved_per_s: run.map_or(0.0, done_per_s),
            p50_ns: times.map_or(0, |times| times.p50_ns),
            p99_ns: times.map_or(0, |times| times.p99_ns),
            ruling: report.ruling(),
            report: folder,
        }
    }
}

fn done_per_s(run: &RunRecord) -> f64 {
    let done = run.open.as_ref().map_or(0, |open| open.arrivals.done);
    done as f64 / (run.window_ns().max(1) as f64 / 1e9)
}

fn text(search: &Search) -> String {
    let mut text = String::new();
    let slowest = search.trials.iter().map(|trial| trial.p99_ns).max();
    let slowest = slowest.unwrap_or(0).max(1) as f64;
    // A `String` takes every write.
    let _ = writeln!(
        text,
        "{:>10}{:>12}{:>12}{:>12}  {:<12}p99",
        "asked/s", "done/s", "p50", "p99", ""
    );
    let mut trials: Vec<&Trial> = search.trials.iter().collect();
    trials.sort_by(|a, b| a.per_s.total_cmp(&b.per_s));
    for trial in trials {
        let ruling = match &trial.ruling {
            ProbeResult::Held => "held",
            ProbeResult::Violated(_) => "not held",
            _ => "unclear",
        };
        let _ = writeln!(
            text,
            "{:>10}{:>12}{:>12}{:>12}  {ruling:<12}{}",
            rate(trial.per_s),
            rate(trial.achieved_per_s),
            time(trial.p50_ns),
            time(trial.p99_ns),
            bar(trial.p99_ns as f64 / slowest)
        );
    }
    let _ = writeln!(text, "{}: {}", search.scenario, answer(search));
    if let Some(widened) = widened(search) {
        let _ = writeln!(text, "{widened}");
    }
    text
}

/// So many arrivals, over the square of an overload, show it with 95 % by the backlog that it leaves.
const ARRIVALS_TO_SHOW: f64 = 43.0;

/// What trials were too short for, if they were: a rate just above the limit leaves too small a backlog.
fn widened(search: &Search) -> Option<String> {
    let held = search.found.as_ref()?.highest_held_per_s?;
    let mut at_limit = search.trials.iter().filter(|trial| trial.per_s == held);
    let arrivals = at_limit.next()?.arrivals.max(1) as f64;
    let shown = (ARRIVALS_TO_SHOW / arrivals).sqrt();
    let precision = search.search.precision;
    (shown > precision).then(|| {
        format!(
            "a trial of {arrivals} arrivals shows an overload of {:.0} % by its backlog, and one of {:.0} \
             arrivals one of {:.0} %: longer phases make it more precise",
            shown * 100.0,
            (ARRIVALS_TO_SHOW / (precision * precision)).ceil(),
            precision * 100.0
        )
    })
}

/// What the search found, in a sentence.
fn answer(search: &Search) -> String {
    let Some(found) = &search.found else {
        return "interrupted before the breaking point was found".to_owned();
    };
    if let Some(reason) = &found.not_judged {
        let held = found.highest_held_per_s.map(rate);
        let held = held.map_or("nothing".to_owned(), |held| format!("{held}/s"));
        return format!("{held} held, and no higher rate can be judged: {reason}");
    }
    let broken = search.trials.iter().rev();
    let mut broken = broken.filter(|trial| Some(trial.per_s) == found.lowest_violated_per_s);
    let why = broken.find_map(|trial| match &trial.ruling {
        ProbeResult::Violated(reason) => Some(reason.as_str()),
        _ => None,
    });
    let why = why.unwrap_or_default();
    match (found.highest_held_per_s, found.lowest_violated_per_s) {
        (Some(held), Some(violated)) => {
            let (low, high) = (votes(found, held), votes(found, violated));
            format!(
                "{}/s held {low}, {}/s held {high} ({why})",
                rate(held),
                rate(violated)
            )
        }
        (Some(held), None) => format!("{}/s held, the highest that was to be tried", rate(held)),
        (None, _) => {
            let from = rate(search.search.from_per_s);
            format!("not even {from}/s held ({why}): name a lower --from")
        }
    }
}

/// How many of the trials at a rate held.
fn votes(found: &BreakingPoint, per_s: f64) -> String {
    let (held, violated) = found.votes(per_s);
    format!("{held} of {}", held + violated)
}

fn words(ruling: &ProbeResult) -> String {
    match ruling {
        ProbeResult::Held => "held".to_owned(),
        ProbeResult::Violated(reason) => format!("not held: {reason}"),
        ProbeResult::Inconclusive(reason) => format!("not judged: {reason}"),
        _ => "of another kind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed of a search for the limit of a target that bears so much.
    fn searched(limit: f64, generator: f64) -> (String, Exit) {
        let search = RateSearch::between(100.0, 800.0).precision(0.2).agreeing(1);
        let mut trials = Vec::new();
        let found = breaking_point(&search, |per_s| {
            let ruling = match per_s {
                _ if per_s > generator => ProbeResult::Inconclusive("late".to_owned()),
                _ if per_s > limit => ProbeResult::Violated("p99 < 1s: it was 2 s".to_owned()),
                _ => ProbeResult::Held,
            };
            trials.push(Trial {
                per_s,
                arrivals: 10_000,
                achieved_per_s: per_s.min(limit),
                p50_ns: 1_000_000,
                p99_ns: if per_s > limit {
                    2_000_000_000
                } else {
                    5_000_000
                },
                ruling: ruling.clone(),
                report: PathBuf::new(),
            });
            Ok::<_, std::convert::Infallible>(ruling)
        });
        let search = Search {
            scenario: "made".to_owned(),
            search,
            interrupted: false,
            found: Some(found.unwrap()),
            trials,
        };
        (text(&search), exit(search.found.as_ref()))
    }

    #[test]
    fn the_rate_that_held_and_the_one_that_did_not_are_named_with_the_reason() {
        let (text, exit) = searched(250.0, 1e9);
        assert_eq!(exit, Exit::Held);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 5, "{text}");
        assert!(lines[1].starts_with("       100         100"), "{text}");
        assert!(lines[5].contains("not held    ████"), "{text}");
        assert_eq!(
            lines[6],
            "made: 238/s held 1 of 1, 283/s held 0 of 1 (p99 < 1s: it was 2 s)"
        );
    }

    #[test]
    fn trials_that_are_too_short_for_the_precision_say_so() {
        let search = RateSearch::between(100.0, 200.0).precision(0.05);
        let trial = |arrivals| Trial {
            per_s: 100.0,
            arrivals,
            achieved_per_s: 100.0,
            p50_ns: 1,
            p99_ns: 1,
            ruling: ProbeResult::Held,
            report: PathBuf::new(),
        };
        let told = |trial: Trial| {
            let found = breaking_point(&RateSearch::between(100.0, 100.0).agreeing(1), |_| {
                Ok::<_, std::convert::Infallible>(ProbeResult::Held)
            });
            widened(&Search {
                scenario: "made".to_owned(),
                search,
                interrupted: false,
                found: Some(found.unwrap()),
                trials: vec![trial],
            })
        };
        assert_eq!(told(trial(17_300)), None);
        let text = told(trial(1_000)).unwrap();
        assert!(
            text.starts_with("a trial of 1000 arrivals shows an overload of 21 %"),
            "{text}"
        );
        assert!(text.contains("one of 17200 arrivals one of 5 %"), "{text}");
    }

    #[test]
    fn a_target_that_bears_all_or_nothing_and_a_generator_at_its_end_are_told_apart() {
        let (all, exit) = searched(1e9, 1e9);
        assert!(all.ends_with("made: 800/s held, the highest that was to be tried\n"));
        assert_eq!(exit, Exit::Held);
        let (none, exit) = searched(1.0, 1e9);
        assert!(
            none.contains("not even 100/s held (p99 < 1s: it was 2 s)"),
            "{none}"
        );
        assert_eq!(exit, Exit::Failed);
        let (limited, exit) = searched(1e9, 300.0);
        assert!(limited.contains("200/s held, and no higher rate can be judged: late"));
        assert_eq!(exit, Exit::Inconclusive);
    }
}
