//! Whether memory leaks: a verdict on the floors of its cycles, not on its peaks.

use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::trend::{mann_kendall, theil_sen};
use crate::monitor::MonitorRecord;
use crate::numbers::rounded;
use crate::record::RunRecord;

/// A turn of at least this share of the whole range begins or ends a cycle.
const TURN: f64 = 0.2;

/// Equal parts of the time whose lowest samples are the floors, when memory does not come and go.
const PARTS: usize = 12;

/// Floors of which a trend can be told: of fewer, even the clearest is chance more often than once in
/// a thousand.
const MIN_FLOORS: usize = 8;

/// The normal distribution's one-sided 0.1 % point.
const SIGNIFICANT_Z: f64 = 3.09;

/// A leak goes on: the later half rises at least so fast, as a share of the earlier half's slope. A cache
/// that fills does not.
const GOES_ON: f64 = 0.67;

/// A leak is even: no single rise is more than this share of the growth, as one-off allocations are, and
/// of the rises from floor to floor at least this share is positive.
const LARGEST_RISE: f64 = 0.25;
const POSITIVE_RISES: f64 = 10.0 / 11.0;

/// What a stored thing is allowed to cost besides its key, before its content is known: the engine knows
/// only the content's digest.
const CONTENT_BYTES: f64 = 1024.0;

/// How many times its own size a stored thing may take: with indexes, caches and the allocator's slack.
const OVERHEAD: f64 = 4.0;

/// Growth that is worth a word: at least this, and at least `MIN_SHARE` of the first floor.
const MIN_GROWTH_BYTES: f64 = 1_048_576.0;
const MIN_SHARE: f64 = 0.02;

/// What became of the question whether memory leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeakRuling {
    /// Memory did not grow by more than a trifle.
    Steady,
    /// The floors rise evenly to the end, by more than chance and by more than a trifle.
    Leaking,
    /// There are too few samples or cycles to tell, or memory grew in another way than a leak does: by
    /// steps, or more slowly towards the end.
    Undecided,
}

/// Whether resident memory leaks, and the statistics of which that is said.
///
/// A garbage collector, a cache or a log that is compacted makes a saw-tooth, whose rises are no leak.
/// So the trend is that of the *floors*: the troughs between two turns of at least 20 % of the range,
/// or, when there is no such turn, the lowest samples of twelve equal parts of the time. It is a leak when
/// - Mann and Kendall's test finds a rise with less than 0.1 % chance (one-sided, normal approximation
///   with the correction for ties),
/// - the rise, by Theil and Sen's median slope, is at least 1 MiB and 2 % of the first floor over the
///   whole time,
/// - the later half rises at least two thirds as fast as the earlier one (a cache that fills does not), and
/// - it is even: ten of eleven rises are positive, and none is more than a quarter of the growth.
///
/// A cache that fills for the whole time or longer looks the same: one run cannot tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct LeakVerdict {
    /// The verdict.
    pub ruling: LeakRuling,
    /// How many floors there are.
    pub floors: u64,
    /// Whether they are the troughs of cycles, rather than the lowest samples of equal parts.
    pub cyclic: bool,
    /// Mann and Kendall's z: the rises less the falls among all pairs of floors, in standard deviations.
    pub z: f64,
    /// Theil and Sen's slope: the median of all pairs' slopes.
    pub bytes_per_hour: f64,
    /// That slope over the time from the first floor to the last.
    pub growth_bytes: f64,
}

/// Growth of memory that is no leak: the engine's own ledger, and what the target was asked to keep.
struct Explained {
    /// At the end of the load.
    bytes: f64,
    /// The share of it that was there by the end of each interval.
    shares: Vec<f64>,
    interval_ns: f64,
}

