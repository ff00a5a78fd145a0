use std::collections::BTreeSet;

use approval_workflow::{
    ApprovalWorkflow, Claim, Decision, DenyReason, Error, FencingToken, Permission, Policy,
    Receipt, ReceiptOutcome, RequestId, Status, Use,
};
use tempfile::tempdir;

use crate::support::{
    POLICY, action, ask, everything, id, lines, log_of, open, person, second, together,
};

fn approved(workflow: &ApprovalWorkflow) -> RequestId {
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = request.submission.id.clone();
    let yes = Decision::approve(person("alice"), second(1)).with_reason("checked");
    workflow.decide(&id, yes).unwrap();
    id
}

fn claim(workflow: &ApprovalWorkflow, id: &RequestId) -> Result<Claim, DenyReason> {
    match workflow.claim(
        id,
        Use::new(action("payments/refund"), person("executor"), second(2)),
    ) {
        Ok(claim) => Ok(claim),
        Err(Error::NotExecutable { reason, .. }) => Err(reason),
        Err(other) => panic!("{other}"),
    }
}

fn receipt(claim: &Claim, outcome: ReceiptOutcome) -> Receipt {
    Receipt {
        id: claim.id.clone(),
        at: second(3),
        token: claim.token,
        outcome,
        observed: "200 OK".into(),
    }
}

#[test]
fn an_approval_is_used_once_and_its_use_reported_once() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = approved(&workflow);
    let can = || workflow.can_execute(&id, &action("payments/refund"), second(2));
    assert!(can().is_allowed());
    let held = claim(&workflow, &id).unwrap();
    assert_eq!(can(), Permission::Denied(DenyReason::Claimed));
    assert_eq!(claim(&workflow, &id), Err(DenyReason::Claimed));
    assert_eq!(
        workflow.status(&id, second(2)).unwrap(),
        Some(Status::Claimed)
    );

    let wrong = Receipt {
        token: FencingToken(99),
        ..receipt(&held, ReceiptOutcome::Succeeded)
    };
    let error = workflow.finish(wrong).unwrap_err();
    assert!(matches!(error, Error::WrongToken { .. }), "{error}");
    workflow
        .finish(receipt(&held, ReceiptOutcome::Indeterminate))
        .unwrap();
    let error = workflow
        .finish(receipt(&held, ReceiptOutcome::Succeeded))
        .unwrap_err();
    assert!(
        matches!(&error, Error::AlreadyFinished { first, .. } if first.outcome == ReceiptOutcome::Indeterminate),
        "{error}"
    );
    assert_eq!(
        workflow.status(&id, second(9)).unwrap(),
        Some(Status::Indeterminate)
    );
    assert_eq!(
        claim(&workflow, &id),
        Err(DenyReason::Claimed),
        "not even after it failed"
    );
    let before = everything(&workflow);
    workflow.close().unwrap();
    assert_eq!(everything(&open(&dir)), before);
}

#[test]
fn a_claim_needs_what_can_execute_asks_for() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let pending = &request.submission.id;
    assert_eq!(claim(&workflow, pending), Err(DenyReason::Pending));
    let id = approved(&workflow);
    let more = action("payments/refund").with_parameter("amount", 1250.0);
    let error = workflow
        .claim(&id, Use::new(more.clone(), person("executor"), second(2)))
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotExecutable {
                reason: DenyReason::ActionChanged,
                ..
            }
        ),
        "{error}"
    );
    let late = workflow.claim(
        &id,
        Use::new(action("payments/refund"), person("executor"), second(3601)),
    );
    assert!(
        matches!(
            late,
            Err(Error::NotExecutable {
                reason: DenyReason::Lapsed,
                ..
            })
        ),
        "{late:?}"
    );
    let nobody = workflow.claim(
        &crate::support::id("r-99"),
        Use::new(more.clone(), person("executor"), second(2)),
    );
    assert!(
        matches!(nobody, Err(Error::UnknownRequest { .. })),
        "{nobody:?}"
    );
    assert!(claim(&workflow, &id).is_ok(), "no refusal used it up");
}

