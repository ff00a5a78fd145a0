//! An attacker who can write to the log's directory, and has none of the keys.

use std::fs;
use std::path::Path;

use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Disposition, Event, NewRequest, Options, Permission,
    Policy, PublicKey, RequestId, SnapshotComparison, SnapshotFault, SnapshotUse, Submission,
    Terms, compare_snapshot,
};
use ed25519_dalek::SigningKey;

use crate::support::{action, at, person};

const POLICY: &str = "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"";
const SNAPSHOT: &str = "approvals.snapshot";

fn options() -> Options {
    ApprovalWorkflow::options().secret_key([7; 32])
}

fn open(options: Options, dir: &Path) -> ApprovalWorkflow {
    options
        .open(dir, Policy::from_toml(POLICY).unwrap())
        .unwrap()
}

fn ask(workflow: &ApprovalWorkflow, path: &str) -> RequestId {
    let new = NewRequest::new(action(path), person("agent"), at(0));
    workflow.request(new).unwrap().submission.id.clone()
}

/// A request that was denied, and a snapshot that covers it.
fn denied(dir: &Path) -> RequestId {
    let workflow = open(options(), dir);
    let id = ask(&workflow, "db/drop");
    let no = Decision::deny(person("alice"), at(1));
    workflow.decide(&id, no).unwrap();
    workflow.close().unwrap();
    id
}

/// The snapshot with the gate of the action open, but for its last 32 bytes.
fn opened(snapshot: &[u8]) -> Vec<u8> {
    const OPEN: u64 = 2;
    let digest = action("db/drop").digest().unwrap();
    let found = snapshot
        .windows(32)
        .position(|bytes| bytes == digest.as_bytes());
    let standing = found.expect("the digest of the action is in the snapshot") + 32;
    let mut forged = snapshot[..snapshot.len() - 32].to_vec();
    let until = at(1_000_000).as_micros().cast_unsigned();
    let since = at(1).as_micros().cast_unsigned();
    forged[standing..standing + 8].copy_from_slice(&(until << 5 | OPEN).to_le_bytes());
    forged[standing + 8..standing + 16].copy_from_slice(&since.to_le_bytes());
    forged
}

/// An edited snapshot with a recomputed hash turned a denied request into an allowed one.
#[test]
fn a_forged_snapshot_does_not_open_the_gate() {
    let dir = tempfile::tempdir().unwrap();
    let id = denied(dir.path());
    let genuine = fs::read(dir.path().join(SNAPSHOT)).unwrap();
    let forged = opened(&genuine);
    let hash = blake3::hash(&forged);
    let derived = blake3::derive_key("proofload 2026-11 approval snapshot v1", &forged);
    let guessed = blake3::keyed_hash(&[0; 32], &forged);
    let kept = genuine.last_chunk::<32>().unwrap();
    for mark in [hash.as_bytes(), &derived, guessed.as_bytes(), kept] {
        fs::write(dir.path().join(SNAPSHOT), [&forged[..], mark].concat()).unwrap();
        let workflow = open(options(), dir.path());
        let answer = workflow.can_execute(&id, &action("db/drop"), at(2));
        assert_eq!(answer, Permission::Denied(DenyReason::Denied));
        let ignored = SnapshotUse::Ignored(SnapshotFault::NotAuthentic);
        assert_eq!(workflow.opening().snapshot, ignored);
    }
}

/// Without a key nothing would tell a forged snapshot from a genuine one.
#[test]
fn without_a_key_no_snapshot_is_believed_and_none_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let id = denied(dir.path());
    let workflow = open(ApprovalWorkflow::options(), dir.path());
    let ignored = SnapshotUse::Ignored(SnapshotFault::NoKey);
    assert_eq!(workflow.opening().snapshot, ignored);
    let answer = workflow.can_execute(&id, &action("db/drop"), at(2));
    assert_eq!(answer, Permission::Denied(DenyReason::Denied));
    ask(&workflow, "db/drop");
    fs::remove_file(dir.path().join(SNAPSHOT)).unwrap();
    workflow.close().unwrap();
    assert!(!dir.path().join(SNAPSHOT).exists());
    // Nor is one that was written under another key.
    denied(dir.path());
    let other = ApprovalWorkflow::options().secret_key([8; 32]);
    let ignored = SnapshotUse::Ignored(SnapshotFault::NotAuthentic);
    assert_eq!(open(other, dir.path()).opening().snapshot, ignored);
}

/// A checker of a directory said that it holds, with a forged snapshot in it.
#[test]
fn a_comparison_with_the_log_names_what_a_forged_snapshot_changed() {
    let dir = tempfile::tempdir().unwrap();
    let id = denied(dir.path());
    let path = dir.path().join(SNAPSHOT);
    let genuine = fs::read(&path).unwrap();
    let agrees = compare_snapshot(dir.path()).unwrap();
    assert!(matches!(agrees, Some(SnapshotComparison::Agrees { covers }) if covers.0 == 2));
    fs::write(&path, [&opened(&genuine)[..], &[0; 32]].concat()).unwrap();
    let what = format!("request {id}: whether it may run");
    let differs = SnapshotComparison::Differs { what };
    assert_eq!(compare_snapshot(dir.path()).unwrap(), Some(differs));
    fs::remove_file(&path).unwrap();
    assert_eq!(compare_snapshot(dir.path()).unwrap(), None);
}

/// Writes an event as an attacker would who has the file of the log.
fn append(dir: &Path, events: &[Event]) {
    let options = jsonl_storage::LogOptions::new().chained();
    let log: jsonl_storage::Log<Event> = options.open(dir).unwrap();
    for event in events {
        log.append(event).unwrap();
    }
    log.close().unwrap();
}

/// A request that was written into the log carried the digest of today's policy and terms of the
/// attacker's choice, so that an approval needed no signature.
#[test]
fn a_forged_request_does_not_bring_terms_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::from_bytes(&[9; 32]).verifying_key();
    let public = PublicKey::from_bytes(key.to_bytes());
    let policy = || Policy::from_toml(&format!("signers.alice = \"{public}\"\n{POLICY}")).unwrap();
    let workflow = ApprovalWorkflow::open(dir.path(), policy()).unwrap();
    let genuine = ask(&workflow, "db/drop");
    let genuine = workflow.get(&genuine).unwrap().unwrap();
    workflow.close().unwrap();
    let forged = |id: &str, need: Disposition, terms: Terms| Submission {
        id: RequestId::new(id).unwrap(),
        need,
        terms,
        ..(*genuine.submission).clone()
    };
    let unsigned = Terms {
        signers: Terms::default().signers,
        ..genuine.submission.terms.clone()
    };
    let granted = forged(
        "granted",
        Disposition::AutoApproved,
        genuine.submission.terms.clone(),
    );
    let voted = forged("voted", Disposition::Approval, unsigned);
    let review: approval_workflow::Review = serde_json::from_value(serde_json::json!({
        "id": "voted", "at": at(1), "reviewer": "alice", "verdict": "approve",
    }))
    .unwrap();
    let events = [
        Event::Requested(granted.into()),
        Event::Requested(voted.into()),
        Event::Reviewed(review),
    ];
    append(dir.path(), &events);
    let workflow = ApprovalWorkflow::open(dir.path(), policy()).unwrap();
    for id in ["granted", "voted"] {
        let id = RequestId::new(id).unwrap();
        let answer = workflow.can_execute(&id, &action("db/drop"), at(2));
        assert_eq!(answer, Permission::Denied(DenyReason::PolicyChanged));
    }
}
