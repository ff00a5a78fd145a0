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
    /// So many trials at the lower rate have to be sustained, and as many at the higher one not. With 1
    /// a rate is tried once: quick, and wrong where runs differ.
    pub agreeing: u32, // at least 1
}

/// One trial of each rate finds the limit to about so much; more precision needs longer trials.
const PRECISION: f64 = 0.1;

/// How many trials agree unless it is said: of targets whose capacity differs by 5 % from run to run, 99 of
/// 100 searches contain it, where two agreeing trials give 15.
const AGREEING: u32 = 4;

/// After so many trials the target is too uneven for an answer.
const MAX_TRIALS: usize = 60;

/// How often a trial is repeated of which nobody can tell.
const REPEATS: u32 = 2;

impl RateSearch {
    /// A search to 10 %, each end of which four trials confirm.
    #[must_use]
    pub fn between(from_per_s: f64, to_per_s: f64) -> Self {
        Self {
            from_per_s,
            to_per_s,
            precision: PRECISION,
            agreeing: AGREEING,
        }
    }

    /// Sets the precision, as a share (0.1 unless set).
    #[must_use]
    pub fn precision(mut self, share: f64) -> Self {
        self.precision = share.max(1e-6);
        self
    }

    /// Sets how many trials have to agree at each end (4 unless set; at least 1).
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
    /// Whether a run sustained its rate: no arrival was dropped or left over at the schedule's end, every
    /// effect holds, and so does every threshold. Nobody can tell if the generator was the limit.
    #[must_use]
    pub fn of(
        record: &RunRecord,
        verification: Option<&Verification>,
        thresholds: &[Threshold],
    ) -> Self {
        if let Some(abort) = &record.abort {
            return Self::Violated(explain(&abort.judgement));
        }
        if let Some(defects) = verification
            .filter(|verification| !verification.holds())
            .map(Verification::discrepancy_count)
        {
            return Self::Violated(format!("{defects} effects are not as acknowledged"));
        }
        if let Some(limit) = record.saturation().first() {
            return Self::Inconclusive(limit.to_string());
        }
        let arrivals = record.open.as_ref().map(|open| open.arrivals);
        let arrivals = arrivals.unwrap_or_default();
        if arrivals.dropped > 0 {
            let dropped = arrivals.dropped;
            return Self::Violated(format!("{dropped} arrivals could not start in time"));
        }
        let judged: Vec<Judgement> = thresholds
            .iter()
            .map(|threshold| threshold.judge(record, verification))
            .filter(|judgement| judgement.ruling != Ruling::Held)
            .collect();
        if let Some(violated) = judged.iter().find(|judgement| judgement.counts) {
            return Self::Violated(explain(violated));
        }
        let (undone, n) = (arrivals.drained(), arrivals.scheduled as f64);
        if undone as f64 > (n * BACKLOG_SHARE).max(BACKLOG_SIGMAS * (2.0 * n).sqrt()) {
            return Self::Violated(format!("{undone} arrivals were left over at the end"));
        }
        let undecided = judged.first();
        undecided.map_or(Self::Held, |judgement| {
            Self::Inconclusive(explain(judgement))
        })
    }
}

/// At or below its capacity a target leaves more than the larger of these undone in at most 1 % of trials: a
/// share of its arrivals, and standard deviations of the difference of two Poisson counts.
const BACKLOG_SHARE: f64 = 0.01;
const BACKLOG_SIGMAS: f64 = 3.0;