#[test]
fn an_approval_can_be_taken_back_until_it_is_used() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let (first, second_id) = (approved(&workflow), approved(&workflow));
    workflow
        .revoke(&first, person("bob"), "wrong customer", second(2))
        .unwrap();
    assert_eq!(claim(&workflow, &first), Err(DenyReason::Revoked));
    assert_eq!(
        workflow.status(&first, second(2)).unwrap(),
        Some(Status::Revoked)
    );
    claim(&workflow, &second_id).unwrap();
    let error = workflow
        .revoke(&second_id, person("bob"), "late", second(3))
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::AlreadySettled {
                status: Status::Claimed,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn an_approval_ends_when_the_policy_says_something_else_about_its_action() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = approved(&workflow);
    workflow.close().unwrap();
    let reopen = |text: String| {
        let policy: Policy = toml::from_str(&text).unwrap();
        crate::support::options().open(dir.path(), policy).unwrap()
    };
    // Stricter terms for this action.
    let workflow = reopen(POLICY.replace("sensitivity = \"high\"", "sensitivity = \"critical\""));
    let permission = workflow.can_execute(&id, &action("payments/refund"), second(2));
    assert_eq!(permission, Permission::Denied(DenyReason::PolicyChanged));
    assert_eq!(claim(&workflow, &id), Err(DenyReason::PolicyChanged));
    workflow.close().unwrap();
    // Another rule changed: it does not concern this action.
    let workflow = reopen(POLICY.replace("sensitivity = \"medium\"", "sensitivity = \"low\""));
    assert!(claim(&workflow, &id).is_ok());
}

#[test]
fn of_a_hundred_claims_one_wins_and_tokens_rise() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let ids: Vec<RequestId> = (0..3).map(|_| approved(&workflow)).collect();
    let results = together(100, |number| {
        // Threads meet the requests in different orders.
        let order = (0..3).map(|step| &ids[(number + step) % 3]);
        order
            .filter_map(|id| claim(&workflow, id).ok())
            .collect::<Vec<_>>()
    });
    let won: Vec<Claim> = results.into_iter().flatten().collect();
    let tokens: BTreeSet<FencingToken> = won.iter().map(|claim| claim.token).collect();
    let claimed: BTreeSet<&RequestId> = won.iter().map(|claim| &claim.id).collect();
    assert_eq!((won.len(), tokens.len(), claimed.len()), (3, 3, 3));
    workflow.close().unwrap();
    let workflow = open(&dir);
    for id in &ids {
        assert_eq!(claim(&workflow, id), Err(DenyReason::Claimed));
    }
    let next = approved(&workflow);
    assert!(claim(&workflow, &next).unwrap().token > *tokens.last().unwrap());
}

#[test]
fn claims_race_with_revocations_and_exactly_one_side_wins() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    for _ in 0..10 {
        let id = approved(&workflow);
        let results = together(8, |number| {
            if number % 2 == 0 {
                claim(&workflow, &id).is_ok()
            } else {
                workflow.revoke(&id, person("bob"), "no", second(2)).is_ok()
            }
        });
        assert_eq!(results.into_iter().filter(|won| *won).count(), 1);
    }
}

#[test]
fn killed_at_any_record_and_reopened_no_approval_is_used_twice() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let ids = [approved(&workflow), approved(&workflow)];
    let mut uses = Vec::new();
    for id in &ids {
        let held = claim(&workflow, id).unwrap();
        workflow
            .finish(receipt(&held, ReceiptOutcome::Succeeded))
            .unwrap();
        uses.push(held);
    }
    workflow.close().unwrap();

    let whole = lines(&dir);
    for kept in 0..=whole.len() {
        let copy = log_of(&dir, &whole[..kept]);
        let workflow = open(&copy);
        for held in &uses {
            let was_used = workflow
                .audit_trail(&held.id)
                .unwrap()
                .is_some_and(|trail| format!("{trail:?}").contains("Claimed"));
            let mut more = 0;
            for _ in 0..2 {
                let again = workflow.claim(
                    &held.id,
                    Use::new(action("payments/refund"), person("x"), second(5)),
                );
                more += usize::from(again.is_ok());
            }
            assert!(
                more + usize::from(was_used) <= 1,
                "{kept} records, {}",
                held.id
            );
        }
        // Once more, after what was just claimed.
        workflow.close().unwrap();
        let workflow = open(&copy);
        for held in &uses {
            let again = workflow.claim(
                &held.id,
                Use::new(action("payments/refund"), person("x"), second(5)),
            );
            assert!(again.is_err(), "{kept} records, {}", held.id);
        }
    }
}

#[test]
fn what_needs_nobody_is_used_once_too() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    workflow
        .request(ask("reports/daily").with_id(id("daily")))
        .unwrap();
    let run = || {
        workflow.claim(
            &id("daily"),
            Use::new(action("reports/daily"), person("x"), second(1)),
        )
    };
    assert!(run().is_ok());
    assert!(run().is_err());
}

