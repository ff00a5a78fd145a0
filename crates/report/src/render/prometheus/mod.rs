//! Figures as Prometheus reads them: as text, and in its protobuf format, which has native histograms.

mod families;
mod protobuf;

use load_engine::{LatencySummary, Progress, StepSummary};

use self::families::Families;
use crate::{Conclusion, Report};

/// What a scraper that prefers the format of [`prometheus_now_protobuf`] asks for, and what it gets.
pub const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// The report in Prometheus's text format (version 0.0.4), such as node_exporter's textfile collector
/// reads. Times are in seconds, as Prometheus has it.
#[must_use]
pub fn prometheus(report: &Report) -> String {
    let mut out = Families::default();
    let verdict = &report.verdict;
    out.head(
        "proofload_pass",
        "gauge",
        "1 if the run passed, 0 if it failed or was inconclusive",
    );
    out.sample(
        "proofload_pass",
        &[],
        f64::from(u8::from(verdict.conclusion == Conclusion::Pass)),
    );
    out.head(
        "proofload_elapsed_seconds",
        "gauge",
        "How long the run took",
    );
    out.sample("proofload_elapsed_seconds", &[], report.elapsed_seconds);
    out.head(
        "proofload_scenario_pass",
        "gauge",
        "1 if the scenario passed",
    );
    for scenario in &report.scenarios {
        let labels = [("scenario", scenario.name.as_str())];
        let pass = f64::from(u8::from(scenario.conclusion == Conclusion::Pass));
        out.sample("proofload_scenario_pass", &labels, pass);
    }
    tags(&mut out, report);
    effects(&mut out, report);
    let steps = steps(report);
    operations(&mut out, &steps);
    latencies(&mut out, "proofload", &steps);
    memory(&mut out, report);
    out.text()
}

/// A load that goes on, by its scenario's name, in the same format; that nothing runs, if nothing does.
/// Counts are totals of this load, and begin anew with the next.
#[must_use]
pub fn prometheus_now(load: Option<(&str, &Progress)>) -> String {
    now(load).text()
}

/// As [`prometheus_now`], in Prometheus's protobuf format: each histogram is a native one as well.
#[must_use]
pub fn prometheus_now_protobuf(load: Option<(&str, &Progress)>) -> Vec<u8> {
    protobuf::encode(&now(load))
}

fn now<'r>(load: Option<(&'r str, &'r Progress)>) -> Families<'r> {
    let mut out = Families::default();
    let help = "1 while a load is put on, 0 before, between and after";
    out.head("proofload_running", "gauge", help);
    out.sample(
        "proofload_running",
        &[],
        f64::from(u8::from(load.is_some())),
    );
    let Some((scenario, progress)) = load else {
        return out;
    };
    let labels = [("scenario", scenario)];
    let name = "proofload_running_seconds";
    out.head(name, "gauge", "Time since the load began");
    out.sample(name, &labels, progress.elapsed.as_secs_f64());
    let name = "proofload_running_users";
    out.head(name, "gauge", "Users that have not ended");
    out.sample(name, &labels, f64::from(progress.users));
    let name = "proofload_running_iterations_total";
    out.head(name, "counter", "Iterations by their end");
    let completed = progress.done.saturating_sub(progress.failed);
    for (result, count) in [("completed", completed), ("failed", progress.failed)] {
        out.sample(name, &[labels[0], ("result", result)], count as f64);
    }
    let Some(record) = &progress.record else {
        return out;
    };
    let steps: Vec<_> = record.steps.iter().map(|step| (scenario, step)).collect();
    let name = "proofload_running_operations_total";
    out.head(
        name,
        "counter",
        "Attempts of a step by their end, as of about a second ago",
    );
    attempts(&mut out, name, &steps);
    latencies(&mut out, "proofload_running", &steps);
    if let Some(bytes) = record
        .monitor
        .samples
        .last()
        .and_then(|last| last.resident_bytes)
    {
        let name = "proofload_running_resident_bytes";
        out.head(name, "gauge", "Resident memory of the process");
        out.sample(name, &labels, bytes as f64);
    }
    if let Some(cores) = record.monitor.summary.cores_used {
        let name = "proofload_running_cores";
        out.head(name, "gauge", "Processors in use, on average of the load");
        out.sample(name, &labels, cores);
    }
    out
}

/// A step with the name of its scenario.
type Named<'r> = (&'r str, &'r StepSummary);

