//! Saved reports: found again, judged again, refused where they are none.

use std::fs;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::Path;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::{Conclusion, Report, load};

/// A small load on the log.
fn storage(seed: u64) -> ScenarioFile {
    let overrides = Overrides {
        quick: true,
        seed: Some(seed),
        threads: NonZeroU32::new(3),
        records: NonZeroU64::new(30),
        ..Overrides::default()
    };
    ScenarioFile::embedded("storage", &overrides).unwrap()
}

fn saved(out: &Path) -> (Report, report::Saved) {
    Suite::new([storage(0)])
        .run_and_save(out, &mut NoProgress)
        .unwrap()
}

#[test]
fn a_saved_report_is_found_under_its_name_and_as_the_latest() {
    let out = tempfile::tempdir().unwrap();
    let (report, first) = saved(out.path());
    assert_eq!(load(&first.json).unwrap(), report);
    let (second_report, second) = saved(out.path());
    assert_ne!(first.folder, second.folder);
    assert_eq!(load(&second.latest).unwrap(), second_report);
    assert_eq!(
        load(&first.folder).unwrap(),
        report,
        "the first run is still there"
    );
    let names: Vec<_> = fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("run-") && name != "latest")
        .collect();
    assert_eq!(names, [""; 0], "nothing else is left behind");
}

#[test]
fn a_saved_report_is_judged_again_without_running() {
    let out = tempfile::tempdir().unwrap();
    let (report, saved) = saved(out.path());
    assert_eq!(report.verdict.conclusion, Conclusion::Pass);
    let strict = "mean(*) <= 0ms".parse().unwrap();
    let again = load(&saved.json).unwrap().judged_by(&[strict], &[]);
    assert_eq!(again.verdict.conclusion, Conclusion::Fail);
    let first = &again.verdict.violations[0].judgement;
    assert_eq!(first.threshold.to_string(), "mean(*) <= 0ms");
    assert_eq!(first.step.as_deref(), Some("append"));
    assert_eq!(
        again.scenarios[0].run, report.scenarios[0].run,
        "the figures are the same"
    );
}

#[test]
fn a_report_fits_the_published_schema() {
    let out = tempfile::tempdir().unwrap();
    let (report, _) = saved(out.path());
    let validator = jsonschema::validator_for(&report::report_schema()).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(&json)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut damaged = json;
    damaged["verdict"]["conclusion"] = "fine".into();
    assert!(!validator.is_valid(&damaged));
}

#[test]
fn the_same_seed_asks_for_the_same_work() {
    let digests = |seed| {
        let out = tempfile::tempdir().unwrap();
        let suite = Suite::new([storage(seed)]).keep(true);
        let report = suite.run(out.path(), &mut NoProgress).unwrap();
        let kept = report.scenarios[0].data_kept_in.clone().unwrap();
        let log: jsonl_storage::Log<harness::targets::Operation> =
            jsonl_storage::LogOptions::new().open(kept).unwrap();
        let mut notes: Vec<_> = log
            .scan()
            .unwrap()
            .map(|record| record.unwrap().data.note)
            .collect();
        notes.sort();
        notes
    };
    assert_eq!(digests(5), digests(5));
    assert_ne!(digests(5), digests(6));
}

fn refused(content: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    fs::write(&file, content).unwrap();
    load(&file)
        .unwrap_err()
        .to_string()
        .replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn what_is_no_report_is_refused_by_name() {
    assert!(refused("{").starts_with("DIR/report.json is not a proofload report: EOF"));
    assert!(refused("[1]").starts_with("DIR/report.json is not a proofload report: "));
    assert_eq!(
        refused(r#"{"format":"other","version":1}"#),
        "DIR/report.json is not a proofload report: its format is \"other\""
    );
    let missing = load(Path::new("no/such/file")).unwrap_err();
    assert!(matches!(missing, report::Error::Io { .. }), "{missing}");
}

#[test]
fn a_report_of_a_later_version_is_refused_with_those_that_are_read() {
    assert_eq!(
        refused(r#"{"format":"proofload/report","version":3}"#),
        "DIR/report.json has version 3; this program reads 1 and 2"
    );
}
