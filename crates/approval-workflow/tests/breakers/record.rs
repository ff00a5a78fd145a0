//! What is recorded is what was decided, all of it, and no decision rests on what was not recorded.

use std::sync::Arc;
use std::time::Duration;

use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Error, IdempotencyKey, NewRequest, Policy, Receipt,
    ReceiptOutcome, RequestId, Status, Use, verify_bundle,
};

use crate::support::{Gate, action, at, gate, gate_with, person};

/// <https://github.com/Consiliency/pmcp/issues/202>: a policy that was found and did not pass its check
/// was dropped without a word, and everything allowed.
#[test]
fn a_policy_with_a_fault_is_no_empty_policy() {
    for text in [
        "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nmax_tools = -1",
        "[[rules]]\npattern = \"**\"\nsensitivity = \"hihg\"",
        "[[rules]]\npattern = \"**\"",
        "[[rules]\npattern = \"**\"",
        "\u{feff}\u{0}",
    ] {
        let error = Policy::from_toml(text).unwrap_err();
        assert!(error.to_string().starts_with("policy, line "), "{error}");
    }
    // And one that is empty lets nothing through.
    let gate = gate_with("");
    let run = action("system/run");
    assert_eq!(gate.can(&gate.ask(&run), &run), Err(DenyReason::Pending));
}

fn finished(gate: &Gate) -> RequestId {
    let run = action("system/run");
    let id = gate.approved(&run);
    let claim = gate
        .workflow
        .claim(&id, Use::new(run.clone(), person("x"), at(2)))
        .unwrap();
    gate.workflow
        .finish(Receipt {
            id: id.clone(),
            at: at(3),
            token: claim.token,
            outcome: ReceiptOutcome::Succeeded,
            observed: String::new(),
        })
        .unwrap();
    id
}

/// <https://github.com/sipyourdrink-ltd/bernstein/issues/5034>: the export left out what joined one
/// record to the one before, so that a receiver could not tell that one was missing.
#[test]
fn an_export_shows_that_a_record_is_missing() {
    let gate = gate();
    let id = finished(&gate);
    let (text, _) = gate.workflow.export_bundle(&id).unwrap().unwrap();
    assert!(verify_bundle(&text, None).is_ok());
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for gone in 0..lines.len() {
        let mut rest = lines.clone();
        rest.remove(gone);
        assert!(verify_bundle(&rest.concat(), None).is_err(), "line {gone}");
    }
}

/// <https://github.com/LegionIO/LegionIO/issues/149>: records could be deleted and the rest joined up
/// again, and the chain was found whole. Here the digest that was noted tells.
#[test]
fn a_shorter_history_that_holds_in_itself_is_not_the_one_that_was_noted() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.approved(&run);
    let (shorter, _) = gate.workflow.export_bundle(&id).unwrap().unwrap();
    assert_eq!(gate.claim(&id, &run), Ok(()));
    let (_, noted) = gate.workflow.export_bundle(&id).unwrap().unwrap();
    assert!(verify_bundle(&shorter, None).is_ok());
    assert!(verify_bundle(&shorter, Some(&noted)).is_err());
}

/// <https://github.com/objectstack-ai/objectstack/issues/4420>: after a restart a decision was stored
/// and shown as made, and nothing ever came of it, without an error.
#[test]
fn a_decision_after_a_restart_counts() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.ask(&run);
    let gate = gate.restart();
    assert_eq!(gate.can(&id, &run), Err(DenyReason::Pending));
    gate.approve(&id);
    assert_eq!(gate.claim(&id, &run), Ok(()));
}

/// <https://github.com/temporal-sa/money-transfer-demo/issues/8>: an approval that came before anybody
/// waited for it was lost.
#[test]
fn an_approval_before_anybody_waits_is_kept() {
    let gate = gate();
    let id = gate.approved(&action("money/transfer"));
    let found = gate.workflow.wait_for_decision(&id, Duration::ZERO);
    let status = found.unwrap().map(|request| request.status(at(2)));
    assert_eq!(status, Some(Status::Approved));
    let gate = gate.restart();
    let found = gate.workflow.wait_for_decision(&id, Duration::ZERO);
    assert!(found.unwrap().is_some());
}

