//! `proofload calibrate`. What it says of a noisy machine is not for a test to know; that its exit code,
//! its rows and its counts agree with one another is.

use assert_cmd::Command;
use serde_json::Value;

#[test]
fn asked_true_and_reported_stand_side_by_side_and_the_exit_code_says_what_they_come_to() {
    let output = Command::cargo_bin("proofload")
        .unwrap()
        .args(["calibrate", "--duration", "700ms", "--json"])
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |name: &str| told[name].as_u64().unwrap();
    let expected = match (count("failed"), count("not_judged")) {
        (1.., _) => 1,
        (0, 1..) => 3,
        (0, 0) => 0,
    };
    assert_eq!(output.status.code(), Some(expected), "{told:#}");
    assert_eq!(count("held") + count("failed") + count("not_judged"), 6);

    let results = told["open"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    for result in results {
        let arrivals = &result["arrivals"];
        let number = |name: &str| arrivals[name].as_u64().unwrap();
        let sum = ["done", "in_flight", "queued", "dropped", "cut"].map(number);
        assert_eq!(
            number("scheduled"),
            350,
            "500 a second for 0.7 s: {result:#}"
        );
        assert_eq!(number("scheduled"), sum.iter().sum::<u64>(), "{result:#}");
        let limits = result["limits"].as_array().unwrap();
        assert_eq!(result["judged"], limits.is_empty(), "{result:#}");
        let rows = result["rows"].as_array().unwrap();
        let times = |name: &str| -> Vec<u64> {
            let times = rows.iter().map(|row| row[name].as_u64().unwrap());
            times.collect()
        };
        for name in ["asked_ns", "true_ns", "reported_ns"] {
            assert!(times(name).is_sorted(), "{name}: {result:#}");
        }
        // A machine may answer later than it was asked to, and never sooner.
        let pairs = times("asked_ns").into_iter().zip(times("true_ns"));
        assert!(
            pairs.into_iter().all(|(asked, truly)| truly >= asked),
            "{result:#}"
        );
    }
}
