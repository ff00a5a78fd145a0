//! Is B slower than A? Told from rounds, so that the machine's moods do not answer.
//!
//! One run of each tells two moments apart, not two programs. So A and B run in turns, and what is
//! compared is, round by round, the logarithm of B's figure over A's: whatever slowed a whole round
//! cancels. The effect is Hodges and Lehmann's estimate (the median of all pairwise means) with the
//! interval that belongs to Wilcoxon's signed-rank test, whose exact distribution is used; Holm's
//! correction keeps the chance of any false alarm in a whole comparison at [`FALSE_ALARM`].
//!
//! - J. L. Hodges, E. L. Lehmann, "Estimates of location based on rank tests", 1963.
//! - F. Wilcoxon, "Individual comparisons by ranking methods", 1945.
//! - S. Holm, "A simple sequentially rejective multiple test procedure", 1979.

pub(crate) mod median;
mod render;
mod signed_rank;

use std::collections::BTreeMap;

use load_engine::LatencySummary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Report;
use crate::comparison::median::median;

pub use self::render::comparison_in_words;

/// The chance that two equal things are told apart somewhere in a comparison.
pub const FALSE_ALARM: f64 = 0.01;

/// The fewest rounds in which a difference in so many figures could be shown: even if B is slower in each
/// round, that is chance with a probability of 2/2ⁿ, and Holm's correction allows the level over the number
/// of figures.
#[must_use]
pub fn rounds_needed(figures: usize) -> usize {
    let mut rounds = 1;
    while 2.0 * figures.max(1) as f64 / 2f64.powi(rounds) >= FALSE_ALARM {
        rounds += 1;
    }
    rounds as usize
}

/// How many figures of so many steps are compared.
#[must_use]
pub fn figures_of_steps(steps: usize) -> usize {
    steps * Metric::ALL.len()
}

/// A figure that can be compared.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Operations a second.
    Throughput,
    /// The median of latency.
    P50,
    /// The 99th percentile of latency.
    P99,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Throughput, Self::P50, Self::P99];

    /// The metric in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::P50 => "p50",
            Self::P99 => "p99",
        }
    }

    /// Whether more is worse.
    #[must_use]
    pub fn is_latency(self) -> bool {
        self != Self::Throughput
    }
}

/// What is compared: a figure of a step of a scenario.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Subject {
    /// The scenario.
    pub scenario: String,
    /// The step.
    pub step: String,
    /// The figure.
    pub metric: Metric,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// What the first side is called.
    pub a: String,
    /// What the second side is called.
    pub b: String,
    /// How many rounds both sides have.
    pub rounds: usize,
    /// How many rounds are needed to show a difference in these figures.
    #[serde(default)]
    pub needed: usize,
    /// Every figure that both sides have in every round.
    pub effects: Vec<Effect>,
    /// Figures that only one side has, or not in each round: nothing is said about them.
    pub not_compared: Vec<Subject>,
}

/// By how much a figure of B differs from A's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// Which figure.
    pub subject: Subject,
    /// The median of A's rounds.
    pub a: f64,
    /// The median of B's rounds.
    pub b: f64,
    /// B over A, by Hodges and Lehmann.
    pub ratio: f64,
    /// From where to where the ratio may be, at [`FALSE_ALARM`] for this figure alone.
    pub interval: [f64; 2],
    /// The chance of such a difference between equals, corrected for all figures compared.
    pub p: f64,
    /// What it comes to.
    #[serde(alias = "ruling")]
    pub change: Change,
    /// Whether it differs in any round.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    varies: bool,
}

/// What an effect comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// B is better.
    Better,
    /// B is worse.
    Worse,
    /// No difference is shown. That is not to say that there is none.
    NotShown,
    /// There are fewer rounds than [could show](rounds_needed) a difference.
    TooFewRounds,
}

