//! Thresholds, judged on runs.

use std::time::Duration;

use load_engine::{
    Clock, Failure, Iteration, Judgement, MemorySample, Model, Names, PhaseSummary, Plan, Ruling,
    RunRecord, ServiceMemory, SimulatedClock, StepSpec, StopHandle, Threshold, Verification,
    Workload, run_on, verify,
};

use crate::store::{Honesty, Store, load, plan, users};

const FAST: StepSpec = StepSpec::new("fast");
const SLOW: StepSpec = StepSpec::new("slow step");

/// 10 ms for one step; 100 ms for the other, which fails each fourth time.
struct TwoSteps<'c>(&'c SimulatedClock);

impl Workload for TwoSteps<'_> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![FAST, SLOW]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let fails = it.index() % 4 == 3;
        let wait = |ms: u64| self.0.sleep_until(self.0.now_ns() + ms * 1_000_000);
        it.step(&FAST, |_| {
            wait(10);
            Ok(())
        })?;
        it.step(&SLOW, |_| {
            wait(100);
            if fails {
                Err(Failure::new("slow"))
            } else {
                Ok(())
            }
        })
    }
}

fn record() -> RunRecord {
    let clock = SimulatedClock::new();
    let second = Duration::from_millis(1_100);
    let plan = Plan::new("two", Model::elapsed(users(2), 4 * second))
        .phase("first", second)
        .phase("rest", 3 * second);
    run_on(&clock, &TwoSteps(&clock), &plan, &StopHandle::new(), |_| {})
        .unwrap()
        .0
}

fn judge(text: &str, record: &RunRecord, verification: Option<&Verification>) -> Judgement {
    text.parse::<Threshold>()
        .unwrap()
        .judge(record, verification)
}

#[test]
fn figures_are_those_of_the_run_the_step_and_the_phase() {
    let record = record();
    let observed = |text| judge(text, &record, None).observed.unwrap();
    let ms = |text| (observed(text) / 1e6).round();
    assert_eq!(ms("p95(fast) < 1s"), 10.0);
    assert_eq!(ms("p50(\"slow step\") < 1s"), 100.0);
    assert_eq!(ms("p57 < 1s"), 10.0, "80 of 140 successes are fast");
    assert_eq!(ms("p58 < 1s"), 100.0, "and the others slow");
    assert_eq!(ms("mean < 1s"), 49.0);
    assert_eq!(ms("max(fast @ first) < 1s"), 10.0);
    assert_eq!(observed("operations > 0"), 160.0);
    assert_eq!(observed("operations(@ first) > 0"), 40.0);
    assert_eq!(observed("failed(fast) == 0"), 0.0);
    assert_eq!(observed("error_rate(\"slow step\") < 100%"), 0.25);
    assert_eq!(observed("error_rate < 100%"), 0.125);
    assert_eq!(observed("failed(\"slow step\" @ first) < 9"), 4.0);
    assert_eq!(observed("failed_iterations < 99"), 20.0);
    assert!((observed("rate > 0/s") - 140.0 / 4.4).abs() < 0.01);
    assert!((observed("rate(fast @ rest) > 0/s") - 60.0 / 3.3).abs() < 0.01);
    assert_eq!(observed("drained < 9"), 0.0);
    assert!(observed("memory_peak < 1GB") > 1e6);
}

#[test]
fn a_threshold_is_held_or_broken_by_its_comparison() {
    let record = record();
    let ruling = |text| judge(text, &record, None).ruling;
    for held in [
        "error_rate < 13%",
        "error_rate <= 12.5%",
        "error_rate == 0.125",
        "p99 > 99ms",
    ] {
        assert_eq!(ruling(held), Ruling::Held, "{held}");
    }
    for broken in [
        "error_rate < 12.5%",
        "error_rate != 0.125",
        "operations >= 161",
        "p99 < 99ms",
    ] {
        assert_eq!(ruling(broken), Ruling::Violated, "{broken}");
    }
}