fn explain(judgement: &Judgement) -> String {
    let threshold = &judgement.threshold;
    match (judgement.observed, &judgement.reason) {
        (_, Some(reason)) => format!("{threshold}: {reason}"),
        (Some(observed), None) => {
            format!("{threshold}: it was {}", figure(observed, &judgement.unit))
        }
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
    /// The highest rate that the target sustained in as many trials as have to agree; none if it did not
    /// even sustain the lowest.
    pub highest_held_per_s: Option<f64>,
    /// The lowest rate that it sustained in none of as many; none if it sustained all that could be tried.
    #[serde(alias = "lowest_broken_per_s")]
    pub lowest_violated_per_s: Option<f64>,
    /// Why there is no better answer: higher rates cannot be judged, so that the breaking point is above
    /// `highest_held_per_s`; or trials of one rate differ too much.
    pub not_judged: Option<String>,
    /// Every trial, in order.
    pub trials: Vec<RateTrial>,
}

/// Finds the highest rate that the target sustains.
///
/// The rate is doubled until a trial is not sustained, and bisected to the search's precision. One trial may
/// be wrong, so then each end is tried until as many trials agree as the search asks for: all at the lower
/// end sustained, and none at the upper. An end at which some dissent moves outward, by the precision for
/// each of them. A trial of which nobody can tell is repeated twice, and then ends the search upward.
///
/// `trial` makes a run at a rate, such as with [`Schedule::constant`](crate::Schedule::constant), and
/// rules by [`ProbeResult::of`].
///
/// # Errors
///
/// Those of `trial`.
pub fn breaking_point<E>(
    search: &RateSearch,
    trial: impl FnMut(f64) -> Result<ProbeResult, E>,
) -> Result<BreakingPoint, E> {
    let mut prober = Prober {
        search,
        trial,
        found: BreakingPoint::default(),
    };
    let mut next = Some(search.from_per_s);
    while let Some(per_s) = next {
        match prober.probe(per_s)? {
            Some(true) => prober.found.highest_held_per_s = Some(per_s),
            Some(false) => prober.found.lowest_violated_per_s = Some(per_s),
            None => break,
        }
        next = prober.found.next(search);
    }
    if search.agreeing > 1 {
        prober.confirm_held()?;
        prober.confirm_violated()?;
    }
    Ok(prober.found)
}

/// Makes trials.
struct Prober<'s, T> {
    search: &'s RateSearch,
    trial: T,
    found: BreakingPoint,
}

impl<E, T: FnMut(f64) -> Result<ProbeResult, E>> Prober<'_, T> {
    /// Whether the target sustains a rate, in one trial that can be judged; nothing if none can.
    fn probe(&mut self, per_s: f64) -> Result<Option<bool>, E> {
        for repeat in 0..=REPEATS {
            let ruling = (self.trial)(per_s)?;
            self.found.trials.push(RateTrial {
                per_s,
                ruling: ruling.clone(),
            });
            match ruling {
                ProbeResult::Held => return Ok(Some(true)),
                ProbeResult::Violated(_) => return Ok(Some(false)),
                ProbeResult::Inconclusive(reason) if repeat == REPEATS => {
                    self.found.not_judged = Some(reason);
                }
                ProbeResult::Inconclusive(_) => {}
            }
        }
        Ok(None)
    }

    /// Lowers the lower end until it is sustained by all trials that are to agree.
    fn confirm_held(&mut self) -> Result<(), E> {
        while let Some(per_s) = self.found.highest_held_per_s {
            let Some((held, violated)) = self.votes(per_s)? else {
                return Ok(());
            };
            if violated == 0 {
                return Ok(());
            }
            let lower = per_s / (1.0 + f64::from(violated) * self.search.precision);
            if held == 0 {
                self.found.lowest_violated_per_s = Some(per_s);
            }
            let is_lowest = per_s <= self.search.from_per_s;
            self.found.highest_held_per_s =
                (!is_lowest).then_some(lower.max(self.search.from_per_s));
        }
        Ok(())
    }

    /// Raises the upper end until it is sustained by none of them.
    fn confirm_violated(&mut self) -> Result<(), E> {
        while let Some(per_s) = self.found.lowest_violated_per_s {
            let Some((held, violated)) = self.votes(per_s)? else {
                return Ok(());
            };
            if held == 0 {
                return Ok(());
            }
            if violated == 0 && self.found.highest_held_per_s.is_none_or(|low| low < per_s) {
                self.found.highest_held_per_s = Some(per_s);
            }
            let higher = per_s * (1.0 + f64::from(held) * self.search.precision);
            let is_highest = per_s >= self.search.to_per_s;
            self.found.lowest_violated_per_s =
                (!is_highest).then_some(higher.min(self.search.to_per_s));
        }
        Ok(())
    }

    /// How many of the trials at a rate were sustained, and how many were not, when there are enough of
    /// them; nothing if nobody can tell.
    fn votes(&mut self, per_s: f64) -> Result<Option<(u32, u32)>, E> {
        loop {
            let (held, violated) = self.found.votes(per_s);
            if held + violated >= self.search.agreeing {
                return Ok(Some((held, violated)));
            }
            if self.found.trials.len() >= MAX_TRIALS {
                self.found.not_judged = Some(format!(
                    "trials of one rate still differed after {MAX_TRIALS} of them"
                ));
                return Ok(None);
            }
            if self.probe(per_s)?.is_none() {
                return Ok(None);
            }
        }
    }
}