impl Comparison {
    /// Compares runs, made in turns: the first of A with the first of B, and so on. More rounds of
    /// one side than of the other are left out.
    #[must_use]
    pub fn of(a: (&str, &[Report]), b: (&str, &[Report])) -> Self {
        let rounds = a.1.len().min(b.1.len());
        let (figures_a, figures_b) = (figures(&a.1[..rounds]), figures(&b.1[..rounds]));
        let mut effects = Vec::new();
        let mut not_compared = Vec::new();
        for (subject, of_a) in &figures_a {
            match figures_b.get(subject) {
                Some(of_b) if of_a.len() == rounds && of_b.len() == rounds && rounds > 0 => {
                    effects.push(Effect::of(subject.clone(), of_a, of_b));
                }
                _ => not_compared.push(subject.clone()),
            }
        }
        let only_b = figures_b.keys().filter(|key| !figures_a.contains_key(*key));
        not_compared.extend(only_b.cloned());
        // A figure that is the same in every round, such as two rates of 0, can show nothing in any number
        // of rounds, and is not counted (Tarone, "A modified Bonferroni method for discrete data", 1990).
        let varies = effects.iter().filter(|effect| effect.varies).count();
        let needed = rounds_needed(varies);
        correct(&mut effects);
        for effect in &mut effects {
            effect.change = effect.judge(rounds, needed);
        }
        Self {
            a: a.0.to_owned(),
            b: b.0.to_owned(),
            rounds,
            needed,
            effects,
            not_compared,
        }
    }

    /// The effects that are shown, the largest first.
    #[must_use]
    pub fn shown(&self) -> Vec<&Effect> {
        let is_shown = |effect: &&Effect| matches!(effect.change, Change::Better | Change::Worse);
        let mut shown: Vec<&Effect> = self.effects.iter().filter(is_shown).collect();
        shown.sort_by(|a, b| b.ratio.ln().abs().total_cmp(&a.ratio.ln().abs()));
        shown
    }

    /// Whether there are too few rounds to show anything.
    #[must_use]
    pub fn has_too_few_rounds(&self) -> bool {
        self.rounds < self.needed
    }

    /// Whether anything is shown to be worse.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.effects
            .iter()
            .any(|effect| effect.change == Change::Worse)
    }
}

impl Effect {
    fn of(subject: Subject, a: &[f64], b: &[f64]) -> Self {
        let logs: Vec<f64> = a.iter().zip(b).map(|(a, b)| (b / a).ln()).collect();
        let (low, high) = signed_rank::interval(&logs, FALSE_ALARM);
        Self {
            subject,
            a: middle(a),
            b: middle(b),
            ratio: signed_rank::location(&logs).exp(),
            interval: [low.exp(), high.exp()],
            p: signed_rank::p_value(&logs),
            change: Change::NotShown,
            varies: logs.iter().any(|log| *log != 0.0),
        }
    }

    fn judge(&self, rounds: usize, needed: usize) -> Change {
        if rounds < needed {
            Change::TooFewRounds
        } else if self.p >= FALSE_ALARM {
            Change::NotShown
        } else if (self.ratio > 1.0) == self.subject.metric.is_latency() {
            Change::Worse
        } else {
            Change::Better
        }
    }
}

/// Holm's correction.
fn correct(effects: &mut [Effect]) {
    let mut order: Vec<usize> = (0..effects.len())
        .filter(|number| effects[*number].varies)
        .collect();
    order.sort_by(|a, b| effects[*a].p.total_cmp(&effects[*b].p));
    let mut least: f64 = 0.0;
    for (rank, &number) in order.iter().enumerate() {
        let times = (order.len() - rank) as f64;
        least = least.max((effects[number].p * times).min(1.0));
        effects[number].p = least;
    }
}

/// Each figure with its value in each round that has it.
fn figures(reports: &[Report]) -> BTreeMap<Subject, Vec<f64>> {
    let mut figures: BTreeMap<Subject, Vec<f64>> = BTreeMap::new();
    for report in reports {
        for scenario in &report.scenarios {
            for step in &scenario.run.steps {
                let latency = step.response_time.as_ref().unwrap_or(&step.service_time);
                for metric in Metric::ALL {
                    let value = value_of(metric, latency, scenario.run.wall_ns);
                    // A logarithm needs a value above 0; a step that never ran has none.
                    if value > 0.0 {
                        let subject = Subject {
                            scenario: scenario.name.clone(),
                            step: step.name.clone(),
                            metric,
                        };
                        figures.entry(subject).or_default().push(value);
                    }
                }
            }
        }
    }
    figures
}

fn middle(values: &[f64]) -> f64 {
    median(values.iter().copied()).unwrap_or(0.0)
}

