//! No I/O is reachable from a simulation: this test runs itself under `strace`, and looks at every
//! system call of the thread that simulates. Where `strace` is missing or not allowed, it says that
//! it did not run.

use std::env;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use forensic_simulator::{FlowPolicy, Label, Timestamp, Workflow, World};
use serde_json::json;

use crate::common::{act, simulator};

const CHILD: &str = "PROOFLOAD_TRACED";

/// Written before and after, so that the trace shows where the simulation begins and ends.
const BEGIN: &str = "simulation begins";
const END: &str = "simulation ends";

/// What asking for memory looks like, with the lock of the allocator.
const MEMORY: [&str; 7] = [
    "brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "futex",
];

#[test]
fn a_simulation_makes_no_system_call_but_for_memory() {
    if env::var_os(CHILD).is_some() {
        simulate_everything();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let name = "trace::a_simulation_makes_no_system_call_but_for_memory";
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-s", "64", "-o"])
        .arg(&trace)
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output();
    let traced = match traced {
        Ok(output) => output,
        Err(error) => return say(&format!("not run: strace cannot be started: {error}")),
    };
    let text = fs::read_to_string(&trace).unwrap_or_default();
    if !traced.status.success() && !text.contains(BEGIN) {
        let why = String::from_utf8_lossy(&traced.stderr).into_owned();
        return say(&format!("not run: strace may not trace here: {why}"));
    }
    assert!(traced.status.success());
    let calls = calls_between(&text);
    let other: Vec<_> = calls
        .iter()
        .filter(|call| !MEMORY.contains(&call.as_str()))
        .collect();
    assert!(other.is_empty(), "{other:?}");
    say(&format!("{} system calls, all for memory", calls.len()));
}

/// The names of the system calls of the thread that simulates, from its first mark to its second.
fn calls_between(trace: &str) -> Vec<String> {
    let mut lines = trace.lines().skip_while(|line| !line.contains(BEGIN));
    let first = lines.next().expect("the mark of the begin");
    let thread = first.split_whitespace().next().unwrap();
    let own = lines.filter(|line| line.split_whitespace().next() == Some(thread));
    let mut calls = Vec::new();
    for line in own {
        if line.contains(END) {
            return calls;
        }
        let rest = line[thread.len()..].trim_start();
        let call = rest.strip_prefix("<... ").unwrap_or(rest);
        let end = call.find(|c: char| !c.is_alphanumeric() && c != '_');
        calls.push(call[..end.unwrap_or(call.len())].to_owned());
    }
    panic!("the mark of the end is missing");
}

fn simulate_everything() {
    let simulator = simulator();
    let mut world: World = (0..1_000).map(|n| (format!("k{n}"), n)).collect();
    world.insert("mail", "hello");
    let transfer = json!({"from": "k1", "to": "k2", "amount": 1});
    let workflow = Workflow::new("w")
        .step("move", act("kv/transfer", &transfer))
        .step(
            "set",
            act("kv/update", &json!({"key": "k2", "value": [1, 2]})),
        )
        .step("gone", act("kv/delete", &json!({"key": "none"})))
        .step("read", act("kv/read", &json!({"key": "mail"})))
        .step_after(
            "post",
            act("http/post", &json!({"url": "https://example.org"})),
            ["read"],
        )
        .step("magic", act("nobody/knows", &json!({})));
    let plan = simulator.check(workflow).unwrap();
    let policy = FlowPolicy::new()
        .source("mail", Label::Untrusted)
        .external_sink(Label::Untrusted);
    let everything = || {
        let examination = simulator.examine(&plan, &world, Timestamp::default(), 1);
        let report = &examination.analysis.report;
        assert_eq!(policy.flows(&plan, report, &world).len(), 1);
        assert!(!report.is_stale(&world));
        let text = serde_json::to_string(&examination).unwrap();
        text.len() + examination.to_text().len() + examination.to_svg().len()
    };
    // The first hash map of a thread asks the system for its seed.
    let length = everything();
    say(BEGIN);
    for _ in 0..20 {
        assert_eq!(everything(), length);
    }
    say(END);
}

/// In one write, past the harness: the marks must be in the trace, and that a test did not run has
/// to be seen.
fn say(text: &str) {
    let line = format!("{text}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
