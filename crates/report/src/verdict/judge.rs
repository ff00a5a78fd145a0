//! From what was measured to a verdict. Depends on nothing else, so a saved run can be judged again.

use load_engine::{Judgement, Ruling, RunRecord, Source, StepSummary, Threshold};

use super::remedy::{remedy, remedy_for_all};
use super::thresholds::{EFFECTS, EFFECTS_OF_SERVICES, parsed, replace};
use super::{Conclusion, Verdict, Violation};
use crate::ScenarioResult;
use crate::units::duration;

/// Sums up scenarios that were judged. `advised` are thresholds over all scenarios together, which only
/// recommend.
#[must_use]
pub fn judge(scenarios: &[ScenarioResult], interrupted: bool, advised: &[Threshold]) -> Verdict {
    let violations: Vec<Violation> = scenarios.iter().flat_map(violations).collect();
    let (conclusion, reason) = overall(scenarios, &violations, interrupted);
    Verdict {
        conclusion,
        reason,
        violations,
        recommendations: recommend(scenarios, advised),
    }
}

impl ScenarioResult {
    /// Judges the scenario by these thresholds, and that no effect is wrong.
    pub fn judge(&mut self, thresholds: &[(Source, Threshold)]) {
        let of_services: &[&str] = match &self.effects {
            None => &[],
            Some(_) => &EFFECTS_OF_SERVICES,
        };
        let effects = parsed(&EFFECTS).chain(parsed(of_services));
        let effects = effects.map(|threshold| (Source::Effects, threshold));
        let all: Vec<_> = effects.chain(thresholds.iter().cloned()).collect();
        self.judgements = all
            .iter()
            .flat_map(|(source, threshold)| self.judgements_of(*source, threshold))
            .collect();
        (self.conclusion, self.reason) = self.conclude();
    }

