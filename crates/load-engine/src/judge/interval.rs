//! How exactly a run tells a percentile: its 95 % interval, from order statistics.
//!
//! Of n independent operations the true percentile lies between the l-th and the u-th smallest with the
//! probability P(l ≤ Bin(n, q) < u) (David & Nagaraja, *Order Statistics*, 2003, §7.1). Neighbouring
//! latencies are alike, so n is divided by the design effect (Kish, *Survey Sampling*, 1965): how much more
//! blocks of time differ than chance lets them.

use crate::error::RunError;
use crate::judge::binomial_tail;
use crate::judge::observe::value_at;
use crate::record::histogram::empty_histogram;
use crate::record::{RunRecord, StepSummary};
use crate::threshold::metric::Quantile;

/// The chance that is left out at each end.
const EACH_END: f64 = 0.025;

/// The normal distribution's point for it.
const DEVIATIONS: f64 = 1.96;

/// From this variance on, the normal distribution stands for the binomial one.
const NORMAL_FROM: f64 = 100.0;

/// Into so many blocks of time a run is cut; the largest effect counts.
const BLOCKS: [usize; 4] = [64, 32, 16, 8];

/// The interval of a percentile of a step, or of all steps together; none where it is open, because there
/// are too few operations, or because they are too much alike.
pub(crate) fn interval(
    record: &RunRecord,
    step: Option<&str>,
    quantile: Quantile,
) -> Result<Option<(f64, f64)>, RunError> {
    let steps: Vec<&StepSummary> = match step {
        None => record.steps.iter().collect(),
        // A part of a step has no histograms by time.
        Some(name) => match record.step(name) {
            None => return Ok(None),
            Some(step) => vec![step],
        },
    };
    let mut all = empty_histogram();
    for step in &steps {
        step.felt().add_to(&mut all)?;
    }
    let n = all.len();
    if n == 0 {
        return Ok(None);
    }
    let at = value_at(&all, quantile.rank(n));
    let effect = design_effect(&counts(&steps, at)?, quantile.fraction());
    let independent = (n as f64 / effect).floor() as u64;
    let Some((low, high)) = ranks(independent, quantile.fraction()) else {
        return Ok(None);
    };
    let scale = n as f64 / independent as f64;
    let low = ((low as f64 * scale).floor() as u64).clamp(1, n);
    let high = ((high as f64 * scale).ceil() as u64).clamp(1, n);
    Ok(Some((
        value_at(&all, low) as f64,
        value_at(&all, high) as f64,
    )))
}

/// Of each interval of time, how many operations ended in it, and how many of them took at most `at_ns`.
fn counts(steps: &[&StepSummary], at_ns: u64) -> Result<Vec<(u64, u64)>, RunError> {
    let longest = steps.iter().map(|step| step.intervals.len()).max();
    let mut counts = vec![(0, 0); longest.unwrap_or(0)];
    for step in steps {
        for (sum, interval) in counts.iter_mut().zip(&step.intervals) {
            let histogram = interval.latency.to_histogram()?;
            sum.0 += histogram.len();
            sum.1 += histogram.count_between(0, at_ns);
        }
    }
    Ok(counts)
}

/// How many times as much blocks of time differ as independent operations would: at least 1.
fn design_effect(counts: &[(u64, u64)], quantile: f64) -> f64 {
    let of_blocks = |blocks: usize| {
        let block = |number: usize| {
            let from = number * counts.len() / blocks;
            let to = (number + 1) * counts.len() / blocks;
            counts[from..to].iter().fold((0, 0), |sum, interval| {
                (sum.0 + interval.0, sum.1 + interval.1)
            })
        };
        let distance = |(of, within): (u64, u64)| {
            let expected = of as f64 * quantile;
            let variance = expected * (1.0 - quantile);
            let away = within as f64 - expected;
            if variance > 0.0 {
                away * away / variance
            } else {
                0.0
            }
        };
        (0..blocks).map(block).map(distance).sum::<f64>() / (blocks - 1) as f64
    };
    let enough = BLOCKS.into_iter().filter(|blocks| *blocks <= counts.len());
    enough.map(of_blocks).fold(1.0, f64::max)
}

