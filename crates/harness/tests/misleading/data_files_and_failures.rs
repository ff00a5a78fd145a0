//! Failures that do not show, and failures that look fast.

use report::Conclusion;

use crate::{observed, result, run_with_rows};

const ROWS: &str = "name = \"x\"\ntarget.kind = \"agents\"\ndata.file = \"rows.csv\"\n\
                    model = { users = 2, iterations = 5 }\n";

#[test]
fn nine_of_ten_bad_rows_fail() {
    let rows = format!("agent\n{}one\n", "bad,row\n".repeat(9));
    let report = run_with_rows(ROWS, rows.as_bytes());
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
    let mut violations = report.verdict.violations.iter();
    assert!(violations.any(|own| own.judgement.threshold.to_string() == "error_rate < 5%"));
    let mut messages = scenario.run.failures.messages.iter();
    assert!(messages.any(|told| told.message.contains("rows.csv: line 2 ")));
}

#[test]
fn a_byte_order_mark_and_blank_lines_fail_nothing() {
    let report = run_with_rows(
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
        let report = run_with_rows(ROWS, rows);
        let message = &result(&report).run.failures.messages[0].message;
        assert!(message.contains(told), "{message}");
        assert_eq!(report.verdict.conclusion, Conclusion::Fail);
    }
}

#[test]
fn failures_are_in_no_rate_and_no_latency() {
    let report = run_with_rows(
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
