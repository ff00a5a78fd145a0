//! Is B slower than A? Told from rounds, so that the machine's moods do not answer.
//!
//! One run of each tells two moments apart, not two programs. So A and B run in turns, and what is
//! compared is, round by round, the logarithm of B's figure over A's (of error rates the difference):
//! whatever slowed a whole round cancels. The effect is Hodges and Lehmann's estimate (the median of all
//! pairwise means) with the interval that belongs to Wilcoxon's signed-rank test, whose exact distribution
//! is used; Holm's correction over the figures that can be tested (Tarone) keeps the chance of any false
//! alarm in a whole comparison at [`FALSE_ALARM`].
//!
//! - J. L. Hodges, E. L. Lehmann, "Estimates of location based on rank tests", 1963.
//! - F. Wilcoxon, "Individual comparisons by ranking methods", 1945.
//! - S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
//! - R. E. Tarone, "A modified Bonferroni method for discrete data", 1990.

mod figures;
mod judge;
pub(crate) mod median;
mod power;
mod render;
mod signed_rank;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::figures::{Metric, Subject, figures_of_steps};
use self::figures::{Paired, paired, unmatched};
pub(crate) use self::figures::{of_scenario, of_step};
pub use self::render::comparison_in_words;
use crate::{Report, ScenarioResult};

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
    /// Whether both sides ran in each round before the next one began. If not, what changed on the machine
    /// meanwhile cannot be told from a difference.
    #[serde(default = "yes")]
    pub in_turns: bool,
    /// Every figure that both sides have in every round.
    pub effects: Vec<Effect>,
    /// Figures of common scenarios that only one side has, or not in each round: nothing is said of them.
    pub not_compared: Vec<Subject>,
    /// Scenarios of one side only, with its name.
    #[serde(default)]
    pub unmatched: Vec<(String, String)>,
    /// Wrong effects, write steps that wrote nothing and aborts of each side, over all rounds. They need no
    /// statistics: a side that has some, while the other has none, is worse.
    #[serde(default)]
    pub defects: [u64; 2],
    /// The largest worsening that is still tolerated, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

fn yes() -> bool {
    true
}

/// By how much a figure of B differs from A's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// Which figure.
    pub subject: Subject,
    /// The median of A's rounds; nothing where it never succeeded.
    pub a: Option<f64>,
    /// The median of B's rounds.
    pub b: Option<f64>,
    /// B over A by Hodges and Lehmann, or B less A of an error rate; nothing where it has no bound.
    pub effect: Option<f64>,
    /// From where to where that may be, at [`FALSE_ALARM`] over all figures.
    pub interval: [Option<f64>; 2],
    /// How much worse B may be at most, with a chance of [`FALSE_ALARM`] for this figure alone: a share of
    /// A, or of an error rate the difference.
    pub worse_by_at_most: Option<f64>,
    /// How much rounds of equals differ: the standard deviation of the rounds' effects.
    pub noise: Option<f64>,
    /// The worsening that so many rounds find in 9 of 10 comparisons.
    pub detectable: Option<f64>,
    /// The chance of such a difference between equals, corrected for all figures that could be tested.
    pub p: f64,
    /// What it comes to.
    #[serde(alias = "ruling")]
    pub change: Change,
    /// From where to where 90 % of earlier runs like A were, if there were enough of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<[f64; 2]>,
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
    /// B's latency is lower, but it fails more or does less: other operations succeed.
    NotComparable,
    /// There are fewer rounds than [could show](rounds_needed) a difference, or they were not made in turns.
    TooFewRounds,
}

/// What a comparison says of B as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// B is worse in something.
    Worse,
    /// B is no worse, or not by more than the margin.
    NotWorse,
    /// It cannot be told.
    Undecided,
}

