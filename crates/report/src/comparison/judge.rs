//! From pairs of rounds to statements.

use super::figures::{Metric, Observed, Pair};
use super::median::median;
use super::power::detectable;
use super::signed_rank::{interval, location, p_value};
use super::{Change, Effect, FALSE_ALARM, rounds_needed};

/// Judges every figure; also gives how many rounds are needed.
pub(super) fn effects(pairs: Vec<Pair>, rounds: usize, in_turns: bool) -> (Vec<Effect>, usize) {
    let differences: Vec<Vec<f64>> = pairs.iter().map(differences).collect();
    let varying: Vec<usize> = differences
        .iter()
        .map(|of| of.iter().filter(|d| **d != 0.0).count())
        .collect();
    // What varies in each round could be shown with more of them; two error rates of 0 never could.
    let always = varying.iter().filter(|count| **count == rounds).count();
    let needed = rounds_needed(always);
    let testable = testable(&varying);
    let tests = testable.iter().filter(|is| **is).count().max(1);
    let smallest = detectable(rounds, FALSE_ALARM / tests as f64);
    let mut effects: Vec<Effect> = pairs
        .into_iter()
        .zip(&differences)
        .map(|(pair, differences)| effect(pair, differences, tests, smallest))
        .collect();
    correct(&mut effects, &testable);
    for (effect, testable) in effects.iter_mut().zip(&testable) {
        effect.change = if rounds < needed || !in_turns {
            Change::TooFewRounds
        } else if !testable || effect.p >= FALSE_ALARM {
            Change::NotShown
        } else if is_higher(effect) == effect.subject.metric.is_better_low() {
            Change::Worse
        } else {
            Change::Better
        };
    }
    withdraw(&mut effects);
    (effects, needed)
}

/// B's figure beside A's in each round: the logarithm of the ratio, or the difference of error rates. A side
/// without a success has no latency, which is worse than any.
fn differences(pair: &Pair) -> Vec<f64> {
    let is_rate = pair.subject.metric == Metric::ErrorRate;
    let of = |(a, b): (&Observed, &Observed)| match (a, b) {
        (Observed::Value(a), Observed::Value(b)) if is_rate => b - a,
        (Observed::Value(a), Observed::Value(b)) if *a > 0.0 || *b > 0.0 => (b / a).ln(),
        (Observed::Value(_), Observed::NoSuccess) => f64::INFINITY,
        (Observed::NoSuccess, Observed::Value(_)) => f64::NEG_INFINITY,
        _ => 0.0,
    };
    pair.a.iter().zip(&pair.b).map(of).collect()
}

fn effect(pair: Pair, differences: &[f64], tests: usize, smallest: Option<f64>) -> Effect {
    let metric = pair.subject.metric;
    let is_rate = metric == Metric::ErrorRate;
    // As it is read: a ratio, or a difference.
    let told = |d: f64| {
        let value = if is_rate { d } else { d.exp() };
        (d.is_finite() && value.is_finite()).then_some(value)
    };
    let (low, high) = interval(differences, FALSE_ALARM / tests as f64);
    let (lowest, highest) = interval(differences, 2.0 * FALSE_ALARM);
    let worst = if metric.is_better_low() {
        highest
    } else {
        -lowest
    };
    let worse_by = |d: f64| if is_rate { d } else { d.exp() - 1.0 };
    let noise = spread(differences);
    let middle = |side: &[Observed]| {
        let value = |own: &Observed| match own {
            Observed::Value(value) => Some(*value),
            _ => None,
        };
        median(side.iter().filter_map(value))
    };
    Effect {
        a: middle(&pair.a),
        b: middle(&pair.b),
        subject: pair.subject,
        effect: told(location(differences)),
        interval: [told(low), told(high)],
        worse_by_at_most: worst.is_finite().then(|| worse_by(worst).max(0.0)),
        noise: noise.map(worse_by),
        detectable: noise
            .zip(smallest)
            .map(|(noise, times)| worse_by(noise * times)),
        p: p_value(differences),
        change: Change::NotShown,
        usual: None,
    }
}

/// The standard deviation of the rounds that have a value.
fn spread(differences: &[f64]) -> Option<f64> {
    let finite: Vec<f64> = differences
        .iter()
        .copied()
        .filter(|d| d.is_finite())
        .collect();
    let n = finite.len() as f64;
    if finite.len() < 2 {
        return None;
    }
    let mean = finite.iter().sum::<f64>() / n;
    let squares: f64 = finite.iter().map(|d| (d - mean).powi(2)).sum();
    Some((squares / (n - 1.0)).sqrt())
}

fn is_higher(effect: &Effect) -> bool {
    match (effect.effect, effect.subject.metric) {
        (Some(difference), Metric::ErrorRate) => difference > 0.0,
        (Some(ratio), _) => ratio > 1.0,
        // Without a bound: one side never succeeded.
        (None, metric) => (metric.is_latency() && effect.b.is_none()) || effect.a == Some(0.0),
    }
}

/// Which figures can be told apart at all: those whose rounds that differ could reach the level, corrected for
/// as many as there are of them. The others are not counted among the tests.
fn testable(varying: &[usize]) -> Vec<bool> {
    let least = |count: usize| 2.0 / 2f64.powi(count as i32);
    let at = |tests: usize| -> Vec<bool> {
        let level = FALSE_ALARM / tests as f64;
        varying.iter().map(|count| least(*count) < level).collect()
    };
    let count = |of: &[bool]| of.iter().filter(|is| **is).count();
    (1..=varying.len().max(1))
        .map(|tests| (tests, at(tests)))
        .find(|(tests, testable)| count(testable) <= *tests)
        .map(|(_, testable)| testable)
        .unwrap_or_default()
}

/// Holm's correction over the figures that can be tested.
fn correct(effects: &mut [Effect], testable: &[bool]) {
    let mut order: Vec<usize> = (0..effects.len())
        .filter(|number| testable[*number])
        .collect();
    order.sort_by(|a, b| effects[*a].p.total_cmp(&effects[*b].p));
    let mut least: f64 = 0.0;
    for (rank, &number) in order.iter().enumerate() {
        let times = (order.len() - rank) as f64;
        least = least.max((effects[number].p * times).min(1.0));
        effects[number].p = least;
    }
}

/// Latency is never better where more fails or less is done: other operations succeed.
fn withdraw(effects: &mut [Effect]) {
    let worse: Vec<String> = effects
        .iter()
        .filter(|effect| effect.change == Change::Worse && !effect.subject.metric.is_latency())
        .map(|effect| effect.subject.scenario.clone())
        .collect();
    for effect in effects {
        let is_better = effect.change == Change::Better && effect.subject.metric.is_latency();
        if is_better && worse.contains(&effect.subject.scenario) {
            effect.change = Change::NotComparable;
        }
    }
}
