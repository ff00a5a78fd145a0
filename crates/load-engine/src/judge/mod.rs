//! What a record says about the target and about the generator.

pub(crate) mod interval;
pub(crate) mod lateness;
pub(crate) mod leak;
pub(crate) mod observe;
pub mod trend;
pub(crate) mod validity;

use crate::judge::observe::{Figure, Missing, Observation, observe};
use crate::ledger::verify::Verification;
use crate::numbers::rounded;
use crate::plan::model::Model;
use crate::record::RunRecord;
use crate::threshold::metric::Metric;
use crate::threshold::quantity::Dimension;
use crate::threshold::{Comparison, Judgement, Name, Ruling, Source, Threshold};

/// A quantile of too few operations is exceeded if chance would do so less often than this.
const MISS_BY_CHANCE: f64 = 0.001;

/// So few exceeding operations prove nothing, however unlikely they are.
const FEWEST_MISSES: u64 = 3;

impl Threshold {
    /// Judges a run. A figure that is not there (no such step, no operation, no verification) leaves
    /// the threshold [`Ruling::Unknown`]; of a figure of each step, the worst ruling is given.
    #[must_use]
    pub fn judge(&self, record: &RunRecord, verification: Option<&Verification>) -> Judgement {
        let severity = |judgement: &Judgement| match judgement.ruling {
            Ruling::Held => 0,
            Ruling::Unknown => 1,
            Ruling::Violated => 2,
        };
        let mut all = self.judge_each(record, verification);
        all.reverse(); // of equals the first step's, since `max_by_key` gives the last
        all.into_iter()
            .max_by_key(severity)
            .expect("there is at least one judgement")
    }

    /// Judges a run, a figure of each step (`mean(*)`) once a step that was taken.
    #[must_use]
    pub fn judge_each(
        &self,
        record: &RunRecord,
        verification: Option<&Verification>,
    ) -> Vec<Judgement> {
        let one = |step: Option<&str>| self.judge_step(step, record, verification);
        if !self.each_step {
            return vec![one(self.step.as_ref().map(|name| name.text.as_str()))];
        }
        let taken = record.steps.iter().filter(|step| step.attempted > 0);
        let judged: Vec<Judgement> = taken
            .map(|step| Judgement {
                step: Some(step.name.clone()),
                ..one(Some(&step.name))
            })
            .collect();
        if judged.is_empty() {
            return vec![one(None)];
        }
        judged
    }

    /// Whether more load could not mend a violation: an upper bound on what only grows. Only such a
    /// threshold is judged of a run that ended before its time.
    #[must_use]
    pub fn is_final_when_violated(&self) -> bool {
        let grows = matches!(
            self.metric,
            Metric::Max
                | Metric::Failed
                | Metric::FailedIterations
                | Metric::Dropped
                | Metric::LateStarts
                | Metric::MemoryPeak
                | Metric::Lost
                | Metric::Altered
                | Metric::Duplicated
                | Metric::Unexpected
                | Metric::Unreadable
        );
        let equals_zero = self.comparison == Comparison::Equal && self.limit == 0.0;
        self.against.is_none() && grows && (self.comparison.is_upper_bound() || equals_zero)
    }

    fn judge_step(
        &self,
        step: Option<&str>,
        record: &RunRecord,
        verification: Option<&Verification>,
    ) -> Judgement {
        let phase = self.phase.as_ref().map(|Name { text, .. }| text.as_str());
        let limits = self.limits(record, verification);
        let decided = limits.and_then(|(low, high)| {
            let decide = |limit| {
                let observation = observe(self.metric, step, phase, record, verification)?;
                self.decide(observation, limit, record)
            };
            let (first, second) = (decide(low)?, decide(high)?);
            if first.0 == second.0 {
                return Ok((first, high));
            }
            Err(Missing {
                reason:
                    "the figure that is the limit is not certain enough: the generator was late"
                        .to_owned(),
                counts: false,
                observed: Some(first.1),
            })
        });
        let limit = decided.as_ref().map_or(self.limit, |(_, limit)| *limit);
        let decided = decided.map(|(decided, _)| decided);
        let (ruling, observed, reason, counts) = match decided {
            Ok((ruling, observed)) => (ruling, Some(observed), None, true),
            Err(missing) => {
                let Missing {
                    reason,
                    counts,
                    observed,
                } = missing;
                (Ruling::Unknown, observed, Some(reason), counts)
            }
        };
        Judgement {
            threshold: self.clone(),
            source: Source::default(),
            step: None,
            ruling,
            counts,
            observed: observed.map(|value| rounded(value, 6)),
            limit: rounded(limit, 6),
            unit: self.dimension.unit().to_owned(),
            reason,
            close: None,
        }
    }

