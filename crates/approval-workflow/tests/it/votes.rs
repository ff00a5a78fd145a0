use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Directory, Error, IdempotencyKey, Permission, Policy,
    Request, RequestId, State, Status, Use,
};
use tempfile::{TempDir, tempdir};

use crate::support::{action, ask, everything, lines, log_of, open, person, second, together};

const DIRECTORY: &str = r#"
    reviewers.alice.groups = ["finance"]
    reviewers.bob.groups = ["finance", "security"]
    reviewers.carol.groups = ["security"]
    reviewers.dan.groups = []
"#;

const POLICY: &str = r#"
    [[rules]]
    pattern = "payments/**"
    sensitivity = "critical"
    veto = ["security"]
    requires.all = [
        { at_least = { people = 1, of = "finance" } },
        { at_least = { people = 1, of = "security" } },
    ]
"#;

fn open_with(dir: &TempDir, directory: &str, policy: &str) -> Result<ApprovalWorkflow, Error> {
    let directory: Directory = toml::from_str(directory).unwrap();
    let policy: Policy = toml::from_str(policy).unwrap();
    crate::support::options()
        .directory(directory)
        .open(dir.path(), policy)
}

fn asked(workflow: &ApprovalWorkflow) -> RequestId {
    workflow
        .request(ask("payments/refund"))
        .unwrap()
        .submission
        .id
        .clone()
}

fn approve(workflow: &ApprovalWorkflow, id: &RequestId, name: &str) -> Result<Status, Error> {
    let request = workflow.decide(id, Decision::approve(person(name), second(1)))?;
    Ok(request.status(second(1)))
}

fn deny(workflow: &ApprovalWorkflow, id: &RequestId, name: &str) -> Result<Status, Error> {
    let request = workflow.decide(id, Decision::deny(person(name), second(1)))?;
    Ok(request.status(second(1)))
}

#[test]
fn a_request_waits_until_the_votes_meet_its_requirement() {
    let dir = tempdir().unwrap();
    let workflow = open_with(&dir, DIRECTORY, POLICY).unwrap();
    let id = asked(&workflow);
    assert_eq!(approve(&workflow, &id, "dan").unwrap(), Status::Pending);
    assert_eq!(
        approve(&workflow, &id, "bob").unwrap(),
        Status::Pending,
        "one vote, not two"
    );
    let permission = workflow.can_execute(&id, &action("payments/refund"), second(1));
    assert_eq!(permission, Permission::Denied(DenyReason::Pending));
    assert_eq!(approve(&workflow, &id, "alice").unwrap(), Status::Approved);
    let request = workflow.get(&id).unwrap().unwrap();
    assert_eq!(request.decision().unwrap().reviewer, person("alice"));
    assert_eq!(request.reviews.len(), 3);
    assert_eq!(workflow.statistics(second(1)).time_to_decision.count, 1);
    let before = everything(&workflow);
    workflow.close().unwrap();
    let workflow = open_with(&dir, DIRECTORY, POLICY).unwrap();
    assert_eq!(everything(&workflow), before);
}

#[test]
fn one_person_has_one_vote() {
    let dir = tempdir().unwrap();
    let workflow = open_with(&dir, DIRECTORY, POLICY).unwrap();
    let id = asked(&workflow);
    approve(&workflow, &id, "alice").unwrap();
    for again in [
        approve(&workflow, &id, "alice"),
        deny(&workflow, &id, "alice"),
    ] {
        assert!(
            matches!(again, Err(Error::AlreadyVoted { .. })),
            "{again:?}"
        );
    }
    assert_eq!(workflow.get(&id).unwrap().unwrap().reviews.len(), 1);
}

#[test]
fn only_those_with_a_veto_deny_alone() {
    let dir = tempdir().unwrap();
    let workflow = open_with(&dir, DIRECTORY, POLICY).unwrap();
    let id = asked(&workflow);
    assert_eq!(deny(&workflow, &id, "alice").unwrap(), Status::Pending);
    assert_eq!(deny(&workflow, &id, "carol").unwrap(), Status::Denied);
    let late = approve(&workflow, &id, "bob");
    assert!(
        matches!(late, Err(Error::AlreadySettled { .. })),
        "{late:?}"
    );
}

