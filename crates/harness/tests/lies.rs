//! Targets that lie. A check that cannot fail is none, so each lie must fail its run, and the report
//! must name what was lost, altered, or never done.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::targets::{Operation, RecordStore, Status, StorageTarget};
use harness::{EffectsFound, Error, Journal, NoProgress, ScenarioRun, Target, prove};
use jsonl_storage::{Log, LogOptions, Seq};
use load_engine::{Failure, Iteration, Model, Plan, StepSpec, Workload};
use report::{Conclusion, Report, ScenarioResult, figure_of, render};

/// A store over a real log, whose appends go the way of a lie.
struct Liar<L> {
    log: Log<Operation>,
    appends: AtomicU64,
    lie: L,
}

/// What is really appended when `operation` is the `number`th.
trait Lie: Default + Send + Sync + 'static {
    fn tell(&self, number: u64, operation: &Operation) -> Vec<Operation>;
}

impl<L: Lie> RecordStore for Liar<L> {
    fn open(dir: &Path) -> Result<Self, Failure> {
        let log = LogOptions::new().open(dir)?;
        Ok(Self {
            log,
            appends: AtomicU64::new(0),
            lie: L::default(),
        })
    }

    fn append(&self, operation: &Operation) -> Result<Seq, Failure> {
        let number = self.appends.fetch_add(1, Ordering::Relaxed) + 1;
        let mut place = self.log.durable();
        for told in self.lie.tell(number, operation) {
            place = self.log.append(&told)?;
        }
        Ok(place)
    }

    fn get(&self, place: Seq) -> Result<Option<Operation>, Failure> {
        RecordStore::get(&self.log, place)
    }

    fn read(&self) -> Result<impl Iterator<Item = Result<(Seq, Operation), Failure>>, Failure> {
        RecordStore::read(&self.log)
    }

    fn close(self) -> Result<(), Failure> {
        RecordStore::close(self.log)
    }
}

#[derive(Default)]
struct Honest;
impl Lie for Honest {
    fn tell(&self, _: u64, operation: &Operation) -> Vec<Operation> {
        vec![operation.clone()]
    }
}

#[derive(Default)]
struct DropsEach100th;
impl Lie for DropsEach100th {
    fn tell(&self, number: u64, operation: &Operation) -> Vec<Operation> {
        if number.is_multiple_of(100) {
            vec![]
        } else {
            vec![operation.clone()]
        }
    }
}

#[derive(Default)]
struct AltersOne;
impl Lie for AltersOne {
    fn tell(&self, number: u64, operation: &Operation) -> Vec<Operation> {
        let mut told = operation.clone();
        if number == 7 {
            told.status = Status::Failed;
            told.note.push('!');
        }
        vec![told]
    }
}

#[derive(Default)]
struct WritesOneTwice;
impl Lie for WritesOneTwice {
    fn tell(&self, number: u64, operation: &Operation) -> Vec<Operation> {
        vec![operation.clone(); if number == 7 { 2 } else { 1 }]
    }
}

#[derive(Default)]
struct InventsOne;
impl Lie for InventsOne {
    fn tell(&self, number: u64, operation: &Operation) -> Vec<Operation> {
        let mut told = vec![operation.clone()];
        if number == 7 {
            told.push(Operation {
                id: "invented".to_owned(),
                ..operation.clone()
            });
        }
        told
    }
}

#[derive(Default)]
struct DoesNothing;
impl Lie for DoesNothing {
    fn tell(&self, _: u64, _: &Operation) -> Vec<Operation> {
        vec![]
    }
}

const USERS: u32 = 4;
const EACH: u64 = 60;

fn scenario(out: &Path) -> ScenarioRun {
    let (users, each) = (
        NonZeroU32::new(USERS).unwrap(),
        NonZeroU64::new(EACH).unwrap(),
    );
    let plan = Plan::new("storage", Model::iterations(users, each)).seed(7);
    ScenarioRun {
        title: "append durably".to_owned(),
        discrepancies: out.join("discrepancies.jsonl"),
        ..ScenarioRun::new("storage", plan, out)
    }
}

fn report_of(result: ScenarioResult, out: &Path) -> Report {
    Report::new(vec![result], out)
}

/// Runs the storage scenario over a store that lies so.
fn told<L: Lie>(out: &Path) -> Report {
    let open = |dir: &Path| StorageTarget::<Liar<L>>::open(dir, Journal::none());
    report_of(prove(&scenario(out), open, &mut NoProgress).unwrap(), out)
}

/// The figure of the violated threshold that is about this.
fn fails_by(report: &Report, figure: &str) -> f64 {
    assert_eq!(
        report.verdict.conclusion,
        Conclusion::Fail,
        "{}",
        render::markdown(report)
    );
    let mut found = report
        .verdict
        .violations
        .iter()
        .filter(|found| figure_of(&found.judgement.threshold) == figure);
    let finding = found
        .next()
        .unwrap_or_else(|| panic!("{}", render::markdown(report)));
    assert_eq!(finding.scenario.as_deref(), Some("storage"));
    finding.judgement.observed.unwrap()
}