fn batch(workflow: &ApprovalWorkflow) -> RequestId {
    let request = workflow.request(ask("batches/night")).unwrap();
    let id = request.submission.id.clone();
    workflow
        .decide(&id, Decision::approve(person("alice"), second(1)))
        .unwrap();
    id
}

fn run(workflow: &ApprovalWorkflow, id: &RequestId) -> Result<Claim, Error> {
    workflow.claim(
        id,
        Use::new(action("batches/night"), person("x"), second(2)),
    )
}

#[test]
fn an_approval_of_three_uses_is_used_three_times_each_under_its_own_token() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = batch(&workflow);
    let results = together(32, |_| run(&workflow, &id).ok());
    let won: Vec<Claim> = results.into_iter().flatten().collect();
    let tokens: BTreeSet<FencingToken> = won.iter().map(|claim| claim.token).collect();
    assert_eq!((won.len(), tokens.len()), (3, 3));
    assert_eq!(
        workflow.status(&id, second(2)).unwrap(),
        Some(Status::Claimed)
    );
    for (claim, outcome) in won.iter().zip([
        ReceiptOutcome::Succeeded,
        ReceiptOutcome::Indeterminate,
        ReceiptOutcome::Failed,
    ]) {
        assert_eq!(
            workflow.status(&id, second(3)).unwrap(),
            Some(Status::Claimed)
        );
        workflow.finish(receipt(claim, outcome)).unwrap();
        let again = workflow.finish(receipt(claim, outcome));
        assert!(matches!(again, Err(Error::AlreadyFinished { .. })));
    }
    let status = workflow.status(&id, second(4)).unwrap();
    assert_eq!(
        status,
        Some(Status::Indeterminate),
        "the worst of the three"
    );
    let before = everything(&workflow);
    workflow.close().unwrap();
    assert_eq!(everything(&open(&dir)), before);
}

#[test]
fn killed_at_any_record_and_reopened_three_uses_are_no_more_than_three() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = batch(&workflow);
    for _ in 0..3 {
        let held = run(&workflow, &id).unwrap();
        workflow
            .finish(receipt(&held, ReceiptOutcome::Succeeded))
            .unwrap();
    }
    workflow.close().unwrap();
    let whole = lines(&dir);
    // The identity of the log, the request and its approval are always there.
    for kept in 3..=whole.len() {
        let copy = log_of(&dir, &whole[..kept]);
        let mut used = whole[..kept]
            .iter()
            .filter(|line| line.contains("claimed"))
            .count();
        // Reopened after every use.
        for _ in 0..4 {
            let workflow = open(&copy);
            used += usize::from(run(&workflow, &id).is_ok());
            workflow.close().unwrap();
        }
        assert_eq!(used, 3, "{kept} records");
    }
}

#[test]
fn what_is_left_of_several_uses_can_be_taken_back_and_lapses() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let (revoked, lapsed) = (batch(&workflow), batch(&workflow));
    let held = [&revoked, &lapsed].map(|id| run(&workflow, id).unwrap());
    assert_eq!(workflow.get(&revoked).unwrap().unwrap().uses_left(), 2);
    workflow
        .revoke(&revoked, person("bob"), "enough", second(2))
        .unwrap();
    assert!(run(&workflow, &revoked).is_err());
    let late = second(2 * 86_400);
    assert_eq!(
        workflow.status(&lapsed, late).unwrap(),
        Some(Status::Lapsed)
    );
    for claim in &held {
        workflow
            .finish(receipt(claim, ReceiptOutcome::Failed))
            .unwrap();
    }
    assert_eq!(
        workflow.status(&revoked, late).unwrap(),
        Some(Status::Revoked)
    );
    assert_eq!(
        workflow.status(&lapsed, late).unwrap(),
        Some(Status::Lapsed)
    );
}

#[test]
fn a_repeated_claim_is_the_one_that_its_key_made_also_after_another() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let id = batch(&workflow);
    let keyed = |key: &str| {
        let key = approval_workflow::IdempotencyKey::new(key).unwrap();
        let action = action("batches/night");
        workflow.claim(
            &id,
            Use::new(action.clone(), person("x"), second(2)).with_key(key.clone()),
        )
    };
    let first = keyed("a").unwrap();
    let other = keyed("b").unwrap();
    assert_ne!(first.token, other.token);
    assert_eq!(keyed("a").unwrap(), first);
    assert_eq!(workflow.get(&id).unwrap().unwrap().uses_left(), 1);
}
