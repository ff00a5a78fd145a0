//! Runs on simulated time, of which it is known what is wrong with them: nothing, or what was planted.
//!
//! Users or arrivals go through steps at servers that serve one after another, second by second with noise
//! that resembles that of its neighbours, and what happens is recorded as the engine does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::time::Duration;

use hdrhistogram::Histogram;
use load_engine::{
    FailureCount, Fairness, IntervalSummary, LatencySummary, Model, MonitorSample, OpenSummary,
    Rng, RunRecord, Schedule, SlowOperation, StepSummary, UserStage, UserTally, empty_histogram,
};

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// As the engine logs them.
const SLOW_NS: u64 = 50_000_000;
const SLOW_TIMES: u64 = 10;
const MAX_SLOW: usize = 5_000;

/// How long the steps of an iteration take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    Exponential,
    /// With this deviation of the logarithm.
    LogNormal(f64),
    /// One in ten takes two and a half times as long.
    Mixed,
}

/// What memory does besides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory {
    Flat,
    /// Falls back each so many seconds.
    SawTooth(f64),
    /// Grows at once by so many megabytes, at these parts of the run.
    Steps([(f64, f64); 3]),
    /// Fills with so many megabytes within a part of the run.
    Cache(f64, f64),
    /// So many bytes for each effect.
    Records(f64),
    /// So many megabytes over the run, on top of a saw-tooth of this height.
    Leak(f64, f64),
}

/// A run to simulate.
#[derive(Clone, Debug)]
pub(crate) struct Simulated {
    pub(crate) seed: u64,
    pub(crate) model: Model,
    pub(crate) seconds: f64,
    pub(crate) users: u32,
    pub(crate) think_s: f64,
    /// The mean time of each step, in seconds.
    pub(crate) steps: Vec<f64>,
    pub(crate) service: Service,
    /// Served at once; the others wait.
    pub(crate) servers: usize,
    /// The deviation of a second's times from the mean, and how much of it the next second has.
    pub(crate) noise: (f64, f64),
    pub(crate) failing: f64,
    pub(crate) memory: Memory,
    pub(crate) memory_noise: f64,
    /// Whether the target was asked to keep something.
    pub(crate) stores: bool,
    // What is planted:
    pub(crate) stall: Option<(f64, f64)>,
    pub(crate) failover: Option<(f64, f64)>,
    pub(crate) growth: f64,
    pub(crate) slow_path: f64,
    pub(crate) starved: u32,
    /// From and to: a time in which everything takes five times as long.
    pub(crate) cold: Option<(f64, f64)>,
}

impl Simulated {
    pub(crate) fn new(seed: u64, seconds: f64, users: u32) -> Self {
        let time = Duration::from_secs_f64(seconds);
        Self {
            seed,
            model: Model::elapsed(NonZeroU32::new(users).unwrap(), time),
            seconds,
            users,
            think_s: 0.0,
            steps: vec![0.01],
            service: Service::LogNormal(0.5),
            servers: usize::MAX,
            noise: (0.03, 0.0),
            failing: 0.0,
            memory: Memory::Flat,
            memory_noise: 0.2,
            stores: true,
            stall: None,
            failover: None,
            growth: 0.0,
            slow_path: 0.0,
            starved: 0,
            cold: None,
        }
    }

    /// As an open model, at a rate and with so many slots.
    pub(crate) fn open(mut self, rate: f64, slots: u32) -> Self {
        let schedule = Schedule::constant(rate, Duration::from_secs_f64(self.seconds));
        self.model = Model::open(schedule, NonZeroU32::new(slots).unwrap());
        self.users = slots;
        self
    }

    pub(crate) fn staged(mut self, stages: Vec<UserStage>) -> Self {
        self.seconds = stages
            .iter()
            .map(|stage| stage.duration.as_secs_f64())
            .sum();
        self.model = Model::staged(stages);
        self
    }

    pub(crate) fn run(&self) -> RunRecord {
        let mut simulation = Simulation::new(self);
        match &self.model {
            Model::Open { schedule, .. } => simulation.open(schedule),
            _ => simulation.closed(),
        }
        simulation.record()
    }
}

/// Standard normal, by Box and Muller.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    let (a, b) = (rng.unit().max(1e-12), rng.unit());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

struct Step {
    service: Histogram<u64>,
    response: Histogram<u64>,
    failure: Histogram<u64>,
    intervals: Vec<(Histogram<u64>, u64)>,
    failed: u64,
}

struct Simulation<'s> {
    of: &'s Simulated,
    rng: Rng,
    /// By second.
    factors: Vec<f64>,
    /// When each server is free.
    servers: BinaryHeap<Reverse<u64>>,
    steps: Vec<Step>,
    slow: Vec<SlowOperation>,
    iterations: Vec<u64>,
    ended_ns: Vec<u64>,
    open: OpenSummary,
    last_ns: u64,
}

