//! Reports on disk: found again, counted exactly, and never re-read to be counted.

use std::fs;

use action::{Action, ActionPath};
use forensic_simulator::{
    Error, ForensicSimulator, PredictedOutcome, ReportId, SimulationStore, Simulator, Statistics,
    StoreOptions, Summary, Timestamp, Workflow, World,
};

fn simulator() -> Simulator {
    Simulator::builder().builtins().build().unwrap()
}

fn workflow(key: &str) -> Workflow {
    let path = ActionPath::new("kv/delete").unwrap();
    let delete = Action::new(path, "Delete").with_parameter("key", key);
    Workflow::new("clean up").step("delete", delete)
}

fn open(dir: &std::path::Path) -> ForensicSimulator {
    ForensicSimulator::open(dir, simulator(), World::from_iter([("a", 0.1)])).unwrap()
}

#[test]
fn reports_and_statistics_are_the_same_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let forensic = open(dir.path());
    let mut saved = Vec::new();
    for n in 0..20 {
        let key = if n % 3 == 0 { "a" } else { "missing" };
        let at = Timestamp::from_micros(n);
        saved.push(forensic.simulate(&workflow(key), at).unwrap());
    }
    let statistics = forensic.statistics();
    assert_eq!(statistics.reports, 20);
    assert_eq!(statistics.outcomes[&PredictedOutcome::Success], 7);
    assert_eq!(statistics.outcomes[&PredictedOutcome::WouldFail], 13);
    assert_eq!(statistics.latest, Some(Timestamp::from_micros(19)));
    forensic.close().unwrap();

    let forensic = open(dir.path());
    assert_eq!(forensic.statistics(), statistics);
    for stored in &saved {
        assert_eq!(forensic.report(stored.id).unwrap(), *stored);
        assert_eq!(stored.report.digest().unwrap(), stored.digest);
    }
    let all: Vec<_> = forensic.stored().unwrap().map(Result::unwrap).collect();
    assert_eq!(all, saved);
    // The totals are exactly the fold of what is stored.
    let mut folded = Statistics::default();
    all.iter()
        .for_each(|stored| folded.add(&Summary::of(&stored.report)));
    assert_eq!(folded, statistics);
}

#[test]
fn a_hundred_threads_get_a_hundred_numbers_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let forensic = open(dir.path());
    let mut ids: Vec<u64> = std::thread::scope(|scope| {
        let work = || {
            let one = |n| {
                forensic
                    .simulate(&workflow("a"), Timestamp::from_micros(n))
                    .unwrap()
            };
            (0..5)
                .map(one)
                .map(|stored| stored.id.0)
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    ids.sort_unstable();
    assert_eq!(ids, (1..=500).collect::<Vec<_>>());
    assert_eq!(forensic.statistics().reports, 500);
    forensic.close().unwrap();
    assert_eq!(open(dir.path()).statistics().reports, 500);
}

#[test]
fn reports_beyond_those_that_are_held_come_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let few = StoreOptions::new().held_reports(3);
    let forensic = ForensicSimulator::new(few.open(dir.path()).unwrap(), simulator(), World::new());
    let mut saved = Vec::new();
    for n in 0..10 {
        saved.push(
            forensic
                .simulate(&workflow("a"), Timestamp::from_micros(n))
                .unwrap(),
        );
    }
    let recent: Vec<_> = forensic
        .recent(100)
        .iter()
        .map(|stored| stored.id.0)
        .collect();
    assert_eq!(recent, [10, 9, 8]);
    assert_eq!(forensic.recent(1)[0], saved[9]);
    for stored in &saved {
        assert_eq!(forensic.report(stored.id).unwrap(), *stored);
    }
    forensic.close().unwrap();
    let store = few.open(dir.path()).unwrap();
    assert_eq!(store.recent(100).len(), 3);
    assert_eq!(store.report(ReportId(1)).unwrap(), saved[0]);
    assert_eq!(
        store.compare(ReportId(1), ReportId(10)).unwrap().outcomes.0,
        PredictedOutcome::WouldFail
    );
}

#[test]
fn a_report_that_does_not_exist_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = SimulationStore::open(dir.path()).unwrap();
    for id in [0, 1, 7] {
        let message = store.report(ReportId(id)).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("there is no report {id}, the last one is 0")
        );
    }
}

#[test]
fn an_altered_report_is_found_out_although_its_line_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let forensic = open(dir.path());
    forensic
        .simulate(&workflow("a"), Timestamp::default())
        .unwrap();
    forensic.close().unwrap();

    // Alter the report inside of its record, and make the line's own checksum right again by
    // writing the altered record through the log.
    let segment = dir.path().join("segment-00000000000000000001.jsonl");
    let text = fs::read_to_string(segment)
        .unwrap()
        .replace("clean up", "clean ip");
    // The first line is the identity of the log.
    let text = text.lines().nth(1).unwrap();
    let line: serde_json::Value = serde_json::from_str(text).unwrap();
    let data = text
        .split_once("\"data\":")
        .unwrap()
        .1
        .rsplit_once(",\"chain\"")
        .unwrap()
        .0;
    assert!(line["data"]["report"]["workflow"] == "clean ip");
    let other = tempfile::tempdir().unwrap();
    let log = jsonl_storage::LogOptions::new()
        .open::<Box<serde_json::value::RawValue>>(other.path())
        .unwrap();
    log.append(&serde_json::value::RawValue::from_string(data.to_owned()).unwrap())
        .unwrap();
    log.close().unwrap();

    let error = SimulationStore::open(other.path()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Altered {
                id: ReportId(1),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_world_that_moves_is_what_the_next_simulation_sees() {
    let dir = tempfile::tempdir().unwrap();
    let forensic = open(dir.path());
    let before = forensic
        .simulate(&workflow("a"), Timestamp::default())
        .unwrap();
    let old = forensic.world();
    forensic.update_world(|world| world.apply(before.report.changes()));
    let after = forensic
        .simulate(&workflow("a"), Timestamp::default())
        .unwrap();
    assert_eq!(before.report.outcome, PredictedOutcome::Success);
    assert_eq!(after.report.outcome, PredictedOutcome::WouldFail);
    assert!(
        old.get("a").is_some(),
        "a world that was taken stays as it was"
    );
    assert!(before.report.is_stale(&forensic.world()));
}
