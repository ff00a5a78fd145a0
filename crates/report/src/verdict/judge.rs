use std::time::Duration;

use load_engine::{Judgement, LeakRuling, LeakVerdict, Ruling, StepSummary};

use super::{Check, Exceedance, Health, Limits, Measure, ScenarioVerdict, Verdict};
use crate::ScenarioResult;

/// Judges what scenarios measured. Depends on nothing else, so a saved run can be judged again.
#[must_use]
pub fn judge(scenarios: &[ScenarioResult], interrupted: bool, limits: &Limits) -> Verdict {
    let judged: Vec<_> = scenarios
        .iter()
        .map(|scenario| judge_one(scenario, limits))
        .collect();
    let bottlenecks: Vec<_> = judged.iter().flat_map(exceeded).collect();
    let (health, reason) = overall(&judged, &bottlenecks, interrupted);
    Verdict {
        health,
        reason,
        scenarios: judged,
        bottlenecks,
        recommendations: recommend(scenarios, limits),
    }
}

fn judge_one(scenario: &ScenarioResult, limits: &Limits) -> ScenarioVerdict {
    let mut checks = effect_checks(scenario);
    let brings_its_own = !scenario.thresholds.is_empty() || scenario.no_leak_in.is_some();
    if !brings_its_own {
        checks.extend(limit_checks(scenario, limits));
    }
    checks.extend(leak_check(scenario));
    let thresholds: Vec<Judgement> = scenario
        .thresholds
        .iter()
        .map(|threshold| threshold.judge(&scenario.run, Some(&scenario.verification)))
        .collect();
    // What the generator could not ask for says nothing of the target; what was lost still does.
    let generator = scenario
        .run
        .generator_limits()
        .first()
        .map(ToString::to_string);
    if generator.is_some() {
        for check in checks
            .iter_mut()
            .filter(|check| !check.measure.is_of_effects())
        {
            check.judged = false;
        }
    }
    // Half of a load has neither the count nor the phases that a threshold is about.
    let thresholds_judged = generator.is_none() && !scenario.run.interrupted;
    let missed = thresholds_judged && thresholds.iter().any(decides_against);
    // Too few operations, or too late ones, are no failure of the target, and no reason to pass.
    let undecided = thresholds.iter().find(|own| !own.counts);
    let unjudged = generator.or_else(|| undecided?.reason.clone());
    let (health, reason) = health(scenario, &checks, missed, unjudged);
    ScenarioVerdict {
        name: scenario.name.clone(),
        health,
        reason,
        checks,
        thresholds,
        thresholds_judged,
    }
}

fn decides_against(own: &Judgement) -> bool {
    own.counts && own.ruling != Ruling::Held
}

/// What holds for every scenario that brings no thresholds of its own.
fn limit_checks(scenario: &ScenarioResult, limits: &Limits) -> Vec<Check> {
    let mut checks = vec![Check::of(
        Measure::ErrorRate,
        Some(scenario.run.error_rate()),
        limits.error_rate,
    )];
    checks.extend(
        scenario
            .run
            .steps
            .iter()
            .filter(|step| step.attempted > 0)
            .map(|step| Check {
                step: Some(step.name.clone()),
                ..Check::of(
                    Measure::MeanLatencyMs,
                    Some(mean_ms(step)),
                    limits.mean_latency_ms,
                )
            }),
    );
    let peak = scenario
        .run
        .monitor
        .summary
        .resident_peak_bytes
        .map(megabytes);
    checks.push(Check::of(
        Measure::PeakMemoryMb,
        peak,
        limits.peak_memory_mb,
    ));
    checks
}

/// Whether memory leaks in the phase in which it must not.
fn leak_check(scenario: &ScenarioResult) -> Option<Check> {
    let leak = leak_of(scenario)?;
    let leaked_mb = match leak.ruling {
        LeakRuling::Steady => Some(0.0),
        LeakRuling::Leaking => Some(leak.growth_bytes / 1e6),
        _ => None,
    };
    Some(Check {
        step: scenario.no_leak_in.clone(),
        judged: leaked_mb.is_some(),
        ..Check::of(Measure::LeakedMemoryMb, leaked_mb, 0.0)
    })
}

fn leak_of(scenario: &ScenarioResult) -> Option<LeakVerdict> {
    let name = scenario.no_leak_in.as_ref()?;
    let mut phases = scenario.run.phases.iter();
    // The file was refused if it has no such phase.
    let phase = phases.find(|phase| phase.name == *name)?;
    let during = Duration::from_nanos(phase.start_ns)..Duration::from_nanos(phase.end_ns);
    Some(LeakVerdict::of(&scenario.run.monitor, during))
}

/// In one word, and why it is not judged if it is not.
fn health(
    scenario: &ScenarioResult,
    checks: &[Check],
    missed: bool,
    generator: Option<String>,
) -> (Health, Option<String>) {
    let run = &scenario.run;
    if missed || checks.iter().any(Check::is_broken) {
        return (Health::Fail, None);
    }
    let reason = if run.interrupted {
        Some("interrupted before it was through".to_owned())
    } else if run.operations() == 0 {
        Some("no operation was made".to_owned())
    } else if let Some(limit) = generator {
        Some(format!("limits are not judged, since {limit}"))
    } else {
        let undecided = |leak: LeakVerdict| leak.ruling == LeakRuling::Undecided;
        leak_of(scenario)
            .is_some_and(undecided)
            .then(|| "the phase is too short to tell whether memory leaks".to_owned())
    };
    match reason {
        None => (Health::Pass, None),
        why => (Health::NotJudged, why),
    }
}

