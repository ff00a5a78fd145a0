//! Looks for what a run shows beyond its limits.
//!
//! Each detector is a function of what the run recorded, and says nothing where there is too little
//! to tell: a finding that turns up on healthy runs is soon read by nobody. The thresholds stand
//! beside each of them with the reason for their size.

mod bimodality;
mod degradation;
mod dominance;
mod error_burst;
pub(crate) mod finding;
mod leak;
mod load;
mod queueing;
mod recovery;
mod saturation;
mod stall;
#[cfg(test)]
mod testing;
mod unfairness;

use load_engine::RunRecord;

use crate::{Finding, Grade, ScenarioResult, Strength};

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
    DETECTORS
        .iter()
        .flat_map(|detector| detector(scenario, run))
        .collect()
}

/// The grade by two bounds.
fn strength(value: f64, moderate: f64, strong: f64, meaning: &str) -> Strength {
    let grade = if value >= strong {
        Grade::Strong
    } else if value >= moderate {
        Grade::Moderate
    } else {
        Grade::Weak
    };
    Strength {
        grade,
        value,
        meaning: meaning.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Planted, healthy};
    use super::*;

    #[test]
    fn a_healthy_run_has_no_finding() {
        for seed in 0..4 {
            assert_eq!(find_in("healthy", &healthy(seed)), [], "seed {seed}");
        }
    }

    #[test]
    fn each_kind_that_is_planted_is_found_and_no_other() {
        for planted in Planted::ALL {
            for seed in 0..1 {
                let found = find_in("planted", &planted.run(seed));
                let kinds: Vec<_> = found.iter().map(|finding| finding.kind).collect();
                assert!(kinds.contains(&planted.kind()), "{planted:?}: {found:?}");
                let others = kinds.iter().filter(|kind| !planted.explains(**kind));
                assert_eq!(others.count(), 0, "{planted:?}: {found:#?}");
            }
        }
    }

    #[test]
    fn an_empty_run_has_no_finding() {
        assert_eq!(find_in("empty", &RunRecord::default()), []);
    }
}
