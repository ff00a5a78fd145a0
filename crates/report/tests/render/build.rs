//! Records as a run would leave them, from a seed: the engine's own are never the same twice.

use std::num::NonZeroU32;
use std::time::Duration;

use load_engine::{
    FailureCount, IntervalSummary, LatencySummary, Model, MonitorSample, Rng, RunRecord,
    StepSummary, Verification, empty_histogram,
};
use report::{Build, Finding, Machine, Report, ScenarioResult, advice, judge, limited_by};

const SECOND: u64 = 1_000_000_000;

const USERS: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// A step of a made-up run.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) effect: bool,
    /// The latency that half of the operations keep.
    pub(crate) median_ns: u64,
    pub(crate) per_second: u64,
    /// How many times slower it is in a second.
    pub(crate) slower: fn(u64) -> f64,
    /// How many fail in a second.
    pub(crate) failing: fn(u64) -> u64,
}

impl Step {
    pub(crate) fn new(name: &str, effect: bool, median_ns: u64, per_second: u64) -> Self {
        Self {
            name: name.to_owned(),
            effect,
            median_ns,
            per_second,
            slower: |_| 1.0,
            failing: |_| 0,
        }
    }
}

/// A record of so many seconds.
pub(crate) fn record(seconds: u64, steps: &[Step], seed: u64) -> RunRecord {
    let mut rng = Rng::new(seed);
    let mut run = RunRecord::default();
    run.label = "made".to_owned();
    run.seed = seed;
    run.users = USERS.get();
    run.wall_ns = seconds * SECOND;
    run.model = Model::elapsed(USERS, Duration::from_secs(seconds));
    run.interval_ns = SECOND;
    run.steps = steps
        .iter()
        .map(|step| summary(step, seconds, &mut rng))
        .collect();
    run.iterations.completed = run.steps.first().map_or(0, |step| step.succeeded);
    run.generator.operation_overhead_ns = 61.5;
    run.generator.cpu_share = Some(0.004);
    monitor(&mut run, seconds, &mut rng);
    run
}

fn summary(step: &Step, seconds: u64, rng: &mut Rng) -> StepSummary {
    let mut total = empty_histogram();
    let mut summary = StepSummary::default();
    for second in 0..seconds {
        let mut own = empty_histogram();
        for _ in 0..step.per_second {
            // A long tail: one in a thousand takes ten times as long.
            let factor = 0.8 + 0.2 / (1.001 - rng.unit()).sqrt();
            let ns = step.median_ns as f64 * factor * (step.slower)(second);
            own.saturating_record(ns as u64);
        }
        total.add(&own).unwrap();
        let mut interval = IntervalSummary::default();
        interval.start_ns = second * SECOND;
        interval.failed = (step.failing)(second).min(step.per_second);
        interval.latency = LatencySummary::of(&own);
        summary.failed += interval.failed;
        summary.intervals.push(interval);
    }
    summary.name.clone_from(&step.name);
    summary.effect = step.effect;
    summary.attempted = total.len();
    summary.succeeded = total.len() - summary.failed;
    summary.effects = if step.effect { summary.succeeded } else { 0 };
    summary.service_time = LatencySummary::of(&total);
    if summary.failed > 0 {
        summary.failures.messages.push(FailureCount {
            message: "connection reset by peer".to_owned(),
            count: summary.failed,
        });
    }
    summary
}

/// Two samples a second, from before the load to after it.
fn monitor(run: &mut RunRecord, seconds: u64, rng: &mut Rng) {
    let monitor = &mut run.monitor;
    monitor.period_ns = SECOND / 2;
    let (mut user, mut system, mut written, mut pressure) = (0, 0, 0, 0);
    for half in 0..=2 * seconds {
        let mut sample = MonitorSample::default();
        sample.at_ns = (half * SECOND / 2) as i64 - 100_000_000;
        sample.resident_bytes = Some(24_000_000 + half * 150_000 + rng.below(900_000));
        sample.cpu_user_ns = Some(user);
        sample.cpu_system_ns = Some(system);
        sample.io_pressure_ns = Some(pressure);
        sample.disk_written_bytes = Some(written);
        sample.threads = Some(22);
        monitor.samples.push(sample);
        user += 300_000_000 + rng.below(80_000_000);
        system += 150_000_000 + rng.below(40_000_000);
        pressure += rng.below(60_000_000);
        written += 2_000_000 + rng.below(500_000);
    }
    let resident = || {
        monitor
            .samples
            .iter()
            .filter_map(|sample| sample.resident_bytes)
    };
    let summary = &mut monitor.summary;
    summary.resident_before_bytes = resident().next();
    summary.resident_peak_bytes = resident().max();
    summary.resident_after_bytes = resident().next_back();
    summary.resident_peak_is_exact = true;
    summary.cpu_ns = Some(user + system);
    summary.cores_used = Some(1.01);
    monitor.missing = vec!["CPU throttling".to_owned()];
}

/// What a scenario comes to in which every effect was found.
pub(crate) fn proved(name: &str, title: &str, load: &str, run: RunRecord) -> ScenarioResult {
    let effects = run.steps.iter().map(|step| step.effects).sum();
    let mut verification = Verification::default();
    verification.effects = effects;
    verification.keys = effects;
    verification.found = effects;
    verification.verified = effects;
    let mut result = ScenarioResult {
        title: title.to_owned(),
        load: load.to_owned(),
        ..ScenarioResult::new(name, run, verification)
    };
    let thresholds = limited_by(&result.run.model, &[], &[]);
    result.judge(&thresholds);
    result
}

/// A report of scenarios as some machine would have made it.
pub(crate) fn report(scenarios: Vec<ScenarioResult>, findings: Vec<Finding>) -> Report {
    let mut scenarios = scenarios;
    for scenario in &mut scenarios {
        // What a test changed since is judged too.
        let thresholds = scenario.thresholds();
        scenario.judge(&thresholds);
    }
    let interrupted = scenarios.iter().any(ScenarioResult::was_interrupted);
    Report {
        format: Report::FORMAT.to_owned(),
        version: Report::VERSION,
        started_at: "2026-01-02T03:04:05.678901Z".to_owned(),
        elapsed_seconds: scenarios
            .iter()
            .map(|s| s.run.wall_ns as f64 / 1e9)
            .sum::<f64>()
            + 0.5,
        command: "proofload suite --seed 1".to_owned(),
        build: Build {
            version: "0.1.0".to_owned(),
            profile: "release".to_owned(),
            executable_blake3: Some("0123456789abcdef".repeat(4)),
        },
        machine: Machine {
            os: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
            kernel: Some("6.1.0".to_owned()),
            processor: Some("Some Processor @ 2.60GHz".to_owned()),
            processors: Some(2),
            memory_bytes: Some(8_000_000_000),
            filesystem: Some("ext4".to_owned()),
        },
        seed: scenarios.first().map_or(0, |scenario| scenario.run.seed),
        verdict: judge(&scenarios, interrupted, &advice([])),
        scenarios,
        interrupted,
        findings,
    }
}
