//! Whoever approves is somebody who may, once, and in time.

use approval_workflow::{
    Decision, DenyReason, EmergencyApproval, Error, OneTimeCode, Page, Permission, Status, Use,
};

use crate::support::{action, at, gate, gate_of, gate_with, person};

const TWO_OF_OPS: &str = r#"
    [[rules]]
    pattern = "**"
    sensitivity = "high"
    expiry = "1h"
    execute_within = "1h"
    requires.at_least = { people = 2, of = "ops" }
"#;

/// <https://github.com/superplanehq/superplane/issues/1785>: where two approvals of anybody were
/// demanded, one person could give both.
#[test]
fn one_person_does_not_fill_two_places() {
    let gate = gate_with(
        "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nrequires.at_least.people = 2",
    );
    let deploy = action("deploy/web");
    let id = gate.ask(&deploy);
    gate.approve(&id);
    let again = gate
        .workflow
        .decide(&id, Decision::approve(person("alice"), at(2)));
    assert!(
        matches!(again, Err(Error::AlreadyVoted { .. })),
        "{again:?}"
    );
    assert_eq!(gate.can(&id, &deploy), Err(DenyReason::Pending));
    assert_eq!(gate.workflow.get(&id).unwrap().unwrap().reviews.len(), 1);
}

/// <https://github.com/wso2/product-is/issues/25308>: somebody who was taken off the list of approvers
/// could still decide what had been asked before.
#[test]
fn who_is_no_approver_any_more_neither_decides_nor_counts() {
    let before = "reviewers.alice.groups = [\"ops\"]\nreviewers.bob.groups = [\"ops\"]\n\
                  reviewers.carol.groups = [\"ops\"]";
    let after = "reviewers.alice.groups = [\"ops\"]\nreviewers.carol.groups = [\"ops\"]";
    let gate = gate_of(TWO_OF_OPS, Some(before));
    let deploy = action("deploy/web");
    let (open, approved) = (gate.ask(&deploy), gate.approved(&deploy));
    let yes = |name| Decision::approve(person(name), at(1));
    gate.workflow.decide(&approved, yes("bob")).unwrap();
    assert_eq!(gate.can(&approved, &deploy), Ok(()));

    let policy = gate.workflow.rulebook().policy().clone();
    let gate = gate.restart_as(policy, Some(after));
    let refused = gate.workflow.decide(&open, yes("bob"));
    assert!(
        matches!(refused, Err(Error::UnknownReviewer { .. })),
        "{refused:?}"
    );
    // What bob approved rests on one person now.
    let reason = Err(DenyReason::ReviewersChanged);
    assert_eq!(gate.can(&approved, &deploy), reason);
    assert_eq!(gate.claim(&approved, &deploy), reason);
}

/// <https://github.com/61131/nginx-http-auth-totp/issues/4>: a one-time code was good for as often as
/// it was sent within its time.
#[test]
fn a_one_time_code_is_good_one_time() {
    let policy = "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\n\
                  requires_second_factor = true";
    // The secret of RFC 6238, appendix B, and its code at this second.
    let directory = "reviewers.alice.totp_secret = \"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\"";
    let gate = gate_of(policy, Some(directory));
    let now = approval_workflow::Timestamp::from_micros(1_234_567_890_000_000);
    let ask = |path| {
        let new = approval_workflow::NewRequest::new(action(path), person("agent"), now);
        gate.workflow.request(new).unwrap().submission.id.clone()
    };
    let (first, second) = (ask("a"), ask("b"));
    let with_code =
        || Decision::approve(person("alice"), now).with_second_factor(OneTimeCode::new("005924"));
    gate.workflow.decide(&first, with_code()).unwrap();
    let replayed = gate.workflow.decide(&second, with_code());
    assert!(
        matches!(replayed, Err(Error::SecondFactorReplayed { .. })),
        "{replayed:?}"
    );
    assert_eq!(
        gate.workflow.status(&second, now).unwrap(),
        Some(Status::Pending)
    );
}

/// <https://github.com/elizaOS/eliza/issues/11092>: what was to mark requests as expired had no caller,
/// so that an expired request could be approved and run at any time after.
#[test]
fn expiry_needs_nobody_who_sweeps() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.ask(&run);
    let late = gate
        .workflow
        .decide(&id, Decision::approve(person("alice"), at(3600)));
    assert!(matches!(late, Err(Error::Expired { .. })), "{late:?}");
    // An approval that was given in time is over in its time as well.
    let id = gate.approved(&run);
    let answer = gate.workflow.can_execute(&id, &run, at(3601));
    assert_eq!(answer, Permission::Denied(DenyReason::Lapsed));
    let claim = gate
        .workflow
        .claim(&id, Use::new(run.clone(), person("x"), at(3601)));
    assert!(matches!(
        claim,
        Err(Error::NotExecutable {
            reason: DenyReason::Lapsed,
            ..
        })
    ));
}

/// <https://github.com/coproduct-opensource/nucleus/issues/507>: emergency access took no reason and left
/// nothing that told it from any other.
#[test]
fn an_emergency_has_a_reason_and_owes_a_review() {
    let policy = "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nbreak_glass = [\"ops\"]";
    let directory = "reviewers.alice.groups = [\"ops\"]\nreviewers.bob.groups = []";
    let gate = gate_of(policy, Some(directory));
    let restart = action("db/restart");
    let id = gate.ask(&restart);
    let breaks = |name, reason| {
        let by = person(name);
        gate.workflow
            .break_glass(&id, EmergencyApproval::new(by, reason, at(1)))
    };
    for reason in ["", " ", "\t"] {
        assert!(breaks("alice", reason).is_err(), "{reason:?}");
    }
    let stranger = breaks("bob", "it burns");
    assert!(
        matches!(stranger, Err(Error::GlassNotAllowed { .. })),
        "{stranger:?}"
    );
    assert_eq!(gate.can(&id, &restart), Err(DenyReason::Pending));
    let request = breaks("alice", "it burns").unwrap();
    assert!(request.owes_review());
    assert_eq!(request.decision(), None, "it passes for no review");
    let open = gate.workflow.open_reviews(Page::first(10));
    assert_eq!(open.requests.len(), 1);
}

/// <https://github.com/aws-samples/iam-identity-center-team/issues/398>: a requester who gave an approval
/// back was shown "revoked", while it went on to be in force.
#[test]
fn what_is_shown_as_revoked_is_revoked() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.approved(&run);
    let shown = gate
        .workflow
        .revoke(&id, person("agent"), "not needed", at(2))
        .unwrap();
    assert_eq!(shown.status(at(2)), Status::Revoked);
    assert_eq!(
        gate.workflow.status(&id, at(2)).unwrap(),
        Some(Status::Revoked)
    );
    assert_eq!(gate.can(&id, &run), Err(DenyReason::Revoked));
}

/// <https://github.com/gravitational/teleport/issues/10018>: privileges outlived the request that they
/// rested on, when that was denied or deleted after its approval.
#[test]
fn a_use_that_has_not_begun_ends_with_its_approval() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.approved(&run);
    assert_eq!(gate.can(&id, &run), Ok(()), "asked while it was in force");
    gate.workflow
        .revoke(&id, person("bob"), "wrong host", at(2))
        .unwrap();
    // Whoever asked before finds out at the use.
    assert_eq!(gate.claim(&id, &run), Err(DenyReason::Revoked));
    let gate = gate.restart();
    assert_eq!(gate.claim(&id, &run), Err(DenyReason::Revoked));
}