/// By the idiom of Prometheus: a figure that is always 1 has the labels that others are joined with.
fn tags<'r>(out: &mut Families<'r>, report: &'r Report) {
    let mut tagged = report
        .scenarios
        .iter()
        .filter(|scenario| !scenario.tags.is_empty());
    let Some(first) = tagged.next() else {
        return;
    };
    let name = "proofload_scenario_info";
    out.head(name, "gauge", "The tags of the scenario");
    for scenario in std::iter::once(first).chain(tagged) {
        let mut labels = vec![("scenario", scenario.name.as_str())];
        let tags = scenario.tags.iter();
        labels.extend(tags.map(|(name, value)| (name.as_str(), value.as_str())));
        out.sample(name, &labels, 1.0);
    }
}

fn effects<'r>(out: &mut Families<'r>, report: &'r Report) {
    let name = "proofload_effects";
    out.head(
        name,
        "gauge",
        "Effects by what was found after the target was opened again",
    );
    for scenario in &report.scenarios {
        let found = &scenario.verification;
        let counts = [
            ("verified", found.verified),
            ("lost", found.lost),
            ("altered", found.altered),
            ("duplicated", found.duplicated),
            ("unexpected", found.unexpected),
            ("unreadable", found.unreadable),
            ("indeterminate", found.indeterminate),
        ];
        // Only services of others have these.
        let of_services = [
            ("miscounted", found.miscounted),
            ("stale", found.stale),
            ("out_of_order", found.out_of_order),
            ("partial", found.partial),
            ("violated", found.violated),
        ];
        let of_services = of_services
            .into_iter()
            .filter(|_| scenario.effects.is_some());
        for (result, count) in counts.into_iter().chain(of_services) {
            out.sample(
                name,
                &[("scenario", &scenario.name), ("result", result)],
                count as f64,
            );
        }
    }
}

fn operations<'r>(out: &mut Families<'r>, steps: &[Named<'r>]) {
    let name = "proofload_operations";
    out.head(name, "gauge", "Attempts of a step by their end");
    attempts(out, name, steps);
}

fn attempts<'r>(out: &mut Families<'r>, name: &str, steps: &[Named<'r>]) {
    for (scenario, step) in steps {
        for (result, count) in [("succeeded", step.succeeded), ("failed", step.failed)] {
            let labels = [
                ("scenario", *scenario),
                ("step", &step.name),
                ("result", result),
            ];
            out.sample(name, &labels, count as f64);
        }
    }
}

fn latencies<'r>(out: &mut Families<'r>, prefix: &str, steps: &[Named<'r>]) {
    let name = format!("{prefix}_service_time_seconds");
    let help = "From a successful attempt's start to its end";
    histogram(out, &name, help, steps, |step| Some(&step.service_time));
    let name = format!("{prefix}_response_time_seconds");
    let help = "From when a successful attempt was due to its end, in an open model";
    histogram(out, &name, help, steps, |step| step.response_time.as_ref());
}

fn histogram<'r>(
    out: &mut Families<'r>,
    name: &str,
    help: &str,
    steps: &[Named<'r>],
    of: fn(&StepSummary) -> Option<&LatencySummary>,
) {
    let known: Vec<_> = steps
        .iter()
        .filter_map(|(scenario, step)| Some((scenario, step, of(step)?)))
        .filter(|(_, _, times)| times.count > 0)
        .collect();
    if known.is_empty() {
        return;
    }
    out.head(name, "histogram", help);
    for (scenario, step, times) in known {
        // A damaged text is the loader's to complain of.
        if let Ok(histogram) = times.to_histogram() {
            let labels = [("scenario", *scenario), ("step", step.name.as_str())];
            out.histogram(&labels, histogram, times.mean_ns);
        }
    }
}

fn memory<'r>(out: &mut Families<'r>, report: &'r Report) {
    let name = "proofload_resident_peak_bytes";
    out.head(name, "gauge", "The most resident memory of the process");
    for scenario in &report.scenarios {
        if let Some(bytes) = scenario.run.monitor.summary.resident_peak_bytes {
            out.sample(name, &[("scenario", &scenario.name)], bytes as f64);
        }
    }
}

fn steps(report: &Report) -> Vec<Named<'_>> {
    let scenarios = report.scenarios.iter();
    scenarios
        .flat_map(|scenario| {
            scenario
                .run
                .steps
                .iter()
                .map(|step| (&*scenario.name, step))
        })
        .collect()
}