impl Explained {
    fn of(run: &RunRecord) -> Self {
        let stored = &run.stored;
        let own = stored.things as f64 * CONTENT_BYTES + stored.key_bytes as f64;
        let writing = || run.steps.iter().filter(|step| step.effect);
        let intervals = writing().map(|step| step.intervals.len()).max();
        let written = |interval: usize| -> u64 {
            let of_step = writing().filter_map(|step| step.intervals.get(interval));
            of_step.map(|interval| interval.latency.count).sum()
        };
        let total: u64 = (0..intervals.unwrap_or(0)).map(written).sum();
        let mut so_far = 0;
        let share = |interval| {
            so_far += written(interval);
            so_far as f64 / total.max(1) as f64
        };
        Self {
            bytes: stored.ledger_bytes as f64 + OVERHEAD * own,
            shares: (0..intervals.unwrap_or(0)).map(share).collect(),
            interval_ns: run.interval_ns.max(1) as f64,
        }
    }

    fn at(&self, at_ns: f64) -> f64 {
        let place = at_ns / self.interval_ns;
        let interval = place as usize;
        let before = |interval: usize| match interval.checked_sub(1) {
            Some(earlier) => self.shares.get(earlier).or(self.shares.last()).copied(),
            None => None,
        };
        let (from, to) = (before(interval), before(interval + 1));
        let (from, to) = (from.unwrap_or(0.0), to.unwrap_or(0.0));
        self.bytes * (from + (to - from) * place.fract())
    }
}

impl LeakVerdict {
    /// Judges the samples of a time of the run, from the start of the load: from the end of the warm-up
    /// to the end of the load.
    #[must_use]
    pub fn of(record: &MonitorRecord, during: Range<Duration>) -> Self {
        Self::less(record, during, |_| 0.0)
    }

    /// Judges a time of a run, as [`of`](Self::of), without the growth that the run explains: the engine's
    /// own ledger, and the things that it had the target store, at four times their size.
    #[must_use]
    pub fn of_run(run: &RunRecord, during: Range<Duration>) -> Self {
        let explained = Explained::of(run);
        let whole = Self::of(&run.monitor, during.clone());
        let at = |time: Duration| explained.at(time.as_nanos() as f64);
        let growth = at(during.end) - at(during.start);
        if whole.floors >= MIN_FLOORS as u64 && whole.growth_bytes <= growth {
            // To take more away than there is would make a fall of it.
            return Self {
                ruling: LeakRuling::Steady,
                ..whole
            };
        }
        Self::less(&run.monitor, during, |at_ns| explained.at(at_ns))
    }

    fn less(
        record: &MonitorRecord,
        during: Range<Duration>,
        explained: impl Fn(f64) -> f64,
    ) -> Self {
        let unexplained = |at_ns: f64, bytes: u64| (at_ns, bytes as f64 - explained(at_ns));
        let samples: Vec<(f64, f64)> = record
            .samples
            .iter()
            .filter(|sample| {
                u64::try_from(sample.at_ns)
                    .is_ok_and(|at_ns| during.contains(&Duration::from_nanos(at_ns)))
            })
            .filter_map(|sample| Some(unexplained(sample.at_ns as f64, sample.resident_bytes?)))
            .collect();
        let troughs = Troughs::of(&samples);
        let cyclic = troughs.turned;
        let floors = if cyclic {
            troughs.floors
        } else {
            lowest_of_parts(&samples)
        };
        Self::of_floors(&floors, cyclic)
    }

    fn of_floors(floors: &[(f64, f64)], cyclic: bool) -> Self {
        let (rises, z) = mann_kendall(floors);
        let slope = theil_sen(floors);
        let span = |floors: &[(f64, f64)]| match floors {
            [first, .., last] => last.0 - first.0,
            _ => 0.0,
        };
        let growth = slope * span(floors);
        let worth = floors.first().map_or(0.0, |(_, first)| first * MIN_SHARE);
        let worth = worth.max(MIN_GROWTH_BYTES);
        let ruling = if floors.len() < MIN_FLOORS {
            LeakRuling::Undecided
        } else if growth < worth {
            LeakRuling::Steady
        } else if rises > 0 && z > SIGNIFICANT_Z && is_even(floors, growth) {
            LeakRuling::Leaking
        } else {
            LeakRuling::Undecided
        };
        Self {
            ruling,
            floors: floors.len() as u64,
            cyclic,
            z: rounded(z, 6),
            bytes_per_hour: rounded(slope * 3.6e12, 3),
            growth_bytes: rounded(growth, 3),
        }
    }
}

