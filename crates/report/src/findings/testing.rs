//! Runs that were never run: healthy ones, and ones in which something is planted.

use std::num::NonZeroU32;
use std::time::Duration;

use load_engine::{
    ArrivalCounts, FailureCount, Fairness, IntervalSummary, LatencySummary, Model, MonitorSample,
    OpenSummary, Rng, RunRecord, Schedule, StepSummary, UserStage, UserTally, empty_histogram,
};

use crate::FindingKind;

const SECONDS: usize = 64; // eight levels of eight
const SECOND_NS: u64 = 1_000_000_000;
const USERS: u32 = 40;
const STEPS: [(&str, f64); 3] = [("read", 1e6), ("write", 2e6), ("list", 1.5e6)];

/// What is planted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Planted {
    Stall,
    OpenStall,
    ErrorBurst,
    Leak,
    Degradation,
    Saturation,
    OpenSaturation,
    Queueing,
    SlowRecovery,
    BimodalTail,
    DominantStep,
    Unfairness,
}

impl Planted {
    pub(super) const ALL: [Self; 12] = [
        Self::Stall,
        Self::OpenStall,
        Self::ErrorBurst,
        Self::Leak,
        Self::Degradation,
        Self::Saturation,
        Self::OpenSaturation,
        Self::Queueing,
        Self::SlowRecovery,
        Self::BimodalTail,
        Self::DominantStep,
        Self::Unfairness,
    ];

    pub(super) fn kind(self) -> FindingKind {
        match self {
            Self::Stall | Self::OpenStall => FindingKind::Stall,
            Self::ErrorBurst => FindingKind::ErrorBurst,
            Self::Leak => FindingKind::Leak,
            Self::Degradation => FindingKind::Degradation,
            Self::Saturation | Self::OpenSaturation => FindingKind::Saturation,
            Self::Queueing => FindingKind::Queueing,
            Self::SlowRecovery => FindingKind::SlowRecovery,
            Self::BimodalTail => FindingKind::BimodalTail,
            Self::DominantStep => FindingKind::DominantStep,
            Self::Unfairness => FindingKind::Unfairness,
        }
    }

    /// Whether a kind is true of the run although another one was meant.
    pub(super) fn explains(self, kind: FindingKind) -> bool {
        kind == self.kind()
            || match self {
                // Who waited through a stall is a group of its own, and so is who waited in a queue.
                // A stall of an open model is in the first step, which bears the delay.
                Self::Stall => kind == FindingKind::BimodalTail,
                Self::OpenStall => matches!(
                    kind,
                    FindingKind::BimodalTail | FindingKind::Queueing | FindingKind::DominantStep
                ),
                Self::SlowRecovery => kind == FindingKind::BimodalTail,
                _ => false,
            }
    }

    pub(super) fn run(self, seed: u64) -> RunRecord {
        let mut made = Made::new(seed);
        match self {
            Self::Stall => made.stall(),
            Self::OpenStall => {
                made.model = open(300.0);
                made.stall();
            }
            Self::ErrorBurst => made.failing = |second| if second == 30 { 0.4 } else { 0.001 },
            Self::Leak => made.resident = |second| 100_000_000 + second * 700_000,
            Self::Degradation => made.slower = |second| 1.0 + second as f64 / 40.0,
            Self::Saturation => {
                made.model = Model::staged(stepped());
                // The target serves 20 at once, whoever waits.
                made.slower = |second| (users(second) / 20.0).max(1.0);
                made.rate = |second| 300.0 * (users(second) / 20.0).min(1.0);
            }
            Self::OpenSaturation | Self::Queueing => made.model = open(300.0),
            Self::SlowRecovery => {
                made.model = Model::staged(spike());
                made.slower = |second| match second {
                    20..40 => 6.0,
                    40..55 => 5.0,
                    _ => 1.0,
                };
            }
            Self::BimodalTail => made.second_hill = 0.03,
            Self::DominantStep => made.dominant = 40.0,
            Self::Unfairness => made.starved = 3,
        }
        let mut run = made.record();
        match (self, &mut run.open) {
            (Self::OpenSaturation, Some(open)) => {
                open.arrivals.queued = open.arrivals.done / 4;
                open.arrivals.done -= open.arrivals.queued;
            }
            (Self::Queueing, Some(open)) => {
                open.response_time.p99_ns = 8 * open.service_time.p99_ns;
                open.response_time.mean_ns = 5.0 * open.service_time.mean_ns;
            }
            _ => {}
        }
        run
    }
}

/// A run in which nothing is wrong, of each model by turns.
pub(super) fn healthy(seed: u64) -> RunRecord {
    let mut made = Made::new(seed);
    match seed % 4 {
        0 => {}
        1 => made.model = open(300.0),
        2 => {
            // Twice the users do twice the work.
            made.model = Model::staged(stepped());
            made.rate = |second| 10.0 * users(second);
        }
        _ => {
            made.model = Model::staged(spike());
            made.rate = |second| {
                if (20..40).contains(&second) {
                    600.0
                } else {
                    300.0
                }
            };
            // A saw-tooth of memory, and a share of failures that does not change.
            made.resident = |second| 100_000_000 + (second % 7) * 3_000_000;
            made.failing = |_| 0.01;
        }
    }
    made.record()
}

fn open(per_s: f64) -> Model {
    let schedule = Schedule::constant(per_s, Duration::from_secs(SECONDS as u64));
    Model::open(schedule, NonZeroU32::new(USERS).unwrap())
}

fn stepped() -> Vec<UserStage> {
    UserStage::stepped(10, 80, 8, Duration::from_secs(SECONDS as u64)).collect()
}

