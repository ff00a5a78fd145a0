use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use load_engine::{
    IntervalSummary, LatencySummary, Model, MonitorSample, Phase, Plan, RunRecord, Schedule,
    StepSummary, empty_histogram,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use report::{Evidence, Finding, FindingKind, Grade, PlotKind, Strength};

use super::state::State;
use super::view::draw;

/// The frame as text, a line each, without what is blank at their ends.
fn drawn(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in 0..height {
        let cells = (0..width).map(|column| buffer[(column, row)].symbol());
        let line: String = cells.collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn times(each: &[(u64, u64)]) -> LatencySummary {
    let mut histogram = empty_histogram();
    for &(ns, count) in each {
        histogram.record_n(ns, count).unwrap();
    }
    LatencySummary::of(&histogram)
}

/// A step of ten seconds, in which the rate rises.
fn step(name: &str, ns: u64, failed: u64) -> StepSummary {
    let mut step = StepSummary::default();
    name.clone_into(&mut step.name);
    for second in 0..10 {
        let mut interval = IntervalSummary::default();
        interval.start_ns = second * 1_000_000_000;
        interval.latency = times(&[(ns, 100 * (second + 1))]);
        step.intervals.push(interval);
    }
    step.attempted = 5500;
    step.failed = failed;
    step.succeeded = step.attempted - failed;
    step.service_time = times(&[(ns, 5400), (20 * ns, 100)]);
    step
}

fn record(model: &Model) -> Arc<RunRecord> {
    let mut record = RunRecord::default();
    record.model = model.clone();
    record.wall_ns = 10_000_000_000;
    record.interval_ns = 1_000_000_000;
    record.iterations.completed = 5500;
    record.steps = vec![step("append", 2_000_000, 0), step("query", 500_000, 3)];
    record.monitor.summary.cores_used = Some(1.25);
    record.monitor.summary.resident_peak_bytes = Some(40_000_000);
    for tenth in 0..100 {
        let mut sample = MonitorSample::default();
        sample.at_ns = tenth * 100_000_000;
        sample.resident_bytes = Some(38_000_000);
        sample.threads = Some(44);
        sample.io_pressure_ns = Some(tenth as u64 * 25_000_000);
        record.monitor.samples.push(sample);
    }
    Arc::new(record)
}

fn open() -> Model {
    let schedule = Schedule::ramp(0.0, 1200.0, Duration::from_secs(20));
    Model::open(schedule, NonZeroU32::new(40).unwrap())
}

fn state(model: Model, thresholds: &[&str]) -> State {
    let mut plan = Plan::new("storage", model);
    let half = Duration::from_secs(10);
    plan.phases = vec![Phase::new("warm-up", half / 2), Phase::new("peak", half)];
    let thresholds = thresholds.iter().map(|text| text.parse().unwrap());
    let mut state = State::new(&plan, thresholds.collect());
    state.load = "12000 arrivals at 0 to 1200/s for 20s".to_owned();
    state.elapsed = half;
    state.users = 40;
    state.done = 5500;
    state.failed = 3;
    state.planned = plan.model.planned_iterations();
    state.look_at(&record(&plan.model));
    state
}

fn finding() -> Finding {
    Finding {
        kind: FindingKind::Stall,
        scenario: "storage".to_owned(),
        step: Some("append".to_owned()),
        phase: None,
        strength: Strength {
            grade: Grade::Strong,
            value: 0.97,
            meaning: "share".to_owned(),
        },
        evidence: Evidence {
            text: "39 of 40 users waited from 4.0 s to 6.1 s".to_owned(),
            figures: Vec::new(),
        },
        recommendation: "look at the disk".to_owned(),
        span: None,
        plot: PlotKind::HeatMap,
    }
}

const FRAME: &str = "\
storage  phase peak (2 of 2)  12000 arrivals at 0 to 1200/s for 20s
users 40   iterations 5500 of 12000, 3 failed
rate ? of 600/s asked, iterations over the last 2 s
███████████████████████████████10 s of 20 s, 50 %
operations: 1,600/s, at most 1,600/s ──  p99: 2.00 ms, at most 2.00 ms ─────────
      ▄█                                 ████████
    ▄███                                 ████████
  ▄█████                                 ████████
▄███████                                 ████████
steps, service time of the whole load so far ───────────────────────────────────
               attempts   failed     p50        p90        p99        max
append         5500       0          2.00 ms    2.00 ms    40.0 ms    40.0 ms
query          5500       3          500 µs     500 µs     10.0 ms    10.0 ms
monitors ───────────────────────────────────────────────────────────────────────
1.25 cores, 38.0 MB resident, 44 threads, for disk 25 %
thresholds, as of now ──────────────────────────────────────────────────────────
✓ p99(append) < 50ms: 40.0 ms, 1.2× headroom
✗ error_rate < 0.01%: 0.027 %, 2.7× over the limit
· lost == 0: the effects were not verified
findings ───────────────────────────────────────────────────────────────────────
! stall in append: 39 of 40 users waited from 4.0 s to 6.1 s
";

#[test]
fn a_load_is_drawn_with_its_thresholds_and_findings() {
    let own = ["p99(append) < 50ms", "error_rate < 0.01%", "lost == 0"];
    let mut state = state(open(), &own);
    state.findings = vec![finding()];
    assert_eq!(drawn(&state, 80, 21), FRAME);
}

#[test]
fn keys_are_told_where_they_are_read_and_there_is_room() {
    let mut state = state(open(), &[]);
    let told = "rate ? of 600/s asked, iterations over the last 2 s              q ends the load";
    assert!(!drawn(&state, 80, 21).contains("ends the load"));
    state.reads_keys = true;
    assert_eq!(drawn(&state, 80, 21).lines().nth(2), Some(told));
    let narrow = drawn(&state, 60, 21);
    assert_eq!(
        narrow.lines().nth(2).unwrap(),
        "rate ? of 600/s asked, iterations over the last 2 s"
    );
}

#[test]
fn the_default_thresholds_are_judged_step_by_step() {
    let model = Model::elapsed(NonZeroU32::new(40).unwrap(), Duration::from_secs(20));
    let drawn = drawn(&state(model, &report::DEFAULTS), 80, 30);
    for line in [
        "users 40 of 40 asked   iterations 5500, 3 failed",
        "✓ error_rate < 5%: 0.027 %, 183.2× headroom",
        "✓ mean(*) < 100ms (query): 673 µs, 148.6× headroom",
        "✓ memory_peak < 500MB: 40.0 MB, 12.5× headroom",
        "none so far",
    ] {
        assert!(drawn.contains(line), "{line}\n{drawn}");
    }
}

#[test]
fn a_load_of_which_nothing_is_known_yet_is_drawn() {
    let state = State::new(&Plan::new("new", Model::default()), Vec::new());
    let drawn = drawn(&state, 60, 16);
    assert!(
        drawn.starts_with("new\nusers 0 of 1 asked   iterations 0, 0 failed\n"),
        "{drawn}"
    );
    assert!(drawn.contains("operations: not known yet"), "{drawn}");
}

#[test]
fn a_narrow_screen_keeps_the_names_and_failures_have_their_messages() {
    let mut state = state(open(), &[]);
    let mut record = (**state.record.as_ref().unwrap()).clone();
    record.steps[1].failures.messages = vec![load_engine::FailureCount {
        message: "connection reset\u{1b}[2J by peer".to_owned(),
        count: 3,
    }];
    state.look_at(&Arc::new(record));
    let narrow = drawn(&state, 40, 30);
    for line in [
        "append             0          40.0 ms",
        "query              3          10.0 ms",
        "3× query: connection reset\\u{1b}[2J by p",
        "p99: 2.00 ms, at most 2.00 ms ──────────",
    ] {
        assert!(narrow.lines().any(|is| is == line), "{line}\n{narrow}");
    }
}

#[test]
fn a_large_screen_is_filled() {
    let large = drawn(&state(open(), &["p99 < 50ms"]), 160, 48);
    let bars = large.lines().filter(|line| line.contains('█')).count();
    assert!(bars > 20, "{large}");
}

#[test]
fn a_terminal_of_any_size_can_be_drawn_on() {
    let state = state(open(), &["p99 < 50ms"]);
    for (width, height) in [(0, 0), (1, 1), (3, 9), (20, 4), (400, 2), (300, 100)] {
        assert_eq!(
            drawn(&state, width, height).lines().count(),
            usize::from(height)
        );
    }
}

#[test]
fn intervals_that_are_not_whole_are_not_shown() {
    let throughput = state(open(), &[]).throughput();
    assert_eq!(throughput, [200, 400, 600, 800, 1000, 1200, 1400, 1600]);
}

#[test]
fn what_is_asked_follows_the_model() {
    use load_engine::UserStage;
    let mut state = state(open(), &[]);
    assert_eq!(state.rate_asked(), Some(600.0));
    assert_eq!(state.phase(), Some((2, "peak")));
    assert_eq!(state.share_done(), Some(0.5));
    let up = UserStage::ramp(0, 80, Duration::from_secs(20));
    state.model = Some(Model::staged([up]));
    assert_eq!((state.users_asked(), state.rate_asked()), (Some(40), None));
}
