//! The end of a run, for a terminal: what was violated first, then figures, then findings.

mod lines;
mod steps;
mod thresholds;

use anstyle::{AnsiColor, Style};
use load_engine::RunRecord;

use self::lines::Lines;
use crate::evidence::evidence;
use crate::units::{cores, count, counted, duration, memory, percent, rate};
use crate::{Conclusion, Report, ScenarioResult};

const DIM: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

/// Columns of a terminal of which nothing is known.
const USUAL_COLUMNS: usize = 80;

/// In fewer, tables have no room; in more, a sentence is hard to read.
const COLUMNS: std::ops::RangeInclusive<usize> = 40..=200;

/// The most frequent messages that are shown of a step; the rest is in the report.
const MESSAGES: usize = 3;

/// The report for a terminal of 80 columns, with ANSI styles: print it through a stream that removes
/// them where they do not belong.
#[must_use]
pub fn terminal(report: &Report) -> String {
    terminal_in(report, USUAL_COLUMNS)
}

/// As [`terminal`], for a terminal of so many columns: at least 40 are used, and at most 200.
#[must_use]
pub fn terminal_in(report: &Report, columns: usize) -> String {
    let columns = columns.clamp(*COLUMNS.start(), *COLUMNS.end());
    let mut lines = Lines::new(columns);
    for result in &report.scenarios {
        scenario(&mut lines, result);
    }
    for recommended in &report.verdict.recommendations {
        lines.wrapped(OPEN, "recommendation:", &recommended.to_string());
    }
    for found in &report.findings {
        let head = format!("{} ({}):", found.kind, found.strength.grade);
        let (place, evidence) = (found.place(), &found.evidence.text);
        let text = format!("{place}: {evidence}; {}", found.recommendation);
        lines.wrapped(OPEN, &head, &text);
    }
    conclusion(&mut lines, report);
    lines.text
}

fn scenario(lines: &mut Lines, result: &ScenarioResult) {
    let head = format!("{} {}", word(result.conclusion), result.name);
    let about = format!("{} · {}", result.load, result.title);
    lines.wrapped(style_of(result.conclusion), &head, &about);
    if let Some(reason) = &result.reason {
        lines.wrapped(style_of(result.conclusion), "  because", reason);
    }
    thresholds::write(lines, result);
    let after = result.proved_after();
    let evidence = format!("{}, read {after}", evidence(&result.verification));
    lines.wrapped(PLAIN, "  ", &evidence);
    for line in result.effect_lines() {
        lines.wrapped(PLAIN, "  ", &line);
    }
    for step in &result.vacuous_steps {
        lines.wrapped(
            BAD,
            "  vacuous",
            &format!("write step {step} wrote nothing"),
        );
    }
    lines.wrapped(PLAIN, "  ", &load(&result.run));
    let used = &result.run.monitor.summary;
    let resources = format!("memory {} · {}", memory(used), cores(used));
    lines.wrapped(PLAIN, "  ", &resources);
    steps::write(lines, &result.run);
    failures(lines, &result.run);
    discrepancies(lines, result);
    lines.gap();
}

/// What was asked for, what came of it in the scheduled window, and what came later.
fn load(run: &RunRecord) -> String {
    let mut text = format!(
        "{} in {}: {}, {} failed",
        counted(run.operations(), "operation"),
        duration(run.window_ns() as f64),
        rate(run.operations_per_second()),
        percent(run.error_rate())
    );
    let drained: u64 = run.steps.iter().map(|step| step.drained).sum();
    if drained > 0 {
        let took = duration(run.drain_ns() as f64);
        text.push_str(&format!(", and {} drained in {took}", count(drained)));
    }
    if let Some(dropped) = run.open.as_ref().map(|open| open.arrivals.dropped)
        && dropped > 0
    {
        text.push_str(&format!(", {} dropped", counted(dropped, "arrival")));
    }
    text
}

fn failures(lines: &mut Lines, run: &RunRecord) {
    let of_steps = run
        .steps
        .iter()
        .map(|step| (step.name.as_str(), &step.failures));
    for (place, failures) in of_steps.chain([("outside every step", &run.failures)]) {
        for failure in failures.messages.iter().take(MESSAGES) {
            let text = format!("{} ({}×)", failure.message, count(failure.count));
            lines.wrapped(BAD, &format!("  {place}:"), &text);
        }
    }
}

fn discrepancies(lines: &mut Lines, result: &ScenarioResult) {
    const SHOWN: usize = 5;
    let found = &result.verification;
    for item in found.discrepancies.iter().take(SHOWN) {
        let defect = format!("  {:?}:", item.defect).to_lowercase();
        lines.wrapped(BAD, &defect, &format!("{} {}", item.kind, item.key));
    }
    let more = found.discrepancy_count().saturating_sub(SHOWN as u64);
    if more > 0 {
        let place = result.discrepancies_file.as_deref().unwrap_or("the report");
        let text = format!("and {} more, in {place}", count(more));
        lines.wrapped(PLAIN, "  …", &text);
    }
    if let Some(data) = &result.data_kept_in {
        lines.wrapped(PLAIN, "  data kept in", data);
    }
}

fn conclusion(lines: &mut Lines, report: &Report) {
    let conclusion = report.verdict.conclusion;
    let text = format!(
        "{}: {} in {}, {} verified",
        report.verdict.reason,
        counted(report.operations(), "operation"),
        duration(report.elapsed_seconds * 1e9),
        counted(report.verified_effects(), "effect")
    );
    lines.wrapped(style_of(conclusion), word(conclusion), &text);
    if report.build.profile != "release" {
        lines.wrapped(OPEN, "note:", "debug build: do not use its latencies");
    }
    if report.machine.filesystem.as_deref() == Some("tmpfs") {
        let tmpfs = "the data was on tmpfs, where a sync costs nothing and nothing lasts";
        lines.wrapped(OPEN, "note:", tmpfs);
    }
}

fn word(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Pass => "PASS",
        Conclusion::Fail => "FAIL",
        Conclusion::Inconclusive => "INCONCLUSIVE",
    }
}

fn style_of(conclusion: Conclusion) -> Style {
    match conclusion {
        Conclusion::Pass => GOOD,
        Conclusion::Fail => BAD,
        Conclusion::Inconclusive => OPEN,
    }
}