/// Whether the floors rise as those of a leak do: to the end, and from each to the next.
fn is_even(floors: &[(f64, f64)], growth: f64) -> bool {
    let (earlier, later) = floors.split_at(floors.len() / 2);
    let rises: Vec<f64> = floors
        .windows(2)
        .map(|pair| pair[1].1 - pair[0].1)
        .collect();
    let positive = rises.iter().filter(|rise| **rise > 0.0).count() as f64;
    let largest = rises.iter().copied().fold(0.0, f64::max);
    theil_sen(later) >= GOES_ON * theil_sen(earlier)
        && largest <= LARGEST_RISE * growth
        && positive >= POSITIVE_RISES * rises.len() as f64
}

/// The lowest points between a fall and the next rise.
#[derive(Default)]
struct Troughs {
    floors: Vec<(f64, f64)>,
    /// Whether memory ever fell by a turn.
    turned: bool,
}

impl Troughs {
    fn of(samples: &[(f64, f64)]) -> Self {
        let mut troughs = Self::default();
        let lowest = samples
            .iter()
            .map(|(_, bytes)| *bytes)
            .fold(f64::MAX, f64::min);
        let highest = samples.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
        let turn = TURN * (highest - lowest);
        if turn <= 0.0 {
            return troughs;
        }
        let mut peak = f64::MIN;
        let mut floor: Option<(f64, f64)> = None; // while falling
        for &(at, bytes) in samples {
            match floor {
                None if peak - bytes >= turn => {
                    troughs.turned = true;
                    floor = Some((at, bytes));
                }
                None => peak = peak.max(bytes),
                Some((_, low)) if bytes < low => floor = Some((at, bytes)),
                Some(trough) if bytes - trough.1 >= turn => {
                    troughs.floors.push(trough);
                    floor = None;
                    peak = bytes;
                }
                Some(_) => {}
            }
        }
        troughs
    }
}

