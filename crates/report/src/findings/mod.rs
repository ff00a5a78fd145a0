//! Looks for what a run shows beyond its limits.
//!
//! Each detector is a function of what the run recorded, and says nothing where there is too little
//! to tell: a finding that turns up on healthy runs is soon read by nobody. The thresholds stand
//! beside each of them with the reason for their size, and `cargo xtask findings` counts how often each is
//! wrong. What the detectors found then has to agree with itself and with the rest (`rules`).

mod bimodality;
mod causes;
mod chance;
mod degradation;
mod dominance;
mod error_burst;
pub(crate) mod finding;
mod leak;
mod load;
mod queueing;
mod recovery;
mod rules;
mod saturation;
mod stall;
mod unfairness;

use load_engine::RunRecord;

use crate::{Finding, ScenarioResult};

/// Looks through every scenario; the surest findings come first.
#[must_use]
pub fn find(scenarios: &[ScenarioResult]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = scenarios
        .iter()
        .flat_map(|scenario| find_in(&scenario.name, &scenario.run))
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.strength.grade));
    findings
}

/// Looks through one run, which the findings call by this name.
#[must_use]
pub fn find_in(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    const DETECTORS: [fn(&str, &RunRecord) -> Vec<Finding>; 10] = [
        stall::find,
        error_burst::find,
        leak::find,
        degradation::find,
        saturation::find,
        queueing::find,
        recovery::find,
        bimodality::find,
        dominance::find,
        unfairness::find,
    ];
    let found = DETECTORS
        .iter()
        .flat_map(|detector| detector(scenario, run));
    rules::apply(run, found.collect())
}
