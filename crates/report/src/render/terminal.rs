use std::borrow::Cow;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::text::visible;
use crate::units::{cores, count, duration, memory, percent, rate};
use crate::{Conclusion, Report, ScenarioResult};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

/// The report for a terminal, with ANSI styles: print it through a stream that removes them where
/// they do not belong.
#[must_use]
pub fn terminal(report: &Report) -> String {
    let mut text = String::new();
    for result in &report.scenarios {
        scenario(&mut text, result);
    }
    exceeded(&mut text, report);
    shown(&mut text, report);
    conclusion(&mut text, report);
    text
}

// A `String` takes every write, so the results below are not looked at.

fn scenario(text: &mut String, result: &ScenarioResult) {
    let run = &result.run;
    let _ = writeln!(
        text,
        "{} {BOLD}{}{BOLD:#} {DIM}{} · {}{DIM:#}",
        badge(result.conclusion),
        plain(&result.name),
        plain(&result.load),
        plain(&result.title)
    );
    let _ = writeln!(
        text,
        "  {} operations in {}, {}, {} failed · memory {} · {}",
        count(run.operations()),
        duration(run.wall_ns as f64),
        rate(run.operations_per_second()),
        percent(run.error_rate()),
        memory(&run.monitor.summary),
        cores(&run.monitor.summary)
    );
    if let Some(reason) = &result.reason {
        let style = style_of(result.conclusion);
        let _ = writeln!(text, "  {style}{}{style:#}", plain(reason));
    }
    text.push_str(&super::thresholds::lines(result));
    effects(text, result);
    let _ = writeln!(
        text,
        "  {DIM}{:<22}{:>9}{:>8}{:>9}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{DIM:#}",
        "step",
        "attempts",
        "failed",
        "min",
        "mean",
        "p50",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "max",
        "effects"
    );
    for step in &run.steps {
        let times = &step.service_time;
        let time = |ns: f64| {
            if times.count == 0 {
                "–".to_owned()
            } else {
                duration(ns)
            }
        };
        let style = if step.failed > 0 || step.is_vacuous() {
            BAD
        } else {
            Style::new()
        };
        let _ = writeln!(
            text,
            "  {style}{:<22}{:>9}{:>8}{:>9}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{style:#}",
            plain(&step.name),
            count(step.attempted),
            count(step.failed),
            time(times.min_ns as f64),
            time(times.mean_ns),
            time(times.p50_ns as f64),
            time(times.p90_ns as f64),
            time(times.p95_ns as f64),
            time(times.p99_ns as f64),
            time(times.p999_ns as f64),
            time(times.max_ns as f64),
            if step.effect {
                count(step.effects)
            } else {
                "–".to_owned()
            },
        );
    }
    for step in &run.steps {
        for failure in step.failures.messages.iter().take(3) {
            let (name, message) = (plain(&step.name), plain(&failure.message));
            let _ = writeln!(
                text,
                "  {BAD}{name}{BAD:#}: {message} ({}×)",
                count(failure.count)
            );
        }
    }
    discrepancies(text, result);
    text.push('\n');
}

fn effects(text: &mut String, result: &ScenarioResult) {
    let found = &result.verification;
    let style = if result.effects_hold() { GOOD } else { BAD };
    let _ = writeln!(
        text,
        "  {style}{} effects verified{style:#} {}: {} lost, {} altered, {} duplicated, \
         {} unexpected{}",
        count(found.verified),
        result.proved_after(),
        count(found.lost),
        count(found.altered),
        count(found.duplicated),
        count(found.unexpected),
        match found.indeterminate {
            0 => String::new(),
            open => format!(", {} never acknowledged", count(open)),
        }
    );
    for line in result.effect_lines() {
        let _ = writeln!(text, "  {}", plain(&line));
    }
    for step in &result.vacuous_steps {
        let _ = writeln!(
            text,
            "  {BAD}vacuous{BAD:#}: write step {} wrote nothing",
            plain(step)
        );
    }
}

fn discrepancies(text: &mut String, result: &ScenarioResult) {
    const SHOWN: usize = 5;
    let found = &result.verification;
    for item in found.discrepancies.iter().take(SHOWN) {
        let defect = format!("{:?}", item.defect).to_lowercase();
        let (kind, key) = (plain(&item.kind), plain(&item.key));
        let _ = writeln!(text, "  {BAD}{defect}{BAD:#}: {kind} {key}");
    }
    let more = found.discrepancy_count().saturating_sub(SHOWN as u64);
    if more > 0 {
        let place = result.discrepancies_file.as_deref().unwrap_or("the report");
        let _ = writeln!(text, "  … and {} more, in {}", count(more), plain(place));
    }
    if let Some(data) = &result.data_kept_in {
        let _ = writeln!(text, "  data kept in {}", plain(data));
    }
}

fn exceeded(text: &mut String, report: &Report) {
    let lists = [
        ("violation", BAD, &report.verdict.violations),
        ("recommendation", OPEN, &report.verdict.recommendations),
    ];
    for (name, style, list) in lists {
        for violation in list {
            let told = violation.to_string();
            let _ = writeln!(text, "{style}{name}{style:#}: {}", plain(&told));
        }
    }
}

fn shown(text: &mut String, report: &Report) {
    for found in &report.findings {
        let _ = writeln!(
            text,
            "{OPEN}{}{OPEN:#} ({}): {}: {}; {}",
            found.kind,
            found.strength.grade,
            plain(&found.place()),
            plain(&found.evidence.text),
            plain(&found.recommendation)
        );
    }
}

fn conclusion(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "{} {BOLD}{}{BOLD:#}: {} operations in {:.2} s, {} effects verified",
        badge(report.verdict.conclusion),
        plain(&report.verdict.reason),
        count(report.operations()),
        report.elapsed_seconds,
        count(report.verified_effects())
    );
    if report.build.profile != "release" {
        let _ = writeln!(
            text,
            "{OPEN}note{OPEN:#}: debug build: do not use its latencies"
        );
    }
    if report.machine.filesystem.as_deref() == Some("tmpfs") {
        let _ = writeln!(
            text,
            "{OPEN}note{OPEN:#}: the data was on tmpfs, where a sync costs nothing and nothing lasts"
        );
    }
}

fn badge(conclusion: Conclusion) -> String {
    let word = match conclusion {
        Conclusion::Pass => "PASS",
        Conclusion::Fail => "FAIL",
        Conclusion::Inconclusive => "INCONCLUSIVE",
    };
    let style = style_of(conclusion);
    format!("{style}{word}{style:#}")
}

fn style_of(conclusion: Conclusion) -> Style {
    match conclusion {
        Conclusion::Pass => GOOD,
        Conclusion::Fail => BAD,
        Conclusion::Inconclusive => OPEN,
    }
}

/// Names and messages come from targets: no control character of theirs reaches the terminal.
fn plain(text: &str) -> Cow<'_, str> {
    visible(text)
}
