//! What a run says about itself: whether the generator was the limit, and what its model of load hid.

use std::fmt;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::plan::model::Model;
use crate::record::{RunRecord, StepSummary};

/// A generator whose own work is more than this share of the processor time has measured itself.
const MAX_OWN_SHARE: f64 = 0.5;

/// Lateness below this is the system's usual jitter.
const MIN_LAG_NS: u64 = 1_000_000;

/// Lateness above this share of the reported latency is a part of it that nobody should overlook.
const MAX_LAG_SHARE: f64 = 0.1;

/// A generator beside a target in another process needs some of the machine left.
const MAX_MACHINE_SHARE: f64 = 0.9;

/// Above this share, what the host or a limit takes away shows in the latencies.
const MAX_STOLEN_SHARE: f64 = 0.1;

/// The kernel counts what the host takes in ticks of 10 ms: watched for a shorter time, a share is
/// chance. (A load on a simulated clock is over in no time, however long it says that it was.)
const MIN_WATCHED_NS: i64 = 1_000_000_000;

const MAX_THROTTLED_SHARE: f64 = 0.05;

/// Users of a closed model who come late out of their think time put on less load than the plan asks for.
const MAX_OVERSLEPT_SHARE: f64 = 0.1;

/// How many times what was reported an omission has to be before it is worth a warning.
const MIN_OMISSION: f64 = 2.0;

/// Why a run may have measured the generator rather than the target. Its thresholds are not to be
/// judged as the target's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GeneratorLimit {
    /// Most of the processor time went into measuring.
    OwnWork {
        /// The engine's share of the processor time that the process used.
        cpu_share: f64,
    },
    /// Arrivals started late although a thread stood ready for them.
    LateSchedule {
        /// The lateness, 99 of 100 were at most this.
        lag_p99_ns: u64,
        /// The reported response time, 99 of 100 were at most this.
        response_p99_ns: u64,
    },
    /// Tasks that were ready waited for their runtime: too many for its thread, or one that blocks it.
    LaggingRuntime {
        /// How long they waited, 99 of 100 at most this.
        lag_p99_ns: u64,
        /// The longest reported 99th percentile of a step.
        latency_p99_ns: u64,
    },
    /// The target is another process, and this one used all that the machine has.
    NoProcessorLeft {
        /// The process's share of the machine's processor time.
        machine_share: f64,
    },
    /// The host gave the machine's processors to others.
    StolenTime {
        /// The share of the machine's processor time.
        share: f64,
    },
    /// A limit of its control group kept the process from running.
    Throttled {
        /// The share of the load's time.
        share: f64,
    },
    /// The target is another process, and users of a closed model came late out of their think time.
    LateUsers {
        /// The share of all users' time.
        share: f64,
    },
}

impl fmt::Display for GeneratorLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnWork { cpu_share } => {
                let percent = cpu_share * 100.0;
                write!(
                    f,
                    "the generator's own work was {percent:.0} % of the processor time"
                )
            }
            Self::LateSchedule {
                lag_p99_ns,
                response_p99_ns,
            } => {
                let ms = |ns: &u64| *ns as f64 / 1e6;
                let (lag, response) = (ms(lag_p99_ns), ms(response_p99_ns));
                write!(
                    f,
                    "arrivals started up to {lag:.1} ms late (p99) of a p99 of {response:.1} ms"
                )
            }
            Self::LaggingRuntime {
                lag_p99_ns,
                latency_p99_ns,
            } => {
                let ms = |ns: &u64| *ns as f64 / 1e6;
                let (lag, latency) = (ms(lag_p99_ns), ms(latency_p99_ns));
                write!(
                    f,
                    "ready tasks waited up to {lag:.1} ms (p99) for their runtime, of a p99 of {latency:.1} ms"
                )
            }
            Self::NoProcessorLeft { machine_share } => {
                let percent = machine_share * 100.0;
                write!(
                    f,
                    "the generator used {percent:.0} % of the machine's processor time"
                )
            }
            Self::StolenTime { share } => {
                let percent = share * 100.0;
                write!(f, "the host took {percent:.0} % of the processor time away")
            }
            Self::Throttled { share } => {
                let percent = share * 100.0;
                write!(
                    f,
                    "a limit of its control group kept the process waiting for {percent:.0} % of the time"
                )
            }
            Self::LateUsers { share } => {
                let percent = share * 100.0;
                write!(
                    f,
                    "users spent {percent:.0} % of their time late after their think time"
                )
            }
        }
    }
}

