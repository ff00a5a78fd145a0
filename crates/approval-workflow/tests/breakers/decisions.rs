//! A decision is what a person decided: not a time-out, not the requester, not a second thought.

use approval_workflow::{Decision, DenyReason, Error, Permission, Status, Vote};

use crate::support::{action, at, gate, gate_with, person};

/// <https://github.com/NousResearch/hermes-agent/issues/81048> and
/// <https://github.com/vivekchand/clawmetry/pull/4060>: nobody answered in time, and the record said
/// that the user had denied.
#[test]
fn silence_is_not_a_denial() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.ask(&run);
    let late = at(3600);
    assert_eq!(
        gate.workflow.status(&id, late).unwrap(),
        Some(Status::Expired)
    );
    assert_eq!(
        gate.workflow.can_execute(&id, &run, late),
        Permission::Denied(DenyReason::Expired)
    );
    gate.workflow.expire_due(late).unwrap();
    let statistics = gate.workflow.statistics(late);
    assert_eq!(
        (
            statistics.count(Status::Denied),
            statistics.count(Status::Expired)
        ),
        (0, 1)
    );
    assert!(
        statistics.by_reviewer.is_empty(),
        "nobody is named as having decided"
    );
}

/// <https://github.com/use-agent-os/agent-os/issues/1563>: a caller stopped waiting, and that settled
/// the request, so the person who was still reading could no longer decide.
#[test]
fn a_caller_that_stops_waiting_settles_nothing() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.ask(&run);
    for second in 1..60 {
        let answer = gate.workflow.can_execute(&id, &run, at(second));
        assert_eq!(answer, Permission::Denied(DenyReason::Pending));
    }
    let decided = gate
        .workflow
        .decide(&id, Decision::approve(person("alice"), at(61)))
        .unwrap();
    assert_eq!(decided.status(at(61)), Status::Approved);
}

/// <https://github.com/google/grr/issues/389>: the requester counted as an approver.
#[test]
fn the_requester_does_not_count() {
    let gate = gate_with(
        "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nrequires.at_least.people = 2",
    );
    let hunt = action("hunts/start");
    let id = gate.ask(&hunt);
    let own = gate
        .workflow
        .decide(&id, Decision::approve(person("agent"), at(1)));
    assert!(matches!(own, Err(Error::SelfReview { .. })), "{own:?}");
    gate.approve(&id);
    assert_eq!(gate.can(&id, &hunt), Err(DenyReason::Pending), "one of two");
}

/// <https://github.com/kviklet/kviklet/issues/162> asks that administrators approve their own requests;
/// here another spelling of one's own name is no way to do so either.
#[test]
fn another_spelling_is_not_another_person() {
    for spelling in ["Agent", "agent ", "\u{430}gent", "agent\u{200b}", "ａgent"] {
        assert!(
            approval_workflow::PersonId::new(spelling).is_err(),
            "{spelling:?}"
        );
    }
}

/// <https://github.com/gravitational/teleport/issues/36854>: thresholds could only be joined by *or*, so
/// that a peer and a manager could not both be demanded.
#[test]
fn a_peer_and_a_manager_can_both_be_demanded() {
    let policy = r#"
        [[rules]]
        pattern = "**"
        sensitivity = "high"
        requires.all = [
            { at_least = { people = 1, of = "peers" } },
            { at_least = { people = 1, of = "managers" } },
        ]
    "#;
    let directory = r#"
        reviewers.alice.groups = ["peers"]
        reviewers.bob.groups = ["peers"]
        reviewers.mary.groups = ["managers", "peers"]
    "#;
    let dir = tempfile::tempdir().unwrap();
    let workflow = approval_workflow::ApprovalWorkflow::options()
        .directory(toml::from_str(directory).unwrap())
        .open(
            dir.path(),
            approval_workflow::Policy::from_toml(policy).unwrap(),
        )
        .unwrap();
    let new = approval_workflow::NewRequest::new(action("db/admin"), person("agent"), at(0));
    let id = workflow.request(new).unwrap().submission.id.clone();
    let vote = |name| {
        let yes = Decision::approve(person(name), at(1));
        workflow.decide(&id, yes).unwrap().status(at(1))
    };
    assert_eq!(vote("alice"), Status::Pending);
    assert_eq!(vote("bob"), Status::Pending, "two peers are no manager");
    assert_eq!(vote("mary"), Status::Approved);
}

/// <https://github.com/gravitational/teleport/issues/5622>: a request that was approved, and used, could
/// be marked as denied.
#[test]
fn what_was_approved_is_not_denied_afterwards() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.approved(&run);
    assert_eq!(gate.claim(&id, &run), Ok(()));
    let no = gate
        .workflow
        .decide(&id, Decision::deny(person("bob"), at(3)));
    match no {
        Err(Error::AlreadySettled {
            status,
            first: Some(first),
            ..
        }) => {
            assert_eq!((status, first.verdict), (Status::Claimed, Vote::Approve));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(gate.workflow.statistics(at(3)).by_reviewer.len(), 1);
}

/// <https://github.com/trycompai/comp/pull/3366>: an approval and a denial at once left a request that
/// was denied and in force.
#[test]
fn an_approval_and_a_denial_at_once_leave_one_of_them() {
    let gate = gate();
    let run = action("documents/publish");
    for round in 0..10 {
        let id = gate.ask(&run);
        let decide = |decision| gate.workflow.decide(&id, decision).is_ok();
        let (yes, no) = std::thread::scope(|scope| {
            let other = std::thread::Builder::new()
                .name("approval-breaker:deny".into())
                .spawn_scoped(scope, || decide(Decision::deny(person("bob"), at(1))))
                .unwrap();
            let yes = decide(Decision::approve(person("alice"), at(1)));
            (yes, other.join().unwrap())
        });
        assert_ne!(yes, no, "round {round}");
        assert_eq!(gate.can(&id, &run).is_ok(), yes);
    }
}

/// <https://github.com/seangalliher/ProbOS/issues/1166>: the card showed a target and a rationale, and
/// not the arguments that would be used. Here whoever decides reads the very action that the approval
/// is bound to.
#[test]
fn the_reviewer_reads_what_will_run() {
    let gate = gate();
    let click = action("browser/click").with_parameter("selector", "#pay-now");
    let id = gate.ask(&click);
    let shown = gate.workflow.get(&id).unwrap().unwrap();
    assert_eq!(shown.submission.action, click);
    assert_eq!(
        shown.submission.action.digest().unwrap(),
        shown.submission.digest
    );
}
