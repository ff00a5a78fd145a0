//! The scenario that proves the server: under load, killed, and read back after the restart.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::server::{PROGRAM, token};

/// An address of this machine that no other run of this test has: all of 127.0.0.0/8 are.
fn address() -> String {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    format!("127.{high}.{middle}.{low}:8797")
}

#[test]
fn the_scenario_finds_every_acknowledged_effect_after_the_server_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let gate = dir.path().join("gate");
    let out = dir.path().join("out");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/services/gate.toml");
    let mut command = Command::new(PROGRAM);
    command
        .arg("run")
        .arg(scenario)
        .arg("--out")
        .arg(&out)
        .current_dir(dir.path());
    command
        .env("PROOFLOAD", PROGRAM)
        .env("GATE_DIR", &gate)
        .env("GATE_ADDRESS", address());
    command.env("GATE_AGENT", token(&gate, "load-bot", "agent"));
    command.env("GATE_REVIEWER", token(&gate, "alice", "reviewer"));
    // The times, and so the code, are those of this machine; what was found is not.
    let output = command.output().unwrap();
    let report =
        std::fs::read(out.join("latest/report.json")).unwrap_or_else(|_| panic!("{output:?}"));
    let report: Value = serde_json::from_slice(&report).unwrap();
    let effects = report["scenarios"][0]["effects"].as_array().unwrap();
    let names: Vec<&str> = effects
        .iter()
        .map(|effect| effect["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["decision", "report", "request"]);
    for effect in effects {
        assert_eq!(effect["restarted"], true);
        for reading in effect["readings"].as_array().unwrap() {
            let found = &reading["verification"];
            let count = |name: &str| found[name].as_u64().unwrap();
            assert!(count("verified") > 0, "{effect}");
            for wrong in ["lost", "altered", "duplicated", "unexpected", "unreadable"] {
                assert_eq!(count(wrong), 0, "{wrong}: {effect}");
            }
        }
    }
}
