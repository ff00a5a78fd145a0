use load_engine::Defect;

use super::findings::finding;
use super::origin::origin;
use super::scenario::section;
use super::{Cell, KeyFigure, Page, Table, Tone};
use crate::render::text::sentence;
use crate::units::{cores, count, counted, duration, memory, percent, rate};
use crate::{Conclusion, Report, ScenarioResult};

impl Page {
    /// Describes a report.
    pub(in crate::render) fn of(report: &Report) -> Self {
        let verdict = &report.verdict;
        let texts = |list: &[crate::Violation]| list.iter().map(ToString::to_string).collect();
        Self {
            subject: subject(report),
            conclusion: verdict.conclusion,
            reason: sentence(&verdict.reason),
            figures: key_figures(report),
            summary: format!(
                "{} in {}, {} verified{}.",
                counted(report.operations(), "operation"),
                duration(report.elapsed_seconds * 1e9),
                counted(report.verified_effects(), "effect"),
                proved_after(&report.scenarios)
            ),
            notes: notes(report),
            overview: overview(&report.scenarios),
            violations: texts(&verdict.violations),
            recommendations: texts(&verdict.recommendations),
            findings: report
                .findings
                .iter()
                .enumerate()
                .map(|(at, found)| finding(at + 1, found, &report.scenarios))
                .collect(),
            sections: report.scenarios.iter().map(section).collect(),
            origin: origin(report),
        }
    }
}

/// After what the effects were read, if it is the same everywhere.
fn proved_after(scenarios: &[ScenarioResult]) -> &'static str {
    if scenarios.iter().all(|scenario| scenario.effects.is_none()) {
        return " after the targets were closed and opened again";
    }
    let mut after = scenarios.iter().map(ScenarioResult::proved_after);
    match after.next() {
        Some("after a restart") if after.all(|after| after == "after a restart") => {
            " after the services were restarted"
        }
        _ => "",
    }
}

/// The scenarios and the date: "approval, storage · 2026-01-02 03:04 UTC".
fn subject(report: &Report) -> String {
    const NAMED: usize = 3;
    let names = report.scenarios.iter().map(|scenario| &*scenario.name);
    let mut subject = names.take(NAMED).collect::<Vec<_>>().join(", ");
    match report.scenarios.len() {
        0 => subject.push_str("no scenario"),
        all if all > NAMED => subject.push_str(&format!(" and {} more", all - NAMED)),
        _ => {}
    }
    // RFC 3339 in UTC, to the minute.
    let date = report.started_at.get(..16).unwrap_or(&report.started_at);
    format!("{subject} · {} UTC", date.replace('T', " "))
}

fn key_figures(report: &Report) -> Vec<KeyFigure> {
    let scenarios = &report.scenarios;
    let sum = |of: fn(&ScenarioResult) -> u64| scenarios.iter().map(of).sum::<u64>();
    let operations = report.operations();
    let failed = sum(|scenario| scenario.run.failed_operations());
    let discrepancies = sum(|scenario| scenario.verification.discrepancy_count());
    let verified = report.verified_effects();
    let effects = if verified > 0 && discrepancies == 0 {
        Tone::Good
    } else {
        Tone::bad_if(discrepancies > 0)
    };
    let outside = sum(|scenario| scenario.run.failures.total());
    let share = match operations + outside {
        0 => "–".to_owned(),
        all => percent((failed + outside) as f64 / all as f64),
    };
    let slowest = scenarios
        .iter()
        .flat_map(|scenario| &scenario.run.steps)
        .filter_map(|step| step.felt().p99())
        .max();
    let figure = |name, value, tone| KeyFigure { name, value, tone };
    vec![
        figure("effects verified", count(verified), effects),
        figure(
            "lost, altered or otherwise wrong",
            count(discrepancies),
            Tone::bad_if(discrepancies > 0),
        ),
        figure("operations", count(operations), Tone::Plain),
        figure("failed", share, Tone::bad_if(failed + outside > 0)),
        figure(
            "p99 of the slowest step",
            slowest.map_or_else(|| "–".to_owned(), |ns| duration(ns as f64)),
            Tone::Plain,
        ),
        figure(
            "the whole run took",
            duration(report.elapsed_seconds * 1e9),
            Tone::Plain,
        ),
    ]
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.build.profile != "release" {
        notes.push("Debug build: do not use its latencies.".to_owned());
    }
    if report.machine.filesystem.as_deref() == Some("tmpfs") {
        let tmpfs = "The data was on tmpfs, where a sync costs nothing and nothing lasts.";
        notes.push(tmpfs.to_owned());
    }
    notes
}

fn overview(scenarios: &[ScenarioResult]) -> Table {
    let mut columns = vec![
        "scenario",
        "verdict",
        "load",
        "operations",
        "failed",
        "throughput",
        "verified",
        "lost",
        "altered",
        "duplicated",
        "unexpected",
        "memory before → peak → after",
        "CPU",
    ];
    // Defects that only services of others can have, where one has them.
    let mut rare: Vec<Defect> = Vec::new();
    for (defect, count) in scenarios
        .iter()
        .flat_map(|result| result.verification.defects())
    {
        if count > 0 && !columns.contains(&defect.name()) {
            columns.push(defect.name());
            rare.push(defect);
        }
    }
    let mut table = Table::new("Scenarios", &columns).with_text(&["verdict", "load"]);
    let rows = scenarios.iter();
    table.rows = rows.map(|result| scenario_row(result, &rare)).collect();
    table
}

fn scenario_row(result: &ScenarioResult, rare: &[Defect]) -> Vec<Cell> {
    let (run, found) = (&result.run, &result.verification);
    let failed = run.failed_operations() + run.failures.total();
    let wrong =
        |number: u64| Cell::number(count(number), number as f64).toned(Tone::bad_if(number > 0));
    let throughput = run.operations_per_second();
    let mut row = vec![
        Cell::text(&result.name),
        Cell::text(mark(result.conclusion)).toned(Tone::of(result.conclusion)),
        Cell::text(&result.load),
        Cell::number(count(run.operations()), run.operations() as f64),
        Cell::number(
            format!("{} ({})", count(failed), percent(run.error_rate())),
            run.error_rate(),
        )
        .toned(Tone::bad_if(failed > 0)),
        Cell::number(rate(throughput), throughput),
        Cell::number(count(found.verified), found.verified as f64),
        wrong(found.lost),
        wrong(found.altered),
        wrong(found.duplicated),
        wrong(found.unexpected),
        Cell::number(
            memory(&run.monitor.summary),
            run.monitor.summary.resident_peak_bytes.unwrap_or(0) as f64,
        ),
        Cell::number(
            cores(&run.monitor.summary),
            run.monitor.summary.cores_used.unwrap_or(0.0),
        ),
    ];
    let of_rare = found.defects().into_iter();
    let of_rare = of_rare.filter(|(defect, _)| rare.contains(defect));
    row.extend(of_rare.map(|(_, count)| wrong(count)));
    row
}

/// A verdict in a word and a sign that needs no colour.
pub(in crate::render) fn mark(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Pass => "✅ pass",
        Conclusion::Fail => "❌ fail",
        Conclusion::Inconclusive => "⚪ inconclusive",
    }
}
