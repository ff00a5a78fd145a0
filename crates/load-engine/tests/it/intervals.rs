//! What a step did from second to second, and its export.

use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use load_engine::{
    Clock, Failure, Iteration, Model, Plan, RunRecord, SimulatedClock, StepSpec, StopHandle,
    Workload, empty_histogram, run_on,
};

use crate::store::users;

const FAST: StepSpec = StepSpec::new("fast, at first");
const SLOW: StepSpec = StepSpec::new("slow");

/// A target that takes 10 ms, and 100 ms from the third second on; each tenth slow step fails.
struct Drifting<'c>(&'c SimulatedClock);

impl Workload for Drifting<'_> {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![FAST, SLOW]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let now_ns = self.0.now_ns();
        let failing = it.index() % 10 == 9;
        if now_ns < 2_000_000_000 {
            it.step(&FAST, |_| {
                self.0.sleep_until(now_ns + 10_000_000);
                Ok(())
            })
        } else {
            it.step(&SLOW, |_| {
                self.0.sleep_until(now_ns + 100_000_000);
                if failing {
                    Err(Failure::new("slow"))
                } else {
                    Ok(())
                }
            })
        }
    }
}

fn drifting(time: Duration) -> RunRecord {
    drifting_with(5, time)
}

fn drifting_with(count: u32, time: Duration) -> RunRecord {
    let clock = SimulatedClock::new();
    let plan = Plan::new("drift", Model::elapsed(users(count), time)).seed(3);
    run_on(&clock, &Drifting(&clock), &plan, &StopHandle::new(), |_| {})
        .unwrap()
        .0
}

fn counts(record: &RunRecord, step: StepSpec) -> Vec<(u64, u64)> {
    let intervals = &record.step(&step.name).unwrap().intervals;
    intervals
        .iter()
        .map(|interval| (interval.latency.count, interval.failed))
        .collect()
}

#[test]
fn each_second_has_the_operations_that_ended_in_it() {
    let record = drifting(Duration::from_secs(4));
    assert_eq!(record.interval_ns, 1_000_000_000);
    // The operation that ends as a second begins belongs to the new one.
    assert_eq!(counts(&record, FAST), [(495, 0), (500, 0), (5, 0)]);
    assert_eq!(
        counts(&record, SLOW),
        [(0, 0), (0, 0), (45, 0), (45, 5), (0, 5)]
    );
    let second = &record.step(&SLOW.name).unwrap().intervals[3];
    assert_eq!(second.start_ns, 3_000_000_000);
    assert!((99_900_000..100_100_000).contains(&second.latency.p50_ns));
}

#[test]
fn the_intervals_of_a_step_add_up_to_its_total() {
    let record = drifting(Duration::from_secs(4));
    for step in &record.steps {
        let mut sum = empty_histogram();
        for interval in &step.intervals {
            sum.add(interval.latency.to_histogram().unwrap()).unwrap();
        }
        assert_eq!(sum, step.service_time.to_histogram().unwrap());
        let failed: u64 = step.intervals.iter().map(|interval| interval.failed).sum();
        assert_eq!(failed, step.failed);
    }
}

#[test]
fn a_run_of_more_than_twenty_minutes_keeps_its_intervals_few() {
    let record = drifting_with(1, Duration::from_secs(35 * 60));
    assert_eq!(record.interval_ns, 2_000_000_000);
    for step in &record.steps {
        assert!(step.intervals.len() <= 1200);
        let count: u64 = step
            .intervals
            .iter()
            .map(|interval| interval.latency.count + interval.failed)
            .sum();
        assert_eq!(count, step.attempted);
    }
}

#[test]
fn an_interval_log_is_read_back_by_the_standard_reader() {
    let record = drifting(Duration::from_secs(4));
    let mut log = Vec::new();
    record
        .write_hlog(
            &mut log,
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        )
        .unwrap();
    let text = String::from_utf8(log.clone()).unwrap();
    assert!(
        text.starts_with("#[drift, seed 3]\n#[StartTime: 1700000000"),
        "{text}"
    );
    let mut read = Vec::new();
    for entry in IntervalLogIterator::new(&log) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let bytes = base64(interval.encoded_histogram());
            let histogram: Histogram<u64> = Deserializer::new()
                .deserialize(&mut bytes.as_slice())
                .unwrap();
            let tag = interval.tag().unwrap().as_str().to_owned();
            read.push((tag, interval.start_timestamp().as_secs(), histogram.len()));
        }
    }
    let fast = |start, count| ("fast__at_first".to_owned(), start, count);
    let slow = |start, count| ("slow".to_owned(), start, count);
    assert_eq!(
        read,
        [
            fast(0, 495),
            fast(1, 500),
            fast(2, 5),
            slow(2, 45),
            slow(3, 45)
        ]
    );
}

#[test]
fn a_table_has_a_line_for_each_interval() {
    let record = drifting(Duration::from_secs(4));
    let mut table = Vec::new();
    record.write_csv(&mut table).unwrap();
    let text = String::from_utf8(table).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("step,start_s,count,failed,per_second,"));
    assert!(
        lines[1].starts_with("\"fast, at first\",0,495,0,495,9.994240,"),
        "{}",
        lines[1]
    );
    assert_eq!(lines.len(), 1 + 3 + 5);
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}