#[test]
fn a_figure_that_is_not_there_is_unknown_with_the_reason() {
    let record = record();
    let reason = |text| {
        let judgement = judge(text, &record, None);
        assert_eq!(
            (judgement.ruling, judgement.observed),
            (Ruling::Unknown, None)
        );
        judgement.reason.unwrap()
    };
    assert_eq!(
        reason("p99(fats) < 1s"),
        "there is no step `fats`; there is `fast`, `slow step`"
    );
    assert_eq!(
        reason("p99(fast @ peak) < 1s"),
        "there is no phase `peak`; there is `first`, `rest`"
    );
    assert_eq!(reason("lost == 0"), "the effects were not verified");
    assert_eq!(reason("dropped == 0"), "the model of load is not open");
    let empty = RunRecord::default();
    assert_eq!(
        judge("p99 < 1s", &empty, None).reason.unwrap(),
        "there was no operation"
    );
}

#[test]
fn p99_of_99_operations_is_unknown_unless_even_they_prove_a_miss() {
    let record = record();
    let few = judge("p99(fast) < 1s", &record, None);
    assert_eq!((few.ruling, few.counts), (Ruling::Unknown, false));
    assert_eq!(few.reason.unwrap(), "p99 of 80 operations: 100 are needed");
    let proved = judge("p99(\"slow step\") < 50ms", &record, None);
    assert_eq!((proved.ruling, proved.counts), (Ruling::Violated, true));
    assert_eq!((proved.observed.unwrap() / 1e6).round(), 100.0);
}

#[test]
fn a_figure_of_each_step_is_judged_step_by_step() {
    let threshold: Threshold = "mean(*) < 50ms".parse().unwrap();
    let each = threshold.judge_each(&record(), None);
    let each: Vec<_> = each
        .iter()
        .map(|judgement| (judgement.step.as_deref().unwrap(), judgement.ruling))
        .collect();
    assert_eq!(
        each,
        [("fast", Ruling::Held), ("slow step", Ruling::Violated)]
    );
    let worst = threshold.judge(&record(), None);
    assert_eq!(worst.step.unwrap(), "slow step");
}

#[test]
fn memory_that_was_watched_for_a_moment_says_nothing_of_a_leak() {
    let judgement = judge("memory_leak(@ first) == 0", &record(), None);
    assert_eq!(
        (judgement.ruling, judgement.counts),
        (Ruling::Unknown, false)
    );
}

/// A record of a service that grew from 10 MB to 30 MB in the phase from 1 s to 2 s, and had 50 MB in between.
fn grown() -> RunRecord {
    let sample = |(at_ms, megabytes): (i64, u64)| MemorySample {
        at_ns: at_ms * 1_000_000,
        resident_bytes: megabytes * 1_000_000,
    };
    let samples = [(-100, 8), (900, 10), (1_500, 50), (1_900, 30), (2_100, 31)];
    let mut record = RunRecord::default();
    record.services = vec![ServiceMemory {
        name: "api".to_owned(),
        process: "api (7)".to_owned(),
        samples: samples.map(sample).to_vec(),
    }];
    let mut phase = PhaseSummary::default();
    phase.name = "steady".to_owned();
    (phase.start_ns, phase.end_ns) = (1_000_000_000, 2_000_000_000);
    record.phases = vec![phase];
    record
}

#[test]
fn the_memory_of_a_service_is_asked_of_a_phase_or_of_the_whole_run() {
    let record = grown();
    let observed = |text: &str| {
        let threshold: Threshold = text.parse().unwrap();
        let judged = threshold.judge(&record, None);
        judged.observed.ok_or(judged.reason.unwrap_or_default())
    };
    assert_eq!(observed("memory_growth(api @ steady) < 1MB"), Ok(20e6));
    assert_eq!(observed("memory_peak(api @ steady) < 1MB"), Ok(50e6));
    assert_eq!(observed("memory_growth(api) < 1MB"), Ok(23e6));
    assert_eq!(
        observed("memory_growth(api) < 2 * memory_growth(api @ steady)"),
        Ok(23e6)
    );
    let missing = observed("memory_growth(db) < 1MB").unwrap_err();
    assert!(
        missing.starts_with("no process of `db` was found"),
        "{missing}"
    );
    let missing = observed("memory_growth(@ steady) < 1MB").unwrap_err();
    assert!(missing.starts_with("there is no sample"), "{missing}");
    let services = ["api".to_owned()];
    let names = Names {
        services: &services,
        ..Names::default()
    };
    let threshold: Threshold = "memory_growth(ap) < 1MB".parse().unwrap();
    let told = threshold.check_names(&names).unwrap_err().to_string();
    assert!(
        told.ends_with("there is no service `ap`; there is `api`"),
        "{told}"
    );
}

