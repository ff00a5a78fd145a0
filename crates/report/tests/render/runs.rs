//! The runs that are stored.

use std::num::NonZeroU32;
use std::time::Duration;

use load_engine::{
    Defect, Digest, Discrepancy, Expectation, LatencySummary, Model, MonitorGap, OpenSummary,
    PhaseStep, PhaseSummary, RunRecord, Schedule, StepSummary, UserStage, empty_histogram,
};
use report::{
    Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Report, Span, Strength, Unit,
};

use crate::build::{Step, proved, record, report};

const SECOND: u64 = 1_000_000_000;
const MICROSECOND: u64 = 1_000;

/// Names that would be code, or would hide, if anybody let them.
pub(crate) const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"'`><img src=x onerror=alert(2)>",
    "🦀 émoji & |pipes| *stars* [link](javascript:alert(3))",
    "שלום \u{202e}gnp.exe\u{2066}",
    "</script></svg><!-- ]]> {{x}} \u{7}\n| --- |",
    "=HYPERLINK(\"http://example.invalid\")",
];

/// Makes the stored run of this name.
pub(crate) fn run(name: &str) -> Report {
    match name {
        "pass" => pass(),
        "fail" => fail(),
        "vacuous" => vacuous(),
        "lost_effects" => lost_effects(),
        "generator_limited" => generator_limited(),
        "interrupted" => interrupted(),
        "empty" => report(vec![], vec![]),
        "one_operation" => one_operation(),
        "ten_million_operations" => ten_million_operations(),
        "hostile_names" => hostile_names(),
        _ => panic!("no stored run is called {name}"),
    }
}

fn orders() -> Vec<Step> {
    vec![
        Step::new("create", true, 900 * MICROSECOND, 120),
        Step::new("decide", true, 350 * MICROSECOND, 120),
        Step::new("look up", false, 20 * MICROSECOND, 240),
    ]
}

/// Two healthy scenarios, one of them with stages of users and phases.
fn pass() -> Report {
    let mut staged = record(12, &orders(), 1);
    let hold = |from, to, seconds| UserStage {
        from,
        to,
        duration: Duration::from_secs(seconds),
    };
    staged.model = Model::staged([hold(0, 20, 4), hold(20, 20, 6), hold(20, 0, 2)]);
    staged.phases = phases(
        &staged,
        &[("ramp up", 0, 4), ("peak", 4, 10), ("cool down", 10, 12)],
    );
    let short = record(1, &[Step::new("append", true, 1_200 * MICROSECOND, 900)], 2);
    let staged = proved(
        "approval",
        "create a request, decide it, look it up",
        "20 users in stages",
        staged,
    );
    let short = proved("storage", "append durably", "20 threads × 50", short);
    report(vec![staged, short], vec![])
}

fn phases(run: &RunRecord, spans: &[(&str, u64, u64)]) -> Vec<PhaseSummary> {
    let phase = |&(name, from, to): &(&str, u64, u64)| {
        let mut phase = PhaseSummary::default();
        phase.name = name.to_owned();
        (phase.start_ns, phase.end_ns) = (from * SECOND, to * SECOND);
        for step in &run.steps {
            let own = step
                .intervals
                .iter()
                .filter(|own| (from..to).contains(&(own.start_ns / SECOND)));
            let mut latency = LatencySummary::default();
            let mut of_step = PhaseStep::default();
            for interval in own {
                latency = latency.merged(&interval.latency).unwrap();
                of_step.failed += interval.failed;
                phase.completed += interval.latency.count - interval.failed;
            }
            of_step.name.clone_from(&step.name);
            of_step.latency = latency;
            phase.steps.push(of_step);
        }
        phase
    };
    spans.iter().map(phase).collect()
}

