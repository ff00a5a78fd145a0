use std::path::Path;
use std::sync::LazyLock;

use load_engine::{LatencySummary, Rng, RunRecord, StepSummary, Verification, empty_histogram};

use super::*;

const STEPS: [&str; 3] = ["create", "read", "update"];

/// Eleven figures.
const FIGURES: usize = 11;

/// What is made of a round of one side.
#[derive(Clone, Copy)]
struct Side {
    /// How many times as slow the step `update` is.
    slower: f64,
    /// How many times as many iterations succeed.
    rate: f64,
    failed: u64,
}

const SAME: Side = Side {
    slower: 1.0,
    rate: 1.0,
    failed: 0,
};

/// A round of one side: what the machine does to the whole round, and what it does to each.
fn round(rng: &mut Rng, drift: f64, side: Side) -> Report {
    let mut run = RunRecord::default();
    run.wall_ns = 1_000_000_000;
    run.window_ns = run.wall_ns;
    run.iterations.completed = (2_000.0 * side.rate / drift * (0.03 * normal(rng)).exp()) as u64;
    run.steps = STEPS
        .iter()
        .map(|name| {
            let mut step = StepSummary::default();
            (*name).clone_into(&mut step.name);
            let slower = if *name == "update" { side.slower } else { 1.0 };
            step.service_time = latencies(rng, drift * slower);
            step.succeeded = step.service_time.count;
            step.failed = side.failed;
            step.attempted = step.succeeded + step.failed;
            step
        })
        .collect();
    let scenario = ScenarioResult::new("made", run, Verification::default());
    let mut report = empty().clone();
    report.scenarios = vec![scenario];
    report
}

/// A thousand latencies around a typical one, of which each percentile has noise of its own.
fn latencies(rng: &mut Rng, slower: f64) -> LatencySummary {
    let typical = 1e6 * slower * (0.05 * normal(rng)).exp();
    let mut histogram = empty_histogram();
    for (times, count, noise) in [(1.0, 900, 0.02), (2.0, 55, 0.1), (4.0, 45, 0.15)] {
        let ns = typical * times * (noise * normal(rng)).exp();
        histogram.record_n(ns as u64, count).unwrap();
    }
    LatencySummary::of(&histogram)
}

/// Made once: it says what the machine is, which takes longer than all the rest.
fn empty() -> &'static Report {
    static EMPTY: LazyLock<Report> = LazyLock::new(|| Report::new(vec![], Path::new("/")));
    &EMPTY
}

fn normal(rng: &mut Rng) -> f64 {
    let (a, b) = (rng.unit().max(1e-12), rng.unit());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

fn compare(seed: u64, rounds: usize, b: Side) -> Comparison {
    let mut rng = Rng::new(seed);
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // The machine's mood holds for both sides of a round.
        let drift = (0.3 * normal(&mut rng)).exp();
        of_a.push(round(&mut rng, drift, SAME));
        of_b.push(round(&mut rng, drift, b));
    }
    Comparison::of(("A", &of_a), ("B", &of_b))
}

fn of(comparison: &Comparison, step: &str, metric: Metric) -> Effect {
    let is_it = |effect: &&Effect| effect.subject.step == step && effect.subject.metric == metric;
    comparison.effects.iter().find(is_it).unwrap().clone()
}

#[test]
fn of_the_same_thing_twice_at_most_one_comparison_in_100_is_a_false_alarm() {
    let alarms = (0..100).filter(|seed| !compare(*seed, 14, SAME).shown().is_empty());
    let alarms = alarms.count();
    assert!(alarms <= 2, "{alarms} of 100");
}

#[test]
fn a_median_that_is_20_percent_slower_is_found_with_20_rounds() {
    let slower = Side {
        slower: 1.2,
        ..SAME
    };
    let mut found = 0;
    for seed in 0..40 {
        let comparison = compare(1_000 + seed, 20, slower);
        let effect = of(&comparison, "update", Metric::P50);
        found += usize::from(effect.change == Change::Worse);
        assert!((1.1..1.35).contains(&effect.effect.unwrap()), "{effect:?}");
    }
    assert!(found >= 38, "{found} of 40");
}

#[test]
fn too_few_rounds_say_so_however_large_the_effect() {
    let slower = Side {
        slower: 10.0,
        ..SAME
    };
    let comparison = compare(5, 4, slower);
    assert!(comparison.shown().is_empty());
    let few = |effect: &Effect| effect.change == Change::TooFewRounds;
    assert!(comparison.effects.iter().all(few));
    assert_eq!(comparison.statement(), Statement::Undecided);
}

#[test]
fn rounds_are_enough_exactly_where_a_difference_can_be_shown() {
    // The table of how many figures so many rounds are enough for.
    let most = [
        (8, 1),
        (9, 2),
        (10, 5),
        (11, 10),
        (12, 20),
        (13, 40),
        (14, 81),
    ];
    for (rounds, figures) in most {
        assert_eq!(rounds_needed(figures), rounds, "{figures}");
        assert_eq!(rounds_needed(figures + 1), rounds + 1, "{figures}");
    }
    for figures in 1..=50 {
        let needed = rounds_needed(figures) as i32;
        let p = |rounds: i32| 2.0 * figures as f64 / 2f64.powi(rounds);
        assert!(p(needed) < FALSE_ALARM && p(needed - 1) >= FALSE_ALARM);
    }
}