impl<'s> Simulation<'s> {
    fn new(of: &'s Simulated) -> Self {
        let mut rng = Rng::new(of.seed);
        let (spread, resembles) = of.noise;
        let mut level = 0.0;
        let factors = (0..of.seconds as usize + 600)
            .map(|_| {
                let rest = (1.0 - resembles * resembles).sqrt();
                level = resembles * level + rest * normal(&mut rng);
                (spread * level).exp()
            })
            .collect();
        let servers = match of.servers {
            usize::MAX => BinaryHeap::new(),
            count => (0..count).map(|_| Reverse(0)).collect(),
        };
        let step = |_: &f64| Step {
            service: empty_histogram(),
            response: empty_histogram(),
            failure: empty_histogram(),
            intervals: Vec::new(),
            failed: 0,
        };
        Self {
            of,
            rng,
            factors,
            servers,
            steps: of.steps.iter().map(step).collect(),
            slow: Vec::new(),
            iterations: vec![0; of.users as usize],
            ended_ns: vec![0; of.users as usize],
            open: OpenSummary::default(),
            last_ns: 0,
        }
    }

    fn end_ns(&self) -> u64 {
        (self.of.seconds * 1e9) as u64
    }

    fn closed(&mut self) {
        let end_ns = self.end_ns();
        let mut users: BinaryHeap<Reverse<(u64, u32, usize)>> = (0..self.of.users)
            .map(|user| Reverse((self.rng.below(1_000_000), user, 0)))
            .collect();
        while let Some(Reverse((at_ns, user, step))) = users.pop() {
            if at_ns >= end_ns {
                continue;
            }
            let wanted = self.wanted(at_ns);
            if user >= wanted {
                users.push(Reverse((at_ns + 100_000_000, user, step)));
                continue;
            }
            let server = self.take_server(at_ns);
            let done_ns = self.serve((at_ns, at_ns, server), user, step);
            self.give_server(done_ns);
            let next = (step + 1) % self.steps.len();
            let mut begins_ns = done_ns;
            if next == 0 {
                self.iterations[user as usize] += 1;
                self.ended_ns[user as usize] = done_ns;
                if self.of.think_s > 0.0 {
                    let think = -self.of.think_s * self.rng.unit().max(1e-12).ln();
                    begins_ns += (think * 1e9) as u64;
                }
            }
            users.push(Reverse((begins_ns, user, next)));
        }
    }

    /// Users that stand at a time.
    fn wanted(&self, at_ns: u64) -> u32 {
        let Model::Staged { stages } = &self.of.model else {
            return self.of.users;
        };
        let mut began = 0.0;
        for stage in stages {
            let length = stage.duration.as_secs_f64();
            let part = (at_ns as f64 / 1e9 - began) / length;
            if part < 1.0 {
                let (from, to) = (f64::from(stage.from), f64::from(stage.to));
                return (from + part * (to - from)) as u32;
            }
            began += length;
        }
        0
    }

    fn open(&mut self, schedule: &Schedule) {
        let end_ns = self.end_ns();
        let mut slots: BinaryHeap<Reverse<(u64, u32)>> =
            (0..self.of.users).map(|user| Reverse((0, user))).collect();
        let (mut response, mut service) = (empty_histogram(), empty_histogram());
        let mut lag = empty_histogram();
        let mut due = 0.0;
        loop {
            let rate = schedule.rate_at(Duration::from_secs_f64(due)).max(1e-3);
            due += -self.rng.unit().max(1e-12).ln() / rate;
            if due >= self.of.seconds {
                break;
            }
            let due_ns = (due * 1e9) as u64;
            let Reverse((free_ns, user)) = slots.pop().expect("there are slots");
            let jitter_ns = (-100_000.0 * self.rng.unit().max(1e-12).ln()) as u64;
            let late = free_ns > due_ns;
            let mut at_ns = if late { free_ns } else { due_ns + jitter_ns };
            let started_ns = at_ns;
            let mut from_ns = due_ns;
            // A server serves an arrival from its first step to its last.
            let server = self.take_server(at_ns);
            for step in 0..self.steps.len() {
                let begins_ns = if step == 0 { server } else { at_ns };
                at_ns = self.serve((from_ns, at_ns, begins_ns), user, step);
                from_ns = at_ns;
            }
            self.give_server(at_ns);
            slots.push(Reverse((at_ns, user)));
            let arrivals = &mut self.open.arrivals;
            arrivals.scheduled += 1;
            if started_ns > end_ns {
                arrivals.queued += 1;
            } else if at_ns > end_ns {
                arrivals.in_flight += 1;
            } else {
                arrivals.done += 1;
            }
            if late {
                self.open.late_starts += 1;
            } else {
                lag.saturating_record(jitter_ns);
                let second = due as usize;
                if self.open.latest_ns.len() <= second {
                    self.open.latest_ns.resize(second + 1, 0);
                }
                self.open.latest_ns[second] = self.open.latest_ns[second].max(jitter_ns);
            }
            response.saturating_record(at_ns - due_ns);
            service.saturating_record(at_ns - started_ns);
        }
        self.open.response_time = LatencySummary::of(&response);
        self.open.service_time = LatencySummary::of(&service);
        self.open.schedule_lag = LatencySummary::of(&lag);
    }