/// A stall, failures in a burst, and a mean above the limit.
fn fail() -> Report {
    let mut steps = orders();
    steps[0].slower = |second| if (7..9).contains(&second) { 900.0 } else { 1.0 };
    steps[1].failing = |second| if second == 8 { 90 } else { 0 };
    let mut run = record(12, &steps, 3);
    run.monitor.gaps = vec![MonitorGap {
        from_ns: 7 * SECOND as i64,
        to_ns: 8 * SECOND as i64,
    }];
    run.monitor.gap_count = 1;
    let findings = vec![
        Finding {
            kind: FindingKind::Stall,
            scenario: "approval".to_owned(),
            step: Some("create".to_owned()),
            phase: None,
            strength: Strength {
                grade: Grade::Strong,
                value: 0.95,
                meaning: "share of the users that waited at the same time".to_owned(),
            },
            evidence: Evidence {
                text: "19 of 20 users waited for `create` from 7.0 s to 9.0 s".to_owned(),
                figures: vec![
                    Figure::new("median in it", 8.1e8, Unit::Nanoseconds),
                    Figure::new("median around it", 9e5, Unit::Nanoseconds),
                    Figure::new("disk pressure in it", 0.91, Unit::Share),
                ],
            },
            recommendation: "look at the disk, whose pressure rose at the same time".to_owned(),
            span: Some(Span {
                start_ns: 7 * SECOND,
                end_ns: 9 * SECOND,
            }),
            plot: PlotKind::HeatMap,
        },
        Finding {
            kind: FindingKind::DominantStep,
            scenario: "approval".to_owned(),
            step: Some("create".to_owned()),
            phase: None,
            strength: Strength {
                grade: Grade::Moderate,
                value: 0.72,
                meaning: "share of the time of all steps".to_owned(),
            },
            evidence: Evidence {
                text: "`create` takes 72 % of the time of all steps".to_owned(),
                figures: vec![],
            },
            recommendation: "make it faster before any other step".to_owned(),
            span: None,
            plot: PlotKind::Percentiles,
        },
    ];
    let title = "create a request, decide it, look it up";
    report(
        vec![proved("approval", title, "20 threads × 72", run)],
        findings,
    )
}

fn vacuous() -> Report {
    let mut run = record(2, &[Step::new("simulate", true, 40 * MICROSECOND, 400)], 4);
    run.steps[0].effects = 0;
    run.steps[0].unacknowledged = run.steps[0].succeeded;
    report(
        vec![proved(
            "forensic",
            "simulate 5 actions",
            "20 threads × 40",
            run,
        )],
        vec![],
    )
}

fn lost_effects() -> Report {
    let run = record(3, &[Step::new("append", true, 1_100 * MICROSECOND, 300)], 5);
    let mut result = proved("storage", "append durably", "20 threads × 45", run);
    let found = &mut result.verification;
    found.verified -= 3;
    found.found -= 2;
    (found.lost, found.altered) = (2, 1);
    let discrepancy = |defect, key: &str, found: Option<&[u8]>| Discrepancy {
        defect,
        kind: "record".to_owned(),
        key: key.to_owned(),
        expected: Expectation::Present(Digest::of(key.as_bytes())),
        found: found.map(Digest::of),
        value: None,
        user: Some(7),
    };
    found.discrepancies = vec![
        discrepancy(Defect::Lost, "op-7-12", None),
        discrepancy(Defect::Lost, "op-7-13", None),
        discrepancy(Defect::Altered, "op-7-14", Some(b"other")),
    ];
    result.discrepancies_file = Some("discrepancies-storage.jsonl".to_owned());
    result.data_kept_in = Some("proofload-out/data-storage-x".to_owned());
    report(vec![result], vec![])
}

/// An open model that the generator could not keep up with.
fn generator_limited() -> Report {
    let mut run = record(
        8,
        &[Step::new("request", true, 250_000 * MICROSECOND, 60)],
        6,
    );
    let length = Duration::from_secs(4);
    let schedule = Schedule::constant(60.0, length).then_ramp(60.0, 90.0, length);
    run.model = Model::open(schedule, NonZeroU32::new(20).unwrap());
    let times = run.steps[0].service_time.clone();
    run.steps[0].response_time = Some(times.clone());
    let mut open = OpenSummary::default();
    (open.response_time, open.service_time) = (times.clone(), times);
    let mut lag = empty_histogram();
    lag.record_n(90_000 * MICROSECOND, 400).unwrap();
    lag.record_n(5_000 * MICROSECOND, 80).unwrap();
    open.schedule_lag = LatencySummary::of(&lag);
    open.arrivals.scheduled = 500;
    (open.arrivals.done, open.arrivals.in_flight) = (480, 20);
    run.open = Some(open);
    let load = "60 to 90 arrivals a second for 8 s";
    report(vec![proved("service", "one request", load, run)], vec![])
}