/// The lowest sample of each of twelve equal parts of the time; none if there is a part without one.
fn lowest_of_parts(samples: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let [(first, _), .., (last, _)] = samples else {
        return Vec::new();
    };
    let mut lowest = [None::<(f64, f64)>; PARTS];
    for &(at, bytes) in samples {
        let part = ((at - first) / (last - first) * PARTS as f64) as usize;
        let slot = &mut lowest[part.min(PARTS - 1)];
        if slot.is_none_or(|(_, low)| bytes < low) {
            *slot = Some((at, bytes));
        }
    }
    lowest
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::monitor::MonitorSample;

    const MIB: u64 = 1 << 20;

    /// 600 samples, one a second.
    fn judge(resident: impl Fn(u64) -> u64) -> LeakVerdict {
        let sample = |second| MonitorSample {
            at_ns: second as i64 * 1_000_000_000,
            resident_bytes: Some(resident(second)),
            ..MonitorSample::default()
        };
        let record = MonitorRecord {
            samples: (0..600).map(sample).collect(),
            ..MonitorRecord::default()
        };
        LeakVerdict::of(&record, Duration::from_secs(60)..Duration::from_secs(600))
    }

    #[test]
    fn a_saw_tooth_that_rises_most_of_the_time_is_no_leak() {
        for period in [7, 30, 61] {
            let verdict = judge(|second| (100 + second % period) * MIB);
            assert_eq!(
                verdict.ruling,
                LeakRuling::Steady,
                "{period} s: {verdict:?}"
            );
            assert!(verdict.cyclic);
        }
    }

    #[test]
    fn a_saw_tooth_of_too_few_cycles_is_not_decided() {
        let verdict = judge(|second| (100 + second % 250) * MIB);
        assert_eq!(verdict.ruling, LeakRuling::Undecided);
    }

    #[test]
    fn a_leak_under_a_saw_tooth_is_found_with_its_rate() {
        let verdict = judge(|second| (100 + second % 30) * MIB + second * MIB / 20);
        assert_eq!(verdict.ruling, LeakRuling::Leaking, "{verdict:?}");
        let per_hour = verdict.bytes_per_hour / (180 * MIB) as f64;
        assert!((0.99..1.01).contains(&per_hour), "{verdict:?}");
    }

    #[test]
    fn a_leak_without_cycles_is_found() {
        let verdict = judge(|second| 100 * MIB + second * MIB / 20);
        assert_eq!(
            (verdict.ruling, verdict.cyclic),
            (LeakRuling::Leaking, false)
        );
    }

    #[test]
    fn a_cache_that_fills_and_stays_full_is_not_called_a_leak() {
        let verdict = judge(|second| (100 + second.min(250)) * MIB);
        assert_ne!(verdict.ruling, LeakRuling::Leaking, "{verdict:?}");
    }

    #[test]
    fn a_few_steps_are_no_leak_and_neither_is_what_the_target_was_asked_to_keep() {
        let verdict = judge(|second| (100 + second / 200 * 10) * MIB);
        assert_eq!(verdict.ruling, LeakRuling::Undecided, "{verdict:?}");

        let mut run = crate::record::RunRecord::default();
        let mut step = crate::record::StepSummary {
            effect: true,
            ..Default::default()
        };
        run.interval_ns = 1_000_000_000;
        for second in 0..600 {
            let mut interval = crate::record::IntervalSummary {
                start_ns: second * 1_000_000_000,
                ..Default::default()
            };
            interval.latency.count = 100;
            step.intervals.push(interval);
            run.monitor.samples.push(MonitorSample {
                at_ns: second as i64 * 1_000_000_000,
                resident_bytes: Some(100 * MIB + second * 100 * 2_000),
                ..MonitorSample::default()
            });
        }
        run.steps = vec![step];
        let all = Duration::ZERO..Duration::from_secs(600);
        let without = LeakVerdict::of(&run.monitor, all.clone());
        assert_eq!(without.ruling, LeakRuling::Leaking);
        // 2,000 bytes for each of 60,000 records are what they take.
        run.stored.things = 60_000;
        run.stored.key_bytes = 60_000 * 16;
        let explained = LeakVerdict::of_run(&run, all);
        assert_eq!(explained.ruling, LeakRuling::Steady, "{explained:?}");
    }

    #[test]
    fn growth_before_the_end_of_warm_up_is_not_looked_at() {
        let verdict = judge(|second| (100 + second.min(60)) * MIB);
        assert_eq!((verdict.ruling, verdict.z), (LeakRuling::Steady, 0.0));
    }

    #[test]
    fn a_record_without_memory_is_not_decided() {
        let all = Duration::ZERO..Duration::MAX;
        let verdict = LeakVerdict::of(&MonitorRecord::default(), all);
        assert_eq!((verdict.ruling, verdict.floors), (LeakRuling::Undecided, 0));
    }

    #[test]
    fn the_trend_test_counts_pairs_and_ties() {
        let series = [1.0, 2.0, 2.0, 4.0].map(|value| (value, value));
        let (sum, z) = mann_kendall(&series);
        // Six pairs of which one is tied; variance (4·3·13 − 2·1·9) / 18.
        assert_eq!(sum, 5);
        assert!((z - 4.0 / (138.0_f64 / 18.0).sqrt()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_saw_tooth_of_any_shape_gives_no_false_alarm(
            period in 3u64..80, height in 2u64..500, offset in 0u64..80
        ) {
            let verdict = judge(|second| 100 * MIB + (second + offset) % period * height * MIB / period);
            prop_assert_ne!(verdict.ruling, LeakRuling::Leaking);
        }
    }
}
