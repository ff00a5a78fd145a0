//! A snapshot changes how long an opening takes, and nothing else.

use std::fs;
use std::path::PathBuf;

use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Error, IdempotencyKey, Options, Permission, Policy,
    Receipt, ReceiptOutcome, RequestId, SnapshotFault, SnapshotUse, Use,
};
use tempfile::{TempDir, tempdir};

use crate::support::{action, ask, everything, id, lines, log_of, options, person, policy, second};

fn open_with(dir: &TempDir, options: Options) -> ApprovalWorkflow {
    options.open(dir.path(), policy()).unwrap()
}

fn open(dir: &TempDir) -> ApprovalWorkflow {
    open_with(dir, options())
}

fn from_the_log(dir: &TempDir) -> ApprovalWorkflow {
    open_with(dir, options().without_snapshots())
}

fn snapshot(dir: &TempDir) -> PathBuf {
    dir.path().join("approvals.snapshot")
}

/// One request of every fate, under ids that end with a number.
fn fill(workflow: &ApprovalWorkflow, number: u64) {
    let named = |name: &str| id(&format!("{name}-{number}"));
    let yes = || Decision::approve(person("alice"), second(1)).with_reason("fine");
    for name in [
        "settled",
        "denied",
        "pending",
        "approved",
        "withdrawn",
        "revoked",
    ] {
        workflow
            .request(ask("payments/refund").with_id(named(name)))
            .unwrap();
    }
    for name in ["settled", "approved", "revoked"] {
        workflow.decide(&named(name), yes()).unwrap();
    }
    let no = Decision::deny(person("bob"), second(1)).with_reason("no");
    workflow.decide(&named("denied"), no).unwrap();
    workflow
        .withdraw(&named("withdrawn"), person("agent-7"), second(2))
        .unwrap();
    workflow
        .revoke(&named("revoked"), person("alice"), "no longer", second(2))
        .unwrap();
    let refund = action("payments/refund");
    let claim = workflow
        .claim(
            &named("settled"),
            Use::new(refund.clone(), person("x"), second(2)),
        )
        .unwrap();
    let receipt = Receipt {
        id: named("settled"),
        at: second(3),
        token: claim.token,
        outcome: ReceiptOutcome::Succeeded,
        observed: "paid".into(),
    };
    workflow.finish(receipt).unwrap();
}

fn covers(workflow: &ApprovalWorkflow) -> u64 {
    match workflow.opening().snapshot {
        SnapshotUse::Used { covers } => covers.0,
        _ => panic!("{:?}", workflow.opening()),
    }
}

#[test]
fn what_a_snapshot_says_is_what_the_log_says() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    (0..5).for_each(|number| fill(&workflow, number));
    let before = everything(&workflow);
    workflow.close().unwrap();

    let workflow = open(&dir);
    assert!(covers(&workflow) > 0);
    assert_eq!(workflow.opening().replayed, 0);
    assert_eq!(everything(&workflow), before);
    drop(workflow);
    let workflow = from_the_log(&dir);
    assert_eq!(workflow.opening().snapshot, SnapshotUse::None);
    assert_eq!(everything(&workflow), before);
}

#[test]
fn what_came_after_a_snapshot_is_read_from_the_log() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    fill(&workflow, 0);
    workflow.close().unwrap();

    let workflow = open(&dir);
    let covered = covers(&workflow);
    fill(&workflow, 1);
    let yes = Decision::approve(person("carol"), second(9)).with_reason("late");
    workflow.decide(&id("pending-0"), yes).unwrap();
    let claim = workflow.claim(
        &id("approved-0"),
        Use::new(action("payments/refund"), person("x"), second(9)),
    );
    claim.unwrap();
    let before = everything(&workflow);
    drop(workflow); // as a kill would, it writes no snapshot

    let workflow = open(&dir);
    assert_eq!(covers(&workflow), covered);
    assert!(workflow.opening().replayed > 2);
    assert_eq!(everything(&workflow), before);
    let again = workflow.claim(
        &id("approved-0"),
        Use::new(action("payments/refund"), person("x"), second(9)),
    );
    assert!(
        matches!(again, Err(Error::NotExecutable { .. })),
        "{again:?}"
    );
}

#[test]
fn a_snapshot_is_written_after_every_so_many_events() {
    let dir = tempdir().unwrap();
    let options = || options().snapshot_every(4);
    let workflow = open_with(&dir, options());
    (0..4).for_each(|number| fill(&workflow, number));
    let before = everything(&workflow);
    drop(workflow);
    let workflow = open_with(&dir, options());
    let total = covers(&workflow) + workflow.opening().replayed;
    assert_eq!(total, workflow.audit_log().unwrap().count() as u64);
    assert!(workflow.opening().replayed < 16, "{:?}", workflow.opening());
    assert_eq!(everything(&workflow), before);
}