    /// When a server is free for what comes now.
    fn take_server(&mut self, at_ns: u64) -> u64 {
        self.servers
            .pop()
            .map_or(at_ns, |Reverse(free_ns)| free_ns.max(at_ns))
    }

    fn give_server(&mut self, at_ns: u64) {
        if self.of.servers != usize::MAX {
            self.servers.push(Reverse(at_ns));
        }
    }

    /// Serves one operation by when it was due, sent and begun, and says when it ended.
    fn serve(
        &mut self,
        (due_ns, at_ns, begins_ns): (u64, u64, u64),
        user: u32,
        step: usize,
    ) -> u64 {
        let of = self.of;
        let mean_ns = of.steps[step] * 1e9;
        let draw = match of.service {
            Service::Exponential => -self.rng.unit().max(1e-12).ln(),
            Service::LogNormal(spread) => (spread * normal(&mut self.rng)).exp(),
            Service::Mixed if self.rng.unit() < 0.1 => 2.5 * (0.3 * normal(&mut self.rng)).exp(),
            Service::Mixed => (0.3 * normal(&mut self.rng)).exp(),
        };
        let second = (at_ns / SECOND_NS) as usize;
        let at_s = at_ns as f64 / 1e9;
        let mut ns = mean_ns * draw * self.factors[second.min(self.factors.len() - 1)];
        ns *= 1.0 + of.growth * at_s / of.seconds;
        if of.slow_path > 0.0 && self.rng.unit() < of.slow_path {
            ns *= 20.0;
        }
        if user < of.starved {
            ns *= 5.0;
        }
        if of.cold.is_some_and(|(from, to)| (from..to).contains(&at_s)) {
            ns *= 5.0;
        }
        let mut ends_ns = begins_ns + ns.max(100.0) as u64;
        if let Some((from, length)) = of.stall {
            let (from, to) = ((from * 1e9) as u64, ((from + length) * 1e9) as u64);
            if (from..to).contains(&begins_ns) {
                ends_ns = to + (ends_ns - begins_ns);
            } else if begins_ns < from && ends_ns > from {
                ends_ns += to - from;
            }
        }
        let fails = match of.failover {
            Some((from, length)) if (from..from + length).contains(&at_s) => 0.8,
            _ => of.failing,
        };
        let failed = fails > 0.0 && self.rng.unit() < fails;
        self.book(user, step, (due_ns, at_ns, ends_ns), failed);
        ends_ns
    }

    fn book(
        &mut self,
        user: u32,
        step: usize,
        (due_ns, at_ns, ends_ns): (u64, u64, u64),
        failed: bool,
    ) {
        self.last_ns = self.last_ns.max(ends_ns);
        let is_open = matches!(self.of.model, Model::Open { .. });
        let own = &mut self.steps[step];
        let second = (ends_ns / SECOND_NS) as usize;
        while own.intervals.len() <= second {
            own.intervals.push((Histogram::new(3).unwrap(), 0));
        }
        let felt_ns = if is_open {
            ends_ns - due_ns
        } else {
            ends_ns - at_ns
        };
        if failed {
            own.failed += 1;
            own.intervals[second].1 += 1;
            own.failure.saturating_record(felt_ns);
            return;
        }
        own.service.saturating_record(ends_ns - at_ns);
        own.response.saturating_record(felt_ns);
        own.intervals[second].0.record(felt_ns).unwrap();
        if ends_ns - at_ns >= SLOW_NS {
            self.slow.push(SlowOperation {
                step: step as u32,
                user,
                start_ns: at_ns,
                end_ns: ends_ns,
            });
        }
    }

