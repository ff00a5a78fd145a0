//! A run that ends in the middle: by `kill -9`, which nobody can catch, and by Ctrl-C.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Acknowledgements after which a run is killed.
const ENOUGH: usize = 300;

/// A scenario file that goes on for longer than the test.
const AGENTS: &str = r#"
name = "long"
thresholds = ['operations >= 1_000_000_000', 'p99(@ never) < 1ms']
[target]
kind = "agents"
mix = { load = 40, save = 40, checkpoint = 10, restore = 10 }
[[phases]]
name = "load"
for = "1h"
users = 20
[[phases]]
name = "never"
for = "1h"
users = 20
"#;

/// After this it is the test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

fn proofload() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("proofload"))
}

/// A load that does not end by itself within the test.
fn start(scenario: &str, out: &Path, journal: &Path) -> Child {
    start_with(&[], scenario, out, journal)
}

fn start_with(more: &[&str], scenario: &str, out: &Path, journal: &Path) -> Child {
    let mut command = proofload();
    command.arg("run");
    if scenario.ends_with(".toml") {
        let file = out.with_file_name(scenario);
        fs::write(&file, AGENTS).unwrap();
        command.arg(file);
    } else {
        command.args([scenario, "--threads", "20"]).args(more);
        match scenario {
            _ if !more.is_empty() => &mut command,
            "storage" => command.args(["--records", "200000"]),
            _ => command.args(["--iterations", "10000"]),
        };
    }
    command
        .arg("--out")
        .arg(out)
        .arg("--journal")
        .arg(journal)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the process outside of which the journal lies has acknowledged enough.
fn wait_for_acknowledgements(child: &mut Child, journal: &Path) {
    let began = Instant::now();
    while lines(journal) < ENOUGH {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run ended before it could be killed"
        );
        assert!(
            began.elapsed() < PATIENCE,
            "only {} acknowledgements",
            lines(journal)
        );
        std::thread::yield_now();
    }
}

/// Acknowledgements in a journal, where a line stands for each attempt too.
fn lines(path: &Path) -> usize {
    let is_settled = |line: &String| !line.contains(r#""effect":"attempted""#);
    File::open(path).map_or(0, |file| {
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        lines.filter(is_settled).count()
    })
}

fn data_of(out: &Path) -> PathBuf {
    let mut entries = fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_data = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("data-")
    };
    entries
        .find(is_data)
        .expect("the data directory of the killed run")
}

fn verify(data: &Path, journal: &Path) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
        ..
    } = proofload()
        .arg("verify")
        .arg(data)
        .arg("--journal")
        .arg(journal)
        .output()
        .unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap(),
    )
}

/// Every file below a directory, with its content.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else if !path.to_string_lossy().ends_with("-shm") {
            // The index that SQLite makes of its log when it is read; it holds no data.
            all.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

fn loses_nothing_to_a_kill(scenario: &str) {
    let dir = TempDir::new().unwrap();
    let (out, journal) = (
        dir.path().join("out"),
        dir.path().join("acknowledged.jsonl"),
    );
    let mut child = start(scenario, &out, &journal);
    wait_for_acknowledgements(&mut child, &journal);
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let acknowledged = lines(&journal);

    let data = data_of(&out);
    let before = contents(&data);
    let (code, printed) = verify(&data, &journal);
    assert_eq!(code, Some(0), "{acknowledged} acknowledged\n{printed}");
    assert!(
        printed.contains(" 0 lost, 0 altered, 0 duplicated"),
        "{printed}"
    );
    assert!(before == contents(&data), "verifying changes nothing");
    assert!(
        !out.join("latest").exists(),
        "no report of a run that never ended"
    );

    // The same journal with one more line, of what was never written. Its pattern is a line that
    // says that an effect is there: an attempt may have failed, and a removed effect may be gone.
    let mut text = fs::read_to_string(&journal).unwrap();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    let present = |line: &&str| !line.contains("attempted") && !line.contains("removed");
    let last = text.lines().rfind(present).unwrap().to_owned();
    let key = serde_json::from_str::<serde_json::Value>(&last).unwrap()["key"].to_string();
    // Without the checksum, as earlier versions wrote it: it is of the line with the other key.
    let (last, _) = last.split_once(",\"crc\"").unwrap();
    text.push_str(&last.replace(&key, "\"999999999\""));
    text.push_str("}\n");
    fs::write(&journal, text).unwrap();
    let (code, printed) = verify(&data, &journal);
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains(" 1 lost") && printed.contains("999999999"),
        "{printed}"
    );
}

/// Notes that name themselves at both ends, in a load that goes on for longer than the test.
const FILES: &str = r#"
name = "notes"
[services.disk]
kind = "file"
[[flows.write]]
vars = { text = "${text(9000)}" }
write_file = "${id}.txt"
content = "${id} ${text} ${id}"
effect = { creates = "note", key = "${id}.txt", content = "${id} ${text} ${id}" }
[effects.note]
read.list_files = "*.txt"
[[phases]]
name = "load"
for = "1h"
users = 20
"#;