/// What a closed model hid of a step's latency: its users waited for the slow answers instead of
/// asking again at their pace, so that a stall is in the record once a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CoordinatedOmission {
    /// The step.
    pub step: String,
    /// The reported 99th percentile.
    pub p99_ns: u64,
    /// About what users would have felt at the least who had kept the pace of this run's fast half.
    pub p99_at_pace_ns: u64,
}

impl fmt::Display for CoordinatedOmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ns: u64| ns as f64 / 1e6;
        let (step, seen, felt) = (&self.step, ms(self.p99_ns), ms(self.p99_at_pace_ns));
        write!(
            f,
            "the closed model hides the wait for `{step}`: a p99 of {seen:.1} ms would be at least \
             about {felt:.1} ms for users who keep their pace"
        )
    }
}

impl RunRecord {
    /// What kept the generator from being only an observer; nothing, in a run to be trusted.
    #[must_use]
    pub fn generator_limits(&self) -> Vec<GeneratorLimit> {
        let own_work = self
            .generator
            .cpu_share
            .filter(|share| *share > MAX_OWN_SHARE)
            .map(|cpu_share| GeneratorLimit::OwnWork { cpu_share });
        let late = self.open.as_ref().and_then(|open| {
            let lag_p99_ns = open.schedule_lag.p99_ns;
            let response_p99_ns = open.response_time.p99_ns;
            let part = lag_p99_ns as f64 / response_p99_ns.max(1) as f64;
            (lag_p99_ns > MIN_LAG_NS && part > MAX_LAG_SHARE).then_some(
                GeneratorLimit::LateSchedule {
                    lag_p99_ns,
                    response_p99_ns,
                },
            )
        });
        let machine = self.machine_limits();
        let lagging = self.lagging_runtime();
        own_work
            .into_iter()
            .chain(late)
            .chain(lagging)
            .chain(machine)
            .collect()
    }

    /// What kept the generator from putting on the load that was asked for, besides lateness: of that
    /// it is known how much it can have changed an open model's latencies, so a threshold is judged by
    /// its bounds.
    #[must_use]
    pub fn saturation(&self) -> Vec<GeneratorLimit> {
        let is_open = self.open.is_some();
        let mut limits = self.generator_limits();
        limits.retain(|limit| match limit {
            GeneratorLimit::LateSchedule { .. } => false,
            GeneratorLimit::LaggingRuntime { .. } => !is_open,
            _ => true,
        });
        limits
    }

    fn lagging_runtime(&self) -> Option<GeneratorLimit> {
        let lag_p99_ns = self.runtime_lag.as_ref()?.lag.p99_ns;
        let latency = |step: &StepSummary| match &step.response_time {
            Some(response) => response.p99_ns,
            None => step.service_time.p99_ns,
        };
        let latency_p99_ns = self.steps.iter().map(latency).max().unwrap_or_default();
        let part = lag_p99_ns as f64 / latency_p99_ns.max(1) as f64;
        (lag_p99_ns > MIN_LAG_NS && part > MAX_LAG_SHARE).then_some(
            GeneratorLimit::LaggingRuntime {
                lag_p99_ns,
                latency_p99_ns,
            },
        )
    }

