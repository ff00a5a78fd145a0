//! What is simulated: healthy runs of every sort, and each fault that a detector is for.

use std::time::Duration;

use load_engine::{Model, Rng, Schedule, UserStage};
use report::FindingKind;

use super::simulation::{Memory, Service, Simulated};

/// Operations of a simulated run, about: enough for every detector, and quickly made.
const OPERATIONS: f64 = 60_000.0;

/// What can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    Stall,
    OpenStall,
    FailOver,
    MissingIndex,
    Leak,
    LeakUnderSawTooth,
    Lock,
    TooHighRate,
    TooFewSlots,
    ColdCache,
    SlowPath,
    OneStep,
    StarvedUsers,
}

impl Planted {
    pub(crate) const ALL: [Self; 13] = [
        Self::Stall,
        Self::OpenStall,
        Self::FailOver,
        Self::MissingIndex,
        Self::Leak,
        Self::LeakUnderSawTooth,
        Self::Lock,
        Self::TooHighRate,
        Self::TooFewSlots,
        Self::ColdCache,
        Self::SlowPath,
        Self::OneStep,
        Self::StarvedUsers,
    ];

    /// The finding that it is.
    pub(crate) fn kind(self) -> FindingKind {
        match self {
            Self::Stall | Self::OpenStall => FindingKind::Stall,
            Self::FailOver => FindingKind::ErrorBurst,
            Self::MissingIndex => FindingKind::Degradation,
            Self::Leak | Self::LeakUnderSawTooth => FindingKind::Leak,
            Self::Lock | Self::TooHighRate => FindingKind::Saturation,
            Self::TooFewSlots => FindingKind::Queueing,
            Self::ColdCache => FindingKind::SlowRecovery,
            Self::SlowPath => FindingKind::BimodalTail,
            Self::OneStep => FindingKind::DominantStep,
            Self::StarvedUsers => FindingKind::Unfairness,
        }
    }

    pub(crate) fn run(self, seed: u64) -> Simulated {
        let closed = |seconds, users| {
            let mut of = Simulated::new(seed, seconds, users);
            of.think_s = (f64::from(users) * seconds / OPERATIONS - 0.01).max(0.0);
            of
        };
        let hold = |users, seconds| UserStage::hold(users, Duration::from_secs(seconds));
        match self {
            Self::Stall => Simulated {
                stall: Some((30.0, 0.5)),
                think_s: 0.02,
                steps: vec![0.02],
                ..closed(60.0, 40)
            },
            Self::OpenStall => Simulated {
                stall: Some((30.0, 0.5)),
                ..closed(60.0, 1).open(500.0, 400)
            },
            Self::FailOver => Simulated {
                failover: Some((30.0, 3.0)),
                failing: 0.002,
                ..closed(60.0, 40)
            },
            Self::MissingIndex => Simulated {
                growth: 0.5,
                noise: (0.03, 0.5),
                ..closed(120.0, 20)
            },
            Self::Leak => Simulated {
                memory: Memory::Leak(20.0 / 0.8, 0.0),
                memory_noise: 0.5,
                stores: false,
                ..closed(600.0, 20)
            },
            Self::LeakUnderSawTooth => Simulated {
                memory: Memory::Leak(40.0 / 0.8, 30.0),
                memory_noise: 0.5,
                stores: false,
                ..closed(600.0, 20)
            },
            Self::Lock => Simulated {
                servers: 8,
                users: 40,
                steps: vec![0.02],
                ..Simulated::new(seed, 1.0, 40).staged(vec![
                    hold(5, 10),
                    hold(8, 10),
                    hold(12, 10),
                    hold(16, 10),
                    hold(20, 10),
                    hold(25, 10),
                    hold(30, 10),
                    hold(40, 10),
                ])
            },
            Self::TooHighRate => Simulated {
                servers: 5,
                service: Service::Exponential,
                ..closed(60.0, 1).open(550.0, 4_000)
            },
            Self::TooFewSlots => Simulated {
                service: Service::Exponential,
                ..closed(60.0, 1).open(570.0, 6)
            },
            Self::ColdCache => Simulated {
                cold: Some((40.0, 55.0)),
                think_s: 0.02,
                users: 40,
                ..Simulated::new(seed, 1.0, 40).staged(vec![
                    hold(20, 20),
                    hold(40, 20),
                    hold(20, 30),
                ])
            },
            Self::SlowPath => Simulated {
                slow_path: 0.02,
                ..closed(60.0, 20)
            },
            Self::OneStep => Simulated {
                steps: vec![0.001, 0.018, 0.001],
                ..closed(60.0, 10)
            },
            Self::StarvedUsers => Simulated {
                starved: 2,
                think_s: 0.0,
                steps: vec![0.04],
                ..closed(60.0, 40)
            },
        }
    }
}

