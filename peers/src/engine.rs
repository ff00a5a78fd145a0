//! What a load generator itself costs: an operation that does nothing, in a closed loop.

use std::hint::black_box;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use clap::Parser as _;
use load_engine::{
    Clock as _, Failure, Iteration, Model, MonotonicClock, Plan, StepSpec, StopHandle, Workload,
    empty_histogram, run,
};
use rlt::cli::BenchCli;
use rlt::{IterInfo, IterReport, StatelessBenchSuite, Status};

use crate::comparison::{Comparison, Effort, Measured, Role, Setting, Side};

const ABOUT: &str = "\
An operation that does nothing, from the start of a run to its finished report; each run's own report must \
count every operation. The limit is what each user's operation needs at least: two readings of the clock and \
one write to a histogram. rlt runs as its examples do, on tokio's threads and without its screen; it gives \
each operation to one collector over a channel. criterion is another kind of thing: it reads the clock once in \
thousands of operations and so can tell no operation's latency. Its own estimate of an empty loop is there to show \
what a call costs, and lies below the limit of those that time each one. goose is absent: it can time a transaction that sends no \
request, but not without its HTTP client, 95 further crates with a library for TLS in C among them.";

/// Of the measured runs; a run of ours takes a tenth of a second.
const OPERATIONS: u64 = 500_000;

pub(crate) fn compare(effort: Effort) -> anyhow::Result<Comparison> {
    let with_criterion = |operations, users| {
        let mut sides = sides(operations, users);
        if users == 1 {
            let window = effort.window;
            let round = move || criterion_in_a_child(window);
            sides.push(Side::new(Role::Peer, "criterion, its loop alone", round));
        }
        Setting::measure(users_named(users), effort.rounds, sides)
    };
    Ok(Comparison {
        name: "engine",
        about: ABOUT,
        quality: None,
        settings: vec![
            with_criterion(OPERATIONS, 1)?,
            with_criterion(OPERATIONS, 2)?,
        ],
    })
}

fn users_named(users: u32) -> String {
    match users {
        1 => "1 user".to_owned(),
        _ => format!("{users} users"),
    }
}

fn sides(operations: u64, users: u32) -> Vec<Side<'static>> {
    vec![
        Side::new(Role::Ours, "load-engine", move || ours(operations, users)),
        Side::new(Role::Peer, "rlt", move || rlt(operations, users)),
        Side::new(
            Role::Limit,
            "two clock readings, one histogram write",
            move || Ok(limit(operations, users)),
        ),
    ]
}

fn each(took: Duration, operations: u64) -> Measured {
    Measured::nanos(took.as_nanos() as f64 / operations as f64)
}

const NOTHING: StepSpec = StepSpec::new("nothing");

struct NoOp;

impl Workload for NoOp {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![NOTHING]
    }

    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&NOTHING, |_| {
            black_box(());
            Ok(())
        })
    }
}

fn ours(operations: u64, users: u32) -> anyhow::Result<Measured> {
    let share = NonZeroU64::new(operations / u64::from(users)).context("no operations")?;
    let users = NonZeroU32::new(users).context("no users")?;
    let plan = Plan::new("no-op", Model::iterations(users, share));
    let began = Instant::now();
    let (record, _) = run(&NoOp, &plan, &StopHandle::new(), |_| {})?;
    let took = began.elapsed();
    let counted = record.step("nothing").map_or(0, |step| step.succeeded);
    ensure!(
        counted == operations,
        "{counted} of {operations} operations counted"
    );
    Ok(each(took, operations))
}

fn limit(operations: u64, users: u32) -> Measured {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..users {
            scope.spawn(move || {
                let clock = MonotonicClock::new();
                let mut histogram = empty_histogram();
                for _ in 0..operations / u64::from(users) {
                    let started_ns = clock.now_ns();
                    black_box(());
                    histogram.saturating_record(clock.now_ns() - started_ns);
                }
                black_box(&histogram);
            });
        }
    });
    each(began.elapsed(), operations)
}

#[derive(Clone)]
struct NoOpSuite;

#[async_trait]
impl StatelessBenchSuite for NoOpSuite {
    async fn bench(&mut self, _: &IterInfo) -> anyhow::Result<IterReport> {
        let began = tokio::time::Instant::now();
        black_box(());
        Ok(IterReport {
            duration: began.elapsed(),
            status: Status::success(0),
            bytes: 0,
            items: 1,
        })
    }
}

fn rlt(operations: u64, users: u32) -> anyhow::Result<Measured> {
    let report = tempfile::NamedTempFile::new()?;
    let (number, users) = (operations.to_string(), users.to_string());
    let arguments = [
        "no-op", "--quiet", "--output", "json", "-n", &number, "-c", &users,
    ];
    let arguments = arguments.map(Into::into).into_iter();
    let output = ["--output-file".into(), report.path().as_os_str().to_owned()];
    let cli = BenchCli::try_parse_from(arguments.chain(output))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let began = Instant::now();
    runtime.block_on(rlt::cli::run(cli, NoOpSuite))?;
    let took = began.elapsed();
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report.path())?)?;
    let counted = report["summary"]["iters"]["total"].as_u64();
    ensure!(
        counted == Some(operations),
        "{counted:?} of {operations} operations counted by rlt"
    );
    Ok(each(took, operations))
}

const CRITERION_ID: &str = "no-op";

/// criterion prints what it measures, so it does that in a process of its own.
fn criterion_in_a_child(window: Duration) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let status = Command::new(std::env::current_exe()?)
        .arg("--criterion-loop")
        .arg(folder.path())
        .args(["--window-ms", &window.as_millis().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(
        status.success(),
        "the process that runs criterion: {status}"
    );
    let estimates = folder.path().join(CRITERION_ID).join("new/estimates.json");
    let text =
        std::fs::read(&estimates).with_context(|| format!("read {}", estimates.display()))?;
    let estimates: serde_json::Value = serde_json::from_slice(&text)?;
    let nanos = estimates["median"]["point_estimate"].as_f64();
    Ok(Measured::nanos(
        nanos.context("an estimate of criterion's")?,
    ))
}

/// What the process of its own does: criterion's estimates of an empty loop go to the folder.
pub(crate) fn criterion_loop(folder: &Path, window: Duration) {
    criterion::Criterion::default()
        .output_directory(folder)
        .without_plots()
        .sample_size(10)
        .warm_up_time(window / 4)
        .measurement_time(window)
        .bench_function(CRITERION_ID, |bencher| bencher.iter(|| black_box(())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_does_all_operations_and_the_limit_is_the_least() {
        for users in [1, 2] {
            let setting = Setting::measure(users_named(users), 1, sides(20_000, users)).unwrap();
            let nanos = |at: usize| setting.rows[at].nanos_each.median;
            assert!(nanos(2) > 0.0 && nanos(2) < nanos(1), "{:?}", setting.rows);
        }
    }

    #[test]
    fn criterions_estimate_is_where_it_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        criterion_loop(folder.path(), Duration::from_millis(20));
        assert!(folder.path().join("no-op/new/estimates.json").is_file());
    }
}