/// The ranks between which the percentile lies with 95 %; none if one end is open.
fn ranks(n: u64, quantile: f64) -> Option<(u64, u64)> {
    if quantile < 0.5 {
        // The same from the other end: counted where there are fewer.
        let (low, high) = ranks(n, 1.0 - quantile)?;
        return Some((n + 1 - high, n + 1 - low));
    }
    let above = 1.0 - quantile;
    let (mean, variance) = (n as f64 * above, n as f64 * above * quantile);
    let (few, many) = if variance > NORMAL_FROM {
        let reach = DEVIATIONS * variance.sqrt() + 0.5;
        ((mean - reach).floor() as u64, (mean + reach).ceil() as u64)
    } else {
        let at_least = |count| binomial_tail(n, above, count);
        let many = (0..=n).find(|count| at_least(*count) <= EACH_END);
        let is_few = |count: &u64| 1.0 - at_least(count + 1) <= EACH_END;
        let few = (0..=n).take_while(is_few).last()?;
        (few, many.unwrap_or(n + 1))
    };
    let low = (n + 1).checked_sub(many).filter(|low| *low > 0)?;
    Some((low, n.checked_sub(few)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::IntervalSummary;
    use crate::record::latency::LatencySummary;
    use crate::threshold::{Ruling, Threshold};

    #[test]
    fn both_ends_are_there_from_as_many_operations_as_the_formula_says() {
        // n ≥ ln 0.025 / ln q.
        for (quantile, least) in [(0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3_688)] {
            assert_eq!(ranks(least - 1, quantile), None, "{quantile}");
            let (low, high) = ranks(least, quantile).unwrap();
            assert_eq!(high, least);
            assert!(low < least, "{low}");
        }
        assert_eq!(ranks(6, 0.5), Some((1, 6)));
        // And from below, where `0.01` to the power of so many is 0.
        let (low, high) = ranks(5_000, 0.99).unwrap();
        assert_eq!(ranks(5_000, 0.01), Some((5_001 - high, 5_001 - low)));
        // Where the two ways of counting meet, they agree to a rank or two.
        let near = [10_100, 10_102].map(|n| ranks(n, 0.99).unwrap());
        assert!(near[0].0.abs_diff(near[1].0) <= 4 && near[0].1.abs_diff(near[1].1) <= 4);
    }

    /// A run of 64 s with 100 operations in each, one in ten of them of 100 ms, in turns or in seconds of
    /// their own.
    fn record(in_bursts: bool) -> RunRecord {
        let mut step = StepSummary {
            name: "call".to_owned(),
            attempted: 6_400,
            succeeded: 6_400,
            ..StepSummary::default()
        };
        let mut all = empty_histogram();
        for second in 0..64_u64 {
            let slow = if in_bursts { second % 10 == 9 } else { true };
            let slow = match (in_bursts, slow) {
                (true, true) => 100,
                (true, false) => 0,
                (false, _) => 10,
            };
            let mut own = empty_histogram();
            own.record_n(100_000_000, slow).unwrap();
            own.record_n(5_000_000 + second, 100 - slow).unwrap();
            all.add(&own).unwrap();
            step.intervals.push(IntervalSummary {
                start_ns: second * 1_000_000_000,
                failed: 0,
                latency: LatencySummary::of(&own),
            });
        }
        step.service_time = LatencySummary::of(&all);
        RunRecord {
            interval_ns: 1_000_000_000,
            wall_ns: 64_000_000_000,
            steps: vec![step],
            ..RunRecord::default()
        }
    }

    #[test]
    fn operations_that_are_alike_count_for_less() {
        let p88 = "p88 < 1s".parse::<Threshold>().unwrap();
        let crate::threshold::metric::Metric::Quantile(p88) = p88.metric else {
            panic!("a percentile");
        };
        let even = interval(&record(false), Some("call"), p88)
            .unwrap()
            .unwrap();
        assert!(even.1 < 10e6, "{even:?}");
        // Seconds of slow operations: with so few of them nobody knows that there were not twice as many.
        let bursts = interval(&record(true), Some("call"), p88).unwrap();
        assert!(bursts.is_none_or(|(_, high)| high > 99e6), "{bursts:?}");
    }

    #[test]
    fn a_limit_within_the_interval_is_close_and_decides_all_the_same() {
        let judge = |text: &str| {
            let threshold: Threshold = text.parse().unwrap();
            let mut judgement = threshold.judge(&record(false), None);
            judgement.mark_close(&record(false));
            judgement
        };
        // 90 % take 5 ms, so p90 is 5 ms, and a few operations more or less make it 100 ms.
        let near = judge("p90(call) < 50ms");
        assert_eq!(near.ruling, Ruling::Held);
        let (low, high) = near.close.unwrap();
        assert!(low < 6e6 && high > 99e6, "{low} {high}");
        assert_eq!(judge("p50(call) < 50ms").close, None);
        assert_eq!(judge("p90(call) < 1s").close, None);
        assert_eq!(judge("mean(call) < 50ms").close, None);
    }
}