/// A run in which nothing is wrong, of any length and size.
pub(crate) fn healthy(seed: u64) -> Simulated {
    let mut rng = Rng::new(seed ^ 0x5eed);
    let mut between = |low: f64, high: f64| low * (high / low).powf(rng.unit());
    let seconds = between(0.01, 600.0);
    let users = between(1.0, 1_000.0) as u32;
    let mean_s = between(0.2e-3, 0.2);
    let noise = between(0.02, 0.1);
    let megabytes = between(5.0, 30.0);
    let period_s = between(3.0, 60.0);
    let bytes = between(1_000.0, 4_000.0);
    let mut of = Simulated::new(seed, seconds, users.max(1));
    let mut below = |count: u64| rng.below(count);
    of.steps = (0..=below(4))
        .map(|n| mean_s * (1.0 + 0.4 * n as f64))
        .collect();
    of.service = match below(4) {
        0 => Service::Exponential,
        1 => Service::Mixed,
        n => Service::LogNormal(0.4 * n as f64 - 0.4),
    };
    of.noise = (noise, below(8) as f64 / 10.0);
    of.failing = [0.0, 0.0, 0.002, 0.02][below(4) as usize];
    of.memory = match below(5) {
        0 => Memory::Flat,
        1 => Memory::SawTooth(period_s),
        2 => Memory::Steps([0.3, 0.5, 0.8].map(|at| (at, below(2) as f64 * megabytes))),
        3 => Memory::Cache(megabytes, 0.1 + 0.1 * below(5) as f64),
        _ => Memory::Records(bytes),
    };
    let iteration_s: f64 = of.steps.iter().sum();
    match below(8) {
        0..3 => think(&mut of, iteration_s),
        3..5 => {
            think(&mut of, iteration_s);
            let (most, time) = (of.users.max(2), Duration::from_secs_f64(seconds));
            let stages = match below(2) {
                0 => vec![UserStage::ramp(1, most, time)],
                _ => UserStage::stepped(1, most, 6.min(most), time).collect(),
            };
            of.users = most;
            of = of.staged(stages);
        }
        5..7 => of = arrivals(of, iteration_s),
        _ => {
            of = arrivals(of, iteration_s);
            // In bursts of half the rate and all of it.
            let (rate, part) = (of.model_rate(), Duration::from_secs_f64(seconds / 6.0));
            let mut schedule = Schedule::constant(rate, part);
            for burst in 1..6 {
                let rate = if burst % 2 == 0 { rate } else { rate / 2.0 };
                schedule = schedule.then_at(rate, part);
            }
            let slots = std::num::NonZeroU32::new(of.users).unwrap();
            of.model = Model::open(schedule, slots);
        }
    }
    of
}

/// Users that think for as long as keeps a run's operations few enough to simulate.
fn think(of: &mut Simulated, iteration_s: f64) {
    let cycle_s = f64::from(of.users) * of.seconds * of.steps.len() as f64 / OPERATIONS;
    of.think_s = (cycle_s - iteration_s).max(0.0);
}

/// Poisson arrivals at 70 % of what the servers can do, with slots for many times what is usual.
fn arrivals(of: Simulated, iteration_s: f64) -> Simulated {
    let steps = of.steps.len() as f64;
    let rate = (OPERATIONS / steps / of.seconds).clamp(1.0, 5_000.0);
    let servers = (rate * iteration_s * of.service.mean() / 0.6)
        .ceil()
        .max(2.0);
    let slots = (8.0 * servers + 40.0) as u32;
    let mut of = of.open(rate, slots);
    of.servers = servers as usize;
    of
}

impl Service {
    /// The mean of its draws.
    fn mean(self) -> f64 {
        match self {
            Self::Exponential => 1.0,
            Self::LogNormal(spread) => (spread * spread / 2.0).exp(),
            Self::Mixed => 1.15 * (0.3f64 * 0.3 / 2.0).exp(),
        }
    }
}

impl Simulated {
    fn model_rate(&self) -> f64 {
        match &self.model {
            Model::Open { schedule, .. } => schedule.rate_at(Duration::ZERO),
            _ => 0.0,
        }
    }
}
