use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::run::report::{SimulationReport, Spread};

/// How long a plan may take and what it may cost, from many draws of both.
///
/// Each step that would run draws from the triangular distribution of its estimate (least, likely,
/// most); a step begins when the last one that it waits for has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Forecast {
    /// How many draws.
    pub samples: usize,
    /// The duration, in microseconds.
    pub duration_us: Quantiles,
    /// The cost, in millionths of the unit.
    pub cost_micros: Quantiles,
}

/// The values that so many percent of the draws stay at or below, by nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// The least draw.
    pub min: u64,
    /// 50 %.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// The greatest draw.
    pub max: u64,
}

impl Forecast {
    /// Draws from the estimates of a report. The same seed gives the same forecast.
    ///
    /// # Panics
    ///
    /// If the report is not one of the plan.
    #[must_use]
    pub fn of(plan: &Plan, report: &SimulationReport, samples: usize, seed: u64) -> Self {
        assert_eq!(plan.digest(), report.plan, "the report is one of the plan");
        let steps: Vec<Sampled<'_>> = plan
            .order()
            .iter()
            .zip(&report.steps)
            .map(|(&position, step)| Sampled {
                position,
                waits_for: plan.dependencies(position),
                duration_us: Triangle::new(step.estimate.duration_us),
                cost_micros: Triangle::new(step.estimate.cost_micros),
            })
            .collect();
        if steps.iter().all(Sampled::is_nothing) {
            // What is not estimated needs no draws.
            return Self {
                samples,
                duration_us: Quantiles::default(),
                cost_micros: Quantiles::default(),
            };
        }
        let mut random = SplitMix(seed);
        let mut ends = vec![0; steps.len()];
        let (mut durations, mut costs) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
        for _ in 0..samples {
            let (duration, cost) = draw(&steps, &mut ends, &mut random);
            durations.push(duration);
            costs.push(cost);
        }
        Self {
            samples,
            duration_us: Quantiles::of(durations),
            cost_micros: Quantiles::of(costs),
        }
    }
}

struct Sampled<'a> {
    position: usize,
    waits_for: &'a [usize],
    duration_us: Triangle,
    cost_micros: Triangle,
}

impl Sampled<'_> {
    fn is_nothing(&self) -> bool {
        self.duration_us.most == 0.0 && self.cost_micros.most == 0.0
    }
}

fn draw(steps: &[Sampled<'_>], ends: &mut [u64], random: &mut SplitMix) -> (u64, u64) {
    let (mut last, mut cost) = (0, 0_u64);
    for step in steps {
        let begin = step.waits_for.iter().map(|&before| ends[before]).max();
        let end = begin
            .unwrap_or(0)
            .saturating_add(step.duration_us.draw(random));
        ends[step.position] = end;
        last = last.max(end);
        cost = cost.saturating_add(step.cost_micros.draw(random));
    }
    (last, cost)
}

impl Quantiles {
    fn of(mut draws: Vec<u64>) -> Self {
        draws.sort_unstable();
        let rank = |percent: usize| {
            let rank = (draws.len() * percent).div_ceil(100).max(1);
            draws.get(rank - 1).copied().unwrap_or(0)
        };
        Self {
            min: draws.first().copied().unwrap_or(0),
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            max: draws.last().copied().unwrap_or(0),
        }
    }
}

/// A triangular distribution, drawn from by inverting its distribution function
/// (Kotz and van Dorp, "Beyond Beta", chapter 1).
struct Triangle {
    least: f64,
    most: f64,
    /// The share of draws below the likely value.
    bend: f64, // in [0, 1]
}

impl Triangle {
    fn new(spread: Spread) -> Self {
        let (least, most) = (spread.least as f64, spread.most as f64);
        let width = (most - least).max(f64::MIN_POSITIVE);
        Self {
            least,
            most,
            bend: (spread.likely as f64 - least) / width,
        }
    }

    fn draw(&self, random: &mut SplitMix) -> u64 {
        let width = self.most - self.least;
        if width <= 0.0 {
            return self.least as u64;
        }
        let share = random.unit();
        let drawn = if share < self.bend {
            self.least + width * (share * self.bend).sqrt()
        } else {
            self.most - width * ((1.0 - share) * (1.0 - self.bend)).sqrt()
        };
        drawn.round() as u64
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and plenty for draws that are averaged.
struct SplitMix(u64);

impl SplitMix {
    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_triangle() {
        let spread = Spread {
            least: 100,
            likely: 200,
            most: 1_000,
        };
        let triangle = Triangle::new(spread);
        let mut random = SplitMix(7);
        let draws: Vec<u64> = (0..20_000).map(|_| triangle.draw(&mut random)).collect();
        assert!(draws.iter().all(|draw| (100..=1_000).contains(draw)));
        let mean = draws.iter().sum::<u64>() as f64 / draws.len() as f64;
        let expected = (100.0 + 200.0 + 1_000.0) / 3.0;
        assert!((mean - expected).abs() < 5.0, "{mean} {expected}");
        // The median of a triangle whose greater side is the right one.
        let median = 1_000.0 - (900.0 * 800.0 / 2.0_f64).sqrt();
        let p50 = Quantiles::of(draws).p50 as f64;
        assert!((p50 - median).abs() < 10.0, "{p50} {median}");
    }

    #[test]
    fn quantiles_are_taken_by_nearest_rank() {
        let quantiles = Quantiles::of((1..=100).rev().collect());
        assert_eq!((quantiles.min, quantiles.p50, quantiles.p90), (1, 50, 90));
        assert_eq!((quantiles.p99, quantiles.max), (99, 100));
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
    }
}
