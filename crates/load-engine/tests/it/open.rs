//! The open model against targets whose delays are known, so that the truth follows from the
//! schedule.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use load_engine::{
    ArrivalCounts, Clock, Failure, Iteration, LatencySummary, Model, MonotonicClock, Plan,
    RunRecord, Schedule, SimulatedClock, StepSpec, StopHandle, Workload, run_on,
};
use proptest::prelude::*;

use crate::store::users;

const CALL: StepSpec = StepSpec::new("call");
const CHECK: StepSpec = StepSpec::new("check");
const MS: u64 = 1_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// A target that takes a while, and for a time answers nobody.
struct Stalling<'c> {
    clock: &'c dyn Clock,
    service_ns: u64,
    /// By the clock: from when until when.
    stall: std::ops::Range<u64>,
}

impl Workload for Stalling<'_> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL, CHECK]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&CALL, |_| {
            let now_ns = self.clock.now_ns();
            let free_ns = if self.stall.contains(&now_ns) {
                self.stall.end
            } else {
                now_ns
            };
            self.clock.sleep_until(free_ns + self.service_ns);
            Ok(())
        })?;
        it.step(&CHECK, |_| Ok(()))
    }
}

/// A simulated run's first arrival comes this long after the clock's origin.
const LEAD_NS: u64 = 10 * MS;

fn simulate(schedule: Schedule, threads: u32, stall: std::ops::Range<u64>) -> RunRecord {
    let max_start_delay = Duration::from_secs(60);
    simulate_with(schedule, threads, stall, max_start_delay)
}

fn simulate_with(
    schedule: Schedule,
    threads: u32,
    stall: std::ops::Range<u64>,
    max_start_delay: Duration,
) -> RunRecord {
    let clock = SimulatedClock::new();
    let stall = stall.start + LEAD_NS..stall.end + LEAD_NS;
    let target = Stalling {
        clock: &clock,
        service_ns: MS,
        stall,
    };
    let model = Model::Open {
        schedule,
        max_in_flight: users(threads),
        max_start_delay,
    };
    let plan = Plan::new("open", model);
    run_on(&clock, &target, &plan, &StopHandle::new(), |_| {})
        .unwrap()
        .0
}

/// The response times that the schedule and the stall leave no choice about.
fn truth(schedule: &Schedule, stall: &std::ops::Range<u64>, service_ns: u64) -> Vec<u64> {
    let mut times: Vec<u64> = schedule
        .times(0)
        .map(|due| due.as_nanos() as u64)
        .map(|due_ns| {
            let wait_ns = if stall.contains(&due_ns) {
                stall.end - due_ns
            } else {
                0
            };
            wait_ns + service_ns
        })
        .collect();
    times.sort_unstable();
    times
}

fn at_quantile(sorted: &[u64], quantile: f64) -> f64 {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1] as f64
}

fn percentiles(latency: &LatencySummary) -> [(f64, f64); 4] {
    [
        (0.5, latency.p50_ns),
        (0.9, latency.p90_ns),
        (0.99, latency.p99_ns),
        (0.999, latency.p999_ns),
    ]
    .map(|(quantile, ns)| (quantile, ns as f64))
}

fn sum(arrivals: &ArrivalCounts) -> u64 {
    arrivals.done + arrivals.in_flight + arrivals.queued + arrivals.dropped + arrivals.cut
}

/// 500 arrivals a second for 14 s, the target stopped for 2 s: most tools report a p99 of a few
/// milliseconds, and the users of the stalled target waited 1.86 s.
#[test]
fn a_stall_is_seen_by_every_arrival_that_came_during_it() {
    let schedule = Schedule::constant(500.0, 14 * SECOND);
    let stall = 6_000 * MS..8_000 * MS;
    let truth = truth(&schedule, &stall, MS);
    assert_eq!(at_quantile(&truth, 0.99).round(), 1_861e6);
    // A pool that holds all who wait, and one that lets most of them queue.
    for threads in [1_010, 300] {
        let record = simulate(schedule.clone(), threads, stall.clone());
        let open = record.open.unwrap();
        for (quantile, reported) in percentiles(&open.response_time) {
            let wanted = at_quantile(&truth, quantile);
            let off = (reported - wanted).abs() / wanted;
            assert!(
                off < 0.01,
                "{threads} threads, quantile {quantile}: {reported} for {wanted}"
            );
        }
        let arrivals = open.arrivals;
        assert_eq!((arrivals.scheduled, arrivals.done), (7_000, 7_000));
        assert_eq!(
            open.schedule_lag.max_ns, 0,
            "the simulated clock wakes nobody late"
        );
        let first = record.steps[0].response_time.as_ref().unwrap();
        assert_eq!(
            first.p99_ns, open.response_time.p99_ns,
            "the first step bears the delay"
        );
        assert_eq!(record.steps[1].response_time.as_ref().unwrap().max_ns, 0);
    }
}

#[test]
fn service_time_beside_response_time_shows_where_the_wait_was() {
    let schedule = Schedule::constant(500.0, 4 * SECOND);
    let record = simulate(schedule, 10, 1_000 * MS..3_000 * MS);
    let open = record.open.unwrap();
    // Only ten calls met the stall; a thousand arrivals waited for them.
    assert!(
        open.service_time.p99_ns < 2 * MS,
        "{}",
        open.service_time.p99_ns
    );
    assert!(
        open.response_time.p50_ns > 5 * MS,
        "{}",
        open.response_time.p50_ns
    );
    assert!(open.late_starts > 900, "{}", open.late_starts);
}

