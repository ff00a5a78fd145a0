//! A log that an older version wrote opens, and says what it said then.
//!
//! `tests/fixtures/log-v1` was written by the version before logs had a chain and snapshots: every
//! kind of event, under the policy and the directory beside it. `expected.json` is what that version
//! said about it. Neither is ever made anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use approval_workflow::{
    ApprovalWorkflow, Directory, Page, Policy, RequestDigest, RequestId, Statistics, Status,
    request_digest,
};
use serde::Deserialize;
use tempfile::{TempDir, tempdir};

use crate::support::{ask, second};

#[derive(Deserialize)]
struct Expected {
    requests: BTreeMap<RequestId, (Status, RequestDigest)>,
    statistics: Statistics,
    events: usize,
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/log-v1")
}

fn text(name: &str) -> String {
    fs::read_to_string(fixture().join(name)).unwrap()
}

/// The log is opened as a copy: an opening may write to its directory.
fn open(dir: &TempDir) -> ApprovalWorkflow {
    let directory: Directory = toml::from_str(&text("directory.toml")).unwrap();
    let policy = Policy::from_toml(&text("policy.toml")).unwrap();
    let options = crate::support::options().directory(directory);
    options.open(dir.path(), policy).unwrap()
}

fn copy() -> TempDir {
    let dir = tempdir().unwrap();
    let name = "segment-00000000000000000001.jsonl";
    fs::copy(fixture().join(name), dir.path().join(name)).unwrap();
    dir
}

fn assert_as_expected(workflow: &ApprovalWorkflow) {
    let expected: Expected = serde_json::from_str(&text("expected.json")).unwrap();
    let now = second(500_000);
    for (id, (status, digest)) in &expected.requests {
        let request = workflow.get(id).unwrap().unwrap();
        assert_eq!(request.status(now), *status, "{id}");
        assert_eq!(request_digest(&request), *digest, "{id}");
        assert!(workflow.export_bundle(id).unwrap().is_some());
    }
    assert_eq!(
        workflow.requests().map(Result::unwrap).count(),
        expected.requests.len()
    );
    assert_eq!(workflow.statistics(now), expected.statistics);
    assert_eq!(workflow.audit_log().unwrap().count(), expected.events);
}

#[test]
fn a_log_of_an_older_version_says_what_it_said_then() {
    let dir = copy();
    let workflow = open(&dir);
    assert_as_expected(&workflow);
    workflow.close().unwrap();
    assert_as_expected(&open(&dir));
}

#[test]
fn a_log_of_an_older_version_goes_on() {
    let dir = copy();
    let workflow = open(&dir);
    let waiting = workflow.pending(Page::first(100), second(1)).requests.len();
    let before = workflow.audit_log().unwrap().count();
    let asked = workflow.request(ask("db/new")).unwrap();
    workflow.close().unwrap();

    let workflow = open(&dir);
    assert_eq!(workflow.get(&asked.submission.id).unwrap(), Some(asked));
    assert_eq!(workflow.audit_log().unwrap().count(), before + 1);
    let now_waiting = workflow.pending(Page::first(100), second(1)).requests.len();
    assert_eq!(now_waiting, waiting + 1);
}
