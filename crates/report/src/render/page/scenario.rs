use load_engine::{FailureCounts, Judgement, Model, Ruling, Source};

use super::discrepancies::discrepancies;
use super::steps::{part_table, phases, step_tables};
use super::{Cell, FailureNote, Section, Table, Tone};
use crate::ScenarioResult;
use crate::evidence::evidence;
use crate::render::text::sentence;
use crate::units::{count, counted, duration};
use crate::verdict::{expression, limit, margin_of, observed};

pub(super) fn section(result: &ScenarioResult) -> Section {
    let run = &result.run;
    Section {
        name: result.name.clone(),
        title: result.title.clone(),
        conclusion: result.conclusion,
        reason: result.reason.clone(),
        note: note(result),
        steps: step_tables(&run.steps),
        parts: part_table(&run.parts),
        arrivals: arrivals(result),
        phases: phases(run),
        failures: run
            .steps
            .iter()
            .flat_map(|step| failures(&step.name, &step.failures))
            .chain(failures("outside every step", &run.failures))
            .collect(),
        evidence: sentence(&evidence(&result.verification)),
        vacuous: result.vacuous_steps.clone(),
        discrepancies: discrepancies(result),
        thresholds: judgements("Thresholds", result, |source| source != Source::Effects),
        effects: judgements("Effects", result, |source| source == Source::Effects),
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
        gaps => format!(
            " The monitor has {}, of which nothing is known.",
            counted(gaps, "gap")
        ),
    };
    let missing = if run.monitor.missing.is_empty() {
        String::new()
    } else {
        format!(
            " The system does not provide: {}.",
            run.monitor.missing.join(", ")
        )
    };
    let tags: String = result
        .tags
        .iter()
        .map(|(name, value)| format!(" {name}: {value}."))
        .collect();
    let effects: String = result
        .effect_lines()
        .iter()
        .map(|line| format!(" Effects: {line}."))
        .collect();
    format!(
        "{}, {model}. The engine adds {overhead:.0} ns to an operation.{gaps}{missing}{tags}{effects}",
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

/// Why attempts failed at a place: a step, or outside every one.
fn failures(place: &str, failures: &FailureCounts) -> impl Iterator<Item = FailureNote> {
    let kept = failures.messages.iter().map(|failure| FailureNote {
        step: place.to_owned(),
        message: Some(failure.message.clone()),
        count: count(failure.count),
    });
    let other = (failures.other > 0).then(|| FailureNote {
        step: place.to_owned(),
        message: None,
        count: count(failures.other),
    });
    kept.chain(other)
}

/// Each judgement in a row: the expression, what it came to, the limit and by how much it is met.
fn judgements(caption: &str, result: &ScenarioResult, wanted: fn(Source) -> bool) -> Table {
    let columns = ["threshold", "value", "limit", "margin", "met"];
    let mut table = Table::new(caption, &columns).with_text(&["margin", "met"]);
    let own = result.judgements.iter();
    let own = own.filter(|judgement| wanted(judgement.source));
    table.rows = own.map(row).collect();
    table
}

fn row(judgement: &Judgement) -> Vec<Cell> {
    let (met, tone) = match (judgement.counts, judgement.ruling) {
        (false, _) => ("not judged", Tone::Open),
        (true, Ruling::Held) => ("yes", Tone::Plain),
        (true, Ruling::Violated) => ("no", Tone::Bad),
        (true, Ruling::Unknown) => ("unknown", Tone::Bad),
    };
    let margin = match judgement.counts {
        true => margin_of(judgement),
        false => String::new(),
    };
    vec![
        Cell::text(expression(judgement)),
        Cell::number(
            observed(judgement),
            judgement.observed.unwrap_or(f64::INFINITY),
        ),
        Cell::number(limit(judgement), judgement.limit),
        Cell::text(margin),
        Cell::text(met).toned(tone),
    ]
}