    /// The limit, between its bounds: one number, or a figure of the run.
    fn limits(
        &self,
        record: &RunRecord,
        verification: Option<&Verification>,
    ) -> Result<(f64, f64), Missing> {
        let Some(against) = &self.against else {
            return Ok((self.limit, self.limit));
        };
        let text = |name: &Option<Name>| name.as_ref().map(|name| name.text.clone());
        let (step, phase) = (text(&against.step), text(&against.phase));
        let (step, phase) = (step.as_deref(), phase.as_deref());
        let figure = match observe(against.metric, step, phase, record, verification)? {
            Observation::Certain(value) => Figure::exactly(value),
            Observation::Between(figure) => figure,
            Observation::TooFew(few) => return Err(few.missing()),
        };
        Ok((against.factor * figure.lower, against.factor * figure.upper))
    }

    /// Compares a figure with the limit, as far as its uncertainty and the generator let it.
    fn decide(
        &self,
        observation: Observation,
        limit: f64,
        record: &RunRecord,
    ) -> Result<(Ruling, f64), Missing> {
        let figure = match observation {
            Observation::Certain(value) => Figure::exactly(value),
            Observation::Between(figure) => figure,
            Observation::TooFew(few) => {
                return if self.comparison.is_upper_bound()
                    && few.prove_above(limit, self.comparison == Comparison::Below)
                {
                    Ok((Ruling::Violated, few.value()))
                } else {
                    Err(few.missing())
                };
            }
        };
        let holds = |value| self.comparison.holds(value, limit);
        let ruling = match (holds(figure.lower), holds(figure.upper)) {
            (true, true) => Ruling::Held,
            (false, false) => Ruling::Violated,
            _ => return Err(figure.undecided(&self.text, self.dimension)),
        };
        self.check_generator(ruling, figure.value, record)?;
        Ok((ruling, figure.value))
    }

    /// A saturated generator adds latency, and in a closed model it lowers the load as well.
    fn check_generator(
        &self,
        ruling: Ruling,
        value: f64,
        record: &RunRecord,
    ) -> Result<(), Missing> {
        let affected = matches!(self.dimension, Dimension::Time | Dimension::Rate);
        let open = matches!(record.model, Model::Open { .. });
        if !affected || (open && ruling == Ruling::Held) {
            return Ok(());
        }
        match record.saturation().first() {
            None => Ok(()),
            Some(limit) => Err(Missing {
                reason: limit.to_string(),
                counts: false,
                observed: Some(value),
            }),
        }
    }
}

impl Judgement {
    /// Says whether the limit lies within the figure's 95 % interval: of a percentile of the whole run, the
    /// only one of which that is known. It takes every histogram of the record, so it is for a run that is
    /// over.
    pub fn mark_close(&mut self, record: &RunRecord) {
        let threshold = &self.threshold;
        let Metric::Quantile(quantile) = threshold.metric else {
            return;
        };
        // A phase has no histograms by time.
        if self.ruling == Ruling::Unknown || threshold.phase.is_some() {
            return;
        }
        let named = threshold.step.as_ref().map(|name| name.text.as_str());
        let step = self.step.as_deref().or(named);
        // A damaged histogram is told of where the figure itself is read.
        let interval = interval::interval(record, step, quantile).ok().flatten();
        self.close = interval.filter(|(low, high)| (*low..=*high).contains(&self.limit));
    }
}

/// The probability that of `n` trials of probability `p` at least `k` succeed.
pub(crate) fn binomial_tail(n: u64, p: f64, k: u64) -> f64 {
    let (mut term, mut below) = ((1.0 - p).powf(n as f64), 0.0);
    for successes in 0..k.min(n + 1) {
        below += term;
        let odds = p / (1.0 - p);
        term *= (n - successes.min(n)) as f64 / (successes + 1) as f64 * odds;
    }
    (1.0 - below).max(0.0)
}

impl observe::TooFew {
    /// Whether even so few operations prove that the quantile is above the limit.
    fn prove_above(&self, limit: f64, or_equal: bool) -> bool {
        let misses = self.above(limit, or_equal);
        let share = 1.0 - self.quantile.fraction();
        misses >= FEWEST_MISSES
            && binomial_tail(self.histogram.len(), share, misses) < MISS_BY_CHANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binomial_tail_is_that_of_the_tables() {
        // P(Bin(10, 0.01) >= 3) and P(Bin(50, 0.01) >= 5): the two that the rule was made for.
        assert!((binomial_tail(10, 0.01, 3) - 1.14e-4).abs() < 1e-6);
        assert!((binomial_tail(50, 0.01, 5) - 1.46e-4).abs() < 2e-6);
        assert!((binomial_tail(4, 0.5, 4) - 0.0625).abs() < 1e-12);
        assert_eq!(binomial_tail(3, 0.5, 0), 1.0);
    }
}
