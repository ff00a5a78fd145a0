//! Nine of ten iterations failed outside every step, by rows of the data file: the run passed with
//! "0.00 % failed".

use std::fs;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::{Conclusion, Report};

fn run_with(data: &str) -> Report {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("all.csv"), data).unwrap();
    let text = "name = \"x\"\ndata.file = \"all.csv\"\n[target]\nkind = \"agents\"\n\
                [model]\nusers = 2\niterations = 5\n";
    let path = dir.path().join("x.toml");
    fs::write(&path, text).unwrap();
    let file = ScenarioFile::read(&path, &Overrides::default()).unwrap();
    let suite = Suite::new([file]);
    suite.run(&dir.path().join("out"), &mut NoProgress).unwrap()
}

#[test]
fn nine_of_ten_bad_rows_fail() {
    let report = run_with(&format!("a,b\n{}", "1\n".repeat(10)));
    assert_eq!(
        report.verdict.conclusion,
        Conclusion::Fail,
        "{}",
        report.verdict.reason
    );
    let violations = report.verdict.violations.iter();
    let violated: Vec<String> = violations
        .map(|violation| violation.judgement.threshold.to_string())
        .collect();
    assert!(
        violated.contains(&"error_rate < 5%".to_owned()),
        "{violated:?}"
    );
    let failures = &report.scenarios[0].run.failures;
    assert!(failures.total() > 0, "{failures:?}");
}

#[test]
fn a_mark_of_byte_order_and_blank_lines_at_the_end_are_no_rows() {
    let report = run_with(&format!("\u{feff}a,b\n{}\n\n", "1,2\n".repeat(10)));
    assert_eq!(report.scenarios[0].run.failures.total(), 0);
}
