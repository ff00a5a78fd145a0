//! Reports of version 1: their limits and leak phases become thresholds, and they are judged anew.

use load_engine::{Source, Threshold};
use serde::Deserialize;

use crate::renamed::{rename, rename_steps, rename_threshold};
use crate::verdict::judge;
use crate::{Build, Finding, Machine, Report, ScenarioResult};

#[derive(Deserialize)]
struct ReportV1 {
    started_at: String,
    elapsed_seconds: f64,
    command: String,
    build: Build,
    machine: Machine,
    settings: Settings,
    scenarios: Vec<ScenarioResult>,
    interrupted: bool,
    limits: Limits,
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Settings {
    seed: u64,
}

/// What scenarios without thresholds were judged by.
#[derive(Deserialize)]
struct Limits {
    error_rate: f64, // in [0, 1]
    mean_latency_ms: f64,
    peak_memory_mb: f64,
    overall_error_rate: f64, // in [0, 1]
    overall_memory_mb: f64,
}

/// What a scenario of that version brought, besides what is read as today.
#[derive(Deserialize)]
struct Brought {
    #[serde(default)]
    thresholds: Vec<Threshold>,
    #[serde(default)]
    no_leak_in: Option<String>,
}

#[derive(Deserialize)]
struct AllBrought {
    scenarios: Vec<Brought>,
}

/// Reads a report of version 1.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn read(text: &[u8]) -> Result<Report, String> {
    let told = |error: serde_json::Error| error.to_string();
    let old: ReportV1 = serde_json::from_slice(text).map_err(told)?;
    let brought: AllBrought = serde_json::from_slice(text).map_err(told)?;
    let mut scenarios = old.scenarios;
    for (scenario, brought) in scenarios.iter_mut().zip(&brought.scenarios) {
        rename_steps(&scenario.name, &mut scenario.run);
        for step in &mut scenario.vacuous_steps {
            rename(&scenario.name, step);
        }
        let mut thresholds = brought.thresholds(&old.limits)?;
        for (_, threshold) in &mut thresholds {
            *threshold = rename_threshold(&scenario.name, threshold);
        }
        scenario.judge(&thresholds);
    }
    let advised = [
        format!("error_rate <= {}%", percent(old.limits.overall_error_rate)),
        format!("memory_peak <= {}MB", old.limits.overall_memory_mb),
    ];
    let advised = advised.iter().map(|text| parsed(text));
    let advised = advised.collect::<Result<Vec<_>, _>>()?;
    Ok(Report {
        format: Report::FORMAT.to_owned(),
        version: Report::VERSION,
        started_at: old.started_at,
        elapsed_seconds: old.elapsed_seconds,
        command: old.command,
        build: old.build,
        machine: old.machine,
        seed: old.settings.seed,
        verdict: judge(&scenarios, old.interrupted, &advised),
        scenarios,
        interrupted: old.interrupted,
        findings: old.findings,
    })
}

impl Brought {
    fn thresholds(&self, limits: &Limits) -> Result<Vec<(Source, Threshold)>, String> {
        let own = self.thresholds.iter();
        let mut all: Vec<_> = own.map(|own| (Source::File, own.clone())).collect();
        if let Some(phase) = &self.no_leak_in {
            let text = format!("memory_leak(@ \"{phase}\") == 0");
            all.push((Source::File, parsed(&text)?));
        }
        if all.is_empty() {
            let texts = [
                format!("error_rate <= {}%", percent(limits.error_rate)),
                format!("mean(*) <= {}ms", limits.mean_latency_ms),
                format!("memory_peak <= {}MB", limits.peak_memory_mb),
            ];
            for text in &texts {
                all.push((Source::Default, parsed(text)?));
            }
        }
        Ok(all)
    }
}

fn parsed(text: &str) -> Result<Threshold, String> {
    text.parse()
        .map_err(|error: load_engine::RunError| error.to_string())
}

/// A share in percent, without the last digits of binary arithmetic: 0.07 is 7.
fn percent(share: f64) -> f64 {
    (share * 1e11).round() / 1e9
}
