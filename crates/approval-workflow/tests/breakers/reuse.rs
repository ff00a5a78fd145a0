//! An approval is used once.

use std::sync::Barrier;
use std::thread;

use approval_workflow::{DenyReason, IdempotencyKey, NewRequest, Receipt, ReceiptOutcome, Use};

use crate::support::{Gate, action, at, gate, person};

/// How many of so many threads, started together, succeed.
fn winners(threads: usize, run: impl Fn() -> bool + Sync) -> usize {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let start = || {
            barrier.wait();
            run()
        };
        let handles: Vec<_> = (0..threads)
            .map(|number| {
                let name = format!("approval-breaker:{number}");
                thread::Builder::new()
                    .name(name)
                    .spawn_scoped(scope, start)
                    .unwrap()
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| usize::from(handle.join().unwrap()))
            .sum()
    })
}

fn claims(gate: &Gate, threads: usize) -> usize {
    let refund = action("payments/refund");
    let id = gate.approved(&refund);
    winners(threads, || gate.claim(&id, &refund).is_ok())
}

/// <https://github.com/openclaw/openclaw/pull/24826>: an *allow once* could be used again with the same
/// run id for as long as the resolved entry was kept.
#[test]
fn allowed_once_is_not_allowed_again() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.approved(&run);
    assert_eq!(gate.claim(&id, &run), Ok(()));
    assert_eq!(gate.claim(&id, &run), Err(DenyReason::Claimed));
    assert_eq!(gate.can(&id, &run), Err(DenyReason::Claimed));
}

/// <https://github.com/brunovicco/agentic-security-framework-lab/issues/145>: evidence of an approval
/// was looked up rather than used up, and authorised identical executions without end.
#[test]
fn a_used_approval_stays_used_after_a_restart() {
    let gate = gate();
    let run = action("system/run");
    let id = gate.approved(&run);
    assert_eq!(gate.claim(&id, &run), Ok(()));
    let gate = gate.restart().restart();
    assert_eq!(gate.claim(&id, &run), Err(DenyReason::Claimed));
}

/// <https://github.com/nesquena/hermes-webui/pull/6036>: *approve once* was stored like an approval of
/// the session, and the next matching call was not asked about.
#[test]
fn the_next_call_of_the_same_kind_is_asked_about_again() {
    let gate = gate();
    let run = action("system/run");
    let first = gate.approved(&run);
    assert_eq!(gate.claim(&first, &run), Ok(()));
    let second = gate.ask(&run);
    assert_eq!(gate.can(&second, &run), Err(DenyReason::Pending));
}

/// <https://github.com/nitin27may/e-commerce-agents/issues/28>: the action ran before the row was
/// claimed, so two reviewers at once refunded twice.
#[test]
fn of_many_executors_one_gets_the_approval() {
    assert_eq!(claims(&gate(), 16), 1);
}

/// <https://github.com/homeassistant-ai/ha-mcp/pull/2399>: everyone who waited for one decision was
/// woken by it and executed: one click, as many executions as there were waiters.
#[test]
fn one_decision_that_wakes_many_waiters_is_used_by_one() {
    let gate = gate();
    let press = action("buttons/press");
    let id = gate.ask(&press);
    let decided = Barrier::new(9);
    let used = thread::scope(|scope| {
        let wait = || {
            decided.wait();
            gate.claim(&id, &press).is_ok()
        };
        let handles: Vec<_> = (0..8)
            .map(|number| {
                let name = format!("approval-breaker:{number}");
                thread::Builder::new()
                    .name(name)
                    .spawn_scoped(scope, wait)
                    .unwrap()
            })
            .collect();
        gate.approve(&id);
        decided.wait();
        handles
            .into_iter()
            .map(|handle| usize::from(handle.join().unwrap()))
            .sum::<usize>()
    });
    assert_eq!(used, 1);
}

/// <https://github.com/Growth-Circle/cadis/issues/852>: two responses to one approval, over two
/// channels, both executed it.
#[test]
fn two_channels_that_approve_at_once_make_one_use() {
    let gate = gate();
    let run = action("shell/run");
    let id = gate.ask(&run);
    let used = winners(8, || {
        let yes = approval_workflow::Decision::approve(person("alice"), at(1));
        let _ = gate.workflow.decide(&id, yes);
        gate.claim(&id, &run).is_ok()
    });
    assert_eq!(used, 1);
    assert_eq!(gate.workflow.get(&id).unwrap().unwrap().reviews.len(), 1);
}

/// <https://github.com/TheGaySupreme123/yoetz/issues/344>: two claims at once could use the request up
/// with neither of them winning.
#[test]
fn a_race_of_claims_has_a_winner() {
    let gate = gate();
    for _ in 0..20 {
        assert_eq!(claims(&gate, 2), 1);
    }
}

/// <https://github.com/webrenew/memories/issues/377>: two approvals of one item at once inserted it twice.
/// A retry is the same, only later.
#[test]
fn a_retried_call_does_not_act_twice() {
    let gate = gate();
    let key = IdempotencyKey::new("attempt-1").unwrap();
    let ask = || {
        let new = NewRequest::new(action("memory/insert"), person("agent"), at(0));
        gate.workflow
            .request(new.with_key(key.clone()))
            .unwrap()
            .submission
            .id
            .clone()
    };
    assert_eq!(ask(), ask());
    assert_eq!(gate.workflow.requests().map(Result::unwrap).count(), 1);
}

/// <https://github.com/OWASP/AISVS/issues/272>: single use, bounded in time and bound to parameters are
/// one demand; here with an executor that failed and tries again on the old approval.
#[test]
fn a_failed_execution_does_not_give_the_approval_back() {
    let gate = gate();
    let run = action("payments/refund");
    let id = gate.approved(&run);
    let claim = gate
        .workflow
        .claim(&id, Use::new(run.clone(), person("executor"), at(2)))
        .unwrap();
    let observed = "connection reset".to_owned();
    let outcome = ReceiptOutcome::Failed;
    let receipt = Receipt {
        id: id.clone(),
        at: at(3),
        token: claim.token,
        outcome,
        observed,
    };
    gate.workflow.finish(receipt).unwrap();
    assert_eq!(gate.claim(&id, &run), Err(DenyReason::Claimed));
}