#[test]
fn a_requirement_that_nobody_can_meet_is_refused_at_the_opening() {
    let dir = tempdir().unwrap();
    let fault = |directory: &str| open_with(&dir, directory, POLICY).unwrap_err().to_string();
    let expected = "policy, rule 1 (\"payments/**\"): `requires` 1 of finance and 1 of security: \
                    the directory has no such people";
    assert_eq!(
        fault("reviewers.bob.groups = [\"finance\", \"security\"]"),
        expected
    );
    let policy: Policy = toml::from_str(POLICY).unwrap();
    let error = crate::support::options()
        .open(dir.path(), policy)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        expected,
        "without a directory nobody is in a group"
    );
}

#[test]
fn an_approval_ends_when_those_who_gave_it_no_longer_could() {
    let dir = tempdir().unwrap();
    let workflow = open_with(&dir, DIRECTORY, POLICY).unwrap();
    let id = asked(&workflow);
    approve(&workflow, &id, "alice").unwrap();
    approve(&workflow, &id, "carol").unwrap();
    let can = |workflow: &ApprovalWorkflow| {
        workflow.can_execute(&id, &action("payments/refund"), second(2))
    };
    assert!(can(&workflow).is_allowed());
    workflow.close().unwrap();
    for directory in [
        DIRECTORY.replace("reviewers.carol.groups = [\"security\"]", ""),
        DIRECTORY.replace(
            "reviewers.alice.groups = [\"finance\"]",
            "reviewers.alice.groups = []",
        ),
    ] {
        let directory = format!("{directory}\nreviewers.erin.groups = [\"finance\"]");
        let workflow = open_with(&dir, &directory, POLICY).unwrap();
        assert_eq!(
            can(&workflow),
            Permission::Denied(DenyReason::ReviewersChanged)
        );
        let claim = workflow.claim(
            &id,
            Use::new(action("payments/refund"), person("x"), second(2)),
        );
        assert!(
            matches!(
                claim,
                Err(Error::NotExecutable {
                    reason: DenyReason::ReviewersChanged,
                    ..
                })
            ),
            "{claim:?}"
        );
        workflow.close().unwrap();
    }
    assert!(can(&open_with(&dir, DIRECTORY, POLICY).unwrap()).is_allowed());
}

#[test]
fn only_the_requester_withdraws_and_only_what_is_undecided() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = asked(&workflow);
    let other = workflow.withdraw(&id, person("alice"), second(1));
    assert!(
        matches!(other, Err(Error::NotRequester { .. })),
        "{other:?}"
    );
    workflow
        .withdraw(&id, person("agent-7"), second(1))
        .unwrap();
    assert_eq!(
        workflow.status(&id, second(1)).unwrap(),
        Some(Status::Withdrawn)
    );
    let late = approve(&workflow, &id, "alice");
    assert!(
        matches!(
            late,
            Err(Error::AlreadySettled {
                status: Status::Withdrawn,
                first: None,
                ..
            })
        ),
        "{late:?}"
    );
    let again = workflow.withdraw(&id, person("agent-7"), second(1));
    assert!(
        matches!(again, Err(Error::AlreadySettled { .. })),
        "{again:?}"
    );
}

