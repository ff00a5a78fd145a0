//! A p99 of 40 operations is their maximum under another name.

use report::{Conclusion, render};

use crate::run;

fn appends(each: u32, threshold: &str) -> report::Report {
    run(&format!(
        "name = \"x\"\nthresholds = ['{threshold}']\ntarget.kind = \"storage\"\n\
         model = {{ users = 1, iterations = {each} }}\n"
    ))
}

#[test]
fn p99_of_99_is_undecided_and_of_100_is_not() {
    let few = appends(99, "p99(append) < 60s");
    assert_eq!(few.verdict.conclusion, Conclusion::Inconclusive);
    let reason = &few.verdict.reason;
    assert!(
        reason.ends_with("p99 of 99 operations: 100 are needed"),
        "{reason}"
    );
    assert!(render::junit(&few).contains("skipped=\"1\""));
    let enough = appends(100, "p99(append) < 60s");
    assert_eq!(
        enough.verdict.conclusion,
        Conclusion::Pass,
        "{}",
        enough.verdict.reason
    );
}

#[test]
fn forty_slow_ones_fail() {
    let slow = appends(40, "p99(append) < 1us");
    assert_eq!(
        slow.verdict.conclusion,
        Conclusion::Fail,
        "{}",
        slow.verdict.reason
    );
}
