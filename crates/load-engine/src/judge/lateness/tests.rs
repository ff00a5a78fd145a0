use proptest::prelude::*;

use super::*;
use crate::plan::model::Model;
use crate::record::IntervalSummary;
use crate::record::open_summary::OpenSummary;
use crate::threshold::{Judgement, Ruling, Threshold};
use crate::workload::rng::Rng;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn summary(latencies: impl IntoIterator<Item = u64>) -> LatencySummary {
    let mut histogram = empty_histogram();
    for ns in latencies {
        histogram.saturating_record(ns);
    }
    LatencySummary::of(&histogram)
}

/// A record of responses, each with when it ended, and of the lateness by second.
fn record(responses: &[(u64, u64)], latest_ns: Vec<u64>) -> RunRecord {
    let last = responses.iter().map(|(end_ns, _)| end_ns / SECOND).max();
    let interval = |second| {
        let ended = responses
            .iter()
            .filter(|(end_ns, _)| end_ns / SECOND == second);
        IntervalSummary {
            start_ns: second * SECOND,
            failed: 0,
            latency: summary(ended.map(|(_, ns)| *ns)),
        }
    };
    let all = summary(responses.iter().map(|(_, ns)| *ns));
    let count = all.count;
    RunRecord {
        model: Model::open(
            crate::Schedule::constant(1.0, std::time::Duration::from_secs(1)),
            std::num::NonZeroU32::MIN,
        ),
        interval_ns: SECOND,
        steps: vec![StepSummary {
            name: "call".to_owned(),
            attempted: count,
            succeeded: count,
            response_time: Some(all),
            intervals: (0..=last.unwrap_or(0)).map(interval).collect(),
            ..StepSummary::default()
        }],
        open: Some(OpenSummary {
            latest_ns,
            ..OpenSummary::default()
        }),
        ..RunRecord::default()
    }
}

fn judge(text: &str, record: &RunRecord) -> Judgement {
    text.parse::<Threshold>().unwrap().judge(record, None)
}

/// An operation that a late generator pushed out of the window is no proof that the target was too slow.
#[test]
fn what_completed_within_the_lateness_after_the_window_leaves_a_rate_open() {
    // 96 in a window of one second, and 8 right after it.
    let responses: Vec<_> = (0..104).map(|n| (n * SECOND / 96, 5 * MS)).collect();
    let mut late = record(&responses, vec![90 * MS]);
    late.window_ns = SECOND;
    late.wall_ns = SECOND + 90 * MS;
    late.steps[0].drained = 8;
    assert_eq!(judge("rate > 90/s", &late).ruling, Ruling::Held);
    assert_eq!(judge("rate > 110/s", &late).ruling, Ruling::Violated);
    let open = judge("rate > 100/s", &late);
    assert_eq!((open.ruling, open.counts), (Ruling::Unknown, false));
    let mut on_time = late.clone();
    on_time.open = Some(OpenSummary::default());
    assert_eq!(judge("rate > 100/s", &on_time).ruling, Ruling::Violated);
}

#[test]
fn lateness_26ms_cannot_flip_109ms_against_200ms() {
    let responses: Vec<_> = (0..1_000).map(|n| (n * 10 * MS, 109 * MS)).collect();
    let record = record(&responses, vec![26 * MS; 10]);
    assert_eq!(judge("p99 < 200ms", &record).ruling, Ruling::Held);
    assert_eq!(judge("p99 < 50ms", &record).ruling, Ruling::Violated);
    let open = judge("p99 < 100ms", &record);
    assert_eq!((open.ruling, open.counts), (Ruling::Unknown, false));
    assert_eq!(
        open.reason.unwrap(),
        "p99 is 83.1 ms to 109.1 ms: the generator was up to 26.0 ms late"
    );
}