    fn record(mut self) -> RunRecord {
        let of = self.of;
        let mut run = RunRecord::default();
        run.label = "simulated".to_owned();
        run.model = of.model.clone();
        run.users = of.users;
        run.seed = of.seed;
        run.interval_ns = SECOND_NS;
        run.window_ns = self.end_ns();
        run.wall_ns = self.last_ns.max(run.window_ns);
        let is_open = matches!(of.model, Model::Open { .. });
        run.steps = std::mem::take(&mut self.steps)
            .into_iter()
            .enumerate()
            .map(|(number, step)| summary(number, step, is_open, run.window_ns))
            .collect();
        let median = |slow: &SlowOperation| run.steps[slow.step as usize].service_time.p50_ns;
        self.slow
            .retain(|slow| slow.end_ns - slow.start_ns >= SLOW_TIMES * median(slow));
        self.slow
            .sort_by_key(|slow| Reverse(slow.end_ns - slow.start_ns));
        self.slow.truncate(MAX_SLOW);
        self.slow
            .sort_by_key(|slow| (slow.start_ns, slow.end_ns, slow.user));
        run.slow_operations = std::mem::take(&mut self.slow);
        run.iterations.completed = self.iterations.iter().sum();
        if let Model::Closed { .. } = of.model {
            let tally = |user: usize| {
                let mut tally = UserTally::default();
                tally.user = user as u32;
                tally.iterations = self.iterations[user];
                tally.time_ns = self.ended_ns[user];
                tally
            };
            run.fairness = Fairness::of((0..self.iterations.len()).map(tally).collect());
        }
        if is_open {
            run.iterations.completed = self.open.arrivals.scheduled;
            run.open = Some(std::mem::take(&mut self.open));
        }
        self.monitor(&mut run);
        run
    }

    fn monitor(&mut self, run: &mut RunRecord) {
        let of = self.of;
        if !of.stores {
            for step in &mut run.steps {
                (step.effect, step.effects) = (false, 0);
            }
        }
        let effects: u64 = run.steps.iter().map(|step| step.effects).sum();
        run.stored.things = effects;
        run.stored.key_bytes = effects * 16;
        run.stored.ledger_bytes = effects * 72;
        let samples = ((of.seconds * 4.0) as usize).clamp(4, 1_200);
        let mut waited = [0u64; 3];
        for number in 0..=samples {
            let part = number as f64 / samples as f64;
            let mut sample = MonitorSample::default();
            sample.at_ns = (part * of.seconds * 1e9) as i64;
            let megabytes = memory(of, part, effects) + of.memory_noise * normal(&mut self.rng);
            let own = part * run.stored.ledger_bytes as f64;
            sample.resident_bytes = Some((100e6 + 1e6 * megabytes + own) as u64);
            for (total, most) in waited.iter_mut().zip([3e-2, 1e-3, 1e-2]) {
                let period_ns = of.seconds * 1e9 / samples as f64;
                *total += (self.rng.unit() * most * period_ns) as u64;
            }
            [
                sample.cpu_pressure_ns,
                sample.memory_pressure_ns,
                sample.io_pressure_ns,
            ] = waited.map(Some);
            run.monitor.samples.push(sample);
        }
    }
}

/// Megabytes above the usual, at a part of the run.
fn memory(of: &Simulated, part: f64, effects: u64) -> f64 {
    match of.memory {
        Memory::Flat => 0.0,
        Memory::SawTooth(period_s) => (part * of.seconds / period_s).fract() * 20.0,
        Memory::Steps(steps) => steps
            .iter()
            .filter(|(at, _)| part >= *at)
            .map(|(_, megabytes)| megabytes)
            .sum(),
        Memory::Cache(megabytes, within) => megabytes * (part / within).min(1.0),
        Memory::Records(bytes) => part * effects as f64 * bytes / 1e6,
        Memory::Leak(megabytes, saw_tooth) => {
            let cycle = (part * of.seconds / 20.0).fract();
            megabytes * part + saw_tooth * cycle
        }
    }
}

fn summary(number: usize, step: Step, is_open: bool, window_ns: u64) -> StepSummary {
    let mut summary = StepSummary::default();
    summary.name = format!("step {}", number + 1);
    summary.effect = number == 0;
    summary.succeeded = step.service.len();
    summary.failed = step.failed;
    summary.attempted = summary.succeeded + summary.failed;
    summary.effects = if number == 0 { summary.succeeded } else { 0 };
    summary.service_time = LatencySummary::of(&step.service);
    summary.response_time = is_open.then(|| LatencySummary::of(&step.response));
    summary.failure_time = (step.failed > 0).then(|| LatencySummary::of(&step.failure));
    if step.failed > 0 {
        summary.failures.messages = vec![FailureCount {
            message: "connection refused".to_owned(),
            count: step.failed,
        }];
    }
    for (second, (times, failed)) in (0..).zip(step.intervals) {
        let mut interval = IntervalSummary::default();
        interval.start_ns = second * SECOND_NS;
        interval.failed = failed;
        interval.latency = LatencySummary::of(&times);
        if interval.start_ns >= window_ns {
            summary.drained += times.len();
        }
        summary.intervals.push(interval);
    }
    summary
}