#[test]
fn files_that_were_acknowledged_are_whole_after_whoever_wrote_them_was_killed() {
    let dir = TempDir::new().unwrap();
    let (out, journal) = (dir.path().join("out"), dir.path().join("journal"));
    let file = dir.path().join("notes.toml");
    fs::write(&file, FILES).unwrap();
    let mut child = proofload()
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(&out)
        .arg("--journal")
        .arg(&journal)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_acknowledgements(&mut child, &journal);
    child.kill().unwrap();
    child.wait().unwrap();

    let is_whole = |path: &Path| {
        let content = fs::read_to_string(path).unwrap();
        let id = path.file_stem().unwrap().to_str().unwrap();
        content.len() == 9000 + 2 * (id.len() + 1)
            && content.starts_with(&format!("{id} "))
            && content.ends_with(&format!(" {id}"))
    };
    let disk = data_of(&out).join("disk");
    let mut acknowledged = 0;
    for line in fs::read_to_string(&journal).unwrap().lines() {
        // The last line may have been cut.
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if let Some(key) = line["key"]
            .as_str()
            .filter(|_| line["effect"] != "attempted")
        {
            assert!(is_whole(&disk.join(key)), "{key}");
            acknowledged += 1;
        }
    }
    assert!(acknowledged >= ENOUGH, "{acknowledged}");
    // What was under way is there whole or not at all.
    let names = fs::read_dir(&disk).unwrap();
    let names = names.map(|entry| entry.unwrap().path());
    let listed = names.filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    listed.for_each(|path| assert!(is_whole(&path), "{}", path.display()));
}

#[test]
fn a_killed_storage_run_loses_no_acknowledged_record() {
    loses_nothing_to_a_kill("storage");
}

#[test]
fn a_killed_approval_run_loses_no_acknowledged_decision() {
    loses_nothing_to_a_kill("approval");
}

#[test]
fn a_killed_forensic_run_loses_no_acknowledged_report() {
    loses_nothing_to_a_kill("forensic");
}

#[test]
fn a_killed_integrated_run_loses_nothing_in_either_log() {
    loses_nothing_to_a_kill("integrated");
}

#[test]
fn a_killed_memory_run_loses_no_acknowledged_memory() {
    loses_nothing_to_a_kill("memory");
}

#[test]
fn a_killed_run_of_a_file_loses_no_acknowledged_state() {
    loses_nothing_to_a_kill("agents.toml");
}

/// A store in use was copied file by file, and its journal read before that: 9 of 14 verifications of a live
/// memory store failed.
fn is_verified_while_it_goes_on(scenario: &str) {
    const TIMES: usize = 4;
    let dir = TempDir::new().unwrap();
    let (out, journal) = (
        dir.path().join("out"),
        dir.path().join("acknowledged.jsonl"),
    );
    // Longer than any machine takes for the verifications.
    let mut child = start_with(&["--duration", "1h"], scenario, &out, &journal);
    wait_for_acknowledgements(&mut child, &journal);
    let data = data_of(&out);
    let said: Vec<_> = (0..TIMES).map(|_| verify(&data, &journal)).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    for (code, printed) in said {
        assert_eq!(code, Some(0), "{printed}");
        assert!(
            printed.contains(" 0 lost, 0 altered, 0 duplicated"),
            "{printed}"
        );
    }
}

#[test]
fn a_log_that_is_written_to_is_verified_by_its_journal() {
    is_verified_while_it_goes_on("storage");
}

#[test]
fn an_approval_workflow_in_use_is_verified_by_its_journal() {
    is_verified_while_it_goes_on("approval");
}

#[test]
fn a_memory_store_in_use_is_verified_by_its_journal() {
    is_verified_while_it_goes_on("memory");
}

#[test]
fn state_of_agents_in_use_is_verified_by_its_journal() {
    is_verified_while_it_goes_on("agents.toml");
}

#[test]
fn ctrl_c_ends_a_run_with_what_it_has() {
    ends_with_what_it_has("storage", "INT", 130);
}

/// A closed terminal or a lost ssh connection used to end the run without a report.
#[test]
fn a_hang_up_and_a_termination_end_a_run_like_ctrl_c_by_codes_of_their_own() {
    ends_with_what_it_has("storage", "HUP", 129);
    ends_with_what_it_has("storage", "TERM", 143);
}

#[test]
fn ctrl_c_ends_a_run_of_a_file_whose_thresholds_are_then_not_judged() {
    ends_with_what_it_has("agents.toml", "INT", 130);
}

fn ends_with_what_it_has(scenario: &str, signal: &str, code: i32) {
    let dir = TempDir::new().unwrap();
    let (out, journal) = (
        dir.path().join("out"),
        dir.path().join("acknowledged.jsonl"),
    );
    let mut child = start(scenario, &out, &journal);
    wait_for_acknowledgements(&mut child, &journal);
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let report = fs::read(out.join("latest/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["verdict"]["conclusion"], "inconclusive");
    let found = &report["scenarios"][0]["verification"];
    // An agent's state is one effect however often it was saved.
    let at_least = if scenario == "storage" { ENOUGH } else { 1 };
    assert!(
        found["verified"].as_u64().unwrap() >= at_least as u64,
        "{found}"
    );
    assert_eq!(found["lost"], 0);
}
