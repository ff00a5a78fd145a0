//! The highest rate that still meets the thresholds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ledger::verify::Verification;
use crate::record::RunRecord;
use crate::threshold::{Judgement, Ruling, Threshold};

/// What a search goes through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RateSearch {
    /// The lowest rate, which is tried first.
    pub from_per_s: f64, // above 0
    /// The highest rate.
    pub to_per_s: f64, // at least `from_per_s`
    /// How near the rates on both sides of the breaking point are to come, as a share.
    pub precision: f64, // above 0
    /// How many trials of a rate have to agree. With 2, one that a disturbance spoils, or of which it
    /// makes that it cannot be judged, is outvoted.
    pub agreeing: u32, // at least 1
}

impl RateSearch {
    /// A search to 2 %, of two agreeing trials a rate.
    #[must_use]
    pub fn between(from_per_s: f64, to_per_s: f64) -> Self {
        Self {
            from_per_s,
            to_per_s,
            precision: 0.02,
            agreeing: 2,
        }
    }

    /// Sets the precision, as a share (0.02 unless set).
    #[must_use]
    pub fn precision(mut self, share: f64) -> Self {
        self.precision = share.max(1e-6);
        self
    }

    /// Sets how many trials of a rate have to agree (2 unless set; at least 1).
    #[must_use]
    pub fn agreeing(mut self, trials: u32) -> Self {
        self.agreeing = trials.max(1);
        self
    }
}

/// What one trial showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProbeResult {
    /// The target bore the rate.
    Held,
    /// It did not, and why.
    #[serde(alias = "broken")]
    Violated(String),
    /// Nobody can tell, and why: the generator was the limit.
    #[serde(alias = "not_judged")]
    Inconclusive(String),
}

impl ProbeResult {
    /// The ruling of a run: not judged if the generator was the limit; else broken by the first
    /// threshold that is not held, by arrivals that were dropped, or by effects that do not hold.
    #[must_use]
    pub fn of(
        record: &RunRecord,
        verification: Option<&Verification>,
        thresholds: &[Threshold],
    ) -> Self {
        if let Some(limit) = record.generator_limits().first() {
            return Self::Inconclusive(limit.to_string());
        }
        let dropped = record.open.as_ref().map_or(0, |open| open.arrivals.dropped);
        if dropped > 0 {
            return Self::Violated(format!("{dropped} arrivals could not start in time"));
        }
        if let Some(defects) = verification
            .filter(|verification| !verification.holds())
            .map(Verification::discrepancy_count)
        {
            return Self::Violated(format!("{defects} effects are not as acknowledged"));
        }
        let judged = thresholds
            .iter()
            .map(|threshold| threshold.judge(record, verification));
        judged
            .into_iter()
            .find(|judgement| judgement.ruling != Ruling::Held)
            .map_or(Self::Held, |judgement| Self::Violated(explain(&judgement)))
    }
}

fn explain(judgement: &Judgement) -> String {
    let threshold = &judgement.threshold;
    match (judgement.observed, &judgement.reason) {
        (Some(observed), _) => format!("{threshold}: it was {}", figure(observed, &judgement.unit)),
        (None, Some(reason)) => format!("{threshold}: {reason}"),
        (None, None) => threshold.to_string(),
    }
}

/// A figure as a person reads it.
fn figure(observed: f64, unit: &str) -> String {
    match unit {
        "ns" => format!("{:.3} ms", observed / 1e6),
        "share" => format!("{:.3} %", observed * 100.0),
        "per_s" => format!("{observed:.1}/s"),
        "count" => observed.to_string(),
        other => format!("{observed} {other}"),
    }
}

/// One trial of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RateTrial {
    /// The rate that was asked for.
    pub per_s: f64,
    /// What it showed.
    pub ruling: ProbeResult,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BreakingPoint {
    /// The highest rate that the target bore; none if it did not even bear the lowest.
    pub highest_held_per_s: Option<f64>,
    /// The lowest rate that it did not; none if it bore all that could be tried.
    pub lowest_broken_per_s: Option<f64>,
    /// Why higher rates could not be judged: the breaking point is above `highest_held_per_s`, and
    /// this generator cannot say by how much.
    pub not_judged: Option<String>,
    /// Every trial, in order.
    pub trials: Vec<RateTrial>,
}

/// Finds the highest rate that still holds: doubles the rate until one breaks, then bisects.
///
/// A rate's ruling is the one to which so many trials came first as the search asks for. A rate that
/// cannot be judged ends the search, since no higher one can be judged either. `trial` makes a run at a rate, such as with [`Schedule::constant`](crate::Schedule::constant), and rules by
/// [`ProbeResult::of`].
///
/// # Errors
///
/// Those of `trial`.
pub fn breaking_point<E>(
    search: &RateSearch,
    mut trial: impl FnMut(f64) -> Result<ProbeResult, E>,
) -> Result<BreakingPoint, E> {
    let mut found = BreakingPoint::default();
    let mut next = Some(search.from_per_s);
    while let Some(per_s) = next {
        match found.decide(per_s, search.agreeing, &mut trial)? {
            ProbeResult::Held => found.highest_held_per_s = Some(per_s),
            ProbeResult::Violated(_) => found.lowest_broken_per_s = Some(per_s),
            ProbeResult::Inconclusive(reason) => {
                found.not_judged = Some(reason);
                break;
            }
        }
        next = found.next(search);
    }
    Ok(found)
}