#[test]
fn a_request_is_replaced_and_a_crash_between_leaves_nothing_to_approve() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let old = asked(&workflow);
    let mut foreign = ask("payments/refund");
    foreign.requester = person("agent-8");
    let error = workflow
        .request(foreign.superseding(old.clone()))
        .unwrap_err();
    assert!(matches!(error, Error::NotRequester { .. }), "{error}");
    let error = workflow
        .request(
            ask("payments/refund")
                .with_id(old.clone())
                .superseding(old.clone()),
        )
        .unwrap_err();
    assert!(matches!(error, Error::RequestExists { .. }), "{error}");
    assert_eq!(
        workflow.requests().map(Result::unwrap).count(),
        1,
        "a refusal leaves no trace"
    );

    let new = workflow
        .request(ask("payments/refund").superseding(old.clone()))
        .unwrap();
    assert_eq!(
        workflow.get(&old).unwrap().unwrap().state,
        State::Superseded { at: second(0) }
    );
    assert_eq!(new.state, State::Pending);
    workflow.close().unwrap();
    // The log ends between the two events, which come after its identity.
    let whole = lines(&dir);
    let copy = log_of(&dir, &whole[..3]);
    let workflow = open(&copy);
    assert_eq!(
        workflow.status(&old, second(1)).unwrap(),
        Some(Status::Superseded)
    );
    assert_eq!(workflow.requests().map(Result::unwrap).count(), 1);
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

#[test]
fn a_repeated_call_happens_once_also_after_a_restart() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let asked = |workflow: &ApprovalWorkflow, at| -> Result<RequestId, Error> {
        let mut new = ask("payments/refund");
        new.at = second(at);
        let request: std::sync::Arc<Request> = workflow.request(new.with_key(key("a")))?;
        Ok(request.submission.id.clone())
    };
    let id = asked(&workflow, 0).unwrap();
    assert_eq!(asked(&workflow, 5).unwrap(), id, "a retry comes later");
    let vote = |workflow: &ApprovalWorkflow, reason: &str| {
        let yes = Decision::approve(person("alice"), second(6)).with_reason(reason);
        workflow.decide(&id, yes.with_key(key("b")))
    };
    let first = vote(&workflow, "so").unwrap();
    assert_eq!(vote(&workflow, "so").unwrap(), first);
    let claim = |workflow: &ApprovalWorkflow, claimant| {
        let action = action("payments/refund");
        workflow.claim(
            &id,
            Use::new(action.clone(), person(claimant), second(7)).with_key(key("c")),
        )
    };
    let held = claim(&workflow, "x").unwrap();
    assert_eq!(claim(&workflow, "x").unwrap(), held);
    assert_eq!(workflow.audit_log().unwrap().count(), 3);
    workflow.close().unwrap();

    let workflow = open(&dir);
    assert_eq!(asked(&workflow, 9).unwrap(), id);
    assert!(vote(&workflow, "so").is_ok());
    assert_eq!(claim(&workflow, "x").unwrap(), held);
    let mut other = ask("payments/refund");
    other.action = other.action.with_parameter("amount", 13);
    for conflict in [
        workflow.request(other.with_key(key("a"))).map(drop),
        workflow
            .request(
                ask("payments/refund")
                    .with_id(RequestId::new("x").unwrap())
                    .with_key(key("a")),
            )
            .map(drop),
        workflow
            .request(ask("payments/refund").with_key(key("b")))
            .map(drop),
        vote(&workflow, "other").map(drop),
        claim(&workflow, "y").map(drop),
    ] {
        assert!(
            matches!(conflict, Err(Error::KeyConflict { .. })),
            "{conflict:?}"
        );
    }
    assert_eq!(workflow.audit_log().unwrap().count(), 3);
}

#[test]
fn a_hundred_repetitions_at_once_make_one_request_and_one_claim() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let report = || ask("reports/daily");
    let ids = together(100, |_| {
        workflow.request(report().with_key(key("k"))).unwrap()
    });
    assert!(
        ids.iter()
            .all(|request| request.submission.id == ids[0].submission.id)
    );
    let id = &ids[0].submission.id;
    let action = action("reports/daily");
    let held = together(100, |_| {
        workflow
            .claim(
                id,
                Use::new(action.clone(), person("x"), second(1)).with_key(key("c")),
            )
            .unwrap()
    });
    assert!(held.iter().all(|claim| *claim == held[0]));
    assert_eq!(workflow.audit_log().unwrap().count(), 2);
    assert_eq!(workflow.audit_trail(id).unwrap().unwrap().len(), 2);
}
