use load_engine::{Judgement, Model, Ruling, StepSummary};

use super::discrepancies::discrepancies;
use super::steps::{phases, step_tables};
use super::{Cell, FailureNote, Section, Table, Tone};
use crate::units::{count, duration};
use crate::{Check, ScenarioResult, ScenarioVerdict, describe_figure, describe_judgement};

pub(super) fn section(result: &ScenarioResult, verdict: &ScenarioVerdict) -> Section {
    let run = &result.run;
    Section {
        name: result.name.clone(),
        title: result.title.clone(),
        health: verdict.health,
        reason: verdict.reason.clone(),
        note: note(result),
        steps: step_tables(&run.steps),
        arrivals: arrivals(result),
        phases: phases(run),
        failures: run.steps.iter().flat_map(failures).collect(),
        vacuous: result.vacuous_steps.clone(),
        discrepancies: discrepancies(result),
        thresholds: thresholds(verdict),
        checks: checks(&verdict.checks),
    }
}

/// The report says which model its latencies come from, since a closed one hides queueing.
fn note(result: &ScenarioResult) -> String {
    let run = &result.run;
    let model = match run.model {
        Model::Open { .. } => {
            "open model: response times count from when an arrival was due, so a queue before the \
             target shows"
        }
        _ => "closed model: latencies are service times, a queue before the target would not show",
    };
    let overhead = run.generator.operation_overhead_ns;
    let gaps = match run.monitor.gap_count {
        0 => String::new(),
        gaps => format!(" The monitor has {gaps} gaps, of which nothing is known."),
    };
    let missing = if run.monitor.missing.is_empty() {
        String::new()
    } else {
        format!(
            " The system does not tell: {}.",
            run.monitor.missing.join(", ")
        )
    };
    let tags: String = result
        .tags
        .iter()
        .map(|(name, value)| format!(" {name}: {value}."))
        .collect();
    format!(
        "{}, {model}. The engine adds {overhead:.0} ns to an operation.{gaps}{missing}{tags}",
        result.load
    )
}

fn arrivals(result: &ScenarioResult) -> Option<String> {
    let open = result.run.open.as_ref()?;
    let arrivals = &open.arrivals;
    Some(format!(
        "{} arrivals were scheduled: {} ended in time, {} ended late, {} waited beyond the schedule's \
         end, {} were dropped, {} were cut off. The generator was at most {} late (p99 {}).",
        count(arrivals.scheduled),
        count(arrivals.done),
        count(arrivals.in_flight),
        count(arrivals.queued),
        count(arrivals.dropped),
        count(arrivals.cut),
        duration(open.schedule_lag.max_ns as f64),
        duration(open.schedule_lag.p99_ns as f64)
    ))
}

fn failures(step: &StepSummary) -> impl Iterator<Item = FailureNote> {
    let kept = step.failures.messages.iter().map(|failure| FailureNote {
        step: step.name.clone(),
        message: Some(failure.message.clone()),
        count: count(failure.count),
    });
    let other = (step.failures.other > 0).then(|| FailureNote {
        step: step.name.clone(),
        message: None,
        count: count(step.failures.other),
    });
    kept.chain(other)
}

fn thresholds(verdict: &ScenarioVerdict) -> Option<Table> {
    let mut table = Table::new("Thresholds", &["threshold, and what it came to", "held"]);
    let row = |judgement: &Judgement| {
        let (held, tone) = match judgement.ruling {
            _ if !verdict.thresholds_judged => ("not judged", Tone::Open),
            Ruling::Held => ("yes", Tone::Plain),
            Ruling::Violated => ("no", Tone::Bad),
            Ruling::Unknown => ("unknown", Tone::Bad),
        };
        let told = match verdict.thresholds_judged {
            true => describe_judgement(judgement),
            false => describe_figure(judgement),
        };
        vec![Cell::text(told), Cell::text(held).toned(tone)]
    };
    table.rows = verdict.thresholds.iter().map(row).collect();
    (!table.rows.is_empty()).then_some(table)
}

fn checks(checks: &[Check]) -> Table {
    let mut table = Table::new("Checks", &["check", "value", "limit", "held"]);
    table.rows = checks.iter().map(check_row).collect();
    table
}

fn check_row(check: &Check) -> Vec<Cell> {
    let name = check.measure.name();
    let name = match &check.step {
        Some(step) => format!("{name} of {step}"),
        None => name.to_owned(),
    };
    let value = match check.value {
        Some(value) => Cell::number(check.measure.format(value), value),
        None => Cell::number("not measured", f64::INFINITY),
    };
    let (held, tone) = match (check.judged, check.held) {
        (false, _) => ("not judged", Tone::Open),
        (true, true) => ("yes", Tone::Plain),
        (true, false) => ("no", Tone::Bad),
    };
    vec![
        Cell::text(name),
        value,
        Cell::number(check.measure.format(check.limit), check.limit),
        Cell::text(held).toned(tone),
    ]
}
