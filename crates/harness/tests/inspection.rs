//! What `verify` finds in a directory.

use std::fs;

use action::{Action, ActionPath};
use approval_workflow::{ApprovalWorkflow, NewRequest, PersonId, Policy, SNAPSHOT_FILE, Timestamp};
use harness::inspect;

/// `verify` said "holds" of a directory with a forged snapshot of approvals in it.
#[test]
fn a_snapshot_of_approvals_that_says_something_else_than_the_log_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let options = ApprovalWorkflow::options().secret_key([7; 32]);
    let workflow = options.open(dir.path(), Policy::default()).unwrap();
    let run = Action::new(ActionPath::new("db/drop").unwrap(), "Drop");
    let agent = PersonId::new("agent").unwrap();
    let new = NewRequest::new(run, agent, Timestamp::from_micros(1));
    workflow.request(new).unwrap();
    workflow.close().unwrap();
    let found = inspect(dir.path()).unwrap();
    assert!(found.holds(), "{found:?}");
    assert_eq!(found.approval_snapshots.len(), 1);

    let path = dir.path().join(SNAPSHOT_FILE);
    let mut bytes = fs::read(&path).unwrap();
    let field = b"\"claims\":0";
    let at = bytes
        .windows(field.len())
        .position(|part| part == field)
        .unwrap();
    bytes[at + field.len() - 1] = b'9';
    fs::write(&path, &bytes).unwrap();
    let found = inspect(dir.path()).unwrap();
    assert!(!found.holds());
    let difference = found.approval_snapshots[0].difference.as_deref();
    assert_eq!(difference, Some("the tokens of claims"));
}