#[test]
fn arrivals_that_could_not_start_in_time_are_dropped_and_counted() {
    let schedule = Schedule::constant(500.0, 4 * SECOND);
    let max_start_delay = Duration::from_millis(500);
    let record = simulate_with(schedule, 10, 1_000 * MS..3_000 * MS, max_start_delay);
    let arrivals = record.open.unwrap().arrivals;
    // Those of the stall's first 1.5 s, but for the ten that met it.
    assert!(
        (738..=742).contains(&arrivals.dropped),
        "{}",
        arrivals.dropped
    );
    assert_eq!(sum(&arrivals), 2_000);
    let iterations = record.iterations;
    assert_eq!(
        iterations.completed + iterations.failed + arrivals.dropped,
        2_000
    );
}

#[test]
fn what_the_schedules_end_finds_under_way_or_waiting_is_counted() {
    let schedule = Schedule::constant(100.0, SECOND);
    let record = simulate(schedule, 5, 500 * MS..2_000 * MS);
    let arrivals = record.open.unwrap().arrivals;
    assert_eq!(
        (
            arrivals.done,
            arrivals.in_flight,
            arrivals.queued,
            arrivals.dropped,
            arrivals.cut
        ),
        (50, 5, 45, 0, 0)
    );
}

#[test]
fn a_stopped_open_run_counts_what_never_came() {
    let clock = MonotonicClock::new();
    let target = Stalling {
        clock: &clock,
        service_ns: MS,
        stall: 0..0,
    };
    let stop = StopHandle::new();
    let plan = Plan::new(
        "open",
        Model::open(Schedule::constant(100.0, 3600 * SECOND), users(4)),
    );
    let (record, _) = run_on(&clock, &target, &plan, &stop, |progress| {
        if progress.done > 3 {
            stop.stop();
        }
    })
    .unwrap();
    let arrivals = record.open.unwrap().arrivals;
    assert!(record.interrupted);
    assert_eq!(sum(&arrivals), 360_000);
    assert!(arrivals.done > 3 && arrivals.cut > 300_000, "{arrivals:?}");
}

/// A target that stalls for 200 ms from when arrival 300 meets it.
struct StallsAtThreeHundred {
    clock: MonotonicClock,
    ends_ns: AtomicU64,
}

impl Workload for StallsAtThreeHundred {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![CALL]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let index = it.index();
        it.step(&CALL, |_| {
            if index == 300 {
                self.ends_ns
                    .store(self.clock.now_ns() + 200 * MS, Ordering::SeqCst);
            }
            self.clock.sleep_until(self.ends_ns.load(Ordering::SeqCst));
            Ok(())
        })
    }
}

/// A stall by the real clock, which may be late, so that waits are longer, but never early.
#[test]
fn a_real_stall_is_seen_too() {
    let schedule = Schedule::constant(500.0, Duration::from_millis(1_400));
    let truth = truth(&schedule, &(600 * MS..800 * MS), 0);
    let target = StallsAtThreeHundred {
        clock: MonotonicClock::new(),
        ends_ns: AtomicU64::new(0),
    };
    let plan = Plan::new("stall", Model::open(schedule, users(20)));
    let (record, _) = run_on(&target.clock, &target, &plan, &StopHandle::new(), |_| {}).unwrap();
    let open = record.open.unwrap();
    assert_eq!(sum(&open.arrivals), 700);
    assert_eq!(record.iterations.completed, 700);
    for (quantile, reported) in percentiles(&open.response_time) {
        // Three significant digits are what the histogram keeps.
        let least = at_quantile(&truth, quantile) * 0.999;
        assert!(
            reported >= least,
            "quantile {quantile}: {reported} for {least}"
        );
    }
}

/// The closed model meets the stall once a user, and the record says that this is not all.
#[test]
fn the_same_stall_in_a_closed_model_comes_with_a_warning() {
    let clock = SimulatedClock::new();
    let target = Stalling {
        clock: &clock,
        service_ns: 20 * MS,
        stall: 6_000 * MS..8_000 * MS,
    };
    let plan = Plan::new("closed", Model::elapsed(users(10), 14 * SECOND));
    let (record, _) = run_on(&clock, &target, &plan, &StopHandle::new(), |_| {}).unwrap();
    assert!(record.steps[0].service_time.p99_ns < 21 * MS);
    let omissions = record.coordinated_omissions().unwrap();
    assert_eq!(omissions.len(), 1);
    assert!(
        omissions[0].p99_at_pace_ns.abs_diff(1_880 * MS) < 40 * MS,
        "{omissions:?}"
    );
}

fn durations() -> impl Strategy<Value = (u64, u64, u32, u64)> {
    (0..400u64, 0..600u64, 1..12u32, 0..300u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_arrival_is_accounted_for((from, length, threads, max_start_delay) in durations()) {
        let schedule = Schedule::ramp(0.0, 400.0, Duration::from_millis(500)).poisson();
        let scheduled = schedule.arrivals();
        let stall = from * MS..(from + length) * MS;
        let record = simulate_with(schedule, threads, stall, Duration::from_millis(max_start_delay));
        let open = record.open.unwrap();
        prop_assert_eq!(open.arrivals.scheduled, scheduled);
        prop_assert_eq!(sum(&open.arrivals), scheduled);
        prop_assert_eq!(open.arrivals.cut, 0);
        prop_assert_eq!(open.response_time.count, record.iterations.completed);
        prop_assert_eq!(open.response_time.count + open.arrivals.dropped, scheduled);
    }
}
