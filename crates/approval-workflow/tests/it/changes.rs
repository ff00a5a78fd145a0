//! A reviewer asks for changes, which is no vote.

use approval_workflow::{Decision, Error, Event, Status};
use tempfile::tempdir;

use crate::support::{action, ask, everything, id, open, person, second};

#[test]
fn a_wish_for_changes_is_recorded_and_leaves_everything_else_as_it_was() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let first = id("first");
    let new = ask("payments/refund").with_id(first.clone());
    workflow.request(new).unwrap();
    for (by, reason) in [("agent-7", "more"), ("alice", " ")] {
        let refused = workflow.request_changes(&first, person(by), reason, second(1));
        let expected = matches!(
            refused,
            Err(Error::SelfReview { .. } | Error::ReasonMissing { .. })
        );
        assert!(expected, "{refused:?}");
    }
    let asked = workflow.request_changes(&first, person("alice"), "half of it", second(2));
    let asked = asked.unwrap();
    assert_eq!(asked.changes.as_ref().unwrap().reason, "half of it");
    assert!(asked.reviews.is_empty() && asked.status(second(2)) == Status::Pending);
    let trail = workflow.audit_trail(&first).unwrap().unwrap();
    assert!(
        matches!(&trail[1].event, Event::ChangesRequested(change) if change.by == person("alice"))
    );

    // The requester asks for something else instead; or the reviewer decides all the same.
    let other = ask("payments/refund")
        .with_id(id("other"))
        .superseding(first.clone());
    workflow.request(other).unwrap();
    let late = workflow.request_changes(&first, person("alice"), "again", second(3));
    assert!(
        matches!(late, Err(Error::AlreadySettled { .. })),
        "{late:?}"
    );
    workflow
        .request_changes(&id("other"), person("alice"), "less", second(3))
        .unwrap();
    let yes = Decision::approve(person("alice"), second(4)).with_reason("well then");
    workflow.decide(&id("other"), yes).unwrap();
    assert!(
        workflow
            .can_execute(&id("other"), &action("payments/refund"), second(5))
            .is_allowed()
    );
    let before = everything(&workflow);
    workflow.close().unwrap();
    assert_eq!(everything(&open(&dir)), before);
}
