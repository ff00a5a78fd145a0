//! The state is the fold of the log: after any operations, closing and opening again changes
//! nothing, and what was kept as events came is what a count over everything finds.

use std::collections::BTreeMap;

use approval_workflow::{
    ApprovalWorkflow, Claim, Decision, Page, Receipt, ReceiptOutcome, RequestId, State, Status,
    Timestamp, Use, Vote,
};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::support::{ask, everything, lines, log_of, open, person, policy, second};

#[derive(Debug, Clone)]
enum Op {
    Request {
        id: Option<u8>,
        path: &'static str,
        requester: &'static str,
        test: bool,
    },
    Decide {
        id: u8,
        reviewer: &'static str,
        verdict: Vote,
        reason: bool,
    },
    Expire,
    Escalate {
        id: u8,
        by: &'static str,
    },
    Claim {
        id: u8,
    },
    Finish {
        id: u8,
        which: prop::sample::Index,
    },
    Revoke {
        id: u8,
        by: &'static str,
    },
    Withdraw {
        id: u8,
        by: &'static str,
    },
    Supersede {
        id: u8,
        by: &'static str,
    },
}

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

fn op() -> impl Strategy<Value = (Op, i64)> {
    let path = prop::sample::select(vec![
        "payments/x",
        "batches/x",
        "deploy/x",
        "reports/x",
        "other/x",
    ]);
    let person = || prop::sample::select(PEOPLE.to_vec());
    let verdict = prop::sample::select(vec![Vote::Approve, Vote::Deny]);
    let request = (prop::option::of(0..6_u8), path, person(), any::<bool>()).prop_map(
        |(id, path, requester, test)| Op::Request {
            id,
            path,
            requester,
            test,
        },
    );
    let decide =
        (0..6_u8, person(), verdict, any::<bool>()).prop_map(|(id, reviewer, verdict, reason)| {
            Op::Decide {
                id,
                reviewer,
                verdict,
                reason,
            }
        });
    let claim = (0..6_u8).prop_map(|id| Op::Claim { id });
    let finish =
        (0..6_u8, any::<prop::sample::Index>()).prop_map(|(id, which)| Op::Finish { id, which });
    let revoke = (0..6_u8, person()).prop_map(|(id, by)| Op::Revoke { id, by });
    let withdraw = (0..6_u8, person()).prop_map(|(id, by)| Op::Withdraw { id, by });
    let supersede = (0..6_u8, person()).prop_map(|(id, by)| Op::Supersede { id, by });
    let escalate = (0..6_u8, person()).prop_map(|(id, by)| Op::Escalate { id, by });
    // The clock mostly goes on by an hour or so, and sometimes jumps back.
    let step = prop_oneof![8 => 0..7200_i64, 1 => -7200..0_i64];
    (
        prop_oneof![8 => request, 8 => decide, 1 => Just(Op::Expire), 1 => escalate, 4 => claim, 2 => finish, 1 => revoke, 1 => withdraw, 1 => supersede],
        step,
    )
}

fn run(workflow: &ApprovalWorkflow, ops: &[(Op, i64)]) -> Timestamp {
    let mut clock: i64 = 100_000;
    for (op, step) in ops {
        clock += step;
        let at = second(clock.abs());
        let named = |id: &u8| RequestId::new(&format!("q-{id}")).unwrap();
        // Refusals are part of the game; what counts is that they leave no trace.
        match op {
            Op::Request {
                id,
                path,
                requester,
                test,
            } => {
                let mut new = ask(path);
                new.id = id.as_ref().map(named);
                new.requester = person(requester);
                new.at = at;
                let environment = if *test { "test" } else { "live" };
                let _ = workflow.request(new.with_context("environment", environment));
            }
            Op::Decide {
                id,
                reviewer,
                verdict,
                reason,
            } => {
                let mut decision = Decision::approve(person(reviewer), at);
                decision.verdict = *verdict;
                decision.reason = reason.then(|| "because".to_owned());
                let _ = workflow.decide(&named(id), decision);
            }
            Op::Escalate { id, by } => {
                drop(workflow.escalate(&named(id), person(by), "soon", at));
            }
            Op::Expire => drop(workflow.expire_due(at).unwrap()),
            Op::Claim { id } => {
                if let Some(request) = workflow.get(&named(id)).unwrap() {
                    let action = &request.submission.action;
                    let _ = workflow.claim(&named(id), Use::new(action.clone(), person("x"), at));
                }
            }
            Op::Finish { id, which } => {
                let request = workflow.get(&named(id)).unwrap();
                let claims: Vec<Claim> = request
                    .iter()
                    .flat_map(|request| request.uses().map(|(claim, _)| claim.clone()))
                    .collect();
                if !claims.is_empty() {
                    let claim = which.get(&claims).clone();
                    let _ = workflow.finish(Receipt {
                        id: claim.id,
                        at,
                        token: claim.token,
                        outcome: ReceiptOutcome::Succeeded,
                        observed: String::new(),
                    });
                }
            }
            Op::Revoke { id, by } => drop(workflow.revoke(&named(id), person(by), "no", at)),
            Op::Withdraw { id, by } => drop(workflow.withdraw(&named(id), person(by), at)),
            Op::Supersede { id, by } => {
                let mut new = ask("payments/x");
                (new.requester, new.at) = (person(by), at);
                drop(workflow.request(new.superseding(named(id))));
            }
        }
    }
    second(clock.abs())
}

