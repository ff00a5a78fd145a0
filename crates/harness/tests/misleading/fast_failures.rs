//! A target that fails fast was called fast: it passed thresholds on times and rates.

use load_engine::Ruling;
use report::Conclusion;

use crate::{REFUSING, result, run};

#[test]
fn fast_failures_are_not_fast() {
    let text = format!(
        "name = \"x\"\nthresholds = ['rate > 10000/s', 'p50(\"save state\") < 1s']\n{REFUSING}\
         [model]\nusers = 20\nfor = \"1s\"\n"
    );
    let report = run(&text);
    assert_eq!(report.verdict.conclusion, Conclusion::Fail);
    let violated: Vec<String> = report
        .verdict
        .violations
        .iter()
        .map(|violation| violation.judgement.threshold.to_string())
        .collect();
    // On a busy machine the generator may be the limit, and a rate then decides nothing. Held it is not.
    let mut judgements = result(&report).judgements.iter();
    let rate = judgements.find(|own| own.threshold.to_string() == "rate > 10000/s");
    assert_eq!(rate.unwrap().ruling, Ruling::Violated);
    // A file that sets other thresholds keeps the default limit of failures.
    assert!(
        violated.contains(&"error_rate < 5%".to_owned()),
        "{violated:?}"
    );
}
