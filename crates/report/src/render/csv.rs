use std::fmt::{Display, Write as _};

use load_engine::{LatencySummary, MonitorSample};

use crate::Report;
use crate::render::times::supported;

/// One table of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFile {
    /// The file's name.
    pub name: &'static str,
    /// What is in it, by RFC 4180 with a header; lines end in a line feed.
    pub content: String,
}

/// The report as tables: the steps, their intervals and phases, the monitor's samples and the thresholds. The
/// scenario stands in the first column of each. Times are in milliseconds where a column's name says
/// so (`_ms`), and in seconds from the start of the load else (`_s`).
///
/// A text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-` or `@`) has an
/// apostrophe before it, as OWASP recommends.
#[must_use]
pub fn csv(report: &Report) -> Vec<CsvFile> {
    [
        ("steps.csv", steps(report)),
        ("intervals.csv", intervals(report)),
        ("phases.csv", phases(report)),
        ("monitor.csv", monitor(report)),
        ("checks.csv", checks(report)),
    ]
    .map(|(name, content)| CsvFile { name, content })
    .into()
}

const LATENCY: &str = "min_ms,mean_ms,p50_ms,p90_ms,p95_ms,p99_ms,p999_ms,max_ms";

fn steps(report: &Report) -> String {
    let mut out = format!("scenario,step,attempted,succeeded,failed,effects,kind,{LATENCY}\n");
    for scenario in &report.scenarios {
        for step in &scenario.run.steps {
            let kinds = [
                ("service", Some(&step.service_time)),
                ("response", step.response_time.as_ref()),
            ];
            for (kind, times) in kinds {
                let Some(times) = times else { continue };
                let _ = writeln!(
                    out,
                    "{},{},{},{},{},{},{kind},{}",
                    text(&scenario.name),
                    text(&step.name),
                    step.attempted,
                    step.succeeded,
                    step.failed,
                    step.effects,
                    latency(times)
                );
            }
        }
        for part in &scenario.run.parts {
            let (count, times) = (part.time.count, latency(&part.time));
            let names = format!("{},{}", text(&scenario.name), text(&part.name));
            let (all, failed) = (count + part.failed, part.failed);
            let _ = writeln!(out, "{names},{all},{count},{failed},0,beside,{times}");
        }
    }
    out
}

fn intervals(report: &Report) -> String {
    let mut out = format!("scenario,step,start_s,count,failed,{LATENCY}\n");
    for scenario in &report.scenarios {
        for step in &scenario.run.steps {
            let names = format!("{},{}", text(&scenario.name), text(&step.name));
            for interval in &step.intervals {
                let _ = writeln!(
                    out,
                    "{names},{},{},{},{}",
                    interval.start_ns as f64 / 1e9,
                    interval.latency.count,
                    interval.failed,
                    latency(&interval.latency)
                );
            }
        }
    }
    out
}

/// What was due in each phase, and what completed in it.
fn phases(report: &Report) -> String {
    let mut out = format!("scenario,phase,from_s,to_s,step,attempted,failed,completed,{LATENCY}\n");
    for scenario in &report.scenarios {
        for phase in &scenario.run.phases {
            let names = format!("{},{}", text(&scenario.name), text(&phase.name));
            let (from_s, to_s) = (phase.start_ns as f64 / 1e9, phase.end_ns as f64 / 1e9);
            for step in &phase.steps {
                let _ = writeln!(
                    out,
                    "{names},{from_s},{to_s},{},{},{},{},{}",
                    text(&step.name),
                    step.attempted.max(step.latency.count),
                    step.failed,
                    known(step.completed),
                    latency(&step.latency)
                );
            }
        }
    }
    out
}

/// The columns of a sample, by name.
type SampleColumn = (&'static str, fn(&MonitorSample) -> Option<u64>);

const SAMPLE: [SampleColumn; 14] = [
    ("resident_bytes", |sample| sample.resident_bytes),
    ("peak_resident_bytes", |sample| sample.peak_resident_bytes),
    ("cpu_user_ns", |sample| sample.cpu_user_ns),
    ("cpu_system_ns", |sample| sample.cpu_system_ns),
    ("threads", |sample| sample.threads),
    ("open_files", |sample| sample.open_files),
    ("voluntary_switches", |sample| sample.voluntary_switches),
    ("involuntary_switches", |sample| sample.involuntary_switches),
    ("cpu_pressure_ns", |sample| sample.cpu_pressure_ns),
    ("memory_pressure_ns", |sample| sample.memory_pressure_ns),
    ("io_pressure_ns", |sample| sample.io_pressure_ns),
    ("throttled_ns", |sample| sample.throttled_ns),
    ("disk_read_bytes", |sample| sample.disk_read_bytes),
    ("disk_written_bytes", |sample| sample.disk_written_bytes),
];

fn monitor(report: &Report) -> String {
    let names = SAMPLE.map(|(name, _)| name).join(",");
    let mut out = format!("scenario,at_s,{names}\n");
    for scenario in &report.scenarios {
        let name = text(&scenario.name);
        for sample in &scenario.run.monitor.samples {
            let _ = write!(out, "{name},{}", sample.at_ns as f64 / 1e9);
            for (_, of) in SAMPLE {
                let _ = write!(out, ",{}", known(of(sample)));
            }
            out.push('\n');
        }
    }
    out
}

fn checks(report: &Report) -> String {
    let mut out = String::from("scenario,threshold,source,step,value,limit,unit,ruling,counts\n");
    for scenario in &report.scenarios {
        for judgement in &scenario.judgements {
            let _ = writeln!(
                out,
                "{},{},{},{},{},{},{},{},{}",
                text(&scenario.name),
                text(&judgement.threshold.to_string()),
                word(&judgement.source),
                text(judgement.step.as_deref().unwrap_or_default()),
                known(judgement.observed),
                judgement.limit,
                judgement.unit,
                word(&judgement.ruling),
                judgement.counts
            );
        }
    }
    out
}

/// The word of a choice, as in the report's JSON.
fn word(choice: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(choice).ok();
    let word = value.as_ref().and_then(serde_json::Value::as_str);
    word.unwrap_or_default().to_owned()
}

fn latency(times: &LatencySummary) -> String {
    supported(times)
        .map(|ns| ns.map_or_else(String::new, |ns| format!("{:.6}", ns / 1e6)))
        .join(",")
}

fn known(value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn text(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula || text.contains([',', '"', '\n', '\r']) {
        let guard = if formula { "'" } else { "" };
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_field_and_no_formula() {
        assert_eq!(text("plain"), "plain");
        assert_eq!(text("a, \"b\"\n"), "\"a, \"\"b\"\"\n\"");
        assert_eq!(text("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
