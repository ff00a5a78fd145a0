//! Searches from the outside. What a busy machine bears is not for a test to know; that a search runs what
//! it says, and that its exit code fits what it found, is.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const OPEN: &str = r#"
name = "arrivals"
thresholds = ['error_rate == 0%']
[target]
kind = "storage"
[model]
kind = "open"
[[phases]]
name = "calm"
for = "100ms"
rate = 50
[[phases]]
name = "crowd"
for = "200ms"
rate = 100
"#;

const CLOSED: &str = r#"
name = "appends"
thresholds = ['error_rate == 0%']
[target]
kind = "storage"
[model]
users = 3
iterations = 30
"#;

fn search(dir: &Path, text: &str, arguments: &[&str]) -> Output {
    fs::write(dir.join("s.toml"), text).unwrap();
    let [what, rest @ ..] = arguments else {
        panic!("say what to search")
    };
    Command::cargo_bin("proofload")
        .unwrap()
        .current_dir(dir)
        .args(["search", what, "s.toml"])
        .args(rest)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

#[test]
fn a_breaking_point_is_searched_from_the_rate_of_the_file_on() {
    let dir = TempDir::new().unwrap();
    let arguments = ["breaking-point", "--to", "200", "--agreeing", "1", "--json"];
    let output = search(dir.path(), OPEN, &arguments);
    let told = json(&output);
    let trials = told["trials"].as_array().unwrap();
    assert_eq!(trials[0]["per_s"], 100.0, "{told:#}");
    for trial in trials {
        let folder = dir.path().join(trial["report"].as_str().unwrap());
        let report = fs::read(folder.join("report.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let per_s = trial["per_s"].as_f64().unwrap();
        let stages = &report["scenarios"][0]["run"]["model"]["open"]["schedule"]["stages"];
        // Half of it in the first phase, as in the file.
        assert_eq!(stages[0]["from_per_s"], per_s / 2.0, "{stages}");
        assert_eq!(stages[1]["from_per_s"], per_s, "{stages}");
        let command = report["command"].as_str().unwrap();
        assert!(command.contains("--set phases.1.rate="), "{command}");
    }
    let found = &told["found"];
    let held = found["highest_held_per_s"].as_f64();
    let expected = match found["not_judged"].is_string() {
        true => 3,
        false if held.is_none() => 1,
        false => 0,
    };
    assert_eq!(output.status.code(), Some(expected), "{told:#}");
}

#[test]
fn a_rate_at_which_nothing_can_hold_fails_with_the_reason() {
    let dir = TempDir::new().unwrap();
    let never = OPEN.replace("error_rate == 0%", "operations < 5");
    let output = search(dir.path(), &never, &["breaking-point", "--agreeing", "1"]);
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    match output.status.code() {
        Some(1) => assert!(
            told.contains("not even 100/s held (operations < 5: it was 25): name a lower --from"),
            "{told}"
        ),
        // A machine that starts arrivals late says nothing of the target.
        Some(3) => assert!(told.contains("no higher rate can be judged"), "{told}"),
        other => panic!("{other:?}: {told}{}", stderr(&output)),
    }
}

#[test]
fn a_sweep_measures_each_number_of_users_in_turn_and_fits_the_law() {
    let dir = TempDir::new().unwrap();
    let arguments = [
        "scalability",
        "--users",
        "8,1,2,3,2,6,4",
        "--repeats",
        "2",
        "--json",
    ];
    let output = search(dir.path(), CLOSED, &arguments);
    let told = json(&output);
    let runs = told["runs"].as_array().unwrap();
    let users: Vec<u64> = runs
        .iter()
        .map(|run| run["users"].as_u64().unwrap())
        .collect();
    assert_eq!(users, [1, 2, 3, 4, 6, 8, 1, 2, 3, 4, 6, 8]);
    assert!(
        runs.iter()
            .all(|run| run["per_second"].as_f64().unwrap() > 0.0)
    );
    let alone = told["found"]["fit"]["single_user_per_second"]
        .as_f64()
        .unwrap();
    assert!(alone > 0.0, "{told:#}");
    let limited = runs.iter().any(|run| run["not_judged"].is_string());
    assert_eq!(
        output.status.code(),
        Some(if limited { 3 } else { 0 }),
        "{told:#}"
    );
}

#[test]
fn a_file_that_cannot_be_searched_is_refused_before_anything_runs() {
    let refused = |text: &str, arguments: &[&str]| {
        let dir = TempDir::new().unwrap();
        let output = search(dir.path(), text, arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!dir.path().join("proofload-out").exists());
        stderr(&output)
    };
    assert_eq!(
        refused(CLOSED, &["breaking-point"]),
        "error: s.toml:6:1: a load without phases has no rate to search: give it phases, each with `users` \
         or a `rate`\n"
    );
    assert!(
        refused(OPEN, &["scalability"])
            .starts_with("error: s.toml:7:8: an open model has arrivals")
    );
    assert_eq!(
        refused(CLOSED, &["scalability", "--users", "1,2,4,2"]),
        "error: --users: cannot fit the scalability law: it takes 6 different numbers of users, and these are 3\n"
    );
    assert!(refused(OPEN, &["breaking-point", "--to", "1"]).contains("--to 1 is below the rate"));
    assert!(refused(OPEN, &["breaking-point", "--precision", "5"]).contains("did you mean 5 %?"));
}