#[test]
fn at_the_boundary_a_difference_in_every_round_is_found_and_below_it_none_is_denied() {
    let slower = Side {
        slower: 10.0,
        ..SAME
    };
    // The error rates are 0 in each round and are not counted.
    let needed = rounds_needed(FIGURES - 1);
    let enough = compare(7, needed, slower);
    assert_eq!((enough.needed, enough.effects.len()), (needed, FIGURES));
    assert!(enough.is_worse() && !enough.has_too_few_rounds());
    let fewer = compare(7, needed - 1, slower);
    assert!(fewer.has_too_few_rounds());
    let is_open = |effect: &Effect| effect.change == Change::TooFewRounds;
    assert!(
        fewer.effects.iter().all(is_open),
        "neither shown nor denied"
    );
}

#[test]
fn halved_throughput_is_worse() {
    let halved = Side { rate: 0.5, ..SAME };
    let comparison = compare(11, 12, halved);
    let effect = of(&comparison, "", Metric::Throughput);
    assert_eq!(effect.change, Change::Worse);
    assert!((0.45..0.55).contains(&effect.effect.unwrap()));
}

#[test]
fn a_target_that_fails_fast_is_not_faster() {
    // It fails nearly always, and what little succeeds is fast.
    let failing = Side {
        slower: 0.05,
        rate: 0.01,
        failed: 100_000,
    };
    let comparison = compare(13, 13, failing);
    assert_eq!(of(&comparison, "", Metric::ErrorRate).change, Change::Worse);
    let latency = of(&comparison, "update", Metric::P50);
    assert_eq!(latency.change, Change::NotComparable);
    let text = comparison_in_words(&comparison);
    assert!(
        text.contains("not comparable: other operations succeed"),
        "{text}"
    );
}

#[test]
fn a_side_without_successes_is_worse_and_never_missing() {
    let mut rng = Rng::new(17);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..14 {
        a.push(round(&mut rng, 1.0, SAME));
        let mut broken = round(&mut rng, 1.0, SAME);
        let step = &mut broken.scenarios[0].run.steps[1];
        step.failed = step.attempted;
        step.succeeded = 0;
        step.service_time = LatencySummary::default();
        b.push(broken);
    }
    let comparison = Comparison::of(("A", &a), ("B", &b));
    let effect = of(&comparison, "read", Metric::P50);
    assert_eq!((effect.change, effect.b), (Change::Worse, None));
    let saved = serde_json::to_string(&comparison).unwrap();
    let read: Comparison = serde_json::from_str(&saved).unwrap();
    assert_eq!(read.statement(), Statement::Worse);
}

#[test]
fn no_difference_is_said_with_a_bound_and_a_margin_is_proved_or_not() {
    let comparison = compare(23, 20, SAME);
    let text = comparison_in_words(&comparison);
    assert!(
        text.starts_with("No difference shown: B is at most "),
        "{text}"
    );
    let wide = comparison.clone().no_worse_than(0.5);
    assert_eq!(wide.statement(), Statement::NotWorse);
    let narrow = comparison.no_worse_than(0.001);
    assert_eq!(narrow.statement(), Statement::Undecided);
    let text = comparison_in_words(&narrow);
    assert!(
        text.starts_with("Not decided whether B is no worse"),
        "{text}"
    );
}

#[test]
fn two_single_runs_decide_nothing_and_a_defect_of_one_does() {
    let slower = Side {
        slower: 47.0,
        ..SAME
    };
    let comparison = compare(29, 1, slower);
    assert_eq!(comparison.statement(), Statement::NotWorse);
    let text = comparison_in_words(&comparison);
    let first = text.lines().find(|line| line.contains("update")).unwrap();
    let table = text.lines().filter(|line| line.starts_with('|'));
    assert_eq!(
        table.clone().nth(2),
        Some(first),
        "the largest difference first: {text}"
    );
    let widths: Vec<usize> = table.map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
    let asked = comparison.clone().no_worse_than(0.05);
    assert_eq!(asked.statement(), Statement::Undecided);

    let mut worse = comparison;
    worse.defects = [0, 1];
    assert_eq!(worse.statement(), Statement::Worse);
}

#[test]
fn what_one_side_lacks_is_named_once() {
    let mut rng = Rng::new(3);
    let a = vec![round(&mut rng, 1.0, SAME), round(&mut rng, 1.0, SAME)];
    let mut b = a.clone();
    for report in &mut b {
        report.scenarios[0].run.steps.remove(0);
        let mut other = report.scenarios[0].clone();
        "other".clone_into(&mut other.name);
        report.scenarios.push(other);
    }
    let comparison = Comparison::of(("A", &a), ("B", &b));
    assert_eq!(comparison.not_compared.len(), Metric::OF_STEP.len());
    let is_create = |subject: &Subject| subject.step == "create";
    assert!(comparison.not_compared.iter().all(is_create));
    assert_eq!(comparison.unmatched, [("B".to_owned(), "other".to_owned())]);
}

#[test]
fn folders_of_runs_that_were_not_made_in_turns_are_not_decided() {
    let mut rng = Rng::new(5);
    let slower = Side {
        slower: 10.0,
        ..SAME
    };
    let timed = |report: &mut Report, second: usize| {
        report.started_at = format!("2026-01-01T00:00:{second:02}Z");
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for number in 0..14 {
        let mut one = round(&mut rng, 1.0, SAME);
        timed(&mut one, number);
        a.push(one);
        let mut other = round(&mut rng, 1.0, slower);
        timed(&mut other, 20 + number);
        b.push(other);
    }
    let comparison = Comparison::of(("A", &a), ("B", &b));
    assert_eq!(
        (comparison.in_turns, comparison.statement()),
        (false, Statement::Undecided)
    );
    for (number, (a, b)) in a.iter_mut().zip(&mut b).enumerate() {
        timed(a, 2 * number);
        timed(b, 2 * number + 1);
    }
    let comparison = Comparison::of(("A", &a), ("B", &b));
    assert_eq!(
        (comparison.in_turns, comparison.statement()),
        (true, Statement::Worse)
    );
}
