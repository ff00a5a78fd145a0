//! Findings of simulated runs: none of healthy ones, each fault where it was planted, and nothing that
//! contradicts itself. `cargo xtask findings` counts the same over hundreds of runs.

mod runs;
mod simulation;

use load_engine::RunRecord;
use report::findings::find_in;
use report::{Finding, FindingKind, Grade, Unit};

use self::runs::{Planted, healthy};

fn found(run: &RunRecord) -> Vec<Finding> {
    let found = find_in("simulated", run);
    for finding in &found {
        check(run, finding);
    }
    found
}

/// What every finding has to keep, whatever the run.
fn check(run: &RunRecord, finding: &Finding) {
    for figure in &finding.evidence.figures {
        let possible = match figure.unit {
            Unit::Share => (0.0..=1.0).contains(&figure.value),
            Unit::Count if figure.name.contains("users") => figure.value <= f64::from(run.users),
            _ => figure.value.is_finite(),
        };
        assert!(possible, "{finding:#?}");
    }
    if let Some(span) = finding.span {
        assert!(
            span.start_ns <= span.end_ns && span.end_ns <= run.wall_ns,
            "{finding:#?}"
        );
    }
}

#[test]
fn healthy_runs_have_no_strong_finding() {
    let mut moderate = 0;
    for seed in 0..40 {
        let found = found(&healthy(seed).run());
        let strong = found.iter().find(|own| own.strength.grade == Grade::Strong);
        assert_eq!(strong, None, "seed {seed}");
        moderate += found
            .iter()
            .filter(|own| own.strength.grade == Grade::Moderate)
            .count();
    }
    assert!(
        moderate <= 4,
        "{moderate} moderate findings of 40 healthy runs"
    );
}

#[test]
fn each_planted_fault_is_found() {
    for planted in Planted::ALL {
        for seed in 0..2 {
            let found = found(&planted.run(seed).run());
            let kinds: Vec<FindingKind> = found.iter().map(|finding| finding.kind).collect();
            assert!(
                kinds.contains(&planted.kind()),
                "{planted:?}, seed {seed}: {found:#?}"
            );
        }
    }
}

#[test]
fn a_queue_that_grows_is_no_degradation() {
    let found = found(&Planted::TooHighRate.run(7).run());
    let kinds: Vec<FindingKind> = found.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Saturation], "{found:#?}");
}

#[test]
fn a_run_of_milliseconds_and_an_empty_one_show_nothing() {
    let mut short = Planted::Stall.run(1);
    short.seconds = 0.05;
    assert_eq!(found(&short.run()), []);
    assert_eq!(found(&RunRecord::default()), []);
}