impl BreakingPoint {
    /// How many trials at a rate were sustained, and how many were not.
    #[must_use]
    pub fn votes(&self, per_s: f64) -> (u32, u32) {
        let count = |wanted: fn(&ProbeResult) -> bool| {
            let here = self.trials.iter().filter(|trial| trial.per_s == per_s);
            here.filter(|trial| wanted(&trial.ruling)).count() as u32
        };
        (
            count(|ruling| matches!(ruling, ProbeResult::Held)),
            count(|ruling| matches!(ruling, ProbeResult::Violated(_))),
        )
    }

    /// The rate to try next, if the first part of the search is not over.
    fn next(&self, search: &RateSearch) -> Option<f64> {
        match (self.highest_held_per_s, self.lowest_violated_per_s) {
            (Some(held), None) if held < search.to_per_s => Some((held * 2.0).min(search.to_per_s)),
            // Rates differ by factors, so their middle is the geometric one.
            (Some(held), Some(violated)) if violated / held > 1.0 + search.precision => {
                Some((held * violated).sqrt())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::workload::rng::Rng;

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
                found.lowest_violated_per_s.unwrap(),
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
        let ends = (all.highest_held_per_s, all.lowest_violated_per_s);
        assert_eq!(ends, (Some(1_000.0), None));
        let Ok(none) = breaking_point(&search, up_to(1.0));
        let ends = (none.highest_held_per_s, none.lowest_violated_per_s);
        assert_eq!(ends, (None, Some(100.0)));
    }

    /// Searches of a target whose capacity of 700 differs from trial to trial; how many intervals contain
    /// it, and the trials of each.
    fn searches(noise: f64) -> (u32, usize) {
        let mut contained = 0;
        let mut trials = 0;
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let search = RateSearch::between(100.0, 10_000.0);
            let Ok(found) = breaking_point(&search, |per_s| {
                let normal: f64 = (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0;
                up_to(700.0 * (1.0 + noise * normal))(per_s)
            });
            let (low, high) = (found.highest_held_per_s, found.lowest_violated_per_s);
            contained += u32::from(
                low.is_some_and(|low| low <= 700.0) && high.is_some_and(|high| high >= 700.0),
            );
            trials += found.trials.len();
        }
        (contained, trials / 200)
    }

    #[test]
    fn four_of_four_contain_the_capacity_of_an_uneven_target() {
        for (noise, trials_at_most) in [(0.005, 22), (0.02, 24), (0.05, 30), (0.1, 42)] {
            let (contained, trials) = searches(noise);
            assert!(contained >= 194, "{noise}: {contained} of 200");
            assert!(trials <= trials_at_most, "{noise}: {trials}");
        }
    }

    #[test]
    fn a_target_that_answers_by_chance_has_no_breaking_point() {
        let mut count = 0;
        let Ok(found) = breaking_point(&RateSearch::between(100.0, 1e9), |_| {
            count += 1;
            Ok::<_, Infallible>(if count % 2 == 1 {
                ProbeResult::Held
            } else {
                ProbeResult::Violated("by chance".to_owned())
            })
        });
        let ends = (found.highest_held_per_s, found.not_judged.is_some());
        assert!(ends.0.is_none() || ends.1, "{ends:?}");
        assert!(found.trials.len() <= MAX_TRIALS + 2);
    }

    #[test]
    fn one_trial_that_cannot_be_judged_does_not_end_the_search() {
        let mut count = 0;
        let mut honest = up_to(700.0);
        let search = RateSearch::between(100.0, 10_000.0).precision(0.02);
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
        assert_eq!(found.lowest_violated_per_s, None);
        assert_eq!(found.not_judged.as_deref(), Some("arrivals started late"));
    }
}