/// Counts again, from the requests, what the workflow counted as events came.
fn check_counts(workflow: &ApprovalWorkflow, now: Timestamp) {
    let mut by_status: BTreeMap<Status, u64> = BTreeMap::new();
    let mut decided = 0;
    for request in workflow.requests().map(Result::unwrap) {
        let status = match request.status(now) {
            Status::Lapsed => Status::Approved,
            other => other,
        };
        *by_status.entry(status).or_default() += 1;
        decided += request.reviews.len() as u64;
    }
    let statistics = workflow.statistics(now);
    let mut counted = statistics.by_status.clone();
    counted.retain(|_, count| *count > 0);
    assert_eq!(counted, by_status);
    assert_eq!(statistics.time_to_decision.count, decided);
    assert_eq!(
        workflow.decisions().map(Result::unwrap).count() as u64,
        decided
    );
    let waiting = workflow.pending(Page::first(usize::MAX), now).requests;
    assert_eq!(waiting.len() as u64, statistics.count(Status::Pending));
    for request in workflow.requests().map(Result::unwrap) {
        assert!(
            request
                .reviews
                .iter()
                .all(|review| review.reviewer != request.submission.requester),
            "{request:?}"
        );
        let trail = workflow
            .audit_trail(&request.submission.id)
            .unwrap()
            .unwrap();
        assert!(trail.is_sorted_by_key(|entry| entry.seq) && !trail.is_empty());
        assert!(trail.is_sorted_by_key(|entry| entry.event.at()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn the_state_is_the_fold_of_the_log(ops in prop::collection::vec(op(), 1..40)) {
        let dir = tempdir().unwrap();
        let workflow = open(&dir);
        let now = run(&workflow, &ops);
        check_counts(&workflow, now);
        let before = everything(&workflow);
        workflow.close().unwrap();
        let workflow = open(&dir);
        prop_assert_eq!(everything(&workflow), before.as_str());
        check_counts(&workflow, now);
        drop(workflow);
        let options = crate::support::options().without_snapshots().held_requests(1);
        let workflow = options.open(dir.path(), policy()).unwrap();
        prop_assert_eq!(everything(&workflow), before);
    }
}

#[test]
fn a_log_cut_at_any_record_is_the_state_of_that_moment() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let mut moments = vec![everything(&workflow)];
    for number in 0..4 {
        let request = workflow.request(ask("payments/refund")).unwrap();
        moments.push(everything(&workflow));
        if number % 2 == 0 {
            let yes = Decision::approve(person("alice"), second(1)).with_reason("so");
            workflow.decide(&request.submission.id, yes).unwrap();
            moments.push(everything(&workflow));
        }
    }
    workflow.close().unwrap();

    let whole = lines(&dir);
    for (records, moment) in moments.iter().enumerate() {
        // The first line is the identity of the log.
        let mut kept = whole[..=records].to_vec();
        let half = whole
            .get(records + 1)
            .map_or("", |line| &line[..line.len() / 2]);
        kept.push(half.to_owned());
        let copy = log_of(&dir, &kept);
        let workflow = open(&copy);
        assert_eq!(workflow.recovery().torn.is_some(), !half.is_empty());
        assert_eq!(&everything(&workflow), moment);
    }
}

#[test]
fn a_request_that_expired_unrecorded_is_pending_again_only_for_an_earlier_moment() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let request = workflow.request(ask("payments/refund")).unwrap();
    let id = &request.submission.id;
    assert_eq!(
        workflow.status(id, second(99_999)).unwrap(),
        Some(Status::Expired)
    );
    assert_eq!(workflow.get(id).unwrap().unwrap().state, State::Pending);
    workflow.expire_due(second(99_999)).unwrap();
    assert_eq!(
        workflow.status(id, second(1)).unwrap(),
        Some(Status::Expired)
    );
}