fn interrupted() -> Report {
    let mut run = record(2, &orders(), 7);
    run.interrupted = true;
    report(
        vec![proved(
            "approval",
            "create a request, decide it, look it up",
            "20 threads × 12",
            run,
        )],
        vec![],
    )
}

fn one_operation() -> Report {
    let mut run = record(1, &[Step::new("append", true, 1_000 * MICROSECOND, 1)], 8);
    run.wall_ns = 2_000 * MICROSECOND;
    run.monitor.samples.truncate(1);
    report(
        vec![proved("storage", "append durably", "1 threads × 1", run)],
        vec![],
    )
}

fn ten_million_operations() -> Report {
    let mut run = record(4, &[Step::new("get", false, 2 * MICROSECOND, 1)], 9);
    let step: &mut StepSummary = &mut run.steps[0];
    let mut total = empty_histogram();
    for interval in &mut step.intervals {
        let mut own = empty_histogram();
        // Each tenfold latency is a hundred times rarer.
        for (ns, count) in [
            (800, 2_474_999),
            (8_000, 24_750),
            (80_000, 250),
            (1_300_000, 1),
        ] {
            own.record_n(ns, count).unwrap();
        }
        total.add(&own).unwrap();
        interval.latency = LatencySummary::of(&own);
    }
    step.attempted = total.len();
    step.succeeded = total.len();
    step.service_time = LatencySummary::of(&total);
    assert_eq!(step.attempted, 10_000_000);
    report(
        vec![proved(
            "memory",
            "recall from the cache",
            "20 threads × 500000",
            run,
        )],
        vec![],
    )
}

fn hostile_names() -> Report {
    let long = "long ".repeat(100);
    let names = HOSTILE.iter().copied().chain([long.as_str()]);
    let steps: Vec<Step> = names
        .map(|name| Step::new(name, true, 100 * MICROSECOND, 20))
        .collect();
    let mut run = record(3, &steps, 10);
    run.steps[0].failed = 1;
    run.steps[0].failures.messages = vec![load_engine::FailureCount {
        message: HOSTILE[4].to_owned(),
        count: 1,
    }];
    run.phases = phases(&run, &[(HOSTILE[0], 0, 1), (&long, 1, 3)]);
    let mut result = proved(HOSTILE[0], HOSTILE[1], HOSTILE[2], run);
    result.vacuous_steps = vec![HOSTILE[4].to_owned()];
    let found = &mut result.verification;
    found.lost = 1;
    found.discrepancies = vec![Discrepancy {
        defect: Defect::Lost,
        kind: HOSTILE[1].to_owned(),
        key: HOSTILE[3].to_owned(),
        expected: Expectation::Absent,
        found: None,
        value: None,
        user: None,
    }];
    result.data_kept_in = Some(HOSTILE[1].to_owned());
    let finding = Finding {
        kind: FindingKind::Leak,
        scenario: HOSTILE[0].to_owned(),
        step: Some(HOSTILE[1].to_owned()),
        phase: Some(HOSTILE[4].to_owned()),
        strength: Strength {
            grade: Grade::Weak,
            value: 1.5,
            meaning: HOSTILE[0].to_owned(),
        },
        evidence: Evidence {
            text: HOSTILE[4].to_owned(),
            figures: vec![Figure::new(HOSTILE[1], 5e6, Unit::Bytes)],
        },
        recommendation: HOSTILE[0].to_owned(),
        span: Some(Span {
            start_ns: SECOND,
            end_ns: 2 * SECOND,
        }),
        plot: PlotKind::Memory,
    };
    let mut report = report(vec![result], vec![finding]);
    report.command = format!("proofload run {}", HOSTILE[0]);
    report
}