#[test]
fn an_honest_store_passes_by_the_same_test() {
    let out = tempfile::tempdir().unwrap();
    let report = told::<Honest>(out.path());
    assert_eq!(
        report.verdict.conclusion,
        Conclusion::Pass,
        "{}",
        render::markdown(&report)
    );
    assert_eq!(report.verified_effects(), u64::from(USERS) * EACH);
    let left: Vec<_> = std::fs::read_dir(out.path()).unwrap().collect();
    assert!(
        left.is_empty(),
        "data of a run that holds is not kept: {left:?}"
    );
}

#[test]
fn a_store_that_drops_each_100th_write_loses_by_name() {
    let out = tempfile::tempdir().unwrap();
    let report = told::<DropsEach100th>(out.path());
    assert_eq!(fails_by(&report, "lost"), 2.0);
    let lost = &report.scenarios[0].verification.discrepancies[0];
    assert!(
        render::markdown(&report).contains(&lost.key),
        "the report names {}",
        lost.key
    );
    assert!(render::terminal(&report).contains(&lost.key));
    let all = std::fs::read_to_string(out.path().join("discrepancies.jsonl")).unwrap();
    assert_eq!(all.lines().count(), 2);
}

#[test]
fn the_evidence_of_a_run_that_fails_is_kept() {
    let out = tempfile::tempdir().unwrap();
    let report = told::<DropsEach100th>(out.path());
    let kept = report.scenarios[0].data_kept_in.as_ref().unwrap();
    let found = jsonl_storage::verify_log(Path::new(kept)).unwrap();
    assert_eq!(found.records, u64::from(USERS) * EACH - 2);
}

#[test]
fn a_store_that_alters_one_record_is_found() {
    let out = tempfile::tempdir().unwrap();
    let report = told::<AltersOne>(out.path());
    assert_eq!(fails_by(&report, "altered"), 1.0);
    let altered = &report.scenarios[0].verification.discrepancies[0];
    assert!(render::markdown(&report).contains(&altered.key));
}

#[test]
fn a_store_that_writes_one_record_twice_is_found() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(
        fails_by(&told::<WritesOneTwice>(out.path()), "duplicated"),
        1.0
    );
}

#[test]
fn a_store_that_invents_a_record_is_found() {
    let out = tempfile::tempdir().unwrap();
    let report = told::<InventsOne>(out.path());
    assert_eq!(fails_by(&report, "unexpected"), 1.0);
    assert!(render::markdown(&report).contains("invented"));
}

#[test]
fn a_store_that_does_nothing_and_returns_success_loses_everything() {
    let out = tempfile::tempdir().unwrap();
    let report = told::<DoesNothing>(out.path());
    assert_eq!(fails_by(&report, "lost"), (u64::from(USERS) * EACH) as f64);
    assert_eq!(report.verified_effects(), 0);
}

/// A target whose step is said to leave an effect, returns success, and acknowledges nothing.
#[derive(Default)]
struct Idle {
    calls: Mutex<u64>,
}

const WORK: StepSpec = StepSpec::effectful("work");

impl Workload for Idle {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![WORK]
    }

    fn set_up(&self, _: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&WORK, |_| {
            *self.calls.lock().unwrap() += 1;
            Ok(())
        })
    }
}

impl Target for Idle {
    fn close(self) -> Result<(), Failure> {
        Ok(())
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        Ok(Box::new(std::iter::empty()))
    }
}

#[test]
fn a_step_that_succeeds_and_leaves_nothing_is_vacuous_and_fails() {
    let out = tempfile::tempdir().unwrap();
    let result = prove(
        &scenario(out.path()),
        |_| Ok(Idle::default()),
        &mut NoProgress,
    )
    .unwrap();
    let report = report_of(result, out.path());
    assert_eq!(fails_by(&report, "vacuous"), 1.0);
    assert_eq!(report.scenarios[0].vacuous_steps, ["work"]);
    assert!(render::markdown(&report).contains("**Vacuous:** write step work wrote nothing."));
}

/// A target whose disk fills up while the load runs.
struct Cramped(fn() -> Failure);

impl Workload for Cramped {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![WORK]
    }

    fn set_up(&self, _: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let failure = self.0;
        it.step(&WORK, |_| Err(failure()))
    }
}

impl Target for Cramped {
    fn close(self) -> Result<(), Failure> {
        Ok(())
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        Ok(Box::new(std::iter::empty()))
    }
}

#[test]
fn a_disk_that_fills_during_the_load_is_no_verdict_on_the_target() {
    let by_system = || Failure::from(std::io::Error::from_raw_os_error(28)); // ENOSPC
    let by_sqlite = || Failure::new("cannot write: database or disk is full");
    for failure in [by_system as fn() -> Failure, by_sqlite] {
        let out = tempfile::tempdir().unwrap();
        let result = prove(
            &scenario(out.path()),
            |_| Ok(Cramped(failure)),
            &mut NoProgress,
        );
        let Err(Error::Incomplete { result, source }) = result else {
            panic!("{result:?}");
        };
        let data = result.data_kept_in.clone().unwrap();
        assert!(std::path::Path::new(&data).is_dir(), "{data}");
        let error = source.to_string();
        assert!(
            error.starts_with("disk full: scenario storage ran out of space in "),
            "{error}"
        );
        assert!(
            error.ends_with("name another directory with --out"),
            "{error}"
        );
    }
}