fn users(second: u64) -> f64 {
    10.0 * (second / 8 + 1) as f64
}

fn spike() -> Vec<UserStage> {
    let hold = |users, seconds| UserStage::hold(users, Duration::from_secs(seconds));
    vec![hold(20, 20), hold(40, 20), hold(20, 24)]
}

struct Made {
    rng: Rng,
    model: Model,
    /// Operations of each step in a second.
    rate: fn(u64) -> f64,
    slower: fn(u64) -> f64,
    failing: fn(u64) -> f64,
    resident: fn(u64) -> u64,
    stalls: bool,
    second_hill: f64,
    dominant: f64,
    /// Users that get a twentieth of what the others do.
    starved: u32,
}

impl Made {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            model: Model::elapsed(
                NonZeroU32::new(USERS).unwrap(),
                Duration::from_secs(SECONDS as u64),
            ),
            rate: |_| 300.0,
            slower: |_| 1.0,
            failing: |_| 0.0,
            resident: |_| 100_000_000,
            stalls: false,
            second_hill: 0.0,
            dominant: 1.0,
            starved: 0,
        }
    }

    fn stall(&mut self) {
        self.stalls = true;
    }

    fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Around 1, with a tail to the right: exp of a normal, by Box and Muller.
    fn spread(&mut self) -> f64 {
        let (a, b) = (self.uniform().max(1e-12), self.uniform());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        (0.4 * normal).exp()
    }

    fn record(mut self) -> RunRecord {
        let mut run = RunRecord::default();
        run.model = self.model.clone();
        run.users = USERS;
        run.interval_ns = SECOND_NS;
        run.wall_ns = SECONDS as u64 * SECOND_NS;
        run.steps = (0..STEPS.len()).map(|step| self.step(step)).collect();
        run.monitor.samples = (0..SECONDS as u64 * 4)
            .map(|quarter| self.sample(quarter))
            .collect();
        if let Model::Closed { .. } = self.model {
            run.fairness = self.fairness();
        }
        if let Model::Open { .. } = self.model {
            let mut open = OpenSummary::default();
            let done: u64 = run.steps[0].attempted;
            open.arrivals = ArrivalCounts::default();
            open.arrivals.scheduled = done;
            open.arrivals.done = done;
            open.response_time = run.steps[0].service_time.clone();
            open.service_time = run.steps[0].service_time.clone();
            run.open = Some(open);
        }
        run
    }

    /// The usual users are within a tenth of each other.
    fn fairness(&mut self) -> Option<Fairness> {
        let tally = |user| {
            let share = 0.95 + 0.1 * self.uniform();
            let starves = if user < self.starved { 20.0 } else { 1.0 };
            let mut tally = UserTally::default();
            tally.user = user;
            tally.iterations = (480.0 * share / starves) as u64;
            tally.time_ns = SECONDS as u64 * SECOND_NS;
            tally
        };
        Fairness::of((0..USERS).map(tally).collect())
    }

    fn step(&mut self, number: usize) -> StepSummary {
        let (name, median_ns) = STEPS[number];
        let median_ns = if number == 1 {
            median_ns * self.dominant
        } else {
            median_ns
        };
        let mut step = StepSummary::default();
        name.clone_into(&mut step.name);
        let mut all = empty_histogram();
        for second in 0..SECONDS as u64 {
            let mut interval = IntervalSummary::default();
            let mut histogram = empty_histogram();
            interval.start_ns = second * SECOND_NS;
            let noise = 0.95 + 0.1 * self.uniform();
            let mut count = ((self.rate)(second) * noise) as u64;
            if self.stalls && (29..31).contains(&second) {
                count = 0;
            }
            for _ in 0..count {
                let mut ns = median_ns * (self.slower)(second) * self.spread();
                if self.uniform() < self.second_hill {
                    ns *= 40.0;
                }
                interval.failed += u64::from(self.uniform() < (self.failing)(second));
                histogram.record(ns as u64).unwrap();
            }
            if self.stalls && second == 31 {
                self.waiting(number, &mut histogram);
            }
            step.attempted += histogram.len();
            step.failed += interval.failed;
            all.add(&histogram).unwrap();
            interval.latency = LatencySummary::of(&histogram);
            step.intervals.push(interval);
        }
        step.succeeded = step.attempted - step.failed;
        if step.failed > 0 {
            step.failures.messages = vec![FailureCount {
                message: "connection refused".to_owned(),
                count: step.failed,
            }];
        }
        step.service_time = LatencySummary::of(&all);
        step
    }

    /// Those who waited through two seconds: each user in one of the steps, or each arrival.
    fn waiting(&self, step: usize, histogram: &mut hdrhistogram::Histogram<u64>) {
        if let Model::Open { .. } = self.model {
            if step == 0 {
                for arrival in 0..600u64 {
                    histogram
                        .record(2 * SECOND_NS - arrival * SECOND_NS / 300)
                        .unwrap();
                }
            }
            return;
        }
        let share = [14, 13, 13][step];
        histogram.record_n(2 * SECOND_NS, share).unwrap();
    }

    fn sample(&mut self, quarter: u64) -> MonitorSample {
        let mut sample = MonitorSample::default();
        sample.at_ns = (quarter * SECOND_NS / 4) as i64;
        sample.resident_bytes = Some((self.resident)(quarter / 4));
        let stalled = quarter.saturating_sub(29 * 4).min(8);
        sample.io_pressure_ns = Some(match self.stalls {
            true => stalled * SECOND_NS / 4,
            false => 0,
        });
        sample
    }
}