impl BreakingPoint {
    /// The rate to try next, if the search is not over.
    fn next(&self, search: &RateSearch) -> Option<f64> {
        match (self.highest_held_per_s, self.lowest_broken_per_s) {
            (Some(held), None) if held < search.to_per_s => Some((held * 2.0).min(search.to_per_s)),
            // Rates differ by factors, so their middle is the geometric one.
            (Some(held), Some(broken)) if broken / held > 1.0 + search.precision => {
                Some((held * broken).sqrt())
            }
            _ => None,
        }
    }

    /// Tries a rate until enough trials agree.
    fn decide<E>(
        &mut self,
        per_s: f64,
        agreeing: u32,
        trial: &mut impl FnMut(f64) -> Result<ProbeResult, E>,
    ) -> Result<ProbeResult, E> {
        let (mut held, mut broken, mut not_judged) = (0, 0, 0);
        loop {
            let ruling = trial(per_s)?;
            self.trials.push(RateTrial {
                per_s,
                ruling: ruling.clone(),
            });
            let votes = match ruling {
                ProbeResult::Held => &mut held,
                ProbeResult::Violated(_) => &mut broken,
                ProbeResult::Inconclusive(_) => &mut not_judged,
            };
            *votes += 1;
            if *votes >= agreeing {
                return Ok(ruling);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn up_to(limit: f64) -> impl FnMut(f64) -> Result<ProbeResult, Infallible> {
        move |per_s| {
            Ok(if per_s <= limit {
                ProbeResult::Held
            } else {
                ProbeResult::Violated("slow".to_owned())
            })
        }
    }

    #[test]
    fn a_limit_is_found_to_the_precision_in_few_trials() {
        for limit in [100.0, 333.0, 5_000.0, 9_999.0] {
            let search = RateSearch::between(100.0, 10_000.0).precision(0.01);
            let Ok(found) = breaking_point(&search, up_to(limit));
            let (held, broken) = (
                found.highest_held_per_s.unwrap(),
                found.lowest_broken_per_s.unwrap(),
            );
            assert!(held <= limit && limit < broken, "{held} {limit} {broken}");
            assert!(broken / held <= 1.01);
            assert!(found.trials.len() <= 2 * (8 + 7), "{}", found.trials.len());
        }
    }

    #[test]
    fn a_target_without_a_limit_in_reach_and_one_that_bears_nothing_are_told_apart() {
        let search = RateSearch::between(100.0, 1_000.0);
        let Ok(all) = breaking_point(&search, up_to(f64::MAX));
        let ends = (all.highest_held_per_s, all.lowest_broken_per_s);
        assert_eq!(ends, (Some(1_000.0), None));
        let Ok(none) = breaking_point(&search, up_to(1.0));
        let ends = (none.highest_held_per_s, none.lowest_broken_per_s);
        assert_eq!(ends, (None, Some(100.0)));
    }

    #[test]
    fn a_trial_that_a_disturbance_spoils_is_outvoted() {
        let mut count = 0;
        let mut honest = up_to(700.0);
        let search = RateSearch::between(100.0, 10_000.0);
        let Ok(found) = breaking_point(&search, |per_s| {
            count += 1;
            if count % 3 == 1 && per_s <= 700.0 {
                return Ok(ProbeResult::Violated("disturbed".to_owned()));
            }
            honest(per_s)
        });
        let held = found.highest_held_per_s.unwrap();
        assert!((686.0..=700.0).contains(&held), "{held}");
    }

    #[test]
    fn one_trial_that_cannot_be_judged_does_not_end_the_search() {
        let mut count = 0;
        let mut honest = up_to(700.0);
        let search = RateSearch::between(100.0, 10_000.0);
        let Ok(found) = breaking_point(&search, |per_s| {
            count += 1;
            if count % 3 == 1 {
                return Ok(ProbeResult::Inconclusive(
                    "arrivals started late".to_owned(),
                ));
            }
            honest(per_s)
        });
        assert_eq!(found.not_judged, None);
        let held = found.highest_held_per_s.unwrap();
        assert!((686.0..=700.0).contains(&held), "{held}");
    }

    #[test]
    fn a_saturated_generator_ends_the_search_and_says_so() {
        let search = RateSearch::between(100.0, 10_000.0);
        let Ok(found) = breaking_point(&search, |per_s| {
            Ok::<_, Infallible>(if per_s <= 400.0 {
                ProbeResult::Held
            } else {
                ProbeResult::Inconclusive("arrivals started late".to_owned())
            })
        });
        assert_eq!(found.highest_held_per_s, Some(400.0));
        assert_eq!(found.lowest_broken_per_s, None);
        assert_eq!(found.not_judged.as_deref(), Some("arrivals started late"));
    }
}
