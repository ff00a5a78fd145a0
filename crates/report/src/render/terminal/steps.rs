//! The table of steps, in as many columns as fit.

use load_engine::{LatencySummary, RunRecord, StepSummary};

use super::lines::Lines;
use super::{BAD, DIM, PLAIN};
use crate::render::text::{elided, visible};
use crate::units::{count, duration};

/// A column: its title, its width, and the figure of a step and of the latencies that its row is about.
struct Column {
    title: &'static str,
    width: usize,
    figure: Figure,
}

enum Figure {
    /// Of the step, in its first row only.
    Step(fn(&StepSummary) -> String),
    Latency(fn(&LatencySummary) -> Option<f64>),
}

const fn of_step(title: &'static str, width: usize, of: fn(&StepSummary) -> String) -> Column {
    Column {
        title,
        width,
        figure: Figure::Step(of),
    }
}

const fn latency(title: &'static str, of: fn(&LatencySummary) -> Option<f64>) -> Column {
    Column {
        title,
        width: 9,
        figure: Figure::Latency(of),
    }
}

const ATTEMPTS: Column = of_step("attempts", 11, |step| count(step.attempted));
const FAILED: Column = of_step("failed", 9, |step| count(step.failed));
const EFFECTS: Column = of_step("effects", 11, |step| match step.effect {
    true => count(step.effects),
    false => "–".to_owned(),
});
const MIN: Column = latency("min", |of| (of.count > 0).then_some(of.min_ns as f64));
const MEAN: Column = latency("mean", |of| (of.count > 0).then_some(of.mean_ns));
const P50: Column = latency("p50", |of| of.p50().map(|ns| ns as f64));
const P90: Column = latency("p90", |of| of.p90().map(|ns| ns as f64));
const P95: Column = latency("p95", |of| of.p95().map(|ns| ns as f64));
const P99: Column = latency("p99", |of| of.p99().map(|ns| ns as f64));
const P999: Column = latency("p99.9", |of| of.p999().map(|ns| ns as f64));
const MAX: Column = latency("max", |of| (of.count > 0).then_some(of.max_ns as f64));

const NARROW: [Column; 3] = [FAILED, P95, P99];
const USUAL: [Column; 6] = [ATTEMPTS, FAILED, P50, P95, P99, EFFECTS];
const WIDE: [Column; 11] = [
    ATTEMPTS, FAILED, MIN, MEAN, P50, P90, P95, P99, P999, MAX, EFFECTS,
];

const USUAL_FROM: usize = 78;
const WIDE_FROM: usize = 128;

/// The widest that a name is shown.
const MAX_NAME: usize = 40;

pub(super) fn write(lines: &mut Lines, run: &RunRecord) {
    if run.steps.is_empty() {
        return;
    }
    let columns: &[Column] = match lines.columns {
        WIDE_FROM.. => &WIDE,
        USUAL_FROM.. => &USUAL,
        _ => &NARROW,
    };
    let figures: usize = columns.iter().map(|column| column.width).sum();
    let name = (lines.columns - figures - 2).min(MAX_NAME);
    let is_open = run.steps.iter().any(|step| step.response_time.is_some());
    let what = match is_open {
        true => "response times, from when operations were due; service times below",
        false => "service times",
    };
    lines.wrapped(DIM, &format!("  {what}"), "");
    let titles = columns
        .iter()
        .map(|column| format!("{:>1$}", column.title, column.width));
    lines.line(
        DIM,
        &format!("  {:<name$}{}", "step", titles.collect::<String>()),
    );
    for step in &run.steps {
        let bad = step.failed > 0 || step.is_vacuous();
        let style = if bad { BAD } else { PLAIN };
        lines.line(style, &row(step, step.felt(), columns, name, true));
        if step.response_time.is_some() {
            lines.line(DIM, &row(step, &step.service_time, columns, name, false));
        }
    }
    let mut parts = run
        .parts
        .iter()
        .filter(|part| part.time.count + part.failed > 0)
        .peekable();
    if parts.peek().is_some() {
        lines.wrapped(DIM, "  times beside the steps, which are in no total", "");
    }
    for part in parts {
        let mut step = StepSummary::default();
        step.attempted = part.time.count + part.failed;
        step.failed = part.failed;
        let title = elided(&visible(&part.name), name).into_owned();
        lines.line(
            PLAIN,
            &cells(&title, &step, &part.time, columns, name, true),
        );
    }
}

fn row(
    step: &StepSummary,
    times: &LatencySummary,
    columns: &[Column],
    name: usize,
    is_first: bool,
) -> String {
    let title = match is_first {
        true => elided(&visible(&step.name), name).into_owned(),
        false => "  service time".to_owned(),
    };
    cells(&title, step, times, columns, name, is_first)
}

/// A row with this title: the figures of these times, and those of the step in its first row.
fn cells(
    title: &str,
    step: &StepSummary,
    times: &LatencySummary,
    columns: &[Column],
    name: usize,
    is_first: bool,
) -> String {
    let cell = |column: &Column| {
        let figure = match column.figure {
            Figure::Step(of) if is_first => of(step),
            Figure::Step(_) => String::new(),
            // What so few operations cannot support is not a figure.
            Figure::Latency(of) => of(times).map_or_else(|| "–".to_owned(), duration),
        };
        format!("{figure:>0$}", column.width)
    };
    let cells: String = columns.iter().map(cell).collect();
    format!("  {title:<name$}{cells}")
}
