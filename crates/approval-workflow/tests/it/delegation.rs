use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Directory, Error, NewRequest, Permission, Policy,
    RequestId, Status,
};
use tempfile::{TempDir, tempdir};

use crate::support::{action, everything, person, second};

const POLICY: &str = r#"
    [[rules]]
    pattern = "**"
    sensitivity = "high"
    requires.at_least = { people = 2, of = "finance" }
"#;

/// alice → dan → erin about payments, until second 100; agent-7 → bob about everything.
fn directory(payments_until: i64) -> Directory {
    let until = second(payments_until).as_micros();
    let always = second(1_000_000).as_micros();
    toml::from_str(&format!(
        r#"
        reviewers.alice.groups = ["finance"]
        reviewers.bob.groups = ["finance"]
        reviewers.carol.groups = ["finance"]
        reviewers.dan = {{}}
        reviewers.erin = {{}}
        delegations = [
            {{ from = "alice", to = "dan", scope = "payments/**", until = {until} }},
            {{ from = "dan", to = "erin", scope = "**", until = {until} }},
            {{ from = "agent-7", to = "bob", scope = "**", until = {always} }},
        ]
    "#
    ))
    .unwrap()
}

fn open(dir: &TempDir, directory: Directory) -> ApprovalWorkflow {
    let policy = Policy::from_toml(POLICY).unwrap();
    let options = crate::support::options().directory(directory);
    options.open(dir.path(), policy).unwrap()
}

fn ask(workflow: &ApprovalWorkflow, path: &str, requester: &str) -> RequestId {
    let new = NewRequest::new(action(path), person(requester), second(0));
    workflow.request(new).unwrap().submission.id.clone()
}

fn yes(name: &str, at: i64) -> Decision {
    Decision::approve(person(name), second(at))
}

#[test]
fn a_vote_in_somebodys_place_is_that_persons_vote_and_only_one() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir, directory(100));
    let id = ask(&workflow, "payments/refund", "agent-8");
    // dan alone has no place to fill; in alice's he has hers, and so has erin, whom dan lets decide.
    let request = workflow.decide(&id, yes("erin", 1).on_behalf_of(person("alice")));
    let review = request.unwrap().reviews[0].clone();
    assert_eq!(review.on_behalf_of, Some(person("alice")));
    for again in [
        workflow.decide(&id, yes("alice", 2)),
        workflow.decide(&id, yes("dan", 2).on_behalf_of(person("alice"))),
        workflow.decide(&id, yes("erin", 2)),
    ] {
        let error = again.unwrap_err();
        assert!(matches!(error, Error::AlreadyVoted { .. }), "{error}");
    }
    workflow.decide(&id, yes("carol", 3)).unwrap();
    assert_eq!(
        workflow.status(&id, second(3)).unwrap(),
        Some(Status::Approved)
    );

    let before = everything(&workflow);
    workflow.close().unwrap();
    assert_eq!(everything(&open(&dir, directory(100))), before);
}

#[test]
fn a_delegation_ends_and_has_a_scope_and_a_direction() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir, directory(100));
    let payment = ask(&workflow, "payments/refund", "agent-8");
    let key = ask(&workflow, "keys/rotate", "agent-8");
    for (principal, id, decision) in [
        ("alice", &payment, yes("dan", 100)),
        ("alice", &key, yes("dan", 1)),
        ("alice", &key, yes("erin", 1)),
        ("dan", &payment, yes("alice", 1)),
        ("carol", &payment, yes("dan", 1)),
    ] {
        let error = workflow.decide(id, decision.on_behalf_of(person(principal)));
        let error = error.unwrap_err();
        assert!(matches!(error, Error::NotDelegate { .. }), "{error}");
    }
}

#[test]
fn whoever_stands_in_for_the_requester_never_counts() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir, directory(100));
    let id = ask(&workflow, "payments/refund", "agent-7");
    let error = workflow.decide(&id, yes("bob", 1)).unwrap_err();
    assert!(
        matches!(error, Error::DelegateOfRequester { .. }),
        "{error}"
    );
    let hers = ask(&workflow, "payments/refund", "alice");
    for (principal, by) in [("alice", "dan"), ("dan", "erin")] {
        let error = workflow.decide(&hers, yes(by, 1).on_behalf_of(person(principal)));
        let error = error.unwrap_err();
        assert!(
            matches!(error, Error::DelegateOfRequester { .. }),
            "{error}"
        );
    }
    // And not after the fact either: a delegation that was entered later counts against the vote.
    let late = ask(&workflow, "payments/refund", "agent-8");
    workflow.decide(&late, yes("bob", 1)).unwrap();
    workflow.decide(&late, yes("carol", 1)).unwrap();
    let can = |workflow: &ApprovalWorkflow| {
        workflow.can_execute(&late, &action("payments/refund"), second(2))
    };
    assert!(can(&workflow).is_allowed());
    workflow.close().unwrap();
    let mut directory = directory(100);
    directory.delegations[2].from = person("agent-8");
    let workflow = open(&dir, directory);
    assert_eq!(
        can(&workflow),
        Permission::Denied(DenyReason::ReviewersChanged)
    );
}

#[test]
fn a_circle_of_delegations_is_refused() {
    let mut directory = directory(100);
    directory.delegations[2].from = person("erin");
    directory.delegations[2].to = person("alice");
    let dir = tempdir().unwrap();
    let policy = Policy::from_toml(POLICY).unwrap();
    let options = crate::support::options().directory(directory);
    let error = options.open(dir.path(), policy).unwrap_err();
    assert!(matches!(error, Error::DelegationCycle { .. }), "{error}");
}

#[test]
fn an_escalation_raises_the_level_and_changes_nothing_else() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir, directory(100));
    let id = ask(&workflow, "payments/refund", "agent-8");
    let before = workflow.get(&id).unwrap().unwrap();
    let blank = workflow.escalate(&id, person("alice"), " ", second(1));
    assert!(matches!(blank, Err(Error::ReasonMissing { .. })));
    let stranger = workflow.escalate(&id, person("mallory"), "now", second(1));
    assert!(matches!(stranger, Err(Error::UnknownReviewer { .. })));
    for level in 1..=3 {
        let by = person(if level == 1 { "agent-8" } else { "alice" });
        let request = workflow
            .escalate(&id, by, "it burns", second(level))
            .unwrap();
        assert_eq!(i64::from(request.level), level);
        assert_eq!(request.state, before.state);
        assert_eq!(request.submission, before.submission);
    }
    workflow.decide(&id, yes("bob", 9)).unwrap();
    workflow.decide(&id, yes("carol", 9)).unwrap();
    let late = workflow.escalate(&id, person("alice"), "now", second(9));
    assert!(matches!(late, Err(Error::AlreadySettled { .. })));
}
