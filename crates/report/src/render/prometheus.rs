use std::fmt::{Display, Write as _};

use load_engine::{LatencySummary, Progress, StepSummary};

use crate::{Conclusion, Report};

/// The report in Prometheus's text format (version 0.0.4), such as node_exporter's textfile collector
/// reads. Times are in seconds, as Prometheus has it.
#[must_use]
pub fn prometheus(report: &Report) -> String {
    let mut out = Metrics(String::new());
    let verdict = &report.verdict;
    out.head(
        "proofload_pass",
        "gauge",
        "1 if the run passed, 0 if it failed or was inconclusive",
    );
    out.sample(
        "proofload_pass",
        &[],
        u8::from(verdict.conclusion == Conclusion::Pass),
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
        let pass = u8::from(scenario.conclusion == Conclusion::Pass);
        out.sample("proofload_scenario_pass", &labels, pass);
    }
    tags(&mut out, report);
    effects(&mut out, report);
    let steps = steps(report);
    operations(&mut out, &steps);
    latencies(&mut out, "proofload", &steps);
    memory(&mut out, report);
    out.0
}

/// A load that goes on, by its scenario's name, in the same format; that nothing runs, if nothing does.
/// Counts are totals of this load, and begin anew with the next.
#[must_use]
pub fn prometheus_now(load: Option<(&str, &Progress)>) -> String {
    let mut out = Metrics(String::new());
    let help = "1 while a load is put on, 0 before, between and after";
    out.head("proofload_running", "gauge", help);
    out.sample("proofload_running", &[], u8::from(load.is_some()));
    let Some((scenario, progress)) = load else {
        return out.0;
    };
    let labels = [("scenario", scenario)];
    let name = "proofload_running_seconds";
    out.head(name, "gauge", "Time since the load began");
    out.sample(name, &labels, progress.elapsed.as_secs_f64());
    let name = "proofload_running_users";
    out.head(name, "gauge", "Users that have not ended");
    out.sample(name, &labels, progress.users);
    let name = "proofload_running_iterations_total";
    out.head(name, "counter", "Iterations by their end");
    let completed = progress.done.saturating_sub(progress.failed);
    for (result, count) in [("completed", completed), ("failed", progress.failed)] {
        out.sample(name, &[labels[0], ("result", result)], count);
    }
    let Some(record) = &progress.record else {
        return out.0;
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
        out.sample(name, &labels, bytes);
    }
    if let Some(cores) = record.monitor.summary.cores_used {
        let name = "proofload_running_cores";
        out.head(name, "gauge", "Processors in use, on average of the load");
        out.sample(name, &labels, cores);
    }
    out.0
}

/// A step with the name of its scenario.
type Named<'r> = (&'r str, &'r StepSummary);

/// Lines in the text format; a `String` takes every write.
struct Metrics(String);

impl Metrics {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{}\"", escaped(text));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
}

/// The value of a label: the format's three escapes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// By the idiom of Prometheus: a figure that is always 1 has the labels that others are joined with.
fn tags(out: &mut Metrics, report: &Report) {
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
        out.sample(name, &labels, 1);
    }
}

fn effects(out: &mut Metrics, report: &Report) {
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
        for (result, count) in counts {
            out.sample(
                name,
                &[("scenario", &scenario.name), ("result", result)],
                count,
            );
        }
    }
}

fn operations(out: &mut Metrics, steps: &[Named<'_>]) {
    let name = "proofload_operations";
    out.head(name, "gauge", "Attempts of a step by their end");
    attempts(out, name, steps);
}

fn attempts(out: &mut Metrics, name: &str, steps: &[Named<'_>]) {
    for (scenario, step) in steps {
        for (result, count) in [("succeeded", step.succeeded), ("failed", step.failed)] {
            let labels = [
                ("scenario", *scenario),
                ("step", &step.name),
                ("result", result),
            ];
            out.sample(name, &labels, count);
        }
    }
}

fn latencies(out: &mut Metrics, prefix: &str, steps: &[Named<'_>]) {
    let name = format!("{prefix}_service_time_seconds");
    let help = "From an attempt's start to its end";
    summary(out, &name, help, steps, |step| Some(&step.service_time));
    let name = format!("{prefix}_response_time_seconds");
    let help = "From when an attempt was due to its end, in an open model";
    summary(out, &name, help, steps, |step| step.response_time.as_ref());
}

fn summary(
    out: &mut Metrics,
    name: &str,
    help: &str,
    steps: &[Named<'_>],
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
    out.head(name, "summary", help);
    for (scenario, step, times) in known {
        let seconds = |ns: f64| ns / 1e9;
        let quantiles = [
            ("0", times.min_ns),
            ("0.5", times.p50_ns),
            ("0.9", times.p90_ns),
            ("0.95", times.p95_ns),
            ("0.99", times.p99_ns),
            ("0.999", times.p999_ns),
            ("1", times.max_ns),
        ];
        let labels = [("scenario", *scenario), ("step", step.name.as_str())];
        for (quantile, ns) in quantiles {
            let labels = [labels[0], labels[1], ("quantile", quantile)];
            out.sample(name, &labels, seconds(ns as f64));
        }
        let sum = seconds(times.mean_ns * times.count as f64);
        out.sample(&format!("{name}_sum"), &labels, sum);
        out.sample(&format!("{name}_count"), &labels, times.count);
    }
}

fn memory(out: &mut Metrics, report: &Report) {
    let name = "proofload_resident_peak_bytes";
    out.head(name, "gauge", "The most resident memory of the process");
    for scenario in &report.scenarios {
        if let Some(bytes) = scenario.run.monitor.summary.resident_peak_bytes {
            out.sample(name, &[("scenario", &scenario.name)], bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_line_of_text() {
        let mut out = Metrics(String::new());
        out.sample("m", &[("step", "a\"b\\c\nd")], 1);
        assert_eq!(out.0, "m{step=\"a\\\"b\\\\c\\nd\"} 1\n");
    }
}