#[test]
fn whole_requests_need_not_be_in_memory() {
    let dir = tempdir().unwrap();
    let workflow = open_with(&dir, options().held_requests(0));
    (0..3).for_each(|number| fill(&workflow, number));
    let before = everything(&workflow);
    workflow.close().unwrap();
    assert_eq!(everything(&open(&dir)), before);
    let workflow = open_with(&dir, options().held_requests(2));
    assert_eq!(everything(&workflow), before);
    let (text, noted) = workflow.export_bundle(&id("settled-1")).unwrap().unwrap();
    let verified = approval_workflow::verify_bundle(&text, Some(&noted)).unwrap();
    assert_eq!(
        verified.request,
        *workflow.get(&id("settled-1")).unwrap().unwrap()
    );
    assert_eq!(verified.log_hashes.len(), verified.trail.len());
    assert!(
        workflow
            .explain(&id("settled-1"), second(5))
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_snapshot_that_is_damaged_is_not_believed_and_the_opening_says_so() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    fill(&workflow, 0);
    let before = everything(&workflow);
    workflow.close().unwrap();
    let good = fs::read(snapshot(&dir)).unwrap();
    let flips = (0..good.len()).step_by(37).map(|at| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        bad
    });
    let cuts = [0, 1, 31, good.len() / 2, good.len() - 1];
    let cuts = cuts.into_iter().map(|length| good[..length].to_vec());
    for bad in flips.chain(cuts) {
        fs::write(snapshot(&dir), &bad).unwrap();
        let workflow = open(&dir);
        let snapshot = workflow.opening().snapshot;
        let says_so = matches!(
            snapshot,
            SnapshotUse::Ignored(SnapshotFault::NotAuthentic | SnapshotFault::Damaged)
        );
        assert!(says_so, "{snapshot:?}");
        assert_eq!(everything(&workflow), before);
    }
    fs::remove_file(snapshot(&dir)).unwrap();
    assert_eq!(open(&dir).opening().snapshot, SnapshotUse::None);
}

#[test]
fn a_snapshot_of_another_log_is_not_believed() {
    let (dir, other) = (tempdir().unwrap(), tempdir().unwrap());
    for (dir, first) in [(&dir, 0), (&other, 100)] {
        let workflow = open(dir);
        fill(&workflow, first);
        workflow.close().unwrap();
    }
    fs::copy(snapshot(&other), snapshot(&dir)).unwrap();
    let workflow = open(&dir);
    let ignored = SnapshotUse::Ignored(SnapshotFault::OtherLog);
    assert_eq!(workflow.opening().snapshot, ignored);
    assert!(workflow.get(&id("settled-0")).unwrap().is_some());
    assert!(workflow.get(&id("settled-100")).unwrap().is_none());
}

#[test]
fn a_spent_grant_is_not_revived_by_an_older_snapshot_nor_a_newer_one() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    fill(&workflow, 0);
    workflow.close().unwrap();
    let older = fs::read(snapshot(&dir)).unwrap();
    let workflow = open(&dir);
    let refund = action("payments/refund");
    workflow
        .claim(
            &id("approved-0"),
            Use::new(refund.clone(), person("x"), second(9)),
        )
        .unwrap();
    workflow.close().unwrap();
    let whole = lines(&dir);

    fs::write(snapshot(&dir), &older).unwrap();
    let workflow = open(&dir);
    assert_eq!(workflow.opening().replayed, 1);
    let answer = workflow.can_execute(&id("approved-0"), &refund, second(9));
    assert_eq!(answer, Permission::Denied(DenyReason::Claimed));
    workflow.close().unwrap();

    // A log that was cut off under its snapshot is what it is without.
    let copy = log_of(&dir, &whole[..whole.len() - 1]);
    fs::copy(snapshot(&dir), snapshot(&copy)).unwrap();
    let ignored = SnapshotUse::Ignored(SnapshotFault::OtherLog);
    assert_eq!(open(&copy).opening().snapshot, ignored);
}

#[test]
fn another_policy_shuts_what_a_snapshot_has_open() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    fill(&workflow, 0);
    workflow.close().unwrap();
    let refund = action("payments/refund");
    let ask =
        |workflow: &ApprovalWorkflow| workflow.can_execute(&id("approved-0"), &refund, second(9));
    let workflow = open(&dir);
    assert!(ask(&workflow).is_allowed());
    drop(workflow);
    let workflow = options().open(dir.path(), Policy::default()).unwrap();
    assert!(covers(&workflow) > 0);
    assert_eq!(
        ask(&workflow),
        Permission::Denied(DenyReason::PolicyChanged)
    );
    workflow.close().unwrap();
    assert!(ask(&open(&dir)).is_allowed());
}