    /// What the machine withheld. Pressure alone is no limit: a target in this process makes it too.
    fn machine_limits(&self) -> impl Iterator<Item = GeneratorLimit> {
        let above = |share: Option<f64>, most: f64| share.filter(|share| *share > most);
        let generator = &self.generator;
        let machine_share = generator.machine_share.filter(|_| self.target.is_some());
        let full = above(machine_share, MAX_MACHINE_SHARE)
            .map(|machine_share| GeneratorLimit::NoProcessorLeft { machine_share });
        let stolen_share = generator.stolen_share;
        let watched_ns = match self.monitor.samples.as_slice() {
            [first, .., last] => last.at_ns - first.at_ns,
            _ => 0,
        };
        let stolen_share = stolen_share.filter(|_| watched_ns >= MIN_WATCHED_NS);
        let stolen =
            above(stolen_share, MAX_STOLEN_SHARE).map(|share| GeneratorLimit::StolenTime { share });
        let throttled = above(generator.throttled_share, MAX_THROTTLED_SHARE)
            .map(|share| GeneratorLimit::Throttled { share });
        // A target in this process may be what keeps users from coming back.
        let overslept_share = generator.overslept_share.filter(|_| self.target.is_some());
        let late = above(overslept_share, MAX_OVERSLEPT_SHARE)
            .map(|share| GeneratorLimit::LateUsers { share });
        full.into_iter().chain(stolen).chain(throttled).chain(late)
    }

    /// What a closed model hid of each step; nothing for an open one, which hides nothing.
    ///
    /// This is Gil Tene's correction for coordinated omission: a wait `w` of a user whose pace is an
    /// iteration each `i` stands for waits of `w - i`, `w - 2i` and so on as well. It is a warning, not
    /// a measurement: run the open model for that.
    ///
    /// # Errors
    ///
    /// When a saved histogram is damaged.
    pub fn coordinated_omissions(&self) -> Result<Vec<CoordinatedOmission>, RunError> {
        if matches!(self.model, Model::Open { .. }) {
            return Ok(Vec::new());
        }
        let pace_ns = self.pace_ns();
        let omission = |step: &StepSummary| -> Result<Option<CoordinatedOmission>, RunError> {
            let p99_ns = step.service_time.p99_ns;
            let p99_at_pace_ns = p99_at_pace(&step.service_time.to_histogram()?, pace_ns);
            let hidden = p99_at_pace_ns as f64 > MIN_OMISSION * p99_ns as f64;
            let step = step.name.clone();
            Ok(hidden.then_some(CoordinatedOmission {
                step,
                p99_ns,
                p99_at_pace_ns,
            }))
        };
        self.steps
            .iter()
            .filter_map(|step| omission(step).transpose())
            .collect()
    }

    /// The time from one iteration's start to the next when nothing is slow.
    fn pace_ns(&self) -> u64 {
        let iterations = (self.iterations.completed + self.iterations.failed).max(1);
        let usual_ns: f64 = self
            .steps
            .iter()
            .map(|step| step.service_time.p50_ns as f64 * step.attempted as f64)
            .sum();
        (usual_ns / iterations as f64) as u64 + self.think_time.mean().as_nanos() as u64
    }
}

/// The 99th percentile of what users at this pace would have felt. Counted, not recorded: a pace of
/// nanoseconds and a stall of seconds would be a thousand million records.
fn p99_at_pace(histogram: &Histogram<u64>, pace_ns: u64) -> u64 {
    let pace_ns = pace_ns.max(1);
    // Waits longer than `over_ns` that a wait of `ns` stands for.
    let stands_for = |ns: u64, over_ns: u64| {
        if ns > over_ns {
            1 + (ns - over_ns.max(pace_ns).min(ns)) / pace_ns
        } else {
            0
        }
    };
    let longer_than = |over_ns: u64| -> u128 {
        let recorded = histogram.iter_recorded();
        recorded
            .map(|bucket| {
                let ns = bucket.value_iterated_to();
                u128::from(bucket.count_at_value()) * u128::from(stands_for(ns, over_ns))
            })
            .sum()
    };
    let all = longer_than(0).max(u128::from(histogram.len()));
    let (mut low, mut high) = (0, histogram.max());
    while low < high {
        let middle = low + (high - low) / 2;
        if longer_than(middle) * 100 <= all {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests;
