use load_engine::{LatencySummary, PartSummary, RunRecord, StepSummary};

use super::{Cell, Table, Tone};
use crate::render::times::supported;
use crate::units::{count, duration};

const TIMES: [&str; 8] = ["min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"];

/// Service times, and response times where a model has them.
pub(super) fn step_tables(steps: &[StepSummary]) -> Vec<Table> {
    let has_response = steps.iter().any(|step| step.response_time.is_some());
    let response = has_response.then(|| {
        let columns = [&["step", "attempted"], &TIMES[..]].concat();
        let mut table = Table::new("Response times of the steps", &columns);
        table.rows = steps.iter().filter_map(response_row).collect();
        table
    });
    let columns = [&["step", "attempted", "failed", "effects"], &TIMES[..]].concat();
    let mut service = Table::new("Service times of the steps", &columns);
    service.rows = steps.iter().map(service_row).collect();
    response.into_iter().chain([service]).collect()
}

/// Times that were measured beside the steps, if there are some.
pub(super) fn part_table(parts: &[PartSummary]) -> Option<Table> {
    let measured = || {
        parts
            .iter()
            .filter(|part| part.time.count + part.failed > 0)
    };
    measured().next()?;
    let columns = [&["what", "times", "failed"], &TIMES[..]].concat();
    let mut table = Table::new("Times beside the steps", &columns);
    let row = |part: &PartSummary| {
        let head = [
            Cell::text(&part.name),
            Cell::number(count(part.time.count), part.time.count as f64),
            Cell::number(count(part.failed), part.failed as f64),
        ];
        head.into_iter().chain(times(&part.time)).collect()
    };
    table.rows = measured().map(row).collect();
    Some(table)
}

fn service_row(step: &StepSummary) -> Vec<Cell> {
    let effects = if step.effect {
        let tone = Tone::bad_if(step.is_vacuous() && step.attempted > 0);
        Cell::number(count(step.effects), step.effects as f64).toned(tone)
    } else {
        Cell::missing()
    };
    let failed = Cell::number(count(step.failed), step.failed as f64);
    [
        Cell::text(&step.name),
        Cell::number(count(step.attempted), step.attempted as f64),
        failed.toned(Tone::bad_if(step.failed > 0)),
        effects,
    ]
    .into_iter()
    .chain(times(&step.service_time))
    .collect()
}

fn response_row(step: &StepSummary) -> Option<Vec<Cell>> {
    let response = step.response_time.as_ref()?;
    let head = [
        Cell::text(&step.name),
        Cell::number(count(step.attempted), step.attempted as f64),
    ];
    Some(head.into_iter().chain(times(response)).collect())
}

/// The figures of [`TIMES`].
fn times(times: &LatencySummary) -> [Cell; 8] {
    supported(times).map(time)
}

/// A time, or that there is none.
fn time(ns: Option<f64>) -> Cell {
    ns.map_or_else(Cell::missing, |ns| Cell::number(duration(ns), ns))
}

/// A row a phase and step.
pub(super) fn phases(run: &RunRecord) -> Option<Table> {
    if run.phases.is_empty() {
        return None;
    }
    let columns = [
        "phase",
        "from",
        "to",
        "step",
        "attempted",
        "failed",
        "p50",
        "p99",
        "max",
    ];
    let mut table = Table::new("Phases", &columns).with_text(&["step"]);
    for phase in &run.phases {
        for step in &phase.steps {
            let latency = &step.latency;
            // A record of an earlier version has failures among the latencies, and no count besides.
            let attempted = step.attempted.max(latency.count);
            let at = |ns: u64| Cell::number(duration(ns as f64), ns as f64);
            table.rows.push(vec![
                Cell::text(&phase.name),
                at(phase.start_ns),
                at(phase.end_ns),
                Cell::text(&step.name),
                Cell::number(count(attempted), attempted as f64),
                Cell::number(count(step.failed), step.failed as f64)
                    .toned(Tone::bad_if(step.failed > 0)),
                time(latency.p50().map(|ns| ns as f64)),
                time(latency.p99().map(|ns| ns as f64)),
                time((latency.count > 0).then_some(latency.max_ns as f64)),
            ]);
        }
    }
    Some(table)
}