/// Nothing is tolerated here: no limit can be set.
fn effect_checks(scenario: &ScenarioResult) -> Vec<Check> {
    let found = &scenario.verification;
    let vacuous = scenario.vacuous_steps.len() as u64;
    // An interrupted run may have ended before a step's first turn, which proves nothing.
    let vacuous = if scenario.run.interrupted { 0 } else { vacuous };
    [
        (Measure::Lost, found.lost),
        (Measure::Altered, found.altered),
        (Measure::Duplicated, found.duplicated),
        (Measure::Unexpected, found.unexpected),
        (Measure::Unreadable, found.unreadable),
        (Measure::VacuousSteps, vacuous),
    ]
    .map(|(measure, count)| Check::of(measure, Some(count as f64), 0.0))
    .into()
}

impl Check {
    fn of(measure: Measure, value: Option<f64>, limit: f64) -> Self {
        let held = value.is_some_and(|value| value <= limit);
        Self {
            measure,
            step: None,
            value,
            limit,
            held,
            judged: true,
        }
    }
}

fn exceeded(scenario: &ScenarioVerdict) -> Vec<Exceedance> {
    let failed = scenario.checks.iter().filter(|check| check.is_broken());
    let exceedance = |check: &Check| Exceedance {
        scenario: Some(scenario.name.clone()),
        step: check.step.clone(),
        measure: check.measure,
        threshold: None,
        value: check.value,
        limit: check.limit,
        advice: advice(check.measure).to_owned(),
    };
    let missed = scenario
        .thresholds
        .iter()
        .filter(|own| scenario.thresholds_judged && decides_against(own));
    let of_threshold = |own: &Judgement| Exceedance {
        scenario: Some(scenario.name.clone()),
        step: None,
        measure: Measure::Threshold,
        threshold: Some(own.clone()),
        value: own.observed,
        limit: own.limit,
        advice: match own.ruling {
            Ruling::Unknown => "what was not measured cannot hold",
            _ => advice(Measure::Threshold),
        }
        .to_owned(),
    };
    failed
        .map(exceedance)
        .chain(missed.map(of_threshold))
        .collect()
}

fn advice(measure: Measure) -> &'static str {
    match measure {
        Measure::Lost => "the target acknowledged what it does not hold: do not trust it",
        Measure::Altered => "what is there is not what was acknowledged: do not trust it",
        Measure::Duplicated => "something was written twice: look for a retry without a key",
        Measure::Unexpected => {
            "something came back or came from elsewhere: look for a lost removal"
        }
        Measure::Unreadable => "the target cannot read what it wrote: see the discrepancies",
        Measure::VacuousSteps => "the step did nothing, so its figures mean nothing",
        Measure::ErrorRate => "see the failure messages of each step",
        Measure::MeanLatencyMs => "fewer threads or a faster disk; compare the step's p50 and p99",
        Measure::PeakMemoryMb => "see the memory samples; a slope that goes on is a leak",
        Measure::LeakedMemoryMb => "the floors of memory keep rising: look for what is never freed",
        Measure::Threshold => "compare the phases and steps to see where it begins",
    }
}

fn overall(
    judged: &[ScenarioVerdict],
    bottlenecks: &[Exceedance],
    interrupted: bool,
) -> (Health, String) {
    let failed = judged
        .iter()
        .filter(|scenario| scenario.health == Health::Fail)
        .count();
    if let Some(first) = bottlenecks.first() {
        let more = match bottlenecks.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let all = judged.len();
        let scenarios = if all == 1 {
            "the scenario".to_owned()
        } else {
            format!("{failed} of {all} scenarios")
        };
        return (Health::Fail, format!("{scenarios} failed: {first}{more}"));
    }
    if interrupted {
        return (
            Health::NotJudged,
            "interrupted before it was through".to_owned(),
        );
    }
    if judged.is_empty() {
        return (Health::NotJudged, "no operation was made".to_owned());
    }
    let open = judged
        .iter()
        .find(|scenario| scenario.health == Health::NotJudged);
    if let Some(open) = open {
        let why = open.reason.as_deref().unwrap_or("it says too little");
        return (Health::NotJudged, format!("{}: {why}", open.name));
    }
    (
        Health::Pass,
        "every effect was verified and every limit held".to_owned(),
    )
}

fn recommend(scenarios: &[ScenarioResult], limits: &Limits) -> Vec<Exceedance> {
    let operations: u64 = scenarios
        .iter()
        .map(|scenario| scenario.run.operations())
        .sum();
    let failed: u64 = scenarios
        .iter()
        .map(|scenario| scenario.run.failed_operations())
        .sum();
    let error_rate = if operations == 0 {
        0.0
    } else {
        failed as f64 / operations as f64
    };
    let peaks = scenarios
        .iter()
        .filter_map(|s| s.run.monitor.summary.resident_peak_bytes);
    let memory = megabytes(peaks.max().unwrap_or(0));
    let overall = |measure, value, limit, advice: &str| {
        (value > limit).then(|| Exceedance {
            scenario: None,
            step: None,
            measure,
            threshold: None,
            value: Some(value),
            limit,
            advice: advice.to_owned(),
        })
    };
    let errors = overall(
        Measure::ErrorRate,
        error_rate,
        limits.overall_error_rate,
        "find the most frequent failure message and mend its cause before raising the load",
    );
    let memory = overall(
        Measure::PeakMemoryMb,
        memory,
        limits.overall_memory_mb,
        "give the process more memory, or bound what grows with the load",
    );
    errors.into_iter().chain(memory).collect()
}

fn mean_ms(step: &StepSummary) -> f64 {
    step.service_time.mean_ns / 1e6
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
