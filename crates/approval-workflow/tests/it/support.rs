use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, NewRequest, Options, PersonId, Policy, Request, RequestId, Timestamp,
};
use tempfile::TempDir;

pub(crate) const POLICY: &str = r#"
    [[rules]]
    pattern = "payments/**"
    sensitivity = "high"
    requires_reason = true
    expiry = "4h"
    execute_within = "1h"
    affected_systems = ["ledger"]

    [[rules]]
    pattern = "batches/*"
    sensitivity = "low"
    uses = 3

    [[rules]]
    name = "test deployments"
    pattern = "deploy/*"
    sensitivity = "medium"
    auto_approve.equals = { field = "context.environment", value = "test" }

    [[rules]]
    pattern = "reports/**"
    sensitivity = "none"

    [[rules]]
    pattern = "keys/*"
    sensitivity = "critical"
    requires_second_factor = true
"#;

pub(crate) fn policy() -> Policy {
    toml::from_str(POLICY).unwrap()
}

/// With the key that snapshots take.
pub(crate) fn options() -> Options {
    ApprovalWorkflow::options().secret_key([7; 32])
}

pub(crate) fn open(dir: &TempDir) -> ApprovalWorkflow {
    options().open(dir.path(), policy()).unwrap()
}

pub(crate) fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

pub(crate) fn id(text: &str) -> RequestId {
    RequestId::new(text).unwrap()
}

pub(crate) fn action(path: &str) -> Action {
    Action::new(ActionPath::new(path).unwrap(), "Do it").with_parameter("amount", 12.5)
}

/// Seconds after an arbitrary moment.
pub(crate) fn second(count: i64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + count) * 1_000_000)
}

pub(crate) fn ask(path: &str) -> NewRequest {
    NewRequest::new(action(path), person("agent-7"), second(0))
}

/// Runs a function in named threads that start together, and returns what each one returned.
pub(crate) fn together<T: Send>(threads: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(threads);
    let start = |number| {
        barrier.wait();
        run(number)
    };
    thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|number| {
                let start = &start;
                thread::Builder::new()
                    .name(format!("approval-test:{number}"))
                    .spawn_scoped(scope, move || start(number))
                    .unwrap()
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .collect()
    })
}

/// The lines of a workflow's log, after it was closed.
pub(crate) fn lines(dir: &TempDir) -> Vec<String> {
    let text = fs::read_to_string(segment(dir)).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// A directory with a log of these lines only.
pub(crate) fn log_of(from: &TempDir, lines: &[String]) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let name = segment(from).file_name().unwrap().to_owned();
    fs::write(copy.path().join(name), lines.concat()).unwrap();
    copy
}

fn segment(dir: &TempDir) -> PathBuf {
    let files = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "jsonl");
    let mut segments: Vec<PathBuf> = files.filter(is_segment).collect();
    assert_eq!(segments.len(), 1);
    segments.remove(0)
}

/// What a reader can see of everything.
pub(crate) fn everything(workflow: &ApprovalWorkflow) -> String {
    let now = second(1_000_000);
    let requests: Vec<Request> = workflow
        .requests()
        .map(Result::unwrap)
        .map(|request| (*request).clone())
        .collect();
    let trails: Vec<_> = requests
        .iter()
        .map(|request| {
            workflow
                .audit_trail(&request.submission.id)
                .unwrap()
                .unwrap()
        })
        .collect();
    let log: Vec<_> = workflow.audit_log().unwrap().map(Result::unwrap).collect();
    format!(
        "{requests:#?}\n{trails:#?}\n{log:#?}\n{:#?}",
        workflow.statistics(now)
    )
}