#[test]
fn only_lateness_shortly_before_counts() {
    let responses: Vec<_> = (0..1_000).map(|n| (n * 10 * MS, 109 * MS)).collect();
    let mut latest = vec![0; 10];
    latest[0] = 5 * SECOND;
    let record = record(&responses, latest);
    // A third of the operations ended near the late second; the others bound the median.
    assert_eq!(judge("p50 < 100ms", &record).ruling, Ruling::Violated);
    assert_eq!(judge("p10 < 100ms", &record).ruling, Ruling::Unknown);
}

/// The same at a phase's end, of which the seconds know how many completed shortly after it.
#[test]
fn what_completed_within_the_lateness_after_a_phase_leaves_its_rate_open() {
    let responses: Vec<_> = (0..200).map(|n| (n * SECOND / 100, 5 * MS)).collect();
    let phase = |late_ns| {
        let mut late = record(&responses, vec![late_ns; 2]);
        let step = PhaseStep {
            name: "call".to_owned(),
            completed: Some(100),
            latency: summary((0..100).map(|_| 5 * MS)),
            ..PhaseStep::default()
        };
        late.phases = vec![PhaseSummary {
            name: "first".to_owned(),
            end_ns: SECOND,
            steps: vec![step],
            ..PhaseSummary::default()
        }];
        late
    };
    assert_eq!(
        judge("rate(@ first) > 105/s", &phase(0)).ruling,
        Ruling::Violated
    );
    let open = judge("rate(@ first) > 105/s", &phase(90 * MS));
    assert_eq!((open.ruling, open.counts), (Ruling::Unknown, false));
    assert_eq!(
        judge("rate(@ first) > 110/s", &phase(90 * MS)).ruling,
        Ruling::Violated
    );
}

/// One server: responses of arrivals that are sent at these times, by when they were due.
fn served(due: &[u64], sent: &[u64], service: &[u64]) -> Vec<(u64, u64)> {
    let mut free = 0;
    let times = due.iter().zip(sent).zip(service);
    times
        .map(|((due, sent), service)| {
            free = free.max(*sent) + service;
            (free, free - due)
        })
        .collect()
}

proptest! {
    #[test]
    fn an_on_time_generator_would_have_been_within_the_bounds(
        seed in any::<u64>(), load in 30u64..90, stalls in 0u64..6
    ) {
        let mut rng = Rng::new(seed);
        let mut due = Vec::new();
        let mut at = 0.0;
        for _ in 0..2_000 {
            at += rng.exponential() * 5e6;
            due.push(at as u64);
        }
        let service: Vec<u64> = due
            .iter()
            .map(|_| (rng.exponential() * 5e6 * load as f64 / 100.0) as u64)
            .collect();
        // Nothing is sent while the generator stands still; then all that was due, in its order.
        let mut sent = due.clone();
        for stall in 0..stalls {
            let from = (stall + 1) * SECOND + rng.next_u64() % SECOND;
            let to = from + rng.next_u64() % (60 * MS);
            for at in sent.iter_mut().filter(|at| (from..to).contains(*at)) {
                *at = to;
            }
        }
        let seconds = due.last().unwrap() / SECOND + 1;
        let mut latest = vec![0; seconds as usize];
        for (due, sent) in due.iter().zip(&sent) {
            let second = &mut latest[(due / SECOND) as usize];
            *second = (*second).max(sent - due);
        }
        let measured = record(&served(&due, &sent, &service), latest);
        let on_time = summary(served(&due, &due, &service).into_iter().map(|(_, ns)| ns));
        let Some(lateness) = Lateness::of(&measured) else { return Ok(()) };
        let earliest = lateness.earliest(&[&measured.steps[0]]).unwrap();
        for (low, true_ns, high) in [
            (earliest.p50_ns, on_time.p50_ns, measured.steps[0].felt().p50_ns),
            (earliest.p99_ns, on_time.p99_ns, measured.steps[0].felt().p99_ns),
        ] {
            // Histograms of three digits.
            prop_assert!(low as f64 <= true_ns as f64 * 1.002, "{low} {true_ns}");
            prop_assert!(true_ns as f64 <= high as f64 * 1.002, "{true_ns} {high}");
        }
    }
}