pub(crate) fn value_of(metric: Metric, latency: &LatencySummary, wall_ns: u64) -> f64 {
    match metric {
        Metric::Throughput => latency.count as f64 * 1e9 / wall_ns.max(1) as f64,
        Metric::P50 => latency.p50_ns as f64,
        Metric::P99 => latency.p99_ns as f64,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::LazyLock;

    use load_engine::{Rng, RunRecord, StepSummary};

    use super::*;
    use crate::ScenarioResult;

    const STEPS: [&str; 4] = ["create", "read", "update", "delete"];

    /// A round of one side: what the machine does to the whole round, and what it does to each.
    fn round(rng: &mut Rng, drift: f64, slower: f64) -> Report {
        let mut run = RunRecord::default();
        run.wall_ns = 1_000_000_000;
        run.steps = STEPS
            .iter()
            .map(|name| {
                let mut step = StepSummary::default();
                (*name).clone_into(&mut step.name);
                let typical = 1e6 * drift * (0.05 * normal(rng)).exp();
                let slower = if *name == "update" { slower } else { 1.0 };
                let latency = &mut step.service_time;
                latency.p50_ns = (typical * slower) as u64;
                latency.p99_ns = (4.0 * typical * (0.15 * normal(rng)).exp()) as u64;
                latency.count = (1_000.0 / drift * (0.03 * normal(rng)).exp()) as u64;
                step
            })
            .collect();
        let scenario = ScenarioResult::new("made", run, load_engine::Verification::default());
        let mut report = empty().clone();
        report.scenarios = vec![scenario];
        report
    }

    /// Made once: it says what the machine is, which takes longer than all the rest.
    fn empty() -> &'static Report {
        static EMPTY: LazyLock<Report> = LazyLock::new(|| Report::new(vec![], Path::new("/")));
        &EMPTY
    }

    fn normal(rng: &mut Rng) -> f64 {
        let mut uniform = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let (a, b) = (uniform().max(1e-12), uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    fn compare(seed: u64, rounds: usize, slower: f64) -> Comparison {
        let mut rng = Rng::new(seed);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            // The machine's mood holds for both sides of a round.
            let drift = (0.3 * normal(&mut rng)).exp();
            a.push(round(&mut rng, drift, 1.0));
            b.push(round(&mut rng, drift, slower));
        }
        Comparison::of(("A", &a), ("B", &b))
    }

    #[test]
    fn of_the_same_thing_twice_at_most_one_comparison_in_100_is_a_false_alarm() {
        let alarms = (0..300).filter(|seed| !compare(*seed, 20, 1.0).shown().is_empty());
        let alarms = alarms.count();
        assert!(alarms <= 3, "{alarms} of 300");
    }

    #[test]
    fn a_median_that_is_10_percent_slower_is_found_with_20_rounds() {
        let mut found = 0;
        for seed in 0..100 {
            let comparison = compare(1_000 + seed, 20, 1.1);
            let is_it = |effect: &&Effect| {
                effect.subject.step == "update" && effect.subject.metric == Metric::P50
            };
            let effect = comparison.effects.iter().find(is_it).unwrap();
            found += usize::from(effect.change == Change::Worse);
            assert!((1.0..1.25).contains(&effect.ratio), "{effect:?}");
        }
        assert!(found >= 95, "{found} of 100");
    }

    #[test]
    fn too_few_rounds_say_so_however_large_the_effect() {
        let comparison = compare(5, 4, 10.0);
        assert!(comparison.shown().is_empty());
        let few = |effect: &Effect| effect.change == Change::TooFewRounds;
        assert!(comparison.effects.iter().all(few));
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
        let needed = rounds_needed(figures_of_steps(STEPS.len()));
        let enough = compare(7, needed, 10.0);
        assert!(enough.is_worse() && !enough.has_too_few_rounds());
        let fewer = compare(7, needed - 1, 10.0);
        assert!(fewer.has_too_few_rounds());
        let is_open = |effect: &Effect| effect.change == Change::TooFewRounds;
        assert!(
            fewer.effects.iter().all(is_open),
            "neither shown nor not shown"
        );
    }

    #[test]
    fn what_one_side_lacks_is_named() {
        let mut rng = Rng::new(3);
        let a = vec![round(&mut rng, 1.0, 1.0)];
        let mut b = a.clone();
        b[0].scenarios[0].run.steps.remove(0);
        let comparison = Comparison::of(("A", &a), ("B", &b));
        assert_eq!(comparison.not_compared.len(), Metric::ALL.len());
        assert!(
            comparison
                .not_compared
                .iter()
                .all(|subject| subject.step == "create")
        );
    }
}