fn of(steps: &[StepSpec]) -> Names<'_> {
    Names {
        steps,
        ..Names::default()
    }
}

#[test]
fn names_can_be_checked_before_the_run() {
    let threshold: Threshold = "p99(fats @ rest) < 1s".parse().unwrap();
    let error = threshold.check_names(&of(&[FAST, SLOW])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "threshold `p99(fats @ rest) < 1s`, column 5: there is no step `fats`; there is `fast`, `slow step`"
    );
    let threshold: Threshold = "p99(fast @ rest) < 1s".parse().unwrap();
    let error = threshold.check_names(&of(&[FAST, SLOW])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("column 12: there is no phase `rest`, nor any other")
    );
}

#[test]
fn a_lie_breaks_the_thresholds_of_the_ledger() {
    let store = Store::new(Honesty::DropsEvery(50));
    let (record, ledger) = load(&store, &plan(10, 50));
    let verification = verify(&ledger, store.contents());
    let ruling = |text| judge(text, &record, Some(&verification)).ruling;
    assert_eq!(ruling("lost == 0"), Ruling::Violated);
    assert_eq!(ruling("altered == 0"), Ruling::Held);
    assert_eq!(ruling("verified >= 490"), Ruling::Held);
    assert_eq!(ruling("vacuous == 0"), Ruling::Held);
}

#[test]
fn a_judgement_survives_being_saved() {
    let judgement = judge("error_rate(@ first) < 1%", &record(), None);
    let json = serde_json::to_string(&judgement).unwrap();
    assert!(
        json.starts_with(r#"{"threshold":"error_rate(@ first) < 1%","source":"file","ruling":"violated","counts":true"#),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<Judgement>(&json).unwrap(), judgement);
}

#[test]
fn a_limit_can_be_a_figure_of_the_same_run() {
    let record = record();
    let ruling = |text: &str| {
        let judgement = judge(text, &record, None);
        (judgement.ruling, judgement.limit)
    };
    // 10 ms of one step, 100 ms of the other.
    let (held, limit) = ruling("p50(fast) < 0.5 * p50(\"slow step\")");
    assert_eq!(held, Ruling::Held);
    assert!((limit - 50e6).abs() < 1e5, "{limit}");
    assert_eq!(
        ruling("p50(\"slow step\") <= 2 * p50(fast)").0,
        Ruling::Violated
    );
    assert_eq!(
        ruling("mean(fast @ rest) < 2*mean(fast @ first)").0,
        Ruling::Held
    );
    assert_eq!(
        ruling("failed(fast) <= failed(\"slow step\")").0,
        Ruling::Held
    );
    // Of the slow step's failures there are too few for their p99, and they are as slow as the others.
    assert_eq!(ruling("p99(\"slow step.failed\") < 1s").0, Ruling::Unknown);
    assert_eq!(ruling("p50(\"slow step.failed\") > 90ms").0, Ruling::Held);
    assert_eq!(ruling("p50(\"slow step.service\") > 90ms").0, Ruling::Held);

    let mistake = |text: &str| text.parse::<Threshold>().unwrap_err().to_string();
    let kinds = mistake("p99(fast) < 2 * error_rate");
    assert!(
        kinds.contains("`p99` is a time, and `error_rate` a share"),
        "{kinds}"
    );
    assert!(mistake("p99 < 0 * p50").contains("a factor is a number above 0"));
    assert!(mistake("p99 < 2 * mean(*)").contains("a limit is one figure"));
    let steps = [FAST, SLOW];
    let unknown: Threshold = "p99(fast) < 2 * p99(fats)".parse().unwrap();
    let error = unknown.check_names(&of(&steps)).unwrap_err().to_string();
    assert!(
        error.contains("column 21") && error.contains("`fats`"),
        "{error}"
    );
    let part: Threshold = "p99(fast.failed) < 1s".parse().unwrap();
    part.check_names(&of(&steps)).unwrap();
}
