//! An abort rule ended the load: it was printed as "interrupted", and nothing failed.

use load_engine::search::ProbeResult;
use report::{Conclusion, render};

use crate::{REFUSING, run};

#[test]
fn abort_is_fail_exit_1() {
    let text = format!(
        "name = \"x\"\nabort_on_fail = [{{ threshold = 'error_rate < 5%', after = \"500ms\" }}]\n\
         {REFUSING}[model]\nusers = 5\nfor = \"20s\"\n"
    );
    let report = run(&text);
    assert_eq!(report.verdict.conclusion, Conclusion::Fail);
    assert!(!report.interrupted, "no signal came");
    let reason = &report.verdict.reason;
    assert!(
        reason.starts_with("the scenario failed: x: aborted at "),
        "{reason}"
    );
    assert!(reason.contains("error_rate < 5% violated: "), "{reason}");
    let scenario = &report.scenarios[0];
    assert!(scenario.abort_reason().is_some());
    let junit = render::junit(&report);
    assert!(
        junit.contains("<failure type=\"abort\" message=\"aborted at "),
        "{junit}"
    );
    assert!(!junit.contains("failures=\"0\""), "{junit}");
    assert!(
        matches!(report.ruling(), ProbeResult::Violated(reason) if reason.starts_with("aborted at"))
    );
    let summary = render::terminal(&report);
    assert!(
        summary.contains("aborted at ") && !summary.contains("interrupted"),
        "{summary}"
    );
}