    /// What it was judged by, besides the effects.
    #[must_use]
    pub fn thresholds(&self) -> Vec<(Source, Threshold)> {
        let mut all: Vec<(Source, Threshold)> = Vec::new();
        for judgement in &self.judgements {
            let one = (judgement.source, judgement.threshold.clone());
            if judgement.source != Source::Effects && !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }

    /// Judges it again, with flags in place of the thresholds on the same figures.
    pub(crate) fn judge_again(&mut self, flags: &[Threshold]) {
        let mut thresholds = self.thresholds();
        replace(&mut thresholds, flags);
        self.judge(&thresholds);
    }

    /// Whether a signal ended the load before its end.
    #[must_use]
    pub fn was_interrupted(&self) -> bool {
        self.run.interrupted && self.run.abort.is_none()
    }

    fn judgements_of(&self, source: Source, threshold: &Threshold) -> Vec<Judgement> {
        let limited = generator_limit(&self.run);
        let judged = threshold.judge_each(&self.run, Some(&self.verification));
        let marked = judged.into_iter().map(|mut judgement| {
            judgement.source = source;
            judgement.mark_close(&self.run);
            self.count_vacuous(&mut judgement);
            judgement.counts &= self.counts(&judgement);
            // What the generator could not ask for says nothing of the target; what was lost still does,
            // and so do failures.
            let is_affected = judgement.ruling == Ruling::Held
                || matches!(judgement.unit.as_str(), "ns" | "per_s");
            if is_affected && source != Source::Effects && limited.is_some() {
                judgement.counts = false;
                // A figure that is not there has a reason of its own, on whatever machine.
                if judgement.observed.is_some() || judgement.reason.is_none() {
                    judgement.reason.clone_from(&limited);
                }
            }
            judgement
        });
        marked.collect()
    }

    /// The vacuous steps that the report names are those that are judged.
    fn count_vacuous(&self, judgement: &mut Judgement) {
        let named = self.vacuous_steps.len() as f64;
        if judgement.source == Source::Effects
            && super::figure_of(&judgement.threshold) == "vacuous"
            && named > judgement.observed.unwrap_or(0.0)
        {
            judgement.observed = Some(named);
            judgement.ruling = Ruling::Violated;
        }
    }

    /// Whether a judgement decides, by what is known of the run beyond the figure.
    fn counts(&self, judgement: &Judgement) -> bool {
        let Judgement {
            source,
            ruling,
            threshold,
            ..
        } = judgement;
        let is_unknown = *ruling == Ruling::Unknown;
        if *source != Source::File && is_unknown && self.run.operations() == 0 {
            // Nothing was asked of the target: that is no failure of it, and no reason to pass.
            return false;
        }
        if self.incomplete.is_some() && is_unknown {
            // What was not measured because the run was not complete is no failure of the target.
            return false;
        }
        if !self.run.interrupted {
            return true;
        }
        match source {
            // A step may not have had its first turn.
            Source::Effects => super::figure_of(threshold) != "vacuous",
            _ => *ruling == Ruling::Violated && threshold.is_final_when_violated(),
        }
    }

    /// In one word, and why, if it is no pass.
    fn conclude(&self) -> (Conclusion, Option<String>) {
        let run = &self.run;
        let violated = self.judgements.iter().any(is_violation);
        if let Some(reason) = self.abort_reason() {
            return (Conclusion::Fail, Some(reason));
        }
        if violated {
            return (Conclusion::Fail, None);
        }
        let undecided = || {
            let mut own = self.judgements.iter();
            own.find_map(|own| own.reason.clone().filter(|_| !own.counts))
        };
        let reason = if let Some(told) = &self.incomplete {
            Some(told.clone())
        } else if self.was_interrupted() {
            Some("interrupted before the end".to_owned())
        } else if run.operations() == 0 {
            Some("the target did no operation".to_owned())
        } else {
            undecided().map(|reason| format!("thresholds were not judged: {reason}"))
        };
        match reason {
            None => (Conclusion::Pass, None),
            why => (Conclusion::Inconclusive, why),
        }
    }

    /// What ended the load, if an abort rule did.
    #[must_use]
    pub fn abort_reason(&self) -> Option<String> {
        let abort = self.run.abort.as_ref()?;
        let judgement = &abort.judgement;
        Some(format!(
            "aborted at {}: {} violated: {}",
            duration(abort.at_ns as f64),
            super::thresholds::expression(judgement),
            super::thresholds::observed(judgement)
        ))
    }
}

/// What kept the generator from asking for the load, where nothing bounds what that did to the figures. In
/// an open model the engine judges by bounds, which a record of an earlier version lacks.
fn generator_limit(run: &RunRecord) -> Option<String> {
    let limits = match &run.open {
        None => run.saturation(),
        Some(open) if open.latest_ns.is_empty() => run.generator_limits(),
        Some(_) => Vec::new(),
    };
    limits.first().map(ToString::to_string)
}

/// Whether a judgement fails its scenario.
pub(crate) fn is_violation(judgement: &Judgement) -> bool {
    judgement.counts && judgement.ruling != Ruling::Held
}

fn violations(scenario: &ScenarioResult) -> impl Iterator<Item = Violation> {
    let violated = scenario.judgements.iter().filter(|own| is_violation(own));
    violated.map(|judgement| Violation {
        scenario: Some(scenario.name.clone()),
        judgement: judgement.clone(),
        advice: remedy(judgement).to_owned(),
    })
}

fn overall(
    scenarios: &[ScenarioResult],
    violations: &[Violation],
    interrupted: bool,
) -> (Conclusion, String) {
    let failed = || {
        let failed = scenarios.iter();
        failed.filter(|scenario| scenario.conclusion == Conclusion::Fail)
    };
    if let Some(first) = failed().next() {
        let all = scenarios.len();
        let place = match all {
            1 => "the scenario".to_owned(),
            _ => format!("{} of {all} scenarios", failed().count()),
        };
        let (first, more) = match (first.abort_reason(), violations) {
            (Some(aborted), _) => (format!("{}: {aborted}", first.name), violations.len()),
            (None, [violation, more @ ..]) => (violation.to_string(), more.len()),
            (None, []) => (first.name.clone(), 0),
        };
        let more = match more {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        return (Conclusion::Fail, format!("{place} failed: {first}{more}"));
    }
    let inconclusive = |reason: &str| (Conclusion::Inconclusive, reason.to_owned());
    let mut incomplete = scenarios.iter();
    if let Some(told) = incomplete.find_map(|scenario| scenario.incomplete.as_deref()) {
        return inconclusive(&format!("not complete: {told}"));
    }
    if interrupted {
        return inconclusive("interrupted before the end");
    }
    if scenarios.is_empty() {
        return inconclusive("the target did no operation");
    }
    let mut open = scenarios.iter();
    if let Some(open) = open.find(|scenario| scenario.conclusion == Conclusion::Inconclusive) {
        let why = open.reason.as_deref().unwrap_or("it says too little");
        return inconclusive(&format!("{}: {why}", open.name));
    }
    let every = scenarios
        .iter()
        .all(|scenario| scenario.verification.every_effect_verified());
    let reason = match every {
        true => "all effects verified, all thresholds met",
        // What was written over, or never acknowledged, could not be read.
        false => "all final states verified, all thresholds met",
    };
    (Conclusion::Pass, reason.to_owned())
}

fn recommend(scenarios: &[ScenarioResult], advised: &[Threshold]) -> Vec<Violation> {
    let all = together(scenarios);
    let judged = advised.iter().map(|threshold| threshold.judge(&all, None));
    let exceeded = judged.filter(|judgement| judgement.ruling == Ruling::Violated);
    exceeded
        .map(|judgement| Violation {
            scenario: None,
            advice: remedy_for_all(&judgement).to_owned(),
            judgement,
        })
        .collect()
}

/// A record with the figures of all scenarios that advice is given by: failures and memory.
fn together(scenarios: &[ScenarioResult]) -> RunRecord {
    let runs = || scenarios.iter().map(|scenario| &scenario.run);
    let mut step = StepSummary::default();
    step.attempted = runs().map(RunRecord::operations).sum();
    step.failed = runs().map(RunRecord::failed_operations).sum();
    let mut all = RunRecord::default();
    all.steps.push(step);
    let peaks = runs().filter_map(|run| run.monitor.summary.resident_peak_bytes);
    all.monitor.summary.resident_peak_bytes = peaks.max();
    all
}
