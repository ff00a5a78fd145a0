//! Failures that do not show, and failures that look fast.

use harness::{Overrides, ScenarioFile};
use report::Conclusion;

use crate::{observed, result, run};

const ROWS: &str = "name = \"x\"\ntarget.kind = \"agents\"\ndata.file = \"rows.csv\"\n\
                    model = { users = 2, iterations = 5 }\n";

#[test]
fn nine_of_ten_bad_rows_fail() {
    let rows = format!("agent\n{}one\n", "bad,row\n".repeat(9));
    let report = run(ROWS, rows.as_bytes());
    let scenario = result(&report);
    assert_eq!(scenario.run.iterations.failed, 9);
    assert!(
        scenario.run.error_rate() > 0.5,
        "{:?}",
        scenario.run.failures
    );
    assert_eq!(
        report.verdict.conclusion,
        Conclusion::Fail,
        "{:?}",
        report.verdict
    );
    let mut messages = scenario.run.failures.messages.iter();
    assert!(messages.any(|told| told.message.contains("rows.csv: line 2 ")));
}

#[test]
fn a_byte_order_mark_and_blank_lines_fail_nothing() {
    let report = run(
        ROWS,
        b"\xef\xbb\xbfagent\r\na\r\n\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\n\r\n",
    );
    let scenario = result(&report);
    assert_eq!(
        (
            scenario.run.iterations.failed,
            scenario.run.failures.total()
        ),
        (0, 0)
    );
}

#[test]
fn an_unclosed_quote_and_another_encoding_are_failures_with_their_lines() {
    for (rows, told) in [
        (
            &b"agent\n\"one\n"[..],
            "line 2 of the data feed: the quotation is not closed",
        ),
        (
            b"agent\nJos\xe9\n",
            "line 2 of the data feed: invalid utf-8",
        ),
    ] {
        let report = run(ROWS, rows);
        let message = &result(&report).run.failures.messages[0].message;
        assert!(message.contains(told), "{message}");
        assert_eq!(report.verdict.conclusion, Conclusion::Fail);
    }
}

#[test]
fn fast_failures_are_not_fast() {
    let report = run(
        "name = \"x\"\nthresholds = ['rate > 10000/s', 'p50 < 1ms']\n[target]\nkind = \"agents\"\n\
         mix = { load = 60, save = 40 }\nstate_bytes = \"1MB\"\n\
         pool = { size = 1, wait = \"1us\", hold = \"200ms\" }\n[model]\nusers = 20\nfor = \"1s\"\n",
        b"",
    );
    let scenario = result(&report);
    assert!(scenario.run.error_rate() > 0.9);
    assert_eq!(report.verdict.conclusion, Conclusion::Fail);
    assert!(observed(scenario, "rate > 10000/s") < 1_000.0);
    for step in &scenario.run.steps {
        let failures = step.failure_time.as_ref().map_or(0, |times| times.count);
        assert_eq!(
            (step.service_time.count, failures),
            (step.succeeded, step.failed)
        );
    }
}

#[test]
fn shares_above_one_are_refused() {
    let mistake = |share: &str| {
        let text = format!(
            "name = \"x\"\nthresholds = ['error_rate < {share}']\ntarget.kind = \"agents\"\n\
             model = {{ users = 1, iterations = 1 }}\n"
        );
        let read = ScenarioFile::parse("x.toml", &text, &Overrides::default());
        read.unwrap_err().to_string()
    };
    assert!(
        mistake("5").contains("above 100 %; did you mean 5 %?"),
        "{}",
        mistake("5")
    );
    assert!(mistake("150%").contains("above 100 %"));
}