impl Comparison {
    /// Compares runs, made in turns: the first of A with the first of B, and so on. More rounds of
    /// one side than of the other are left out.
    #[must_use]
    pub fn of(a: (&str, &[Report]), b: (&str, &[Report])) -> Self {
        let rounds = a.1.len().min(b.1.len());
        let (of_a, of_b) = (&a.1[..rounds], &b.1[..rounds]);
        let Paired {
            pairs,
            not_compared,
        } = paired(of_a, of_b);
        let in_turns = figures::are_in_turns(of_a, of_b);
        let (effects, needed) = judge::effects(pairs, rounds, in_turns);
        let defects = [of_a, of_b].map(|side| side.iter().map(defects_of).sum());
        let unmatched = unmatched((a.0, of_a), (b.0, of_b));
        Self {
            a: a.0.to_owned(),
            b: b.0.to_owned(),
            rounds,
            needed,
            in_turns,
            effects,
            not_compared,
            unmatched,
            defects,
            margin: None,
        }
    }

    /// Adds how far apart earlier runs like A's were, where that is known: as by
    /// [`History::usual`](crate::history::History::usual).
    #[must_use]
    pub fn beside(mut self, usual: impl Fn(&Subject) -> Option<[f64; 2]>) -> Self {
        for effect in &mut self.effects {
            effect.usual = usual(&effect.subject);
        }
        self
    }

    /// Asks whether B is no worse by more than a share of A, instead of whether it differs.
    #[must_use]
    pub fn no_worse_than(mut self, margin: f64) -> Self {
        self.margin = Some(margin);
        self
    }

    /// The effects that are shown, the largest first.
    #[must_use]
    pub fn shown(&self) -> Vec<&Effect> {
        let is_shown = |effect: &&Effect| matches!(effect.change, Change::Better | Change::Worse);
        let mut shown: Vec<&Effect> = self.effects.iter().filter(is_shown).collect();
        shown.sort_by(|a, b| b.size().total_cmp(&a.size()));
        shown
    }

    /// Whether there is one run of each side, which decides nothing.
    #[must_use]
    pub fn is_of_single_runs(&self) -> bool {
        self.rounds == 1
    }

    /// Whether there are too few rounds to show anything.
    #[must_use]
    pub fn has_too_few_rounds(&self) -> bool {
        self.rounds < self.needed
    }

    /// Whether anything is shown to be worse.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        let [of_a, of_b] = self.defects;
        (of_b > 0 && of_a == 0)
            || self
                .effects
                .iter()
                .any(|effect| effect.change == Change::Worse)
    }

    /// What it comes to.
    #[must_use]
    pub fn statement(&self) -> Statement {
        if self.is_worse() {
            return Statement::Worse;
        }
        let within = |margin: f64| {
            let mut effects = self.effects.iter();
            !self.effects.is_empty()
                && effects.all(|effect| effect.worse_by_at_most.is_some_and(|most| most < margin))
        };
        let is_told = match self.margin {
            Some(margin) => self.in_turns && !self.is_of_single_runs() && within(margin),
            // Two single runs make no statement, and that is all that was asked for.
            None if self.is_of_single_runs() => true,
            None => self.in_turns && !self.has_too_few_rounds(),
        };
        match is_told {
            true => Statement::NotWorse,
            false => Statement::Undecided,
        }
    }
}

impl Effect {
    /// How large it is, whatever its direction: of a ratio the logarithm.
    fn size(&self) -> f64 {
        match (self.effect, self.subject.metric) {
            (Some(difference), Metric::ErrorRate) => difference.abs(),
            (Some(ratio), _) => ratio.ln().abs(),
            (None, _) => f64::INFINITY,
        }
    }
}

/// What is wrong with a run whatever its figures.
fn defects_of(report: &Report) -> u64 {
    let of = |scenario: &ScenarioResult| {
        scenario.verification.discrepancy_count()
            + scenario.vacuous_steps.len() as u64
            + u64::from(scenario.run.abort.is_some())
    };
    report.scenarios.iter().map(of).sum()
}

#[cfg(test)]
mod tests;
