//! Scenario files from the outside: written, run, repeated, and refused with the place of the mistake.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const APPENDS: &str = r#"
name = "appends"
thresholds = ['operations(append) == 40', 'lost == 0']
[target]
kind = "storage"
[model]
users = 4
iterations = 10
"#;

/// Runs the program in a directory, so that paths are short and reports go there.
fn proofload(dir: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("proofload")
        .unwrap()
        .current_dir(dir)
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

fn with(text: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("s.toml"), text).unwrap();
    dir
}

#[test]
fn what_init_writes_runs_and_is_never_written_over() {
    let dir = TempDir::new().unwrap();
    let output = proofload(dir.path(), &["init"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "scenario.toml is written; a first look: proofload run scenario.toml --quick\n"
    );
    let again = proofload(dir.path(), &["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(
        stderr(&again),
        "error: scenario.toml already exists: choose another name\n"
    );
    let run = proofload(dir.path(), &["run", "scenario.toml", "--quick", "--json"]);
    let report = json(&run);
    let found = &report["scenarios"][0]["verification"];
    assert!(found["verified"].as_u64().unwrap() > 0, "{found}");
    assert_eq!(found["lost"], 0);
    assert_eq!(
        report["scenarios"][0]["vacuous_steps"],
        Value::Array(vec![])
    );
}

#[test]
fn a_file_is_run_judged_by_its_thresholds_and_repeated_by_one_command() {
    let dir = with(APPENDS);
    let output = proofload(dir.path(), &["run", "s.toml", "--seed", "5"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    let summary = stdout(&output);
    for line in [
        "PASS appends",
        "40 acknowledged effects: each verified",
        "✓ operations(append) == 40: 40",
        "repeat: proofload run s.toml --seed 5",
    ] {
        assert!(summary.contains(line), "{line}\n{summary}");
    }
    let saved = fs::read(dir.path().join("proofload-out/latest/report.json")).unwrap();
    let saved: Value = serde_json::from_slice(&saved).unwrap();
    let definition = &saved["scenarios"][0]["definition"];
    assert_eq!(definition["text"], APPENDS);
    assert_eq!(definition["set"][0], "seed=5");
    let again = proofload(dir.path(), &["report", "proofload-out/latest"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(
        stdout(&again).contains("✓ lost == 0: 0"),
        "{}",
        stdout(&again)
    );
}

#[test]
fn values_are_set_over_the_file_and_a_missed_threshold_fails() {
    let dir = with(APPENDS);
    let set = [
        "run",
        "s.toml",
        "--threads",
        "2",
        "--set",
        "model.iterations=3",
    ];
    let output = proofload(dir.path(), &set);
    assert_eq!(output.status.code(), Some(1));
    let summary = stdout(&output);
    for line in [
        "2 threads × 3",
        "✗ operations(append) == 40: 6",
        "→ compare the phases and steps",
        "repeat: proofload run s.toml --threads 2 --set model.iterations=3\n",
    ] {
        assert!(summary.contains(line), "{line}\n{summary}");
    }
    let twice = proofload(dir.path(), &["run", "s.toml", "s.toml"]);
    assert_eq!(twice.status.code(), Some(2));
    assert_eq!(
        stderr(&twice),
        "error: s.toml and s.toml are both named `appends`: give one another name\n"
    );
    let other = APPENDS.replace("\"appends\"", "\"others\"");
    fs::write(dir.path().join("t.toml"), other).unwrap();
    let both = [
        "run",
        "s.toml",
        "t.toml",
        "--set",
        "thresholds=['lost == 0']",
        "--json",
    ];
    let report = json(&proofload(dir.path(), &both));
    assert_eq!(report["scenarios"].as_array().unwrap().len(), 2);
    assert_eq!(report["verdict"]["conclusion"], "pass");
    assert_eq!(
        report["command"],
        r"proofload run s.toml t.toml --set 'thresholds=['\''lost == 0'\'']'"
    );
}

#[test]
fn a_mistake_is_refused_with_its_place_before_anything_runs() {
    let refused = |text: &str, more: &[&str]| {
        let dir = with(text);
        let output = proofload(dir.path(), &[&["run", "s.toml"], more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        assert!(!dir.path().join("proofload-out").exists());
        stderr(&output)
    };
    assert_eq!(
        refused(&APPENDS.replace("users", "usres"), &[]),
        "error: s.toml:7:1: unknown field `usres`, expected one of `kind`, `executor`, `users`, \
         `iterations`, `total_iterations`, `for`, `think_time`, `arrivals`, `max_in_flight`, \
         `max_start_delay`; did you mean `users`?\n"
    );
    assert_eq!(
        refused(APPENDS, &["--set", "target.kind=storge"]),
        "error: s.toml with --set target.kind=storge: target.kind: there is no target `storge`, there is \
         `approval`, `forensic`, `integrated`, `storage`, `memory`, `agents`; did you mean `storage`?\n"
    );
    let leak = refused(&format!("no_leak_in = \"x\"\n{APPENDS}"), &[]);
    assert!(
        leak.contains("`no_leak_in` is now a threshold: 'memory_leak(@ x) == 0'"),
        "{leak}"
    );
    let dir = TempDir::new().unwrap();
    let missing = proofload(dir.path(), &["run", "none.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).starts_with("error: cannot read none.toml: "));
    let records = refused(APPENDS, &["--records", "5"]);
    assert_eq!(
        records,
        "error: --records is for scenarios with `total_iterations`; for the records that are there \
         before a load on storage, use --set target.initial_records=N\n"
    );
}

#[test]
fn flags_add_thresholds_to_a_file_or_go_before_those_on_the_same_figure() {
    let dir = with(APPENDS);
    let strict = [
        "run",
        "s.toml",
        "--max-memory",
        "1kB",
        "--max-error-rate",
        "7%",
    ];
    let output = proofload(dir.path(), &strict);
    assert_eq!(output.status.code(), Some(1));
    let summary = stdout(&output);
    for line in [
        "✓ operations(append) == 40: 40",
        "✓ error_rate <= 7%: 0.000 %",
        "✗ memory_peak <= 1kB: ",
        "repeat: proofload run s.toml --max-error-rate 7% --max-memory 1kB\n",
    ] {
        assert!(summary.contains(line), "{line}\n{summary}");
    }
    let own = APPENDS.replace("'lost == 0'", "'memory_peak < 1MB'");
    fs::write(dir.path().join("s.toml"), own).unwrap();
    let looser = proofload(dir.path(), &["run", "s.toml", "--max-memory", "2GB"]);
    assert_eq!(looser.status.code(), Some(0), "{}", stdout(&looser));
}

/// Two scenarios of one name would be one series of Prometheus and one suite of JUnit.
#[test]
fn two_scenarios_of_one_name_are_refused_before_anything_runs() {
    let dir = with(APPENDS);
    fs::write(dir.path().join("t.toml"), APPENDS).unwrap();
    let output = proofload(dir.path(), &["run", "s.toml", "t.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let told = "s.toml and t.toml are both named `appends`: give one another name";
    assert!(stderr(&output).contains(told), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn embedded_scenarios_and_files_run_together_and_values_are_set_over_both() {
    let dir = with(APPENDS);
    let both = [
        "run",
        "storage",
        "s.toml",
        "--quick",
        "--set",
        "model.users=2",
        "--json",
    ];
    let report = json(&proofload(dir.path(), &both));
    let loads: Vec<_> = report["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| scenario["load"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(loads, ["2 threads × 250", "2 threads × 10"]);
    assert_eq!(
        report["command"],
        "proofload run storage s.toml --quick --set model.users=2"
    );
}

#[test]
fn init_writes_a_scenario_that_comes_with_the_program() {
    let dir = TempDir::new().unwrap();
    let output = proofload(dir.path(), &["init", "mine.toml", "--from", "storage"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = fs::read_to_string(dir.path().join("mine.toml")).unwrap();
    assert!(text.starts_with("#:schema https://"), "{text}");
    assert!(text.contains("\ntarget.kind = \"storage\"\n"), "{text}");
    let report = json(&proofload(
        dir.path(),
        &["run", "mine.toml", "--quick", "--json"],
    ));
    assert_eq!(report["scenarios"][0]["verification"]["verified"], 500);
}

#[test]
fn the_schema_of_scenarios_is_the_published_one() {
    let output = proofload(Path::new("."), &["schema", "scenario"]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness/schemas/scenario.v1.json");
    let published: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // Not `assert_eq`: the difference of two schemas would fill screens.
    assert!(
        json(&output) == published,
        "publish it: proofload schema scenario > {}",
        path.display()
    );
}
