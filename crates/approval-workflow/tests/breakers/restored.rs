//! A directory that was put back from an older copy.

use std::fs;
use std::path::Path;

use approval_workflow::{
    ApprovalWorkflow, DenyReason, Error, Event, FencingToken, Permission, Policy, SnapshotUse, Use,
};
use tempfile::{TempDir, tempdir};

use crate::support::{action, at, gate, person};

fn copy(from: &Path) -> TempDir {
    let to = tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

fn policy() -> Policy {
    Policy::from_toml("[[rules]]\npattern = \"**\"\nsensitivity = \"high\"").unwrap()
}

/// After a restore from yesterday's copy, an approval that was used today was good again, under the
/// token that had been given out before.
#[test]
fn a_restored_copy_neither_repeats_a_token_nor_revives_a_used_approval() {
    let gate = gate();
    let run = action("payments/pay");
    let id = gate.approved(&run);
    let older = copy(gate.path());
    let claim = Use::new(run.clone(), person("x"), at(2));
    let used = gate.workflow.claim(&id, claim.clone()).unwrap();

    let options = ApprovalWorkflow::options().secret_key([7; 32]);
    let restored = options
        .clone()
        .restored(person("operator"), at(3), Some(used.token));
    let workflow = restored.open(older.path(), policy()).unwrap();
    let check = |workflow: &ApprovalWorkflow| {
        let denied = Permission::Denied(DenyReason::Restored);
        assert_eq!(workflow.can_execute(&id, &run, at(4)), denied);
        let refused = workflow.claim(&id, claim.clone());
        let reason = |error: &Error| matches!(error, Error::NotExecutable { reason, .. } if *reason == DenyReason::Restored);
        assert!(refused.as_ref().is_err_and(reason), "{refused:?}");
    };
    check(&workflow);
    workflow.close().unwrap();

    // It stays so, from a snapshot and from the whole log; and what is approved anew can be used, also
    // where the caller's clock is behind.
    let workflow = options.clone().open(older.path(), policy()).unwrap();
    assert!(matches!(
        workflow.opening().snapshot,
        SnapshotUse::Used { .. }
    ));
    check(&workflow);
    let new = approval_workflow::NewRequest::new(run.clone(), person("agent"), at(0));
    let again = workflow.request(new).unwrap().submission.id.clone();
    let yes = approval_workflow::Decision::approve(person("alice"), at(1));
    workflow.decide(&again, yes).unwrap();
    let taken = workflow.claim(&again, claim.clone()).unwrap();
    assert!(taken.token > used.token);
    drop(workflow);
    let whole = options.without_snapshots();
    let workflow = whole.open(older.path(), policy()).unwrap();
    check(&workflow);
    let restores = workflow.audit_log().unwrap().filter(|entry| {
        let event = &entry.as_ref().unwrap().event;
        matches!(event, Event::Restored(restored) if restored.by == person("operator"))
    });
    assert_eq!(restores.count(), 1);
}

/// The copy itself does not know that it is one. Executors do, by the highest token that they have seen.
#[test]
fn an_executor_that_has_seen_a_later_token_gets_no_claim_from_an_older_copy() {
    let gate = gate();
    let run = action("payments/pay");
    let id = gate.approved(&run);
    let older = copy(gate.path());
    let claim = Use::new(run, person("x"), at(2));
    let used = gate.workflow.claim(&id, claim.clone()).unwrap();
    let copied = ApprovalWorkflow::open(older.path(), policy()).unwrap();
    let refused = copied.claim(&id, claim.clone().having_seen(used.token));
    assert!(
        matches!(
            refused,
            Err(Error::OlderThanSeen { seen, given })
                if seen == used.token && given == FencingToken(0)
        ),
        "{refused:?}"
    );
}