#[test]
fn keys_and_tokens_go_on_after_a_snapshot() {
    let dir = tempdir().unwrap();
    let key = IdempotencyKey::new("k").unwrap();
    let workflow = open(&dir);
    let first = workflow
        .request(ask("reports/x").with_key(key.clone()))
        .unwrap();
    let first_id: &RequestId = &first.submission.id;
    let token = workflow
        .claim(
            first_id,
            Use::new(action("reports/x"), person("x"), second(1)),
        )
        .unwrap()
        .token;
    workflow.close().unwrap();

    let workflow = open(&dir);
    assert!(covers(&workflow) > 0);
    let again = workflow
        .request(ask("reports/x").with_key(key.clone()))
        .unwrap();
    assert_eq!(again.submission, first.submission);
    let other = workflow
        .request(ask("reports/y").with_key(key.clone()))
        .unwrap_err();
    assert!(matches!(other, Error::KeyConflict { id, .. } if id == *first_id));
    let second_id = workflow
        .request(ask("reports/x"))
        .unwrap()
        .submission
        .id
        .clone();
    assert_ne!(second_id, *first_id);
    let next = workflow
        .claim(
            &second_id,
            Use::new(action("reports/x"), person("x"), second(1)),
        )
        .unwrap();
    assert!(next.token > token);
}

#[test]
fn a_log_without_a_chain_has_no_snapshots() {
    let dir = tempdir().unwrap();
    let workflow = open_with(&dir, options().unchained());
    fill(&workflow, 0);
    assert!(!workflow.is_chained());
    assert!(workflow.checkpoint("example.com/a").is_err());
    workflow.close().unwrap();
    assert!(!snapshot(&dir).exists());
    let workflow = open(&dir);
    assert!(!workflow.is_chained(), "it goes on as it was begun");
    assert_eq!(workflow.opening().snapshot, SnapshotUse::None);
    let (text, _) = workflow.export_bundle(&id("settled-0")).unwrap().unwrap();
    let verified = approval_workflow::verify_bundle(&text, None).unwrap();
    assert!(verified.log_hashes.is_empty());
}

#[test]
fn a_bundle_ends_with_the_hash_of_the_logs_checkpoint() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    fill(&workflow, 0);
    let last = workflow.request(ask("payments/refund")).unwrap();
    let checkpoint = workflow.checkpoint("example.com/a").unwrap();
    let (text, _) = workflow
        .export_bundle(&last.submission.id)
        .unwrap()
        .unwrap();
    let verified = approval_workflow::verify_bundle(&text, None).unwrap();
    let hash = verified.log_hashes.last().unwrap();
    assert_eq!(*hash.as_bytes(), checkpoint.hash);

    let without: String = text.replace("\"chained\":true", "\"chained\":false");
    assert!(approval_workflow::verify_bundle(&without, None).is_err());
}

#[test]
fn times_beyond_all_calendars_are_answered_by_too() {
    let text =
        "[default]\nsensitivity = \"high\"\nexpiry = \"10000000d\"\nexecute_within = \"10000000d\"";
    let open = |dir: &TempDir| {
        options()
            .open(dir.path(), Policy::from_toml(text).unwrap())
            .unwrap()
    };
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    workflow
        .request(ask("payments/refund").with_id(id("far")))
        .unwrap();
    let refund = action("payments/refund");
    let ask = |workflow: &ApprovalWorkflow| workflow.can_execute(&id("far"), &refund, second(9));
    assert_eq!(ask(&workflow), Permission::Denied(DenyReason::Pending));
    workflow
        .decide(&id("far"), Decision::approve(person("bob"), second(1)))
        .unwrap();
    assert!(ask(&workflow).is_allowed());
    let other = action("payments/other");
    let changed = workflow.can_execute(&id("far"), &other, second(9));
    assert_eq!(changed, Permission::Denied(DenyReason::ActionChanged));
    workflow.close().unwrap();
    let workflow = open(&dir);
    assert!(covers(&workflow) > 0);
    assert!(ask(&workflow).is_allowed());
    workflow
        .claim(&id("far"), Use::new(refund.clone(), person("x"), second(9)))
        .unwrap();
    assert_eq!(ask(&workflow), Permission::Denied(DenyReason::Claimed));
}