/// <https://github.com/josipmusa/idempotency4j/issues/12>: a key that was used again with another body
/// was answered with what the first body had brought about.
#[test]
fn a_key_with_another_body_is_a_conflict() {
    let gate = gate();
    let key = IdempotencyKey::new("attempt-1").unwrap();
    let ask = |amount| {
        let pay = action("money/pay").with_parameter("amount", amount);
        let new = NewRequest::new(pay, person("agent"), at(0));
        gate.workflow.request(new.with_key(key.clone()))
    };
    let first = ask(10).unwrap();
    for refused in [
        ask(10_000).map(drop),
        gate.workflow
            .decide(
                &first.submission.id,
                Decision::approve(person("alice"), at(1)).with_key(key.clone()),
            )
            .map(drop),
    ] {
        assert!(
            matches!(refused, Err(Error::KeyConflict { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(gate.workflow.requests().map(Result::unwrap).count(), 1);
    assert_eq!(first.status(at(1)), Status::Pending);
}

/// <https://github.com/astrid-runtime/astrid/issues/134>: when the audit log could not be written, the
/// approval was used all the same.
#[test]
fn what_cannot_be_recorded_does_not_happen() {
    let disk = crate::disk::Disk::default();
    let policy = Policy::from_toml("[[rules]]\npattern = \"**\"\nsensitivity = \"high\"").unwrap();
    let open = |policy| {
        let backend = Arc::new(disk.clone());
        ApprovalWorkflow::options().open_on(backend, policy)
    };
    let workflow = open(policy.clone()).unwrap();
    let run = action("system/run");
    let ask = || workflow.request(NewRequest::new(run.clone(), person("agent"), at(0)));
    let yes = || Decision::approve(person("alice"), at(1));
    let ids = [ask(), ask()].map(|made| made.unwrap().submission.id.clone());
    workflow.decide(&ids[0], yes()).unwrap();

    disk.fail();
    let decided = workflow.decide(&ids[1], yes());
    assert!(matches!(decided, Err(Error::Log(_))), "{decided:?}");
    let claimed = workflow.claim(&ids[0], Use::new(run.clone(), person("x"), at(2)));
    assert!(matches!(claimed, Err(Error::Log(_))), "{claimed:?}");
    assert!(!workflow.can_execute(&ids[1], &run, at(2)).is_allowed());
    drop(workflow);

    disk.repair();
    let workflow = open(policy).unwrap();
    assert!(!workflow.can_execute(&ids[1], &run, at(2)).is_allowed());
}

/// <https://github.com/kovyrin/agent-secret/issues/66>: what the approver was shown could be reordered,
/// hidden or split by characters that are not seen.
#[test]
fn what_cannot_be_seen_is_not_shown_to_a_reviewer() {
    let gate = gate();
    for hidden in [
        "rm \u{202e}/pmt fr- mr", // shown from the right
        "rm -rf /tmp\u{200b}/x",  // a space of no width
        "echo ok\u{2028}rm -rf /",
        "echo ok\u{1b}[2K",
        "a\u{2066}b\u{2069}c",
    ] {
        let mut named = NewRequest::new(action("shell/run"), person("agent"), at(0));
        named.action.name = hidden.to_owned();
        let mut described = NewRequest::new(action("shell/run"), person("agent"), at(0));
        described.action.description = hidden.to_owned();
        for new in [named, described] {
            let error = gate.workflow.request(new).unwrap_err().to_string();
            assert!(error.is_ascii() && !error.contains('\u{1b}'), "{error}");
        }
    }
    assert_eq!(gate.workflow.requests().map(Result::unwrap).count(), 0);
}

/// <https://github.com/pikkujs/pikku/issues/1742>: a worker that was believed dead came back and wrote
/// its result over that of the one that had taken its place.
#[test]
fn a_report_needs_the_token_of_its_own_claim() {
    let gate = gate_with("[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nuses = 2");
    let run = action("jobs/run");
    let id = gate.approved(&run);
    let claim = || {
        gate.workflow
            .claim(&id, Use::new(run.clone(), person("worker"), at(2)))
            .unwrap()
    };
    let (stale, live) = (claim(), claim());
    assert!(
        stale.token < live.token,
        "what is acted on can tell them apart"
    );
    let report = |token, outcome| {
        let observed = String::new();
        let id = id.clone();
        let receipt = Receipt {
            id,
            at: at(3),
            token,
            outcome,
            observed,
        };
        gate.workflow.finish(receipt)
    };
    report(live.token, ReceiptOutcome::Succeeded).unwrap();
    // The one that wakes up late reports for itself, once, and over nobody.
    report(stale.token, ReceiptOutcome::Failed).unwrap();
    let again = report(live.token, ReceiptOutcome::Failed);
    assert!(
        matches!(again, Err(Error::AlreadyFinished { .. })),
        "{again:?}"
    );
    let unknown = report(
        approval_workflow::FencingToken(99),
        ReceiptOutcome::Succeeded,
    );
    assert!(
        matches!(unknown, Err(Error::WrongToken { .. })),
        "{unknown:?}"
    );
    let request = gate.workflow.get(&id).unwrap().unwrap();
    let outcomes: Vec<_> = request
        .uses()
        .map(|(_, report)| report.unwrap().outcome)
        .collect();
    assert_eq!(
        outcomes,
        [ReceiptOutcome::Failed, ReceiptOutcome::Succeeded]
    );
}
