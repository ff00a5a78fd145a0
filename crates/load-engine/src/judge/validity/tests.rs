use super::*;
use crate::monitor::{MonitorRecord, MonitorSample};
use crate::record::histogram::empty_histogram;
use crate::record::lag::RuntimeLag;
use crate::record::latency::LatencySummary;
use crate::record::open_summary::OpenSummary;

const MS: u64 = 1_000_000;

#[test]
fn one_stall_a_user_stands_for_all_that_its_pace_would_have_met() {
    // Ten users at 20 ms for 14 s, less the 2 s in which each waited once: 500/s but for the stall.
    let mut closed = empty_histogram();
    closed.record_n(20 * MS, 6_000).unwrap();
    closed.record_n(2_000 * MS, 10).unwrap();
    assert!(closed.value_at_quantile(0.99) < 21 * MS);
    let felt = p99_at_pace(&closed, 20 * MS);
    // Of 7,000 arrivals, the 70 longest waits are those above 1,860 ms.
    assert!(felt.abs_diff(1_860 * MS) < 20 * MS, "{felt}");
}

#[test]
fn the_count_agrees_with_the_librarys_records() {
    let mut closed = empty_histogram();
    for n in 1..500u64 {
        closed.record_n(n * n * 1_000, 1_000 / n).unwrap();
    }
    let interval_ns = 2 * MS;
    let corrected = closed.clone_correct(interval_ns).value_at_quantile(0.99);
    let counted = p99_at_pace(&closed, interval_ns);
    assert!(
        counted.abs_diff(corrected) <= interval_ns,
        "{counted} {corrected}"
    );
}

#[test]
fn a_steady_target_hides_nothing() {
    let mut steady = empty_histogram();
    steady.record_n(20 * MS, 7_000).unwrap();
    let p99_ns = p99_at_pace(&steady, 20 * MS);
    assert!(p99_ns <= steady.max());
    let mut record = RunRecord::default();
    record.steps.push(StepSummary {
        attempted: 7_000,
        service_time: LatencySummary::of(&steady),
        ..StepSummary::default()
    });
    record.iterations.completed = 7_000;
    assert_eq!(record.coordinated_omissions().unwrap(), []);
}

#[test]
fn a_generator_that_was_the_limit_says_so() {
    let mut record = RunRecord::default();
    assert_eq!(record.generator_limits(), []);
    record.generator.cpu_share = Some(0.8);
    let mut open = OpenSummary::default();
    open.schedule_lag.p99_ns = 30 * MS;
    open.response_time.p99_ns = 50 * MS;
    record.open = Some(open);
    let limits: Vec<String> = record
        .generator_limits()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        limits,
        [
            "the generator's own work was 80 % of the processor time",
            "arrivals started up to 30.0 ms late (p99) of a p99 of 50.0 ms",
        ]
    );
}

#[test]
fn a_machine_that_withheld_its_processors_is_a_reason() {
    let mut record = RunRecord::default();
    record.generator.machine_share = Some(0.97);
    record.generator.cpu_pressure_share = Some(0.9);
    record.generator.overslept_share = Some(0.9);
    assert_eq!(
        record.generator_limits(),
        [],
        "a target in the same process may use all"
    );
    record.target = Some(MonitorRecord::default());
    record.generator.stolen_share = Some(0.2);
    let took = |limit: &GeneratorLimit| matches!(limit, GeneratorLimit::StolenTime { .. });
    record.monitor.samples = vec![MonitorSample::default(); 2];
    record.monitor.samples[1].at_ns = 500 * MS as i64;
    let limits = record.generator_limits();
    assert!(
        !limits.iter().any(took),
        "ticks of half a second say nothing"
    );
    record.monitor.samples[1].at_ns = 5_000 * MS as i64;
    record.generator.throttled_share = Some(0.3);
    record.generator.overslept_share = Some(0.25);
    let mut lag = empty_histogram();
    lag.record(40 * MS).unwrap();
    record.runtime_lag = Some(RuntimeLag {
        lag: LatencySummary::of(&lag),
        ..RuntimeLag::default()
    });
    let limits = record.generator_limits();
    let limits: Vec<String> = limits.iter().map(ToString::to_string).collect();
    assert_eq!(
        limits,
        [
            "ready tasks waited up to 40.0 ms (p99) for their runtime, of a p99 of 0.0 ms",
            "the generator used 97 % of the machine's processor time",
            "the host took 20 % of the processor time away",
            "a limit of its control group kept the process waiting for 30 % of the time",
            "users spent 25 % of their time late after their think time",
        ]
    );
}

#[test]
fn a_stall_of_the_target_is_not_the_generators() {
    let mut open = OpenSummary::default();
    open.schedule_lag.p99_ns = 2 * MS;
    open.response_time.p99_ns = 1_860 * MS;
    let record = RunRecord {
        open: Some(open),
        ..RunRecord::default()
    };
    assert_eq!(record.generator_limits(), []);
}
